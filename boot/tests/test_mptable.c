/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/mptable.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"

#define FLOATING 0x9fc00u
#define TABLE	 0x9fc10u

static uint8_t sum(gpa_t at, size_t len)
{
	uint8_t bytes[2048];
	unsigned total = 0;

	ck_assert_uint_le(len, sizeof(bytes));
	ck_assert_int_eq(gmem_read(&fx.mem, at, bytes, len), 0);
	for (size_t i = 0; i < len; i++)
		total += bytes[i];
	return (uint8_t)total;
}

static uint32_t byte(gpa_t at)
{
	return guest32(at) & 0xff;
}

static int write_table(unsigned ncpus)
{
	return mptable_write(&fx.mem, ncpus, 0xfee00000, 0xfec00000, &fx.err);
}

START_TEST(floating_pointer_is_at_the_end_of_base_memory)
{
	ck_assert_int_eq(write_table(1), 0);
	ck_assert_uint_eq(guest32(FLOATING), 0x5f504d5f); /* "_MP_" */
	ck_assert_uint_eq(guest32(FLOATING + 4), TABLE);
	ck_assert_uint_eq(byte(FLOATING + 8), 1);
	ck_assert_uint_eq(byte(FLOATING + 9), 4);
	ck_assert_uint_eq(sum(FLOATING, 16), 0);
	ck_assert(guest_is_zero(FLOATING + 11, 5));
}
END_TEST

/* Walks the entries as a guest does: 20 bytes for a processor, else 8. */
START_TEST(entries_are_as_many_as_the_header_says)
{
	static const unsigned counts[] = {1, 4, 64};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned n[5] = {0}, entries;
		gpa_t at = TABLE + 44;
		uint32_t len;

		ck_assert_int_eq(write_table(counts[i]), 0);
		ck_assert_uint_eq(guest32(TABLE), 0x504d4350); /* "PCMP" */
		len = guest32(TABLE + 4) & 0xffff;
		ck_assert_uint_eq(sum(TABLE, len), 0);
		ck_assert_uint_eq(guest32(TABLE + 36), 0xfee00000);
		entries = guest32(TABLE + 34) & 0xffff;
		for (unsigned j = 0; j < entries; j++) {
			ck_assert_uint_le(byte(at), 4);
			n[byte(at)]++;
			at += byte(at) == 0 ? 20 : 8;
		}
		ck_assert_uint_eq(at, TABLE + len);
		ck_assert_uint_eq(n[0], counts[i]);
		ck_assert_uint_eq(n[1], 1);
		ck_assert_uint_eq(n[2], 1);
		ck_assert_uint_eq(n[3], 16);
		ck_assert_uint_eq(n[4], 2);
	}
}
END_TEST

START_TEST(first_processor_is_the_one_that_boots)
{
	ck_assert_int_eq(write_table(3), 0);
	for (unsigned i = 0; i < 3; i++) {
		gpa_t at = TABLE + 44 + 20 * i;

		ck_assert_uint_eq(byte(at + 1), i);
		ck_assert_uint_eq(byte(at + 3), i == 0 ? 3 : 1);
	}
}
END_TEST

START_TEST(isa_interrupts_are_on_the_pin_of_their_number)
{
	gpa_t at = TABLE + 44 + 20 + 8;
	uint32_t ioapic;

	ck_assert_int_eq(write_table(1), 0);
	ck_assert_uint_eq(byte(at), 2);
	ioapic = byte(at + 1);
	ck_assert_uint_eq(guest32(at + 4), 0xfec00000);
	for (unsigned i = 0; i < 16; i++) {
		at += 8;
		ck_assert_uint_eq(guest32(at), 3);
		ck_assert_uint_eq(guest32(at + 4),
				  i << 24 | ioapic << 16 | i << 8);
	}
}
END_TEST

START_TEST(number_of_cpus_is_bounded)
{
	ck_assert_int_eq(write_table(0), -EINVAL);
	ck_assert_int_eq(write_table(65), -EINVAL);
	ck_assert_str_eq(fx.err.msg, "an MPTable has 1 to 64 CPUs");
	ck_assert_int_eq(write_table(UINT32_MAX), -EINVAL);
	ck_assert(guest_is_zero(FLOATING, 16));
	ck_assert_int_eq(write_table(64), 0);
	/* Past 0x9ffff, but within what the memory map reserves. */
	ck_assert_uint_lt(TABLE + (guest32(TABLE + 4) & 0xffff), 0xa0400);
}
END_TEST

START_TEST(table_needs_memory)
{
	const struct gmem_slot slot = {.base = MIB(1), .size = MIB(1)};

	fixture_memory(&slot, 1);
	ck_assert_int_eq(write_table(1), -EFAULT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/mptable");
	TCase *tc = tcase_create("mptable");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, floating_pointer_is_at_the_end_of_base_memory);
	tcase_add_test(tc, entries_are_as_many_as_the_header_says);
	tcase_add_test(tc, first_processor_is_the_one_that_boots);
	tcase_add_test(tc, isa_interrupts_are_on_the_pin_of_their_number);
	tcase_add_test(tc, number_of_cpus_is_bounded);
	tcase_add_test(tc, table_needs_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
