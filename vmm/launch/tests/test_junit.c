/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/launch/junit.h"

static const char *const words[] = {"sh", "-c", "a<b && \"c\"\t>d\n\xff", NULL};
static struct junit j;
static char *text;

static void setup(void)
{
	j = (struct junit){
		.command = words,
		.kernel = "/boot/vmlinuz&",
		.seconds = 1.5,
	};
	text = NULL;
}

static void teardown(void)
{
	free(text);
}

static void write_it(void)
{
	size_t len;
	FILE *f = open_memstream(&text, &len);

	junit_write(&j, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void has(const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no '%s' in: %s", part, text);
}

START_TEST(success_has_neither_failure_nor_error)
{
	write_it();
	has("tests=\"1\" failures=\"0\" errors=\"0\" time=\"1.500\"");
	ck_assert_ptr_null(strstr(text, "<failure"));
	ck_assert_ptr_null(strstr(text, "<error"));
	has("time=\"1.500\"/>\n</testsuite>\n");
}
END_TEST

START_TEST(words_are_escaped)
{
	write_it();
	has("name=\"sh -c a&lt;b &amp;&amp; &quot;c&quot;?&gt;d&#10;?\"");
	has("value=\"/boot/vmlinuz&amp;\"");
}
END_TEST

START_TEST(command_that_fails_is_a_failure)
{
	j.status = 7;
	write_it();
	has("failures=\"1\" errors=\"0\"");
	has("<failure type=\"status\" message=\"exit status 7\"/>");
	has("  </testcase>\n</testsuite>\n");
}
END_TEST

START_TEST(what_is_not_the_command_is_an_error)
{
	j.status = 255;
	j.trouble = "panic";
	j.text = "Kernel panic <here>";
	write_it();
	has("failures=\"0\" errors=\"1\"");
	has("<error type=\"panic\" message=\"Kernel panic &lt;here&gt;\"/>");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/launch/junit");
	TCase *tc = tcase_create("junit");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, success_has_neither_failure_nor_error);
	tcase_add_test(tc, words_are_escaped);
	tcase_add_test(tc, command_that_fails_is_a_failure);
	tcase_add_test(tc, what_is_not_the_command_is_an_error);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
