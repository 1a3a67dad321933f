/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/err.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char longest[1024]; /* 'x' times 1023 */

static void setup(void)
{
	memset(longest, 'x', sizeof(longest) - 1);
}

START_TEST(set_writes_the_sentence_and_returns_the_code)
{
	struct err e;

	ck_assert_int_eq(err_set(&e, ENOEXEC, "'%s' is no kernel", "a"),
			 -ENOEXEC);
	ck_assert_str_eq(e.msg, "'a' is no kernel");
}
END_TEST

START_TEST(the_errno_text_follows_the_sentence)
{
	struct err e;

	ck_assert_int_eq(err_errno(&e, ENOENT, "cannot open '%s'", "a"),
			 -ENOENT);
	ck_assert_str_eq(e.msg, "cannot open 'a': No such file or directory");
}
END_TEST

START_TEST(context_goes_in_front)
{
	struct err e;

	err_set(&e, EINVAL, "bad");
	err_prefix(&e, "--disk %d", 7);
	err_prefix(&e, "config");
	ck_assert_str_eq(e.msg, "config: --disk 7: bad");
}
END_TEST

START_TEST(null_takes_no_sentence)
{
	ck_assert_int_eq(err_set(NULL, EINVAL, "x"), -EINVAL);
	ck_assert_int_eq(err_errno(NULL, EIO, "x"), -EIO);
	err_prefix(NULL, "x");
}
END_TEST

START_TEST(a_sentence_too_long_is_cut)
{
	struct err e;

	err_set(&e, EINVAL, "%s", longest);
	ck_assert_uint_eq(strlen(e.msg), ERR_MAX - 1);
}
END_TEST

START_TEST(a_path_too_long_leaves_the_errno_text_whole)
{
	struct err e;
	const char *tail = ": Permission denied";

	err_errno(&e, EACCES, "cannot open '%s'", longest);
	ck_assert_uint_eq(strlen(e.msg), ERR_MAX - 1);
	ck_assert_str_eq(e.msg + ERR_MAX - 1 - strlen(tail), tail);
}
END_TEST

START_TEST(a_prefix_of_any_length_stays_in_bounds)
{
	struct {
		struct err e;
		char guard[8];
	} x;

	memcpy(x.guard, "guarded", 8);
	for (size_t len = ERR_MAX - 12; len <= ERR_MAX + 3; len++) {
		err_set(&x.e, EINVAL, "sentence");
		err_prefix(&x.e, "%.*s", (int)len, longest);
		ck_assert_uint_le(strlen(x.e.msg), ERR_MAX - 1);
		ck_assert_mem_eq(x.e.msg, longest, ERR_MAX - 12);
		ck_assert_str_eq(x.guard, "guarded");
	}
}
END_TEST

START_TEST(the_old_sentence_may_be_an_argument)
{
	struct err e;

	err_set(&e, EINVAL, "inner");
	err_set(&e, EINVAL, "outer '%s'", e.msg);
	ck_assert_str_eq(e.msg, "outer 'inner'");
	err_prefix(&e, "<%s>", e.msg);
	ck_assert_str_eq(e.msg, "<outer 'inner'>: outer 'inner'");
	err_errno(&e, ENOENT, "%.4s", e.msg + 1);
	ck_assert_str_eq(e.msg, "oute: No such file or directory");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/err");
	TCase *tc = tcase_create("err");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, set_writes_the_sentence_and_returns_the_code);
	tcase_add_test(tc, the_errno_text_follows_the_sentence);
	tcase_add_test(tc, context_goes_in_front);
	tcase_add_test(tc, null_takes_no_sentence);
	tcase_add_test(tc, a_sentence_too_long_is_cut);
	tcase_add_test(tc, a_path_too_long_leaves_the_errno_text_whole);
	tcase_add_test(tc, a_prefix_of_any_length_stays_in_bounds);
	tcase_add_test(tc, the_old_sentence_may_be_an_argument);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
