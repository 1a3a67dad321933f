/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/tests/load_fixture.h"
#include "core/bits.h"
#include "core/le.h"

START_TEST(page_tables_map_4_gib_onto_themselves)
{
	ck_assert_int_eq(load(&elf), 0);
	for (uint64_t at = 0; at < GIB(4); at += MIB(2)) {
		uint64_t e = guest64(entry.cr3 + 8 * (at >> 39));

		ck_assert_uint_eq(e & 0xfff, 3);
		e = guest64((e & ~0xfffull) + 8 * (at >> 30 & 511));
		ck_assert_uint_eq(e & 0xfff, 3);
		e = guest64((e & ~0xfffull) + 8 * (at >> 21 & 511));
		ck_assert_uint_eq(e, at | 0x83);
	}
	ck_assert(guest_is_zero(entry.cr3 + 8, 4096 - 8));
	ck_assert(guest_is_zero(entry.cr3 + 4096 + 32, 4096 - 32));
}
END_TEST

START_TEST(gdt_has_the_selectors_of_the_boot_protocol)
{
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(entry.gdt_limit, 39);
	ck_assert_uint_eq(guest64(entry.gdt), 0);
	ck_assert_uint_eq(guest64(entry.gdt + 0x10), 0x00af9b000000ffff);
	ck_assert_uint_eq(guest64(entry.gdt + 0x18), 0x00cf93000000ffff);
	ck_assert_uint_gt(entry.idt, entry.gdt + entry.gdt_limit);
}
END_TEST

START_TEST(zero_page_of_a_vmlinux_is_made_up)
{
	config.rsdp = 0xe0000;
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1fe) & 0xffff, 0xaa55);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x202), 0x53726448);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x206) & 0xffff, 0x20f);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x210) & 0xffff, 0x1ff);
	ck_assert_uint_ne(guest32(ZERO_PAGE + 0x230), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x228), CMDLINE);
	ck_assert_uint_eq(guest64(ZERO_PAGE + 0x070), 0xe0000);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x218), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x21c), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1ef) & 0xff, 0); /* sentinel */
}
END_TEST

START_TEST(zero_page_of_a_bzimage_has_its_header_and_no_more)
{
	build_packed();
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1e8) & 0xff00, 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1ec), 0); /* with sentinel */
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1f0) & 0xffff, 0x0100);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x202), 0x53726448);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x210) & 0xffff, 0x1ff);
	ck_assert_uint_eq(guest64(ZERO_PAGE + BZ_PREF_ADDRESS), MIB(16));
	ck_assert_uint_eq(guest32(ZERO_PAGE + BZ_INIT_SIZE), MIB(1));
	ck_assert(guest_is_zero(ZERO_PAGE + 0x26c, 0x2d0 - 0x26c));
}
END_TEST

START_TEST(seed_differs_from_start_to_start)
{
	uint64_t at, first;

	ck_assert_int_eq(load(&elf), 0);
	at = guest64(ZERO_PAGE + 0x250);
	ck_assert_uint_ge(at, CMDLINE);
	ck_assert_uint_lt(at, 0x9fc00);
	ck_assert_uint_eq(guest64(at), 0); /* next */
	ck_assert_uint_eq(guest32(at + 8), 9);
	ck_assert_uint_eq(guest32(at + 12), 64);
	first = guest64(at + 16);
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_ne(guest64(at + 16), first);
	ck_assert(!guest_is_zero(at + 16 + 56, 8));
	ck_assert(guest_is_zero(at + 16 + 64, 8));
}
END_TEST

struct e820 {
	uint64_t base, size;
	uint32_t type;
};

static void check_e820(unsigned i, struct e820 want)
{
	gpa_t at = ZERO_PAGE + 0x2d0 + 20 * i;

	ck_assert_uint_eq(guest64(at), want.base);
	ck_assert_uint_eq(guest64(at + 8), want.size);
	ck_assert_uint_eq(guest32(at + 16), want.type);
}

static unsigned e820_count(void)
{
	return guest32(ZERO_PAGE + 0x1e8) & 0xff;
}

