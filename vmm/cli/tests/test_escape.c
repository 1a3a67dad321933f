/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/escape.h"

static struct escape escape;
static struct escape_keys keys;

static void setup(void)
{
	escape = (struct escape){0};
}

/* @typed gives @sent. */
static void typed(const char *keys_in, const char *sent)
{
	uint8_t out[64];
	size_t n = escape_filter(&escape, (const uint8_t *)keys_in,
				 strlen(keys_in), out, &keys);

	ck_assert_uint_eq(n, strlen(sent));
	ck_assert_int_eq(memcmp(out, sent, n), 0);
}

START_TEST(other_keys_pass)
{
	typed("", "");
	typed("hx\002\003\032", "hx\002\003\032");
	ck_assert(!keys.end && !keys.help);
}
END_TEST

START_TEST(ctrl_a_x_ends)
{
	typed("ab\001xcd", "ab");
	ck_assert(keys.end && !keys.help);
}
END_TEST

START_TEST(ctrl_a_h_helps)
{
	typed("ab\001hcd", "abcd");
	ck_assert(keys.help && !keys.end);
}
END_TEST

START_TEST(ctrl_a_twice_is_one)
{
	typed("\001\001x", "\001x");
	ck_assert(!keys.end);
	typed("\001\001\001x", "\001");
	ck_assert(keys.end);
}
END_TEST

START_TEST(ctrl_a_and_another_key_pass)
{
	typed("\001z", "\001z");
	typed("\001X", "\001X");
	ck_assert(!keys.end);
}
END_TEST

START_TEST(keys_may_come_in_two_pieces)
{
	typed("a\001", "a");
	typed("x", "");
	ck_assert(keys.end);
	typed("\001", "");
	typed("zb", "\001zb");
	typed("\001", "");
	typed("", "");
	typed("h", "");
	ck_assert(keys.help);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/escape");
	TCase *tc = tcase_create("escape");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, other_keys_pass);
	tcase_add_test(tc, ctrl_a_x_ends);
	tcase_add_test(tc, ctrl_a_h_helps);
	tcase_add_test(tc, ctrl_a_twice_is_one);
	tcase_add_test(tc, ctrl_a_and_another_key_pass);
	tcase_add_test(tc, keys_may_come_in_two_pieces);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
