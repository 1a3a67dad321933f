/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/range.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/tests/fail.h"

static struct range_set s;
static const struct range everything = {0, UINT64_MAX};

static void setup(void)
{
	range_set_init(&s);
}

static void teardown(void)
{
	range_set_fini(&s);
}

START_TEST(intervals_come_out_in_order)
{
	ck_assert_int_eq(range_set_add(&s, 200, 299), 0);
	ck_assert_int_eq(range_set_add(&s, 0, 99), 0);
	ck_assert_int_eq(range_set_add(&s, 400, 400), 0);
	ck_assert_uint_eq(s.n, 3);
	ck_assert_uint_eq(s.items[0].first, 0);
	ck_assert_uint_eq(s.items[1].first, 200);
	ck_assert_uint_eq(s.items[2].first, 400);
	ck_assert_uint_eq(s.items[2].last, 400);
}
END_TEST

START_TEST(neighbours_stay_apart)
{
	ck_assert_int_eq(range_set_add(&s, 100, 199), 0);
	ck_assert_int_eq(range_set_add(&s, 200, 299), 0);
	ck_assert_int_eq(range_set_add(&s, 0, 99), 0);
	ck_assert_uint_eq(s.n, 3);
}
END_TEST

START_TEST(overlaps_are_refused)
{
	ck_assert_int_eq(range_set_add(&s, 100, 199), 0);
	ck_assert_int_eq(range_set_add(&s, 100, 199), -EEXIST);
	ck_assert_int_eq(range_set_add(&s, 0, 100), -EEXIST);
	ck_assert_int_eq(range_set_add(&s, 199, 300), -EEXIST);
	ck_assert_int_eq(range_set_add(&s, 150, 150), -EEXIST);
	ck_assert_int_eq(range_set_add(&s, 0, UINT64_MAX), -EEXIST);
	ck_assert_int_eq(range_set_add(&s, 5, 4), -EINVAL);
	ck_assert_uint_eq(s.n, 1);
}
END_TEST

START_TEST(overlap_is_seen_at_both_edges)
{
	ck_assert(!range_set_overlaps(&s, 0, UINT64_MAX));
	ck_assert_int_eq(range_set_add(&s, 100, 199), 0);
	ck_assert(!range_set_overlaps(&s, 0, 99));
	ck_assert(range_set_overlaps(&s, 0, 100));
	ck_assert(range_set_overlaps(&s, 199, 199));
	ck_assert(!range_set_overlaps(&s, 200, UINT64_MAX));
	ck_assert(!range_set_overlaps(&s, 150, 149));
}
END_TEST

START_TEST(the_first_and_the_topmost_byte_can_be_in)
{
	ck_assert_int_eq(range_set_add(&s, UINT64_MAX, UINT64_MAX), 0);
	ck_assert_int_eq(range_set_add(&s, 0, 0), 0);
	ck_assert(range_set_overlaps(&s, UINT64_MAX, UINT64_MAX));
	ck_assert(range_set_overlaps(&s, 0, 0));
	ck_assert(!range_set_overlaps(&s, 1, UINT64_MAX - 1));
	ck_assert_int_eq(range_set_add(&s, 1, UINT64_MAX - 1), 0);
}
END_TEST

START_TEST(only_an_exact_interval_is_removed)
{
	ck_assert_int_eq(range_set_remove(&s, 100, 199), -ENOENT);
	ck_assert_int_eq(range_set_add(&s, 100, 199), 0);
	ck_assert_int_eq(range_set_add(&s, 300, 399), 0);
	ck_assert_int_eq(range_set_remove(&s, 100, 198), -ENOENT);
	ck_assert_int_eq(range_set_remove(&s, 101, 199), -ENOENT);
	ck_assert_int_eq(range_set_remove(&s, 100, 199), 0);
	ck_assert_int_eq(range_set_remove(&s, 100, 199), -ENOENT);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_uint_eq(s.items[0].first, 300);
}
END_TEST

START_TEST(the_lowest_gap_that_fits_is_taken)
{
	uint64_t at = 7;

	ck_assert_int_eq(range_set_add(&s, 0x1000, 0x1fff), 0);
	ck_assert_int_eq(range_set_add(&s, 0x2800, 0x2fff), 0);
	ck_assert_int_eq(range_set_alloc(&s, everything, 0x1000, 0x1000, &at),
			 0);
	ck_assert_uint_eq(at, 0);
	ck_assert_int_eq(range_set_alloc(&s, everything, 0x800, 0x800, &at), 0);
	ck_assert_uint_eq(at, 0x2000);
	ck_assert_int_eq(range_set_alloc(&s, everything, 0x800, 0x800, &at), 0);
	ck_assert_uint_eq(at, 0x3000);
	ck_assert_uint_eq(s.n, 5);
}
END_TEST

