/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot/codec.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/launch/drivers.h"
#include "vmm/launch/plan.h"

/* "CONSOLE" and "ANOTHER", eight times each, by gzip. */
/* clang-format off */
static const uint8_t console_gz[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x73, 0xf6,
	0xf7, 0x0b, 0xf6, 0xf7, 0x71, 0x75, 0x26, 0x95, 0x02, 0x00, 0x0e, 0x80,
	0x05, 0x94, 0x38, 0x00, 0x00, 0x00,
};
static const uint8_t another_gz[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x73, 0xf4,
	0xf3, 0x0f, 0xf1, 0x70, 0x0d, 0x72, 0x24, 0x95, 0x02, 0x00, 0x46, 0x3b,
	0xf7, 0x2a, 0x38, 0x00, 0x00, 0x00,
};
/* clang-format on */
static const char console[] = "CONSOLECONSOLECONSOLECONSOLE"
			      "CONSOLECONSOLECONSOLECONSOLE";

static char dir[32];
static struct buf archive, words;
static struct err err;
static struct launch_plan plan;

static void write_file(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static void setup(void)
{
	strcpy(dir, "/tmp/moat-drivers-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mkdir("modules", 0755), 0);
	write_text("modules/modules.dep",
		   "virtio_console.ko.gz: virtio.ko\nvirtio.ko:\n");
	write_text("modules/modules.builtin", "kernel/virtio_pci.ko\n");
	write_file("modules/virtio_console.ko.gz", console_gz,
		   sizeof(console_gz));
	write_text("modules/virtio.ko", "VIRTIO");
	buf_init(&archive);
	buf_init(&words);
	plan = (struct launch_plan){.modules = "modules", .cache = "cache"};
}

static void teardown(void)
{
	buf_fini(&archive);
	buf_fini(&words);
	ck_assert_int_eq(system("rm -r modules; rm -rf cache"), 0);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void put(void)
{
	buf_fini(&archive);
	buf_fini(&words);
	buf_init(&archive);
	buf_init(&words);
	ck_assert_int_eq(launch_drivers_put(&plan, &archive, &words, &err), 0);
	ck_assert_int_eq(buf_error(&archive), 0);
}

static bool has(const char *text)
{
	return memmem(archive.data, archive.len, text, strlen(text));
}

/* How many files match in the cache; the name of the first one. */
static size_t in_cache(const char *pattern, char *ret_name)
{
	char whole[64];
	size_t n = 0;
	glob_t g;

	(void)snprintf(whole, sizeof(whole), "cache/%s", pattern);
	if (glob(whole, GLOB_PERIOD, NULL, &g) == 0) {
		n = g.gl_pathc;
		if (ret_name)
			strcpy(ret_name, g.gl_pathv[0]);
		globfree(&g);
	}
	return n;
}

static char entry[64]; /* the only one */

static void find_entry(void)
{
	ck_assert_uint_eq(in_cache("modules-*", entry), 1);
	ck_assert_uint_eq(in_cache(".kernel-*", NULL), 0);
}

/* As if it had been used last long ago. */
static struct stat age_entry(void)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct stat st;

	ck_assert_int_eq(utimensat(AT_FDCWD, entry, old, 0), 0);
	ck_assert_int_eq(stat(entry, &st), 0);
	return st;
}

/* Used again, and not replaced? */
static bool was_used(const struct stat *before)
{
	struct stat st;

	ck_assert_int_eq(stat(entry, &st), 0);
	return st.st_ino == before->st_ino && st.st_mtime != before->st_mtime;
}

START_TEST(packed_modules_are_unpacked_once)
{
	struct buf first;
	struct stat st;

	put();
	ck_assert(has(console));
	ck_assert(has("moat/modules/virtio_console.ko"));
	ck_assert(has("VIRTIO"));
	find_entry();
	st = age_entry();
	first = archive;
	buf_init(&archive);
	put();
	ck_assert(was_used(&st));
	ck_assert_uint_eq(archive.len, first.len);
	ck_assert_mem_eq(archive.data, first.data, first.len);
	ck_assert_mem_eq(words.data,
			 "module=virtio.ko\0module=virtio_console.ko", 42);
	buf_fini(&first);
}
END_TEST

START_TEST(changed_module_is_not_the_one_that_was_kept)
{
	put();
	write_file("modules/virtio_console.ko.gz", another_gz,
		   sizeof(another_gz));
	put();
	ck_assert(has("ANOTHERANOTHER"));
	ck_assert(!has("CONSOLECONSOLE"));
	ck_assert_uint_eq(in_cache("modules-*", NULL), 2);
}
END_TEST

/* The same bytes under another name are another archive. */
START_TEST(renamed_module_is_not_the_one_that_was_kept)
{
	put();
	write_text("modules/modules.dep",
		   "virtio_console.ko.gz: other.ko\nother.ko:\n");
	ck_assert_int_eq(rename("modules/virtio.ko", "modules/other.ko"), 0);
	put();
	ck_assert(has("moat/modules/other.ko"));
	ck_assert(!has("moat/modules/virtio.ko"));
}
END_TEST

static void damage(off_t at)
{
	AUTO_CLOSE int fd = open(entry, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 0x40;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
}

START_TEST(damaged_entry_is_made_anew)
{
	struct stat whole, st;

	put();
	find_entry();
	ck_assert_int_eq(stat(entry, &whole), 0);
	for (off_t at = 0; at < whole.st_size; at += 3) {
		damage(at);
		put();
		ck_assert(has(console) && has("VIRTIO"));
		find_entry();
		st = age_entry();
		put();
		ck_assert(was_used(&st));
	}
}
END_TEST

START_TEST(truncated_entry_is_made_anew)
{
	struct stat whole, st;

	put();
	find_entry();
	ck_assert_int_eq(stat(entry, &whole), 0);
	for (off_t len = 0; len < whole.st_size; len += 7) {
		ck_assert_int_eq(truncate(entry, len), 0);
		put();
		ck_assert(has(console) && has("VIRTIO"));
		find_entry();
		ck_assert_int_eq(stat(entry, &st), 0);
		ck_assert_int_eq(st.st_size, whole.st_size);
	}
}
END_TEST

START_TEST(modules_that_are_not_packed_are_not_kept)
{
	write_text("modules/modules.dep",
		   "virtio_console.ko: virtio.ko\nvirtio.ko:\n");
	write_text("modules/virtio_console.ko", console);
	put();
	ck_assert(has(console));
	ck_assert_int_lt(access("cache", F_OK), 0);
}
END_TEST

START_TEST(there_need_be_no_cache)
{
	static const char *const none[] = {NULL, "", "/dev/null/x",
					   "modules/virtio.ko", "/proc"};

	plan.cache = none[_i];
	put();
	ck_assert(has(console));
	put();
	ck_assert(has(console));
}
END_TEST

START_TEST(module_that_cannot_be_unpacked_is_not_kept)
{
	write_file("modules/virtio_console.ko.gz", console_gz,
		   sizeof(console_gz) / 2);
	ck_assert_int_eq(launch_drivers_put(&plan, &archive, &words, &err),
			 -EBADMSG);
	ck_assert_str_eq(err.msg, "module 'modules/virtio_console.ko.gz': "
				  "cannot unpack: Bad message");
	ck_assert_uint_eq(in_cache("*modules-*", NULL), 0);
}
END_TEST

/* Several moats, and somebody who empties the cache. */
START_TEST(all_get_the_same_at_once)
{
	pid_t pids[3];
	int status;

	put();
	find_entry();
	for (size_t i = 0; i < 3; i++) {
		pids[i] = fork();
		ck_assert_int_ge(pids[i], 0);
		if (pids[i] > 0)
			continue;
		for (int n = 0; n < 50; n++) {
			put();
			if (!has(console) || !has("VIRTIO"))
				_exit(1);
			if (n % 5 == 0)
				(void)unlink(entry);
		}
		_exit(0);
	}
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	put();
	find_entry();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/launch/drivers");
	TCase *tc = tcase_create("drivers");
	SRunner *sr;
	int failed;

	if (!codec_built(&codec_gzip))
		return 77;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, packed_modules_are_unpacked_once);
	tcase_add_test(tc, changed_module_is_not_the_one_that_was_kept);
	tcase_add_test(tc, renamed_module_is_not_the_one_that_was_kept);
	tcase_add_test(tc, damaged_entry_is_made_anew);
	tcase_add_test(tc, truncated_entry_is_made_anew);
	tcase_add_test(tc, modules_that_are_not_packed_are_not_kept);
	tcase_add_loop_test(tc, there_need_be_no_cache, 0, 5);
	tcase_add_test(tc, module_that_cannot_be_unpacked_is_not_kept);
	tcase_add_test(tc, all_get_the_same_at_once);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
