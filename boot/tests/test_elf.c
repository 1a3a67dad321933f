/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/elf.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"
#include "core/le.h"

static struct buf b;
static struct elf elf;

static void setup(void)
{
	fixture_setup();
	buf_init(&b);
	elf_build(&b, &small_kernel);
}

static void teardown(void)
{
	buf_fini(&b);
	fixture_teardown();
}

static uint8_t *program(unsigned i)
{
	return b.data + ELF_PROGRAMS + (size_t)ELF_PROGRAM_SIZE * i;
}

static int parse(void)
{
	struct image im;
	int r;

	ck_assert_int_eq(
		image_open(&im, fixture_file("k", b.data, b.len), &fx.err), 0);
	r = elf_parse(&elf, &im, &fx.err);
	image_close(&im);
	return r;
}

static int load(void)
{
	struct image im;
	int r;

	ck_assert_int_eq(
		image_open(&im, fixture_file("k", b.data, b.len), &fx.err), 0);
	r = elf_parse(&elf, &im, &fx.err);
	if (r == 0)
		r = elf_load(&elf, &im, &fx.mem, &fx.err);
	image_close(&im);
	return r;
}

START_TEST(segments_go_to_their_physical_addresses)
{
	ck_assert_int_eq(gmem_write(&fx.mem, 0x10031f0, "old", 3), 0);
	ck_assert_int_eq(gmem_write(&fx.mem, 0x1003300, "old", 3), 0);
	ck_assert_int_eq(gmem_write(&fx.mem, 0x1004200, "old", 3), 0);
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(elf.entry, 0x1000010);
	ck_assert_uint_eq(elf.first, 0x1000000);
	ck_assert_uint_eq(elf.end, 0x1004200);
	ck_assert(guest_has_pattern(0x1000000, 0x1800));
	ck_assert(guest_is_zero(0x1001800, 0x1800));
	ck_assert(guest_has_pattern(0x1003000, 0x200));
	ck_assert(guest_is_zero(0x1003200, 0x1000));
	ck_assert_uint_eq(guest32(0x1004200) & 0xffffff, 0x646c6f);
}
END_TEST

START_TEST(pvh_entry_is_found_behind_another_owners_note)
{
	ck_assert_int_eq(parse(), 0);
	ck_assert(elf.has_pvh);
	ck_assert_uint_eq(elf.pvh_entry, 0x1000020);
}
END_TEST

START_TEST(truncation_anywhere_is_an_error)
{
	size_t whole = b.len;

	/* The notes come last, and without their last pad they are whole. */
	for (size_t len = 0; len < whole; len++) {
		int r;

		b.len = len;
		r = parse();
		ck_assert_msg(r == -ENODATA, "%zu of %zu bytes: %d %s", len,
			      whole, r, fx.err.msg);
	}
	b.len = whole;
	ck_assert_int_eq(parse(), 0);
}
END_TEST

START_TEST(program_header_table_at_the_end_of_the_address_space_is_truncated)
{
	le64_store(b.data + ELF_PHOFF, UINT64_MAX);
	ck_assert_int_eq(parse(), -ENODATA);
	le64_store(b.data + ELF_PHOFF, UINT64_MAX - 2 * 56 + 1);
	ck_assert_int_eq(parse(), -ENODATA);
	le64_store(b.data + ELF_PHOFF, b.len - 55);
	ck_assert_int_eq(parse(), -ENODATA);
}
END_TEST

START_TEST(header_of_something_else_is_no_kernel)
{
	b.data[4] = 1;
	ck_assert_int_eq(parse(), -ENOEXEC);
	ck_assert_str_eq(fx.err.msg, "a 32-bit ELF; moat runs 64-bit kernels");
	b.data[4] = 3;
	ck_assert_int_eq(parse(), -ENOEXEC);
	b.data[4] = 2;
	b.data[5] = 2; /* big-endian */
	ck_assert_int_eq(parse(), -ENOEXEC);
	b.data[5] = 1;
	le16_store(b.data + ELF_MACHINE, 183);
	ck_assert_int_eq(parse(), -ENOEXEC);
	ck_assert_str_eq(fx.err.msg, "an ELF for machine 183, x86_64 is 62");
	le16_store(b.data + ELF_MACHINE, 62);
	le16_store(b.data + 16, 1); /* relocatable */
	ck_assert_int_eq(parse(), -ENOEXEC);
	le16_store(b.data + 16, 3); /* position-independent */
	ck_assert_int_eq(parse(), 0);
	b.data[0] = 0;
	ck_assert_int_eq(parse(), -ENOEXEC);
}
END_TEST

