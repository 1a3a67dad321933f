/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The table of options, --help and the manual page say the same.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/command.h"
#include "vmm/cli/help.h"
#include "vmm/cli/option.h"

/* docs/moat.1 without its fonts: "\-" is a dash, "\fB" is nothing. */
static char *page;

static void setup(void)
{
	FILE *f = fopen(MOAT_MANUAL, "r");
	size_t len = 0;
	int c;

	ck_assert_ptr_nonnull(f);
	page = malloc(1024 * 1024);
	while ((c = fgetc(f)) != EOF) {
		if (c != '\\')
			page[len++] = (char)c;
		else if (fgetc(f) == 'f')
			(void)fgetc(f);
		else
			page[len++] = '-';
	}
	page[len] = '\0';
	fclose(f);
}

static void teardown(void)
{
	free(page);
}

/* A line of the page. */
static bool page_has(const char *line)
{
	char whole[256];

	(void)snprintf(whole, sizeof(whole), "\n%s\n", line);
	return strstr(page, whole);
}

static void head_of(const struct cli_option *o, char *buf, size_t len)
{
	char letter[8] = "";

	if (o->letter)
		(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	(void)snprintf(buf, len, "%s--%s%s%s", letter, o->name,
		       o->arg ? " " : "", o->arg ? o->arg : "");
}

START_TEST(page_has_every_option_and_key)
{
	size_t n;
	const struct cli_option *o = option_table(&n);
	char line[128];

	for (size_t i = 0; i < n; i++) {
		head_of(&o[i], line, sizeof(line));
		ck_assert_msg(page_has(line), "no line '%s'", line);
		for (size_t k = 0; k < o[i].nkeys; k++) {
			(void)snprintf(line, sizeof(line), "%s=%s",
				       o[i].keys[k].name, o[i].keys[k].arg);
			ck_assert_msg(page_has(line), "no line '%s'", line);
		}
	}
}
END_TEST

START_TEST(page_has_no_other_option)
{
	for (const char *p = page; (p = strstr(p, "\n.TP\n")); p++) {
		const char *name = p + strlen("\n.TP\n");

		if (name[0] == '-' && name[1] != '-')
			name += strlen("-x, ");
		if (strncmp(name, "--", 2) != 0)
			continue;
		name += 2;
		ck_assert_msg(option_by_name(name, strcspn(name, " \n")),
			      "no option '%.20s'", name);
	}
}
END_TEST

START_TEST(page_has_every_command)
{
	size_t n;
	const struct command *c = command_table(&n);
	char text[64];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "\nmoat %s%s", c[i].name,
			       c[i].args ? " " : "\n");
		ck_assert_ptr_nonnull(strstr(page, text));
		(void)snprintf(text, sizeof(text), "\n.TP\n.B %s\n", c[i].name);
		ck_assert_ptr_nonnull(strstr(page, text));
	}
}
END_TEST

static char *help_of(const struct command *c)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (c)
		help_print_command(c, f);
	else
		help_print(f);
	fclose(f);
	return text;
}

/* With a newline in front. */
static char *all_options(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fputc('\n', f);
	help_print_options(f);
	fclose(f);
	return text;
}

START_TEST(help_has_every_option_that_the_command_has)
{
	size_t n;
	const struct cli_option *o = option_table(&n);
	char *all = all_options();
	char *check = help_of(command_by_name("check"));
	char *iommu = help_of(command_by_name("iommu"));
	char line[128] = "\n  ";

	for (size_t i = 0; i < n; i++) {
		head_of(&o[i], line + 3, sizeof(line) - 3);
		ck_assert_msg((strstr(all, line) && strstr(all, o[i].help)) ==
				      option_in(&o[i], OPTION_MACHINE),
			      "'%s'", line);
		ck_assert_int_eq(strstr(iommu, line) != NULL,
				 option_in(&o[i], OPTION_IOMMU));
		ck_assert_int_eq(strstr(check, line) != NULL,
				 o[i].scope == OPTION_EVERYWHERE);
	}
	free(all);
	free(check);
	free(iommu);
}
END_TEST

/* As a word of its own: "--fs" is not in "--fsck". */
static bool names_option(const char *text, const char *name)
{
	const size_t len = strlen(name);
	char word[64];

	(void)snprintf(word, sizeof(word), "  --%s", name);
	for (const char *p = text; (p = strstr(p, word)); p++) {
		if (strchr(" \n", p[len + 4]))
			return true;
	}
	return false;
}

START_TEST(help_of_run_names_what_is_not_rare)
{
	size_t n;
	const struct cli_option *o = option_table(&n);
	char *run = help_of(command_by_name("run"));

	for (size_t i = 0; i < n; i++) {
		if (o[i].scope == OPTION_MACHINE)
			ck_assert_msg(names_option(run, o[i].name) ==
					      !o[i].rare,
				      "--%s", o[i].name);
	}
	free(run);
}
END_TEST

START_TEST(help_of_run_names_no_other_option)
{
	char *run = help_of(command_by_name("run"));

	for (const char *p = run; (p = strstr(p, "--")); p++) {
		const char *name = p + 2;
		const size_t len = strcspn(name, " ,.;\n");

		if (len > 0)
			ck_assert_msg(option_by_name(name, len), "--%.20s",
				      name);
	}
	free(run);
}
END_TEST

/* Nobody scrolls for the first lines. */
START_TEST(help_fits_a_terminal)
{
	size_t n;
	const struct command *c = command_table(&n);

	for (size_t i = 0; i <= n; i++) {
		char *text = help_of(i < n ? &c[i] : NULL);
		unsigned lines = 0;

		for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
			ck_assert_msg(strlen(line) <= 80, "long: %s", line);
			lines++;
		}
		ck_assert_uint_le(lines, 24);
		free(text);
	}
}
END_TEST

START_TEST(help_lines_are_one_sentence_without_full_stop)
{
	size_t n;
	const struct cli_option *o = option_table(&n);

	for (size_t i = 0; i < n; i++)
		ck_assert_int_ne(o[i].help[strlen(o[i].help) - 1], '.');
}
END_TEST

START_TEST(names_are_different)
{
	size_t n;
	const struct cli_option *o = option_table(&n);

	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_eq(option_by_name(o[i].name, strlen(o[i].name)),
				 &o[i]);
		if (o[i].letter)
			ck_assert_ptr_eq(option_by_letter(o[i].letter), &o[i]);
		/* A flag has no value in --help, all others have. */
		ck_assert_int_eq(o[i].kind == OPTION_FLAG, !o[i].arg);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/manual");
	TCase *tc = tcase_create("manual");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, page_has_every_option_and_key);
	tcase_add_test(tc, page_has_no_other_option);
	tcase_add_test(tc, page_has_every_command);
	tcase_add_test(tc, help_has_every_option_that_the_command_has);
	tcase_add_test(tc, help_of_run_names_what_is_not_rare);
	tcase_add_test(tc, help_of_run_names_no_other_option);
	tcase_add_test(tc, help_fits_a_terminal);
	tcase_add_test(tc, help_lines_are_one_sentence_without_full_stop);
	tcase_add_test(tc, names_are_different);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
