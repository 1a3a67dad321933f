/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/notice.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define TOP (~UINT64_C(0))

static struct recall recall;
static struct notice n;
static iova_t first, last;

static void setup(void)
{
	memset(&recall, 0, sizeof(recall));
	notice_init(&n, &recall, notice_able());
}

/* What a user does for each hold.  Return: whether it had to forget. */
static bool look(void)
{
	return !notice_none(&n) && notice_hear(&n, &first, &last);
}

static void go_quick(void)
{
	for (unsigned k = 0; k < NOTICE_PATIENCE; k++)
		(void)look();
	ck_assert(!notice_barrier_due(&n));
}

static void expect_everything(void)
{
	ck_assert_uint_eq(first, 0);
	ck_assert_uint_eq(last, TOP);
}

START_TEST(new_user_uses_barriers_and_has_nothing_to_forget)
{
	ck_assert(notice_barrier_due(&n));
	ck_assert(!notice_none(&n));
	ck_assert(!look());
	ck_assert(notice_barrier_due(&n));
}
END_TEST

START_TEST(patience_ends_exactly_when_it_says)
{
	for (unsigned k = 0; k < NOTICE_PATIENCE - 1; k++)
		ck_assert(!look());
	ck_assert(notice_barrier_due(&n));
	ck_assert(!look());
	ck_assert(!notice_barrier_due(&n));
	ck_assert(notice_none(&n));
}
END_TEST

START_TEST(without_membarrier_nobody_does_without_barriers)
{
	notice_init(&n, &recall, false);
	for (unsigned k = 0; k < 3 * NOTICE_PATIENCE; k++)
		ck_assert(!look());
	ck_assert(notice_barrier_due(&n));
}
END_TEST

START_TEST(one_notice_says_what_is_gone)
{
	notice_post(&n, 0x1000, 0x2fff);
	ck_assert(look());
	ck_assert_uint_eq(first, 0x1000);
	ck_assert_uint_eq(last, 0x2fff);
	ck_assert(!look());
}
END_TEST

START_TEST(two_notices_say_everything)
{
	notice_post(&n, 0x1000, 0x1fff);
	notice_post(&n, 0x5000, 0x5fff);
	ck_assert(look());
	expect_everything();
	ck_assert(!look());
}
END_TEST

/* The range of a notice that is being written may be there before it. */
START_TEST(range_of_a_draft_is_not_taken_for_the_last_one)
{
	notice_post(&n, 0x1000, 0x1fff);
	atomic_store(&n.drafted, atomic_load(&recall.posted) + 1);
	atomic_store(&n.first, 0x5000);
	ck_assert(look());
	expect_everything();
}
END_TEST

START_TEST(quick_user_hears_a_notice_and_answers)
{
	go_quick();
	notice_post(&n, 0x1000, 0x1fff);
	ck_assert(!notice_none(&n));
	ck_assert(look());
	ck_assert_uint_eq(first, 0x1000);
	/* Nobody is asked for a barrier: still quick. */
	notice_settle(&n);
	ck_assert(notice_none(&n));
	ck_assert(!notice_barrier_due(&n));
}
END_TEST

START_TEST(silent_user_is_made_to_use_barriers)
{
	go_quick();
	notice_post(&n, 0x1000, 0x1fff);
	notice_settle(&n);
	ck_assert(!atomic_load(&n.quick));
	ck_assert(!notice_none(&n));
	ck_assert(look());
	expect_everything();
	ck_assert(notice_barrier_due(&n));
	/* And has to earn it again. */
	for (unsigned k = 0; k < NOTICE_PATIENCE - 1; k++)
		ck_assert(!look());
	ck_assert(notice_barrier_due(&n));
	ck_assert(!look());
	ck_assert(!notice_barrier_due(&n));
}
END_TEST

START_TEST(user_that_answers_while_it_is_given_up_hears_of_it)
{
	go_quick();
	notice_post(&n, 0x1000, 0x1fff);
	ck_assert(look()); /* of the first notice of the two */
	notice_post(&n, 0x3000, 0x3fff);
	notice_settle(&n);
	ck_assert(!notice_none(&n));
	ck_assert(look());
	ck_assert(notice_barrier_due(&n));
}
END_TEST

START_TEST(notices_between_two_looks_of_a_user_that_turns_quick_are_heard)
{
	for (unsigned k = 0; k < NOTICE_PATIENCE - 1; k++)
		ck_assert(!look());
	notice_post(&n, 0x1000, 0x1fff);
	ck_assert(look());
	ck_assert_uint_eq(first, 0x1000);
	ck_assert(!notice_barrier_due(&n));
	/* It has answered that one. */
	notice_settle(&n);
	ck_assert(notice_none(&n));
}
END_TEST

static _Atomic bool stop;

static void *busy(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		(void)look();
	return NULL;
}

/* After settling, either the user has answered or it uses barriers. */
START_TEST(settling_beside_a_busy_user_ends_and_holds_its_promise)
{
	pthread_t user;

	atomic_store(&stop, false);
	ck_assert_int_eq(pthread_create(&user, NULL, busy, NULL), 0);
	for (unsigned k = 0; k < 20000; k++) {
		uint64_t number;

		notice_post(&n, 0x1000, 0x1fff);
		number = atomic_load(&recall.posted);
		notice_settle(&n);
		/* It may turn quick again, but not without an answer. */
		while (atomic_load(&n.quick) &&
		       atomic_load(&n.answered) < number)
			sched_yield();
		if (k % 100 == 0)
			sched_yield();
	}
	atomic_store(&stop, true);
	pthread_join(user, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/notice");
	TCase *t = tcase_create("notice");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, new_user_uses_barriers_and_has_nothing_to_forget);
	tcase_add_test(t, without_membarrier_nobody_does_without_barriers);
	tcase_add_test(t, one_notice_says_what_is_gone);
	tcase_add_test(t, two_notices_say_everything);
	tcase_add_test(t, range_of_a_draft_is_not_taken_for_the_last_one);
	if (notice_able()) {
		tcase_add_test(t, patience_ends_exactly_when_it_says);
		tcase_add_test(t, quick_user_hears_a_notice_and_answers);
		tcase_add_test(t, silent_user_is_made_to_use_barriers);
		tcase_add_test(
			t, user_that_answers_while_it_is_given_up_hears_of_it);
		tcase_add_test(
			t,
			notices_between_two_looks_of_a_user_that_turns_quick_are_heard);
		tcase_add_test(
			t,
			settling_beside_a_busy_user_ends_and_holds_its_promise);
	}
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