START_TEST(aligning_up_may_jump_over_entries)
{
	uint64_t at = 7;

	ck_assert_int_eq(range_set_add(&s, 0x1000, 0x1000), 0);
	ck_assert_int_eq(range_set_add(&s, 0x1800, 0x1800), 0);
	ck_assert_int_eq(range_set_add(&s, 0x10000, 0x10000), 0);
	ck_assert_int_eq(range_set_alloc(&s, (struct range){0x1000, 0x2ffff},
					 0x1000, 0x10000, &at),
			 0);
	ck_assert_uint_eq(at, 0x20000);
}
END_TEST

START_TEST(a_window_is_filled_to_its_last_byte)
{
	const struct range w = {0x1000, 0x2fff};
	uint64_t at = 7;

	ck_assert_int_eq(range_set_alloc(&s, w, 0x2001, 1, &at), -ENOSPC);
	ck_assert_int_eq(range_set_alloc(&s, w, 0x1000, 0x1000, &at), 0);
	ck_assert_uint_eq(at, 0x1000);
	ck_assert_int_eq(range_set_alloc(&s, w, 0x1000, 0x1000, &at), 0);
	ck_assert_uint_eq(at, 0x2000);
	ck_assert_int_eq(range_set_alloc(&s, w, 1, 1, &at), -ENOSPC);
	ck_assert_uint_eq(at, 0x2000);
}
END_TEST

START_TEST(windows_that_end_at_2_64_do_not_wrap)
{
	const struct range top = {UINT64_MAX - 0xfff, UINT64_MAX};
	uint64_t at = 7;

	ck_assert_int_eq(range_set_alloc(&s, top, 0x1001, 1, &at), -ENOSPC);
	ck_assert_int_eq(range_set_alloc(&s, top, UINT64_MAX, 1, &at), -ENOSPC);
	ck_assert_int_eq(range_set_alloc(&s, top, 1, 0x2000, &at), -ENOSPC);
	ck_assert_int_eq(range_set_alloc(&s, top, 0x1000, 0x1000, &at), 0);
	ck_assert_uint_eq(at, UINT64_MAX - 0xfff);
	ck_assert_int_eq(range_set_alloc(&s, top, 1, 1, &at), -ENOSPC);
}
END_TEST

START_TEST(odd_requests_have_their_codes)
{
	uint64_t at = 7;

	ck_assert_int_eq(range_set_alloc(&s, everything, 0, 1, &at), -EINVAL);
	ck_assert_int_eq(range_set_alloc(&s, (struct range){5, 4}, 1, 1, &at),
			 -ENOSPC);
	ck_assert_int_eq(range_set_alloc(&s, everything, UINT64_MAX, 1, &at),
			 0);
	ck_assert_uint_eq(at, 0);
	ck_assert_int_eq(range_set_alloc(&s, everything, 1, UINT64_C(1) << 63,
					 &at),
			 -ENOSPC);
}
END_TEST

START_TEST(many_intervals_fit_and_leave_in_any_order)
{
	for (uint64_t i = 0; i < 500; i++)
		ck_assert_int_eq(range_set_add(&s, (i * 7 % 500) * 10,
					       (i * 7 % 500) * 10 + 9),
				 0);
	for (size_t i = 1; i < s.n; i++)
		ck_assert_uint_gt(s.items[i].first, s.items[i - 1].last);
	for (uint64_t i = 0; i < 500; i++)
		ck_assert_int_eq(range_set_remove(&s, (i * 11 % 500) * 10,
						  (i * 11 % 500) * 10 + 9),
				 0);
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(without_memory_the_set_stays_as_it_was)
{
	uint64_t at = 7;
	int r, r2;

	fail_arm(1);
	r = range_set_add(&s, 1, 2);
	ck_assert(fail_disarm());
	fail_arm(1);
	r2 = range_set_alloc(&s, everything, 1, 1, &at);
	ck_assert(fail_disarm());
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_int_eq(r2, -ENOMEM);
	ck_assert_uint_eq(s.n, 0);
	ck_assert_uint_eq(at, 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core/range");
	TCase *tc = tcase_create("range");
	SRunner *sr = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, intervals_come_out_in_order);
	tcase_add_test(tc, neighbours_stay_apart);
	tcase_add_test(tc, overlaps_are_refused);
	tcase_add_test(tc, overlap_is_seen_at_both_edges);
	tcase_add_test(tc, the_first_and_the_topmost_byte_can_be_in);
	tcase_add_test(tc, only_an_exact_interval_is_removed);
	tcase_add_test(tc, the_lowest_gap_that_fits_is_taken);
	tcase_add_test(tc, aligning_up_may_jump_over_entries);
	tcase_add_test(tc, a_window_is_filled_to_its_last_byte);
	tcase_add_test(tc, windows_that_end_at_2_64_do_not_wrap);
	tcase_add_test(tc, odd_requests_have_their_codes);
	tcase_add_test(tc, many_intervals_fit_and_leave_in_any_order);
	tcase_add_test(tc, without_memory_the_set_stays_as_it_was);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
