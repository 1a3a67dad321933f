/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/notice.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static struct recall recall;
static struct notice n;

static void setup(void)
{
	memset(&recall, 0, sizeof(recall));
	notice_init(&n, &recall, notice_able());
}

/* What a user does for each hold. */
static enum notice_news look(void)
{
	return notice_none(&n) ? NOTICE_NONE : notice_hear(&n);
}

static void go_quick(void)
{
	for (unsigned k = 0; k < NOTICE_PATIENCE; k++)
		(void)look();
	ck_assert(!notice_barrier_due(&n));
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

START_TEST(change_is_heard_once)
{
	notice_post(&n, false);
	ck_assert_int_eq(look(), NOTICE_CHANGE);
	ck_assert_int_eq(look(), NOTICE_NONE);
}
END_TEST

START_TEST(upheaval_is_heard_among_changes)
{
	notice_post(&n, false);
	notice_post(&n, true);
	notice_post(&n, false);
	ck_assert_int_eq(look(), NOTICE_UPHEAVAL);
	ck_assert_int_eq(look(), NOTICE_NONE);
	notice_post(&n, false);
	ck_assert_int_eq(look(), NOTICE_CHANGE);
}
END_TEST

START_TEST(quick_user_hears_a_notice_and_answers)
{
	go_quick();
	notice_post(&n, false);
	ck_assert(!notice_none(&n));
	ck_assert(look());
	/* Nobody is asked for a barrier: still quick. */
	notice_settle(&n);
	ck_assert(notice_none(&n));
	ck_assert(!notice_barrier_due(&n));
}
END_TEST

START_TEST(silent_user_is_made_to_use_barriers)
{
	go_quick();
	notice_post(&n, false);
	notice_settle(&n);
	ck_assert(!atomic_load(&n.quick));
	ck_assert(!notice_none(&n));
	ck_assert(look());
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
	notice_post(&n, false);
	ck_assert(look()); /* of the first notice of the two */
	notice_post(&n, false);
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
	notice_post(&n, false);
	ck_assert(look());
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

		notice_post(&n, false);
		number = atomic_load(&recall.posted);
		notice_fence();
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
	tcase_add_test(t, change_is_heard_once);
	tcase_add_test(t, upheaval_is_heard_among_changes);
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
