/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "vmm/cli/panic_text.h"

/* In pieces of @piece bytes.  Return: how many of them said yes. */
static unsigned feed(const char *text, size_t piece)
{
	struct panic_text p = {0};
	size_t len = strlen(text);
	unsigned seen = 0;

	for (size_t at = 0; at < len; at += piece)
		seen += panic_text_feed(&p, (const uint8_t *)text + at,
					min_u64(piece, len - at));
	return seen;
}

static unsigned feed_whole(const char *text)
{
	return feed(text, strlen(text));
}

START_TEST(phrase_at_line_start_counts)
{
	ck_assert_uint_eq(feed_whole("Kernel panic - not syncing: x\n"), 1);
	ck_assert_uint_eq(feed_whole("a\nKernel panic - not syncing"), 1);
	ck_assert_uint_eq(feed_whole("a\r\nKernel panic - not syncing"), 1);
	ck_assert_uint_eq(feed_whole("a\rKernel panic - not syncing"), 1);
	ck_assert_uint_eq(feed_whole("Kern\nKernel panic - not syncing"), 1);
}
END_TEST

START_TEST(time_stamps_may_stand_before_it)
{
	ck_assert_uint_eq(
		feed_whole("[    1.234567] Kernel panic - not syncing"), 1);
	ck_assert_uint_eq(
		feed_whole("[12345.678901] Kernel panic - not syncing"), 1);
	ck_assert_uint_eq(
		feed_whole("[    1.234567][    T1] Kernel panic - not syncing"),
		1);
	ck_assert_uint_eq(
		feed_whole("[    1.234567][   C63] Kernel panic - not syncing"),
		1);
}
END_TEST

START_TEST(phrase_inside_a_line_does_not_count)
{
	ck_assert_uint_eq(feed_whole("echo Kernel panic - not syncing\n"), 0);
	ck_assert_uint_eq(feed_whole(" Kernel panic - not syncing\n"), 0);
	ck_assert_uint_eq(feed_whole("'Kernel panic - not syncing'\n"), 0);
	ck_assert_uint_eq(
		feed_whole("[    1.0] log: Kernel panic - not syncing\n"), 0);
	ck_assert_uint_eq(feed_whole("[PASS] Kernel panic - not syncing\n"), 0);
	ck_assert_uint_eq(
		feed_whole("<0>[    1.0] Kernel panic - not syncing\n"), 0);
	ck_assert_uint_eq(feed_whole("KKernel panic - not syncing\n"), 0);
}
END_TEST

START_TEST(other_phrases_do_not_count)
{
	ck_assert_uint_eq(feed_whole("Kernel panic - not syncin\n"), 0);
	ck_assert_uint_eq(feed_whole("Kernel panic\n - not syncing\n"), 0);
	ck_assert_uint_eq(feed_whole("kernel panic - not syncing\n"), 0);
	ck_assert_uint_eq(feed_whole("Kernel command line: x\n"), 0);
}
END_TEST

START_TEST(stamp_has_an_end)
{
	ck_assert_uint_eq(feed_whole("[                        ] "
				     "Kernel panic - not syncing\n"),
			  1);
	ck_assert_uint_eq(feed_whole("[                         ] "
				     "Kernel panic - not syncing\n"),
			  0);
	ck_assert_uint_eq(feed_whole("[1.0\n] Kernel panic - not syncing\n"),
			  0);
}
END_TEST

START_TEST(pieces_of_any_size_are_the_same_text)
{
	static const char text[] =
		"[    0.1] booting\nKernel panic\n[    1.234567][    T1] "
		"Kernel panic - not syncing: Attempted to kill init!\n";

	for (size_t piece = 1; piece < sizeof(text); piece++)
		ck_assert_uint_eq(feed(text, piece), 1);
}
END_TEST

START_TEST(each_panic_counts_once)
{
	struct panic_text p = {0};
	static const uint8_t text[] = "Kernel panic - not syncing\n";

	ck_assert(panic_text_feed(&p, text, sizeof(text) - 1));
	ck_assert(!panic_text_feed(&p, text, 0));
	ck_assert(!panic_text_feed(&p, text, 5));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/panic_text");
	TCase *tc = tcase_create("panic_text");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, phrase_at_line_start_counts);
	tcase_add_test(tc, time_stamps_may_stand_before_it);
	tcase_add_test(tc, phrase_inside_a_line_does_not_count);
	tcase_add_test(tc, other_phrases_do_not_count);
	tcase_add_test(tc, stamp_has_an_end);
	tcase_add_test(tc, pieces_of_any_size_are_the_same_text);
	tcase_add_test(tc, each_panic_counts_once);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
