/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/hold.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"

#define TOP (~UINT64_C(0))

static struct hold_gate gate;
static struct hold_table *table;
static struct recall recall;

static void setup(void)
{
	ck_assert_int_eq(hold_gate_init(&gate), 0);
	table = aligned_alloc(alignof(struct hold_table), sizeof(*table));
	memset(&recall, 0, sizeof(recall));
	hold_table_init(table, &recall, &gate);
}

static void teardown(void)
{
	hold_table_fini(table);
	free(table);
	hold_gate_fini(&gate);
}

static unsigned begin(iova_t first, iova_t last)
{
	enum notice_news news;
	int number = hold_begin(table, first, last, &news);

	ck_assert_int_ge(number, 0);
	return (unsigned)number;
}

static bool wait_for(iova_t first, iova_t last)
{
	return hold_wait(table, &(struct range){first, last}, 1);
}

/* A thread that waits. */
struct waiter {
	pthread_t thread;
	iova_t first, last;
	_Atomic bool done;
	bool result;
};

static void *wait_thread(void *arg)
{
	struct waiter *w = arg;

	w->result = wait_for(w->first, w->last);
	atomic_store(&w->done, true);
	return NULL;
}

static void waiter_start(struct waiter *w, iova_t first, iova_t last)
{
	*w = (struct waiter){.first = first, .last = last};
	ck_assert_int_eq(pthread_create(&w->thread, NULL, wait_thread, w), 0);
}

/* Until @n threads sleep at the gate. */
static void until_asleep(unsigned n)
{
	while (atomic_load(&gate.care) / HOLD_WAITER != n)
		usleep(100);
}

START_TEST(nothing_held_nothing_waited_for)
{
	ck_assert(wait_for(0, TOP));
	hold_end(table, begin(0, TOP));
	ck_assert(wait_for(0, TOP));
}
END_TEST

START_TEST(holds_beside_the_range_are_not_waited_for)
{
	unsigned low = begin(0, 0xfff);
	unsigned high = begin(0x2000, TOP);

	ck_assert(wait_for(0x1000, 0x1fff));
	hold_end(table, low);
	ck_assert(wait_for(0, 0x1fff));
	hold_end(table, high);
}
END_TEST

static void expect_waits(iova_t first, iova_t last)
{
	struct waiter w;
	unsigned number = begin(0x1000, 0x1fff);

	waiter_start(&w, first, last);
	until_asleep(1);
	ck_assert(!atomic_load(&w.done));
	hold_end(table, number);
	pthread_join(w.thread, NULL);
	ck_assert(w.result);
}

START_TEST(one_byte_of_overlap_is_waited_for)
{
	expect_waits(0, 0x1000);
	expect_waits(0x1fff, TOP);
	expect_waits(0x1800, 0x1800);
	expect_waits(0, TOP);
}
END_TEST

START_TEST(waiter_wants_all_that_overlap)
{
	struct waiter w;
	unsigned a = begin(0, 10), b = begin(5, 20), c = begin(30, 40);

	waiter_start(&w, 8, 12);
	until_asleep(1);
	hold_end(table, a);
	usleep(2000);
	ck_assert(!atomic_load(&w.done));
	hold_end(table, b);
	pthread_join(w.thread, NULL);
	ck_assert(w.result);
	hold_end(table, c);
}
END_TEST

START_TEST(only_holds_in_one_of_the_ranges_are_waited_for)
{
	const struct range ranges[] = {{40, 49}, {0, 9}, {20, 29}};
	int between = begin(10, 19), beyond = begin(50, 59);

	ck_assert(hold_wait(table, ranges, ARRAY_SIZE(ranges)));
	hold_gate_stop(&gate, true);
	for (unsigned n = 0; n < ARRAY_SIZE(ranges); n++) {
		int in = begin(ranges[n].last, ranges[n].last);

		ck_assert(!hold_wait(table, ranges, ARRAY_SIZE(ranges)));
		hold_end(table, (unsigned)in);
	}
	ck_assert(hold_wait(table, ranges, ARRAY_SIZE(ranges)));
	hold_end(table, (unsigned)between);
	hold_end(table, (unsigned)beyond);
}
END_TEST

START_TEST(two_waiters_are_both_woken)
{
	struct waiter v, w;
	unsigned a = begin(0, 10), b = begin(20, 30);

	waiter_start(&v, 0, 10);
	waiter_start(&w, 20, 30);
	until_asleep(2);
	hold_end(table, b);
	pthread_join(w.thread, NULL);
	ck_assert(!atomic_load(&v.done));
	hold_end(table, a);
	pthread_join(v.thread, NULL);
}
END_TEST

static void *wait_walks_thread(void *arg)
{
	struct waiter *w = arg;

	hold_wait_walks(table);
	atomic_store(&w->done, true);
	return NULL;
}

