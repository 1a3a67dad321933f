/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>

#include "iommu/backoff.h"

static struct backoff b;

static void setup(void)
{
	b = (struct backoff){0};
}

static uint64_t pause_after(uint64_t now)
{
	ck_assert(!backoff_over(&b, b.until - 1));
	ck_assert(backoff_over(&b, b.until));
	return b.until - now;
}

START_TEST(nothing_keeps_back_the_first_trial)
{
	ck_assert(backoff_over(&b, 0));
}
END_TEST

START_TEST(each_failure_doubles_the_pause_up_to_the_limit)
{
	uint64_t now = 5, expected = BACKOFF_MIN_NS;

	for (unsigned n = 0; n < 20; n++) {
		backoff_failed(&b, now, 0);
		ck_assert_uint_eq(pause_after(now), expected);
		now = b.until;
		expected *= 2;
		if (expected > BACKOFF_MAX_NS)
			expected = BACKOFF_MAX_NS;
	}
	ck_assert_uint_eq(b.pause, BACKOFF_MAX_NS);
}
END_TEST

START_TEST(dear_failure_pauses_for_a_hundred_times_its_cost)
{
	backoff_failed(&b, 7, BACKOFF_MIN_NS);
	ck_assert_uint_eq(pause_after(7), 100 * BACKOFF_MIN_NS);
	backoff_failed(&b, 7, BACKOFF_MAX_NS);
	ck_assert_uint_eq(pause_after(7), 100 * BACKOFF_MAX_NS);
	/* From there it is not doubled. */
	backoff_failed(&b, 7, 0);
	ck_assert_uint_eq(pause_after(7), BACKOFF_MAX_NS);
}
END_TEST

START_TEST(endless_failure_does_not_wrap)
{
	backoff_failed(&b, 1, UINT64_MAX);
	ck_assert(!backoff_over(&b, UINT64_C(1) << 61));
}
END_TEST

START_TEST(what_goes_well_for_a_pause_halves_the_next_one)
{
	for (unsigned n = 0; n < 3; n++)
		backoff_failed(&b, 0, 0);
	ck_assert_uint_eq(b.pause, 4 * BACKOFF_MIN_NS);
	backoff_went_well(&b, 4 * BACKOFF_MIN_NS - 1);
	ck_assert_uint_eq(b.pause, 4 * BACKOFF_MIN_NS);
	backoff_went_well(&b, 1);
	ck_assert_uint_eq(b.pause, 2 * BACKOFF_MIN_NS);
	backoff_went_well(&b, 2 * BACKOFF_MIN_NS);
	backoff_went_well(&b, BACKOFF_MIN_NS);
	ck_assert_uint_eq(b.pause, 0);
	backoff_failed(&b, 0, 0);
	ck_assert_uint_eq(b.pause, BACKOFF_MIN_NS);
}
END_TEST

START_TEST(failure_takes_back_what_went_well)
{
	backoff_failed(&b, 0, 0);
	backoff_went_well(&b, BACKOFF_MIN_NS - 1);
	backoff_failed(&b, 0, 0);
	backoff_went_well(&b, 2 * BACKOFF_MIN_NS - 1);
	ck_assert_uint_eq(b.pause, 2 * BACKOFF_MIN_NS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/backoff");
	TCase *t = tcase_create("backoff");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, nothing_keeps_back_the_first_trial);
	tcase_add_test(t, each_failure_doubles_the_pause_up_to_the_limit);
	tcase_add_test(t, dear_failure_pauses_for_a_hundred_times_its_cost);
	tcase_add_test(t, endless_failure_does_not_wrap);
	tcase_add_test(t, what_goes_well_for_a_pause_halves_the_next_one);
	tcase_add_test(t, failure_takes_back_what_went_well);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
