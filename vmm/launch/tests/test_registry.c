/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "vmm/launch/registry.h"

static char base[64];
static char *dir;
static struct err err;

static void setup(void)
{
	(void)snprintf(base, sizeof(base), "/tmp/moat-reg-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	dir = registry_dir(base, &err);
	ck_assert_ptr_nonnull(dir);
}

static void teardown(void)
{
	char command[96];

	free(dir);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", base);
	ck_assert_int_eq(system(command), 0);
}

static bool exists(const char *name)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

START_TEST(folder_is_ours_alone)
{
	struct stat st;
	char *again;

	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	again = registry_dir(base, &err);
	ck_assert_str_eq(again, dir);
	free(again);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_ptr_null(registry_dir(base, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "0700"));
}
END_TEST

START_TEST(folder_is_no_link_of_somebody_else)
{
	char away[96];

	ck_assert_int_eq(rmdir(dir), 0);
	(void)snprintf(away, sizeof(away), "%s/away", base);
	ck_assert_int_eq(mkdir(away, 0700), 0);
	ck_assert_int_eq(symlink(away, dir), 0);
	ck_assert_ptr_null(registry_dir(base, &err));
}
END_TEST

START_TEST(folder_below_tmp_when_there_is_no_other)
{
	char *tmp = registry_dir(NULL, &err), *relative;

	ck_assert_ptr_nonnull(tmp);
	ck_assert_int_eq(strncmp(tmp, "/tmp/moat-", 10), 0);
	relative = registry_dir("relative", &err);
	ck_assert_str_eq(relative, tmp);
	free(tmp);
	free(relative);
}
END_TEST

START_TEST(names_are_plain)
{
	static const char *const bad[] = {"",	 ".",	 ".a",	"a/b",
					  "a b", "\xc3", "a\n", "../x"};
	char longest[REGISTRY_NAME_MAX + 2];

	memset(longest, 'a', sizeof(longest));
	longest[REGISTRY_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(registry_check_name(longest, &err), -EINVAL);
	longest[REGISTRY_NAME_MAX] = '\0';
	ck_assert_int_eq(registry_check_name(longest, &err), 0);
	ck_assert_int_eq(registry_check_name("a-B_9.x", &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(registry_check_name(bad[i], &err), -EINVAL);
}
END_TEST

START_TEST(guest_is_listed_while_it_listens)
{
	char **names;
	int b = registry_add(dir, "b", &err);
	int a = registry_add(dir, "a", &err);

	ck_assert_int_ge(a, 0);
	ck_assert_int_ge(b, 0);
	ck_assert_int_eq(registry_list(dir, &names, &err), 2);
	ck_assert_str_eq(names[0], "a");
	ck_assert_str_eq(names[1], "b");
	registry_free_names(names, 2);
	close(a);
	registry_remove(dir, "a");
	ck_assert(!exists("a.sock"));
	ck_assert_int_eq(registry_list(dir, &names, &err), 1);
	registry_free_names(names, 1);
	close(b);
}
END_TEST

START_TEST(name_is_taken_once)
{
	int fd = registry_add(dir, "a", &err), other;

	ck_assert_int_eq(registry_add(dir, "a", &err), -EADDRINUSE);
	ck_assert_str_eq(err.msg, "a guest called 'a' runs already");
	other = registry_connect(dir, "a", &err);
	ck_assert_int_ge(other, 0);
	close(other);
	close(fd);
}
END_TEST

static void make_control(const char *name)
{
	char *path = registry_control_path(dir, name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fclose(f);
	free(path);
}

START_TEST(what_a_dead_process_left_is_removed)
{
	char **names;

	close(registry_add(dir, "a", &err));
	make_control("a");
	ck_assert(exists("a.sock"));
	ck_assert(exists("a.control"));
	ck_assert_int_eq(registry_list(dir, &names, &err), 0);
	ck_assert(!exists("a.sock"));
	ck_assert(!exists("a.control"));
	close(registry_add(dir, "a", &err));
	ck_assert_int_eq(registry_connect(dir, "a", &err), -ENOENT);
	ck_assert(!exists("a.sock"));
	close(registry_add(dir, "a", &err));
	ck_assert_int_ge(registry_add(dir, "a", &err), 0);
	close(registry_add(dir, "b", &err));
	ck_assert_int_ge(registry_add(dir, "c", &err), 0);
	ck_assert(!exists("b.sock"));
}
END_TEST

START_TEST(other_files_are_left_alone)
{
	char path[160], **names;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/readme", dir);
	f = fopen(path, "w");
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(registry_list(dir, &names, &err), 0);
	ck_assert(exists("readme"));
}
END_TEST

START_TEST(nobody_of_that_name_is_enoent)
{
	ck_assert_int_eq(registry_connect(dir, "x", &err), -ENOENT);
	ck_assert_str_eq(err.msg, "no guest called 'x' runs");
	ck_assert_int_eq(registry_connect(dir, "../x", &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/launch/registry");
	TCase *tc = tcase_create("registry");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, folder_is_ours_alone);
	tcase_add_test(tc, folder_is_no_link_of_somebody_else);
	tcase_add_test(tc, folder_below_tmp_when_there_is_no_other);
	tcase_add_test(tc, names_are_plain);
	tcase_add_test(tc, guest_is_listed_while_it_listens);
	tcase_add_test(tc, name_is_taken_once);
	tcase_add_test(tc, what_a_dead_process_left_is_removed);
	tcase_add_test(tc, other_files_are_left_alone);
	tcase_add_test(tc, nobody_of_that_name_is_enoent);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
