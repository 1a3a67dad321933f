/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/value.h"
#include "vmm/cli/words.h"

#define UNTOUCHED 77

static struct err err;

static uint64_t size_of(const char *text, uint64_t min, uint64_t max)
{
	uint64_t val = UNTOUCHED;
	int r = value_size(text, min, max, &val, &err);

	ck_assert_int_eq(r, val == UNTOUCHED ? -EINVAL : 0);
	return val;
}

static void no_size(const char *text, const char *why)
{
	ck_assert_uint_eq(size_of(text, MIB(16), GIB(1024)), UNTOUCHED);
	ck_assert_str_eq(err.msg, why);
}

START_TEST(size_takes_a_number_and_a_letter)
{
	ck_assert_uint_eq(size_of("512M", 0, UINT64_MAX), MIB(512));
	ck_assert_uint_eq(size_of("512m", 0, UINT64_MAX), MIB(512));
	ck_assert_uint_eq(size_of("2G", 0, UINT64_MAX), GIB(2));
	ck_assert_uint_eq(size_of("2g", 0, UINT64_MAX), GIB(2));
	ck_assert_uint_eq(size_of("1T", 0, UINT64_MAX), GIB(1024));
	ck_assert_uint_eq(size_of("16384K", 0, UINT64_MAX), MIB(16));
	ck_assert_uint_eq(size_of("16384k", 0, UINT64_MAX), MIB(16));
}
END_TEST

START_TEST(size_without_letter_is_mib)
{
	ck_assert_uint_eq(size_of("16", MIB(16), GIB(1024)), MIB(16));
	ck_assert_uint_eq(size_of("0016", MIB(16), GIB(1024)), MIB(16));
}
END_TEST

START_TEST(size_keeps_its_bounds)
{
	ck_assert_uint_eq(size_of("16M", MIB(16), GIB(1024)), MIB(16));
	ck_assert_uint_eq(size_of("1024G", MIB(16), GIB(1024)), GIB(1024));
	no_size("15M", "expected a size from 16M to 1T");
	no_size("0", "expected a size from 16M to 1T");
	no_size("1048577", "expected a size from 16M to 1T");
	no_size("1025G", "expected a size from 16M to 1T");
}
END_TEST

START_TEST(size_past_64_bits_is_too_large)
{
	no_size("18446744073709551615", "expected a size from 16M to 1T");
	no_size("18446744073709551616", "expected a size from 16M to 1T");
	no_size("99999999999999999999999", "expected a size from 16M to 1T");
	no_size("16777216T", "expected a size from 16M to 1T");
	no_size("17592186044416", "expected a size from 16M to 1T");
}
END_TEST

START_TEST(size_is_whole_mib)
{
	no_size("16385K", "expected whole MiB");
}
END_TEST

