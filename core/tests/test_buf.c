/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/buf.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/tests/fail.h"

static struct buf b;

static void setup(void)
{
	buf_init(&b);
}

static void teardown(void)
{
	buf_fini(&b);
}

START_TEST(an_empty_buffer_has_no_bytes)
{
	ck_assert_int_eq(buf_error(&b), 0);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_null(buf_at(&b, 0, 1));
	buf_put(&b, NULL, 0);
	buf_put_zero(&b, 0);
	buf_align(&b, 4096);
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

START_TEST(integers_are_put_little_endian)
{
	const uint8_t want[] = {1, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1};

	buf_put8(&b, 1);
	buf_put_le16(&b, 0x0102);
	buf_put_le32(&b, 0x01020304);
	buf_put_le64(&b, 0x0102030405060708);
	ck_assert_int_eq(buf_error(&b), 0);
	ck_assert_uint_eq(b.len, sizeof(want));
	ck_assert_mem_eq(b.data, want, sizeof(want));
}
END_TEST

START_TEST(growing_keeps_what_is_there)
{
	for (unsigned i = 0; i < 100000; i++)
		buf_put8(&b, (uint8_t)i);
	ck_assert_int_eq(buf_error(&b), 0);
	ck_assert_uint_eq(b.len, 100000);
	for (unsigned i = 0; i < 100000; i++)
		ck_assert_uint_eq(b.data[i], (uint8_t)i);
}
END_TEST

START_TEST(what_has_grown_can_be_cut_again)
{
	uint8_t *p;

	buf_put(&b, "abc", 3);
	p = buf_grow(&b, 1000);
	ck_assert_ptr_nonnull(p);
	memset(p, 'x', 1000);
	ck_assert_uint_eq(b.len, 1003);
	ck_assert_mem_eq(b.data, "abcxxx", 6);
	buf_cut(&b, 4);
	buf_put(&b, "d", 1);
	ck_assert_uint_eq(b.len, 5);
	ck_assert_mem_eq(b.data, "abcxd", 5);
	ck_assert_ptr_null(buf_grow(&b, SIZE_MAX));
	ck_assert_int_eq(buf_error(&b), -ENOMEM);
}
END_TEST

START_TEST(aligning_pads_with_zeros)
{
	const uint8_t want[8] = {0xff};

	buf_put8(&b, 0xff);
	buf_align(&b, 1);
	ck_assert_uint_eq(b.len, 1);
	buf_align(&b, 8);
	ck_assert_uint_eq(b.len, 8);
	ck_assert_mem_eq(b.data, want, 8);
	buf_align(&b, 8);
	ck_assert_uint_eq(b.len, 8);
}
END_TEST

START_TEST(only_bytes_that_are_there_can_be_patched)
{
	uint8_t *p;

	buf_put_zero(&b, 16);
	p = buf_at(&b, 15, 1);
	ck_assert_ptr_nonnull(p);
	*p = 9;
	ck_assert_uint_eq(b.data[15], 9);
	ck_assert_ptr_nonnull(buf_at(&b, 0, 16));
	ck_assert_ptr_nonnull(buf_at(&b, 16, 0));
	ck_assert_ptr_null(buf_at(&b, 0, 17));
	ck_assert_ptr_null(buf_at(&b, 15, 2));
	ck_assert_ptr_null(buf_at(&b, 16, 1));
	ck_assert_ptr_null(buf_at(&b, 17, 0));
	ck_assert_ptr_null(buf_at(&b, 1, SIZE_MAX));
	ck_assert_ptr_null(buf_at(&b, SIZE_MAX, 1));
}
END_TEST

START_TEST(a_length_that_wraps_latches_the_error)
{
	buf_put8(&b, 1);
	buf_put_zero(&b, SIZE_MAX);
	ck_assert_int_eq(buf_error(&b), -ENOMEM);
	buf_put8(&b, 2);
	ck_assert_uint_eq(b.len, 1);
	ck_assert_ptr_null(buf_at(&b, 0, 1));
}
END_TEST

START_TEST(the_first_failed_allocation_latches)
{
	fail_arm(1);
	buf_put8(&b, 1);
	ck_assert(fail_disarm());
	ck_assert_int_eq(buf_error(&b), -ENOMEM);
	buf_put8(&b, 2);
	ck_assert_int_eq(buf_error(&b), -ENOMEM);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_null(buf_at(&b, 0, 0));
	buf_fini(&b);
	ck_assert_int_eq(buf_error(&b), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/buf");
	TCase *tc = tcase_create("buf");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_empty_buffer_has_no_bytes);
	tcase_add_test(tc, integers_are_put_little_endian);
	tcase_add_test(tc, growing_keeps_what_is_there);
	tcase_add_test(tc, what_has_grown_can_be_cut_again);
	tcase_add_test(tc, aligning_pads_with_zeros);
	tcase_add_test(tc, only_bytes_that_are_there_can_be_patched);
	tcase_add_test(tc, a_length_that_wraps_latches_the_error);
	tcase_add_test(tc, the_first_failed_allocation_latches);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
