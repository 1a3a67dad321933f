/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/trim.h"

/*
 * KiB that are resident of the C library's program.
 * @touch: use every page of it
 */
static uint64_t resident(bool touch)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], mode[8];
	bool counts = false;
	uintptr_t at, end;
	uint64_t kib, sum = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &at, &end,
			   mode) == 3) {
			counts = strcmp(mode, "r-xp") == 0 &&
				 strstr(line, "/libc.so");
			for (; counts && touch && at < end; at += 4096)
				(void)*(const volatile uint8_t *)at;
		} else if (counts && sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
			sum += kib;
		}
	}
	fclose(f);
	return sum;
}

START_TEST(libraries_keep_what_they_use)
{
	static char written[] = "written";
	uint64_t before;

	(void)resident(true);
	before = resident(false);
	written[0] = 'W';
	trim_memory();
	ck_assert_uint_lt(resident(false), before);
	ck_assert_str_eq(written, "Written");
	/* And all is there again when it is wanted. */
	ck_assert_double_eq(strtod("1.5", NULL), 1.5);
}
END_TEST

static uint64_t before;
static struct loop *loop;

static void look(struct loop_timer *t)
{
	if (resident(false) < before)
		loop_stop(loop);
	else
		loop_timer_set(t, 10000000);
}

START_TEST(later_is_when_the_loop_has_run_for_a_while)
{
	struct loop_timer later = {0}, looks = {.fn = look};

	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	ck_assert_int_eq(loop_timer_add(loop, &looks), 0);
	loop_timer_set(&looks, 10000000);
	(void)resident(true);
	before = resident(false);
	trim_later(&later, loop);
	ck_assert_uint_eq(resident(false), before);
	loop_run(loop);
	loop_timer_del(&later);
	loop_timer_del(&looks);
	loop_free(loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/trim");
	TCase *tc = tcase_create("trim");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, libraries_keep_what_they_use);
	tcase_add_test(tc, later_is_when_the_loop_has_run_for_a_while);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