START_TEST(program_headers_of_another_size_are_refused)
{
	le16_store(b.data + ELF_PHENTSIZE, 55);
	ck_assert_int_eq(parse(), -ENOEXEC);
	le16_store(b.data + ELF_PHENTSIZE, 0);
	ck_assert_int_eq(parse(), -ENOEXEC);
	le16_store(b.data + ELF_PHENTSIZE, 57);
	ck_assert_int_eq(parse(), -ENOEXEC);
}
END_TEST

START_TEST(number_of_program_headers_is_bounded)
{
	le16_store(b.data + ELF_PHNUM, 0);
	ck_assert_int_eq(parse(), -ENOEXEC);
	le16_store(b.data + ELF_PHNUM, 65);
	ck_assert_int_eq(parse(), -ENOEXEC);
	le16_store(b.data + ELF_PHNUM, 0xffff); /* PN_XNUM */
	ck_assert_int_eq(parse(), -ENOEXEC);
}
END_TEST

/* A copy of a program header at the end of the file. */
static void put_program_again(unsigned i)
{
	uint8_t copy[ELF_PROGRAM_SIZE];

	memcpy(copy, program(i), sizeof(copy));
	buf_put(&b, copy, sizeof(copy)); /* which may move b.data */
}

/* All of them past the file's end, so that reading them fails. */
START_TEST(as_many_program_headers_as_allowed_are_read)
{
	le64_store(b.data + ELF_PHOFF, b.len);
	le16_store(b.data + ELF_PHNUM, 64);
	ck_assert_int_eq(parse(), -ENODATA);
	for (unsigned i = 0; i < 64; i++)
		put_program_again(i % 2);
	ck_assert_int_eq(parse(), -ENOEXEC); /* they overlap */
	ck_assert_ptr_nonnull(strstr(fx.err.msg, "overlap"));
	for (unsigned i = 2; i < 64; i++) {
		uint8_t *p = b.data + b.len - (size_t)56 * (64 - i);

		le32_store(p + P_TYPE, 0);
	}
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(elf.nsegments, 2);
}
END_TEST

START_TEST(number_of_segments_is_bounded)
{
	le64_store(b.data + ELF_PHOFF, b.len);
	le16_store(b.data + ELF_PHNUM, 32);
	for (unsigned i = 0; i < 33; i++) {
		put_program_again(1);
		le64_store(b.data + b.len - ELF_PROGRAM_SIZE + P_PADDR,
			   0x1000000 + 0x2000 * i);
	}
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(elf.nsegments, 32);
	le16_store(b.data + ELF_PHNUM, 33);
	ck_assert_int_eq(parse(), -ENOEXEC);
	ck_assert_str_eq(fx.err.msg, "more than 32 ELF segments");
}
END_TEST

START_TEST(segment_with_nothing_in_the_file_is_cleared)
{
	le64_store(program(1) + P_FILESZ, 0);
	ck_assert_int_eq(gmem_write(&fx.mem, 0x1003000, "old", 3), 0);
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(elf.nsegments, 2);
	ck_assert(guest_is_zero(0x1003000, 0x1200));
}
END_TEST

START_TEST(elf_without_segments_is_refused)
{
	le32_store(program(0) + P_TYPE, 6);
	le32_store(program(1) + P_TYPE, 6);
	ck_assert_int_eq(parse(), -ENOEXEC);
	ck_assert_str_eq(fx.err.msg, "an ELF with nothing to load");
}
END_TEST