START_TEST(memory_map_leaves_out_the_holes)
{
	static const struct boot_reserved reserved[] = {
		{0xfec00000, 0x1000},
		{0xeec00000, MIB(1)},
	};
	const struct gmem_slot layout[] = {
		{.base = 0, .size = MIB(64)},
		{.base = GIB(4), .size = MIB(2)},
	};

	fixture_memory(layout, 2);
	config.reserved = reserved;
	config.nreserved = 2;
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(e820_count(), 6);
	check_e820(0, (struct e820){0, 0x9fc00, 1});
	check_e820(1, (struct e820){0x9fc00, 0x60400, 2});
	check_e820(2, (struct e820){MIB(1), MIB(63), 1});
	check_e820(3, (struct e820){0xeec00000, MIB(1), 2});
	check_e820(4, (struct e820){0xfec00000, 0x1000, 2});
	check_e820(5, (struct e820){GIB(4), MIB(2), 1});
}
END_TEST

START_TEST(memory_map_has_room_for_128_entries)
{
	static struct boot_reserved reserved[126];

	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
		reserved[i] = (struct boot_reserved){GIB(1) + i * MIB(2), 4096};
	config.reserved = reserved;
	config.nreserved = 125; /* and 3 of its own */
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(e820_count(), 128);
	check_e820(127, (struct e820){GIB(1) + 124 * MIB(2), 4096, 2});
	ck_assert(guest_is_zero(ZERO_PAGE + 0x2d0 + 128 * 20, 8));
	config.nreserved = 126;
	ck_assert_int_eq(load(&elf), -E2BIG);
}
END_TEST

START_TEST(command_line_ends_with_nul)
{
	char text[32];

	ck_assert_int_eq(
		gmem_write(&fx.mem, CMDLINE, "xxxxxxxxxxxxxxxxxxxxxx", 22), 0);
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_int_eq(gmem_read(&fx.mem, CMDLINE, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "console=ttyS0 quiet");
}
END_TEST

START_TEST(missing_command_line_is_an_empty_one)
{
	config.cmdline = NULL;
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(guest32(CMDLINE), 0);
}
END_TEST

START_TEST(command_line_may_have_as_much_as_the_kernel_takes)
{
	char text[2050] = {0};

	memset(text, 'x', 2047);
	config.cmdline = text;
	ck_assert_int_eq(load(&elf), 0);
	text[2047] = 'x';
	ck_assert_int_eq(load(&elf), -E2BIG);
	ck_assert_str_eq(message_without_path(),
			 "command line of 2048 bytes, the kernel takes 2047");
	build_packed();
	le32_store(bz.data + BZ_CMDLINE_SIZE, 2048);
	ck_assert_int_eq(load(&bz), 0);
	text[2048] = 'x';
	ck_assert_int_eq(load(&bz), -E2BIG);
}
END_TEST

START_TEST(command_line_has_64_kib_whatever_the_kernel_says)
{
	char *text = calloc(1, 0x10001);

	build_packed();
	le32_store(bz.data + BZ_CMDLINE_SIZE, UINT32_MAX);
	memset(text, 'x', 0xffff);
	config.cmdline = text;
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_uint_eq(guest32(CMDLINE + 0xfffc), 0x00787878);
	text[0xffff] = 'x';
	ck_assert_int_eq(load(&bz), -E2BIG);
	free(text);
}
END_TEST

START_TEST(low_memory_too_small_for_the_tables_is_an_error)
{
	const struct gmem_slot layout[] = {
		{.base = 0, .size = 0x20000},
		{.base = MIB(16), .size = MIB(16)},
	};

	fixture_memory(layout, 2);
	ck_assert_int_eq(load(&elf), -EFAULT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/parameters");
	TCase *tc = tcase_create("parameters");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, load_setup, load_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, page_tables_map_4_gib_onto_themselves);
	tcase_add_test(tc, gdt_has_the_selectors_of_the_boot_protocol);
	tcase_add_test(tc, zero_page_of_a_vmlinux_is_made_up);
	tcase_add_test(tc, zero_page_of_a_bzimage_has_its_header_and_no_more);
	tcase_add_test(tc, seed_differs_from_start_to_start);
	tcase_add_test(tc, memory_map_leaves_out_the_holes);
	tcase_add_test(tc, memory_map_has_room_for_128_entries);
	tcase_add_test(tc, low_memory_too_small_for_the_tables_is_an_error);
	tcase_add_test(tc, command_line_ends_with_nul);
	tcase_add_test(tc, missing_command_line_is_an_empty_one);
	tcase_add_test(tc, command_line_may_have_as_much_as_the_kernel_takes);
	tcase_add_test(tc, command_line_has_64_kib_whatever_the_kernel_says);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