START_TEST(walks_are_waited_for_until_they_settle)
{
	struct waiter w = {0};
	unsigned a = begin(0, 10), b = begin(20, 30);

	hold_settle(table, a);
	pthread_create(&w.thread, NULL, wait_walks_thread, &w);
	usleep(5000);
	ck_assert(!atomic_load(&w.done));
	hold_settle(table, b);
	pthread_join(w.thread, NULL);
	hold_end(table, a);
	/* One that ends without settling counts too. */
	a = begin(0, 10);
	w.done = false;
	pthread_create(&w.thread, NULL, wait_walks_thread, &w);
	usleep(5000);
	ck_assert(!atomic_load(&w.done));
	hold_end(table, a);
	pthread_join(w.thread, NULL);
	hold_end(table, b);
}
END_TEST

START_TEST(walks_under_every_word_are_waited_for)
{
	struct waiter w = {0};
	uint64_t use;

	for (unsigned n = RECALL_BULK; n < RECALL_WORDS; n++) {
		unsigned word = recall_pick(&recall);

		ck_assert_uint_eq(word, n);
		(void)hold_page(table, word, n * RECALL_PAGE_SIZE, &use);
		recall_take(&recall, word);
		if (n < RECALL_WORDS - 1)
			recall_settle(&recall, word, use);
	}
	ck_assert_uint_eq(recall_pick(&recall), RECALL_WORDS);
	pthread_create(&w.thread, NULL, wait_walks_thread, &w);
	usleep(5000);
	ck_assert(!atomic_load(&w.done));
	recall_settle(&recall, RECALL_WORDS - 1, use);
	pthread_join(w.thread, NULL);
}
END_TEST

START_TEST(settling_does_not_end_the_hold)
{
	struct waiter w;
	unsigned a = begin(0, 10);

	waiter_start(&w, 0, 10);
	until_asleep(1);
	hold_settle(table, a);
	usleep(5000);
	ck_assert(!atomic_load(&w.done));
	hold_end(table, a);
	pthread_join(w.thread, NULL);
	ck_assert(w.result);
}
END_TEST

START_TEST(stop_breaks_the_wait_and_can_be_taken_back)
{
	struct waiter w;
	unsigned a = begin(0, 10);

	waiter_start(&w, 0, 10);
	until_asleep(1);
	hold_gate_stop(&gate, true);
	pthread_join(w.thread, NULL);
	ck_assert(!w.result);
	ck_assert(!wait_for(0, 10));
	ck_assert(wait_for(11, 20));
	hold_gate_stop(&gate, false);
	waiter_start(&w, 0, 10);
	until_asleep(1);
	hold_end(table, a);
	pthread_join(w.thread, NULL);
	ck_assert(w.result);
}
END_TEST

START_TEST(every_slot_is_seen_and_comes_back)
{
	enum { N = 3 * HOLD_CHUNK + 1 };
	unsigned numbers[N];

	for (unsigned n = 0; n < N; n++)
		numbers[n] = begin(n * 16, n * 16 + 15);
	hold_gate_stop(&gate, true); /* now a wait tells instead of waiting */
	for (unsigned n = 0; n < N; n++)
		ck_assert(!wait_for(n * 16, n * 16));
	for (unsigned n = 0; n < N; n++)
		hold_end(table, numbers[n]);
	ck_assert(wait_for(0, TOP));
	for (unsigned n = 0; n < N; n++)
		ck_assert_uint_eq(begin(0, 0), n);
}
END_TEST

START_TEST(table_that_is_full_says_so)
{
	enum notice_news news;

	for (unsigned n = 0; n < HOLD_MAX; n++)
		ck_assert_uint_eq(begin(n, n), n);
	ck_assert_int_eq(hold_begin(table, 0, 0, &news), -ENOMEM);
	ck_assert_int_eq(news, NOTICE_NONE);
	hold_end(table, 4711);
	ck_assert_uint_eq(begin(0, 0), 4711);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/hold");
	TCase *t = tcase_create("hold");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, nothing_held_nothing_waited_for);
	tcase_add_test(t, holds_beside_the_range_are_not_waited_for);
	tcase_add_test(t, one_byte_of_overlap_is_waited_for);
	tcase_add_test(t, waiter_wants_all_that_overlap);
	tcase_add_test(t, only_holds_in_one_of_the_ranges_are_waited_for);
	tcase_add_test(t, two_waiters_are_both_woken);
	tcase_add_test(t, walks_are_waited_for_until_they_settle);
	tcase_add_test(t, walks_under_every_word_are_waited_for);
	tcase_add_test(t, settling_does_not_end_the_hold);
	tcase_add_test(t, stop_breaks_the_wait_and_can_be_taken_back);
	tcase_add_test(t, every_slot_is_seen_and_comes_back);
	tcase_add_test(t, table_that_is_full_says_so);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