START_TEST(empty_segments_are_left_out)
{
	le64_store(program(1) + P_FILESZ, 0);
	le64_store(program(1) + P_MEMSZ, 0);
	le64_store(program(1) + P_PADDR, UINT64_MAX);
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(elf.nsegments, 1);
	ck_assert_uint_eq(elf.end, 0x1001800);
}
END_TEST

START_TEST(segment_with_more_in_the_file_than_in_memory_is_refused)
{
	le64_store(program(0) + P_MEMSZ, 0x17ff);
	ck_assert_int_eq(parse(), -ENOEXEC);
}
END_TEST

START_TEST(segment_that_wraps_is_refused)
{
	le64_store(program(0) + P_PADDR, UINT64_MAX - 0x17ff + 1);
	ck_assert_int_eq(parse(), -ENOEXEC);
	le64_store(program(0) + P_PADDR, 0x1000000);
	le64_store(program(0) + P_OFFSET, UINT64_MAX - 0x17ff + 1);
	ck_assert_int_eq(parse(), -ENOEXEC);
	le64_store(program(0) + P_OFFSET, UINT64_MAX - 0x1800);
	ck_assert_int_eq(parse(), -ENODATA);
	le64_store(program(0) + P_OFFSET, 64);
	le64_store(program(0) + P_MEMSZ, UINT64_MAX);
	ck_assert_int_eq(parse(), -ENOEXEC);
}
END_TEST

START_TEST(segment_that_ends_with_the_file_is_whole_and_one_past_is_not)
{
	uint64_t offset = b.len - 0x1800;

	le64_store(program(0) + P_OFFSET, offset);
	ck_assert_int_eq(parse(), 0);
	le64_store(program(0) + P_OFFSET, offset + 1);
	ck_assert_int_eq(parse(), -ENODATA);
}
END_TEST

START_TEST(overlapping_segments_are_refused)
{
	le64_store(program(1) + P_PADDR, 0x10017ff);
	ck_assert_int_eq(parse(), -ENOEXEC);
	le64_store(program(1) + P_PADDR, 0x1001800);
	ck_assert_int_eq(parse(), 0);
	le64_store(program(1) + P_PADDR, 0x1000000 - 0x1200);
	ck_assert_int_eq(parse(), 0);
	le64_store(program(1) + P_PADDR, 0x1000000 - 0x11ff);
	ck_assert_int_eq(parse(), -ENOEXEC);
}
END_TEST