START_TEST(size_refuses_what_is_no_size)
{
	static const char *const bad[] = {"",	  "M",	  "-1",	 "+1",
					  " 1",	  "1 ",	  "1MB", "1MiB",
					  "1.5G", "0x10", "1P",	 "1B"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		no_size(bad[i],
			"expected a size like 512M or 2G (K, M, G or T; MiB "
			"without a letter)");
}
END_TEST

static uint64_t time_of(const char *text)
{
	uint64_t val = UNTOUCHED;
	int r = value_time(text, &val, &err);

	ck_assert_int_eq(r, val == UNTOUCHED ? -EINVAL : 0);
	return val;
}

START_TEST(time_takes_a_number_and_a_unit)
{
	ck_assert_uint_eq(time_of("1ms"), 1);
	ck_assert_uint_eq(time_of("30"), 30000);
	ck_assert_uint_eq(time_of("30s"), 30000);
	ck_assert_uint_eq(time_of("5m"), 300000);
	ck_assert_uint_eq(time_of("1h"), 3600000);
	ck_assert_uint_eq(time_of("365d"), VALUE_TIME_MAX_MS);
}
END_TEST

START_TEST(time_keeps_its_bounds)
{
	static const char *const bad[] = {
		"0",
		"0ms",
		"366d",
		"31536001",
		"8761h",
		"18446744073709551615",
		"213503982334601d",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_uint_eq(time_of(bad[i]), UNTOUCHED);
		ck_assert_str_eq(err.msg, "expected a time from 1ms to 365d");
	}
}
END_TEST

START_TEST(time_refuses_what_is_no_time)
{
	static const char *const bad[] = {"",	 "s",  "-1", "1.5h",
					  "1 m", "5M", "1w", "1m30s"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_uint_eq(time_of(bad[i]), UNTOUCHED);
		ck_assert_str_eq(err.msg,
				 "expected a time like 30s, 5m or 1h (ms, s, "
				 "m, h or d; seconds without a letter)");
	}
}
END_TEST

static bool range_is(const char *text, uint64_t first, uint64_t last)
{
	uint64_t a = UNTOUCHED, b = UNTOUCHED;

	return value_range(text, &a, &b, &err) == 0 && a == first && b == last;
}

static void no_range(const char *text)
{
	uint64_t a = UNTOUCHED, b = UNTOUCHED;

	ck_assert_int_eq(value_range(text, &a, &b, &err), -EINVAL);
	ck_assert_str_eq(err.msg,
			 "expected addresses like 0x8000000-0x80fffff");
	ck_assert(a == UNTOUCHED && b == UNTOUCHED);
}

START_TEST(range_is_two_addresses)
{
	ck_assert(range_is("0-0", 0, 0));
	ck_assert(range_is("4096-8191", 4096, 8191));
	ck_assert(range_is("0x8000000-0x80FFfff", 0x8000000, 0x80fffff));
	ck_assert(range_is("0-0xffffffffffffffff", 0, UINT64_MAX));
	ck_assert(range_is("18446744073709551615-0xffffffffffffffff",
			   UINT64_MAX, UINT64_MAX));
}
END_TEST

START_TEST(range_refuses_what_is_no_range)
{
	uint64_t a, b;

	no_range("");
	no_range("1");
	no_range("1-");
	no_range("-1");
	no_range("0x-0x1");
	no_range("1-2-3");
	no_range("1-2 ");
	no_range("+1-2");
	no_range("a-f");
	no_range("0-0x10000000000000000");
	no_range("0-18446744073709551616");
	ck_assert_int_eq(value_range("2-1", &a, &b, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "expected a range that does not end before "
				  "it begins");
}
END_TEST

START_TEST(count_keeps_its_bounds)
{
	static const char *const bad[] = {"0",
					  "65",
					  "",
					  "4x",
					  "-1",
					  "4294967297",
					  "18446744073709551617"};
	unsigned n = UNTOUCHED;

	ck_assert_int_eq(value_count("1", 1, 64, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(value_count("64", 1, 64, &n, &err), 0);
	ck_assert_uint_eq(n, 64);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(value_count(bad[i], 1, 64, &n, &err), -EINVAL);
		ck_assert_str_eq(err.msg, "expected a number from 1 to 64");
	}
	ck_assert_uint_eq(n, 64);
}
END_TEST

START_TEST(choice_names_all_words)
{
	static const char *const words[] = {"serial", "virtio", "both"};
	unsigned i = UNTOUCHED;

	ck_assert_int_eq(value_choice("both", words, 3, &i, &err), 0);
	ck_assert_uint_eq(i, 2);
	ck_assert_int_eq(value_choice("Both", words, 3, &i, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "expected serial, virtio or both");
	ck_assert_uint_eq(i, 2);
}
END_TEST

START_TEST(switch_is_on_or_off)
{
	bool on = false;

	ck_assert_int_eq(value_switch("on", &on, &err), 0);
	ck_assert(on);
	ck_assert_int_eq(value_switch("off", &on, &err), 0);
	ck_assert(!on);
	ck_assert_int_eq(value_switch("yes", &on, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "expected on or off");
}
END_TEST

START_TEST(text_is_not_empty)
{
	const char *text = NULL;

	ck_assert_int_eq(value_text("x", &text, &err), 0);
	ck_assert_str_eq(text, "x");
	ck_assert_int_eq(value_text("", &text, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "expected something, not nothing");
	ck_assert_str_eq(text, "x");
}
END_TEST

START_TEST(list_of_words_reads_well)
{
	static const char *const words[] = {"a", "b", "c"};
	char buf[16];

	words_list(buf, sizeof(buf), words, 0, "or");
	ck_assert_str_eq(buf, "");
	words_list(buf, sizeof(buf), words, 1, "or");
	ck_assert_str_eq(buf, "a");
	words_list(buf, sizeof(buf), words, 2, "or");
	ck_assert_str_eq(buf, "a or b");
	words_list(buf, sizeof(buf), words, 3, "and");
	ck_assert_str_eq(buf, "a, b and c");
	words_list(buf, 5, words, 3, "and");
	ck_assert_str_eq(buf, "a, b");
}
END_TEST

START_TEST(nearest_word_has_few_slips)
{
	static const char *const words[] = {"kernel", "memory", "ro", "rng"};

	ck_assert_str_eq(words_nearest("kernal", words, 4), "kernel");
	ck_assert_str_eq(words_nearest("kenrel", words, 4), "kernel");
	ck_assert_str_eq(words_nearest("kernell", words, 4), "kernel");
	ck_assert_str_eq(words_nearest("mem", words, 1) ? "" : "none", "none");
	ck_assert_str_eq(words_nearest("rw", words, 4), "ro");
	ck_assert_str_eq(words_nearest("or", words, 4), "ro");
	ck_assert_ptr_null(words_nearest("x", words, 4));
	ck_assert_ptr_null(words_nearest("", words, 4));
	ck_assert_ptr_null(words_nearest("disk", words, 4));
	ck_assert_ptr_null(words_nearest("kernelkernelkernelkernelkernelkernel",
					 words, 4));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/value");
	TCase *tc = tcase_create("value");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, size_takes_a_number_and_a_letter);
	tcase_add_test(tc, size_without_letter_is_mib);
	tcase_add_test(tc, size_keeps_its_bounds);
	tcase_add_test(tc, size_past_64_bits_is_too_large);
	tcase_add_test(tc, size_is_whole_mib);
	tcase_add_test(tc, size_refuses_what_is_no_size);
	tcase_add_test(tc, time_takes_a_number_and_a_unit);
	tcase_add_test(tc, time_keeps_its_bounds);
	tcase_add_test(tc, time_refuses_what_is_no_time);
	tcase_add_test(tc, range_is_two_addresses);
	tcase_add_test(tc, range_refuses_what_is_no_range);
	tcase_add_test(tc, count_keeps_its_bounds);
	tcase_add_test(tc, choice_names_all_words);
	tcase_add_test(tc, switch_is_on_or_off);
	tcase_add_test(tc, text_is_not_empty);
	tcase_add_test(tc, list_of_words_reads_well);
	tcase_add_test(tc, nearest_word_has_few_slips);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
