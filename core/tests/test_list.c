/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/list.h"

#include <check.h>
#include <stdlib.h>

struct item {
	int value;
	struct list link;
};

static struct list head;
static struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};

static void setup(void)
{
	list_init(&head);
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	list_append(&head, &c.link);
}

/* The values in order, as decimal digits. */
static int digits(void)
{
	int n = 0;

	list_for_each (p, &head)
		n = n * 10 + container_of(p, struct item, link)->value;
	return n;
}

START_TEST(append_keeps_the_order)
{
	ck_assert(!list_empty(&head));
	ck_assert_int_eq(digits(), 123);
}
END_TEST

START_TEST(insert_goes_behind_its_node)
{
	struct item d = {.value = 4};

	list_insert(&head, &d.link);
	ck_assert_int_eq(digits(), 4123);
	list_remove(&d.link);
	list_insert(&c.link, &d.link);
	ck_assert_int_eq(digits(), 1234);
	list_remove(&d.link);
}
END_TEST

START_TEST(removing_first_middle_and_last_empties_the_list)
{
	list_remove(&b.link);
	ck_assert_int_eq(digits(), 13);
	list_remove(&a.link);
	ck_assert_int_eq(digits(), 3);
	list_remove(&c.link);
	ck_assert_int_eq(digits(), 0);
	ck_assert(list_empty(&head));
}
END_TEST

START_TEST(removing_twice_does_no_harm)
{
	list_remove(&b.link);
	list_remove(&b.link);
	ck_assert_int_eq(digits(), 13);
}
END_TEST

START_TEST(a_walk_may_remove_every_node_it_visits)
{
	int seen = 0;

	list_for_each (p, &head) {
		list_remove(p);
		seen++;
	}
	ck_assert_int_eq(seen, 3);
	ck_assert(list_empty(&head));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/list");
	TCase *tc = tcase_create("list");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, append_keeps_the_order);
	tcase_add_test(tc, insert_goes_behind_its_node);
	tcase_add_test(tc, removing_first_middle_and_last_empties_the_list);
	tcase_add_test(tc, removing_twice_does_no_harm);
	tcase_add_test(tc, a_walk_may_remove_every_node_it_visits);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
