/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cli/tail.h"

static struct tail t;

static void setup(void)
{
	t = (struct tail){.len = 0};
}

static void add(const char *text)
{
	tail_add(&t, (const uint8_t *)text, strlen(text));
}

static void find(const char *head, const char *expected)
{
	char *rest = NULL;

	ck_assert_int_eq(tail_find(&t, head, &rest), expected != NULL);
	if (expected)
		ck_assert_str_eq(rest, expected);
	free(rest);
}

/* What tail_report() writes to standard error. */
static const char *shown(size_t max)
{
	static char text[65536];
	const int old = dup(STDERR_FILENO);
	FILE *f = tmpfile();
	size_t n;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(dup2(fileno(f), STDERR_FILENO), 0);
	tail_report(&t, max);
	ck_assert_int_ge(dup2(old, STDERR_FILENO), 0);
	close(old);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

START_TEST(last_line_with_the_head_is_found_behind_stamps)
{
	find("moat: fail ", NULL);
	add("[    1.234567] moat: fail first\r\n"
	    "[    2.000000][    T1] moat: fail second\r\nother\n"
	    "x moat: fail third\n[no stamp] moat: fail fourth\n");
	find("moat: fail ", "second");
	add("moat: fail plain");
	find("moat: fail ", "plain");
}
END_TEST

START_TEST(only_whole_lines_are_left_of_a_long_text)
{
	for (unsigned i = 0; i < 2 * TAIL_BYTES; i++)
		add("y");
	add("\nhead a\n");
	find("head ", "a");
	for (unsigned i = 0; i < TAIL_BYTES / 8; i++)
		add("filler-\n");
	find("head ", NULL);
	find("filler", "-");
}
END_TEST

START_TEST(report_begins_with_the_crash)
{
	add("[    1.0] harmless\n[    2.0] BUG: unable to handle page fault\n"
	    "[    2.1] Call Trace:\n[    3.0] Kernel panic - not syncing: x\n");
	ck_assert_str_eq(shown(1),
			 "moat: guest: [    2.0] BUG: unable to handle page "
			 "fault\n"
			 "moat: guest: [    2.1] Call Trace:\n"
			 "moat: guest: [    3.0] Kernel panic - not syncing: "
			 "x\n");
}
END_TEST

START_TEST(report_without_a_crash_is_the_last_lines)
{
	ck_assert_str_eq(shown(5), "");
	add("one\n\ntwo\nthree\n");
	ck_assert_str_eq(shown(2), "moat: guest: two\nmoat: guest: three\n");
	ck_assert_str_eq(shown(3), "moat: guest: one\nmoat: guest: two\n"
				   "moat: guest: three\n");
}
END_TEST

START_TEST(report_is_bounded)
{
	const char *text;
	unsigned lines = 0;

	add("Oops\n");
	for (unsigned i = 0; i < 500; i++)
		add("z\n");
	for (text = shown(TAIL_LINES); (text = strchr(text, '\n')); text++)
		lines++;
	ck_assert_uint_eq(lines, TAIL_LINES + 1); /* and "..." */
}
END_TEST

START_TEST(warning_of_long_ago_does_not_hide_the_end)
{
	const char *text;

	add("WARNING: odd\n");
	for (unsigned i = 0; i < 100; i++)
		add("z\n");
	add("waiting for the disk\n");
	text = shown(1);
	ck_assert_ptr_nonnull(strstr(text, "guest: WARNING: odd\n"));
	ck_assert_ptr_nonnull(strstr(text, "guest: ...\n"));
	ck_assert_ptr_nonnull(strstr(text, "guest: waiting for the disk\n"));
	add("BUG: bad\nKernel panic - not syncing: x\n");
	ck_assert_str_eq(shown(1), "moat: guest: BUG: bad\nmoat: guest: Kernel "
				   "panic - not syncing: x\n");
}
END_TEST

START_TEST(panic_does_not_hide_the_long_crash_before_it)
{
	const char *text;

	add("BUG: bad\n");
	for (unsigned i = 0; i < 100; i++)
		add("z\n");
	add("Kernel panic - not syncing: x\n");
	text = shown(1);
	ck_assert_ptr_nonnull(strstr(text, "guest: BUG: bad\n"));
	ck_assert_ptr_nonnull(strstr(text, "guest: Kernel panic - not"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/tail");
	TCase *tc = tcase_create("tail");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, last_line_with_the_head_is_found_behind_stamps);
	tcase_add_test(tc, only_whole_lines_are_left_of_a_long_text);
	tcase_add_test(tc, report_begins_with_the_crash);
	tcase_add_test(tc, warning_of_long_ago_does_not_hide_the_end);
	tcase_add_test(tc, panic_does_not_hide_the_long_crash_before_it);
	tcase_add_test(tc, report_without_a_crash_is_the_last_lines);
	tcase_add_test(tc, report_is_bounded);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