START_TEST(segment_over_the_boot_tables_is_refused)
{
	le64_store(program(1) + P_PADDR, 0x7000);
	ck_assert_int_eq(load(), -ENOEXEC);
	le64_store(program(1) + P_PADDR, 0xfffff);
	ck_assert_int_eq(load(), -ENOEXEC);
	le64_store(program(1) + P_PADDR, 0);
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_assert(guest_is_zero(0x1000000, 16)); /* nor the first one loaded */
	le64_store(program(1) + P_PADDR, 0x100000);
	ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(segment_must_end_where_memory_does)
{
	le64_store(program(1) + P_PADDR, MIB(64) - 0x1200);
	ck_assert_int_eq(load(), 0);
	le64_store(program(1) + P_PADDR, MIB(64) - 0x11ff);
	ck_assert_int_eq(load(), -E2BIG);
	ck_assert_str_eq(fx.err.msg, "needs memory up to 0x4000001, the guest "
				     "has 64 MiB");
	le64_store(program(1) + P_PADDR, GIB(4) - 0x1200);
	ck_assert_int_eq(load(), -E2BIG);
	le64_store(program(1) + P_PADDR, GIB(4) - 0x11ff);
	ck_assert_int_eq(load(), -ENOEXEC);
	le64_store(program(1) + P_PADDR, UINT64_MAX - 0x1200);
	ck_assert_int_eq(load(), -ENOEXEC);
}
END_TEST

START_TEST(notes_with_absurd_sizes_end_the_search)
{
	uint8_t *notes = b.data + b.len - 48;

	le32_store(notes, UINT32_MAX); /* namesz */
	ck_assert_int_eq(parse(), 0);
	ck_assert(!elf.has_pvh);
	le32_store(notes, 6);
	le32_store(notes + 4, UINT32_MAX); /* descsz */
	ck_assert_int_eq(parse(), 0);
	ck_assert(!elf.has_pvh);
	le32_store(notes, 0); /* a name of no length: on by 12 + 4 bytes */
	le32_store(notes + 4, 4);
	ck_assert_int_eq(parse(), 0);
}
END_TEST

START_TEST(notes_too_large_or_empty_are_not_read)
{
	le64_store(program(2) + P_FILESZ, 0);
	ck_assert_int_eq(parse(), 0);
	ck_assert(!elf.has_pvh);
	le64_store(program(2) + P_FILESZ, UINT64_MAX);
	ck_assert_int_eq(parse(), 0);
	ck_assert(!elf.has_pvh);
	le64_store(program(2) + P_FILESZ, 49);
	ck_assert_int_eq(parse(), -ENODATA);
	le64_store(program(2) + P_FILESZ, 47);
	ck_assert_int_eq(parse(), 0);
	ck_assert(!elf.has_pvh);
}
END_TEST

START_TEST(pvh_entry_beyond_4_gib_does_not_count)
{
	le64_store(b.data + b.len - 8, GIB(4));
	ck_assert_int_eq(parse(), 0);
	ck_assert(!elf.has_pvh);
	le64_store(b.data + b.len - 8, GIB(4) - 1);
	ck_assert_int_eq(parse(), 0);
	ck_assert(elf.has_pvh);
}
END_TEST

START_TEST(covers_first_and_last_byte_of_a_segment)
{
	ck_assert_int_eq(parse(), 0);
	ck_assert(!elf_covers(&elf, 0xffffff));
	ck_assert(elf_covers(&elf, 0x1000000));
	ck_assert(elf_covers(&elf, 0x10017ff));
	ck_assert(!elf_covers(&elf, 0x1001800));
	ck_assert(elf_covers(&elf, 0x10041ff));
	ck_assert(!elf_covers(&elf, 0x1004200));
	ck_assert(!elf_covers(&elf, UINT64_MAX));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/elf");
	TCase *tc = tcase_create("elf");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, segments_go_to_their_physical_addresses);
	tcase_add_test(tc, pvh_entry_is_found_behind_another_owners_note);
	tcase_add_test(tc, truncation_anywhere_is_an_error);
	tcase_add_test(
		tc,
		program_header_table_at_the_end_of_the_address_space_is_truncated);
	tcase_add_test(tc, header_of_something_else_is_no_kernel);
	tcase_add_test(tc, program_headers_of_another_size_are_refused);
	tcase_add_test(tc, number_of_program_headers_is_bounded);
	tcase_add_test(tc, as_many_program_headers_as_allowed_are_read);
	tcase_add_test(tc, number_of_segments_is_bounded);
	tcase_add_test(tc, segment_with_nothing_in_the_file_is_cleared);
	tcase_add_test(tc, elf_without_segments_is_refused);
	tcase_add_test(tc, empty_segments_are_left_out);
	tcase_add_test(tc,
		       segment_with_more_in_the_file_than_in_memory_is_refused);
	tcase_add_test(tc, segment_that_wraps_is_refused);
	tcase_add_test(
		tc,
		segment_that_ends_with_the_file_is_whole_and_one_past_is_not);
	tcase_add_test(tc, overlapping_segments_are_refused);
	tcase_add_test(tc, segment_over_the_boot_tables_is_refused);
	tcase_add_test(tc, segment_must_end_where_memory_does);
	tcase_add_test(tc, notes_with_absurd_sizes_end_the_search);
	tcase_add_test(tc, notes_too_large_or_empty_are_not_read);
	tcase_add_test(tc, pvh_entry_beyond_4_gib_does_not_count);
	tcase_add_test(tc, covers_first_and_last_byte_of_a_segment);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
