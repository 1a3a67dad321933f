/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/le.h"
#include "vmm/machine/kernel_log.h"

#define START GIB(1)

static struct gmem mem;
static gpa_t at; /* of the next block */
static uint64_t number;
static char text[4096];

static void setup(void)
{
	const struct gmem_slot slots[] = {
		{.base = 0, .size = MIB(2)},
		{.base = START, .size = MIB(2)},
	};

	ck_assert_int_eq(gmem_init(&mem, slots, 2, NULL), 0);
	at = 0x12345 * 8;
	number = (UINT64_C(1) << 62) - 2; /* it wraps, as a real one does */
}

static void teardown(void)
{
	gmem_fini(&mem);
}

static void put(const void *src, size_t len)
{
	uint8_t block[2048] = {0};
	const le64_t id = le64_put(number);
	const size_t size = 8 + align_up(len, 8);

	memcpy(block, &id, sizeof(id));
	memcpy(block + 8, src, len);
	ck_assert_int_eq(gmem_write(&mem, at, block, size), 0);
	at += size;
	number = (number + 1) & ((UINT64_C(1) << 62) - 1);
}

/* As the kernel leaves it: the level of two bytes cut out in place. */
static void log_line(const char *line)
{
	char stored[1024];
	const int n = snprintf(stored, sizeof(stored), "xx%s\n", line);

	memmove(stored, stored + 2, strlen(line));
	put(stored, (size_t)n + 1);
}

static void have(const char *expected)
{
	ck_assert_uint_eq(kernel_log_read(&mem, text, sizeof(text)),
			  strlen(expected));
	ck_assert_str_eq(text, expected);
}

START_TEST(lines_are_found_in_order)
{
	log_line("Linux version 6.12.1 (me@here)");
	log_line("Command line: quiet");
	log_line("12345678");
	log_line("last");
	have("Linux version 6.12.1 (me@here)\nCommand line: quiet\n12345678\n"
	     "last\n");
}
END_TEST

START_TEST(log_may_be_in_any_slot_and_across_the_search_steps)
{
	for (uint64_t off = KIB(256) - 64; off < KIB(256) + 16; off += 8) {
		at = START + off;
		number = off;
		log_line("Linux version x");
		log_line("second");
		have("Linux version x\nsecond\n");
		ck_assert_int_eq(gmem_zero(&mem, START + off, 128), 0);
	}
}
END_TEST

START_TEST(memory_without_a_log_has_none)
{
	have("");
	ck_assert_int_eq(gmem_write(&mem, 4096, "Linux version 6", 15), 0);
	have("");
	ck_assert_int_eq(gmem_write(&mem, 0, "Linux version 6", 15), 0);
	have("");
	ck_assert_int_eq(
		gmem_write(&mem, START + MIB(2) - 14, "Linux version ", 14), 0);
	have("");
}
END_TEST

START_TEST(banner_elsewhere_is_passed_over)
{
	ck_assert_int_eq(gmem_write(&mem, 4096, "Linux version 6", 15), 0);
	log_line("Linux version 6");
	log_line("yes");
	have("Linux version 6\nyes\n");
}
END_TEST

START_TEST(little_room_keeps_the_last_lines)
{
	log_line("Linux version 6");
	for (unsigned i = 0; i < 2000; i++) {
		char line[32];

		(void)snprintf(line, sizeof(line), "line-%u", i);
		log_line(line);
	}
	ck_assert_uint_le(kernel_log_read(&mem, text, 32), 31);
	ck_assert_str_eq(text, "line-1997\nline-1998\nline-1999\n");
	ck_assert_uint_eq(kernel_log_read(&mem, text, 1), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(odd_bytes_are_not_shown)
{
	log_line("Linux version 6");
	put("a\033[2Jb\xff"
	    "c",
	    8);
	log_line("end");
	have("Linux version 6\na?[2Jb?c\nend\n");
}
END_TEST

/* Whatever the guest puts there: it ends, within the buffer. */
START_TEST(log_that_runs_to_the_end_of_memory_is_cut)
{
	at = START + MIB(2) - 48;
	number = 7;
	log_line("Linux version 6");
	log_line("x");
	(void)kernel_log_read(&mem, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "Linux version 6\n"));
}
END_TEST

START_TEST(endless_line_is_a_bounded_one)
{
	char *many = malloc(MIB(1));

	log_line("Linux version 6");
	put("second", 7);
	memset(many, 'x', MIB(1));
	ck_assert_int_eq(gmem_write(&mem, at - 8, many, MIB(1)), 0);
	ck_assert_uint_lt(kernel_log_read(&mem, text, sizeof(text)),
			  sizeof(text));
	free(many);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/machine/kernel_log");
	TCase *tc = tcase_create("kernel_log");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, lines_are_found_in_order);
	tcase_add_test(tc, log_may_be_in_any_slot_and_across_the_search_steps);
	tcase_add_test(tc, memory_without_a_log_has_none);
	tcase_add_test(tc, banner_elsewhere_is_passed_over);
	tcase_add_test(tc, little_room_keeps_the_last_lines);
	tcase_add_test(tc, odd_bytes_are_not_shown);
	tcase_add_test(tc, log_that_runs_to_the_end_of_memory_is_cut);
	tcase_add_test(tc, endless_line_is_a_bounded_one);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
