/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "vmm/launch/kernel.h"

static char top[64];
static char boot[96], cache[96], lib[96];
static struct launch_kernel_places places;
static struct launch_kernel k;
static struct err err;

static const char *under(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

/* And the folders above it. */
static void make_file(const char *name, const void *data, size_t len)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s", under(name));
	for (char *p = path + strlen(top) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(path, 0755);
		*p = '/';
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

/* As far as its version goes. */
static void make_bzimage(const char *name, const char *version)
{
	char data[0x400] = "";

	memcpy(data + 0x202, "HdrS", 4);
	memcpy(data + 0x1fe, "\x55\xaa", 2);
	memcpy(data + 0x20e, "\x80\x00", 2);
	(void)snprintf(data + 0x280, 0x100, "%s", version);
	make_file(name, data, sizeof(data));
}

static void setup(void)
{
	(void)snprintf(top, sizeof(top), "/tmp/moat-kernel-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	(void)snprintf(boot, sizeof(boot), "%s/boot", top);
	(void)snprintf(cache, sizeof(cache), "%s/cache", top);
	(void)snprintf(lib, sizeof(lib), "%s/lib/modules", top);
	places = (struct launch_kernel_places){
		.boot = boot,
		.release = "1.2-host",
		.cache = cache,
		.modules = lib,
	};
}

static void teardown(void)
{
	char command[128];

	launch_kernel_fini(&k);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", top);
	ck_assert_int_eq(system(command), 0);
}

static int choose(const char *asked, const char *modules)
{
	return launch_kernel_choose(&k, &places, asked, modules, &err);
}

START_TEST(host_kernel_comes_before_the_cache)
{
	make_file("boot/vmlinuz-1.2-host", "x", 1);
	make_file("cache/linux-image-9/boot/vmlinuz-9", "x", 1);
	ck_assert_int_eq(choose(NULL, NULL), 0);
	ck_assert_str_eq(k.path, under("boot/vmlinuz-1.2-host"));
	ck_assert_str_eq(k.from, "the host's own");
	ck_assert_ptr_null(k.modules);
}
END_TEST

START_TEST(newest_of_the_cache_is_taken)
{
	make_file("cache/linux-image-a/boot/vmlinuz-6.1.9", "x", 1);
	make_file("cache/linux-image-b/boot/vmlinuz-6.12.3", "x", 1);
	make_file("cache/linux-image-c/boot/vmlinuz-6.9.1", "x", 1);
	make_file("cache/kernel-0123", "x", 1);
	ck_assert_int_eq(choose(NULL, NULL), 0);
	ck_assert_str_eq(k.path,
			 under("cache/linux-image-b/boot/vmlinuz-6.12.3"));
	ck_assert_str_eq(k.from, "from the cache");
}
END_TEST

START_TEST(no_kernel_says_where_it_looked)
{
	ck_assert_int_eq(choose(NULL, NULL), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "boot/vmlinuz-1.2-host"));
	ck_assert_ptr_nonnull(strstr(err.msg, "--kernel"));
	places.cache = NULL;
	ck_assert_int_eq(choose(NULL, NULL), -ENOENT);
}
END_TEST

START_TEST(modules_go_by_the_version_in_the_kernel)
{
	make_bzimage("cache/linux-image-b/boot/vmlinuz-renamed",
		     "6.12.3-amd64 (me@here) #1");
	make_file("cache/linux-image-b/lib/modules/6.12.3-amd64/modules.dep",
		  "", 0);
	ck_assert_int_eq(choose(NULL, NULL), 0);
	ck_assert_ptr_nonnull(strstr(k.modules, "lib/modules/6.12.3-amd64"));
}
END_TEST

START_TEST(modules_of_another_file_go_by_its_name)
{
	make_file("some/vmlinux-5.5",
		  "\x7f"
		  "ELF",
		  4);
	make_file("lib/modules/5.5/modules.dep", "", 0);
	ck_assert_int_eq(choose(under("some/vmlinux-5.5"), NULL), 0);
	ck_assert_str_eq(k.from, "as asked");
	ck_assert_ptr_nonnull(strstr(k.modules, "lib/modules/5.5"));
}
END_TEST

START_TEST(modules_that_are_asked_for_must_be_there)
{
	make_file("mine/modules.dep", "", 0);
	make_file("vmlinux", "x", 1);
	ck_assert_int_eq(choose(under("vmlinux"), "/nonexistent"), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "--modules '/nonexistent'"));
	ck_assert_int_eq(choose("vmlinux", under("mine")), 0);
	ck_assert_str_eq(k.modules, under("mine"));
}
END_TEST

START_TEST(damaged_version_is_none)
{
	char data[0x20f] = "";

	memcpy(data + 0x202, "HdrS", 4);
	memcpy(data + 0x1fe, "\x55\xaa", 2);
	make_file("a/vmlinuz", data, sizeof(data)); /* ends in the field */
	ck_assert_int_eq(choose(under("a/vmlinuz"), NULL), 0);
	ck_assert_ptr_null(k.modules);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/launch/kernel");
	TCase *tc = tcase_create("kernel");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, host_kernel_comes_before_the_cache);
	tcase_add_test(tc, newest_of_the_cache_is_taken);
	tcase_add_test(tc, no_kernel_says_where_it_looked);
	tcase_add_test(tc, modules_go_by_the_version_in_the_kernel);
	tcase_add_test(tc, modules_of_another_file_go_by_its_name);
	tcase_add_test(tc, modules_that_are_asked_for_must_be_there);
	tcase_add_test(tc, damaged_version_is_none);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
