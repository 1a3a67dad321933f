/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/log.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned lines;
static enum log_level last_level;
static char last[1024];

static void record(enum log_level level, const char *line)
{
	lines++;
	last_level = level;
	(void)snprintf(last, sizeof(last), "%s", line);
	errno = EPIPE; /* as a sink that writes may */
}

static void setup(void)
{
	lines = 0;
	last[0] = '\0';
	log_set_sink(record);
	log_set_level(LOG_WARN);
}

static void teardown(void)
{
	log_set_sink(NULL);
}

START_TEST(a_line_reaches_the_sink_with_its_level)
{
	log_err("disk '%s' is %d", "a", 7);
	ck_assert_uint_eq(lines, 1);
	ck_assert_int_eq(last_level, LOG_ERR);
	ck_assert_str_eq(last, "disk 'a' is 7");
}
END_TEST

START_TEST(lines_above_the_level_are_dropped)
{
	log_warn("w");
	log_info("i");
	log_debug("d");
	ck_assert_uint_eq(lines, 1);
	log_set_level(LOG_DEBUG);
	log_info("i");
	log_debug("d");
	ck_assert_uint_eq(lines, 3);
	log_set_level(LOG_ERR);
	log_warn("w");
	ck_assert_uint_eq(lines, 3);
}
END_TEST

START_TEST(a_guest_gets_one_line_until_its_reset)
{
	struct guest_log g = {.name = "blk0"};

	for (unsigned i = 1; i <= 1000; i++)
		guest_warn(&g, "bad request %u", i);
	ck_assert_uint_eq(lines, 1);
	ck_assert_int_eq(last_level, LOG_WARN);
	ck_assert_str_eq(last, "blk0: bad request 1");
	guest_log_rearm(&g);
	guest_warn(&g, "again");
	ck_assert_uint_eq(lines, 2);
	ck_assert_str_eq(last, "blk0: again");
}
END_TEST

START_TEST(a_guest_that_resets_for_ever_falls_silent)
{
	struct guest_log g = {.name = "blk0"};

	for (unsigned i = 1; i <= 100000; i++) {
		guest_warn(&g, "bad request %u", i);
		guest_log_rearm(&g);
	}
	ck_assert_uint_eq(lines, GUEST_LOG_LINES_MAX);
	ck_assert_str_eq(last, "blk0: bad request 100 (says no more)");
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal)
{
	log_err("a\x1b[2Jb\nc\x7f\x01 d\xc3\xa9");
	ck_assert_str_eq(last, "a?[2Jb?c?? d\xc3\xa9");
}
END_TEST

START_TEST(a_line_of_any_length_is_cut)
{
	static char huge[2048];
	struct guest_log g = {.name = huge};

	memset(huge, 'x', sizeof(huge) - 1);
	log_err("%s", huge);
	ck_assert_uint_eq(strlen(last), 511);
	guest_warn(&g, "%s", "y");
	ck_assert_uint_eq(lines, 2);
	ck_assert_uint_eq(strlen(last), 511);
}
END_TEST

START_TEST(logging_keeps_errno)
{
	errno = ENOENT;
	log_err("x");
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(without_a_sink_lines_go_to_stderr)
{
	char out[128] = {0};
	int fds[2], saved;

	ck_assert_int_eq(pipe(fds), 0);
	saved = dup(2);
	dup2(fds[1], 2);
	log_set_sink(NULL);
	log_warn("hello");
	dup2(saved, 2);
	close(saved);
	close(fds[1]);
	ck_assert_int_gt(read(fds[0], out, sizeof(out) - 1), 0);
	close(fds[0]);
	ck_assert_str_eq(out, "moat: warn: hello\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/log");
	TCase *tc = tcase_create("log");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_line_reaches_the_sink_with_its_level);
	tcase_add_test(tc, lines_above_the_level_are_dropped);
	tcase_add_test(tc, a_guest_gets_one_line_until_its_reset);
	tcase_add_test(tc, a_guest_that_resets_for_ever_falls_silent);
	tcase_add_test(tc, control_characters_do_not_reach_the_terminal);
	tcase_add_test(tc, a_line_of_any_length_is_cut);
	tcase_add_test(tc, logging_keeps_errno);
	tcase_add_test(tc, without_a_sink_lines_go_to_stderr);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
