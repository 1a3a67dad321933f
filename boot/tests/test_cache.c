/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "boot/cache.h"
#include "boot/codec.h"
#include "boot/linux.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"
#include "core/fd.h"

enum { ELF = 300000, PAYLOAD = 200000 }; /* both of several chunks */

static uint8_t elf[ELF], payload[PAYLOAD];
static struct cache_entry entry;
static enum cache_kind kind;
static const char *dir;

static void setup(void)
{
	fixture_setup();
	dir = fx.dir;
	kind = CACHE_KERNEL;
	for (size_t i = 0; i < ELF; i++)
		elf[i] = pattern(i);
	for (size_t i = 0; i < PAYLOAD; i++)
		payload[i] = pattern(i + 5);
}

static int store(enum builtin builtin)
{
	return cache_store(dir, kind, payload, PAYLOAD, elf, ELF, builtin);
}

static bool find(void)
{
	return cache_find(dir, kind, payload, PAYLOAD, &entry);
}

/* Found, and with the right bytes. */
static bool holds(void)
{
	uint8_t *back = malloc(ELF);
	bool ok = find();

	if (ok) {
		ok = cache_verify(&entry) && entry.plain.size == ELF &&
		     image_read(&entry.plain, 0, back, ELF) == 0 &&
		     memcmp(back, elf, ELF) == 0;
		memset(back, 0, ELF);
		ck_assert_int_eq(ok, cache_read(&entry, back) &&
					     memcmp(back, elf, ELF) == 0);
		image_close(&entry.plain);
	}
	free(back);
	return ok;
}

/* Name of the only entry; the number of files is left in @ret_n. */
static const char *entry_path(unsigned *ret_n)
{
	static char name[256];
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s", e->d_name);
		n++;
	}
	closedir(d);
	if (ret_n)
		*ret_n = n;
	return fixture_path(name);
}

START_TEST(entry_is_found_again)
{
	ck_assert(!find());
	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	ck_assert(holds());
	ck_assert(find());
	ck_assert_int_eq(entry.builtin, BUILTIN_TEXT);
	image_close(&entry.plain);
}
END_TEST

START_TEST(entry_begins_with_the_plain_bytes)
{
	AUTO_CLOSE int fd = -1;
	uint8_t first[16];
	struct stat st;

	ck_assert_int_eq(store(BUILTIN_NO), 0);
	fd = open(entry_path(NULL), O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fd_pread_full(fd, first, sizeof(first), 0), 0);
	ck_assert_mem_eq(first, elf, sizeof(first));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_uint_eq((uint64_t)st.st_size, ELF + PAYLOAD + 48);
}
END_TEST

START_TEST(another_payload_is_not_found)
{
	ck_assert_int_eq(store(BUILTIN_NO), 0);
	payload[PAYLOAD - 1] ^= 1;
	ck_assert(!find());
	payload[PAYLOAD - 1] ^= 1;
	ck_assert(!cache_find(dir, kind, payload, PAYLOAD - 1, &entry));
	ck_assert(find());
	image_close(&entry.plain);
}
END_TEST

START_TEST(modules_do_not_pass_for_a_kernel)
{
	char of_kernel[256];

	ck_assert_int_eq(store(BUILTIN_NO), 0);
	ck_assert(holds());
	(void)snprintf(of_kernel, sizeof(of_kernel), "%s", entry_path(NULL));
	kind = CACHE_MODULES;
	ck_assert(!find());
	ck_assert_int_eq(unlink(of_kernel), 0);
	ck_assert_int_eq(store(BUILTIN_UNKNOWN), 0);
	ck_assert(holds());
	/* Nor under its name. */
	ck_assert_int_eq(rename(entry_path(NULL), of_kernel), 0);
	kind = CACHE_KERNEL;
	ck_assert(!find());
}
END_TEST

/* Whatever the name says: the payload is compared. */
START_TEST(entry_under_a_wrong_name_is_not_taken)
{
	char mine[256];

	ck_assert_int_eq(store(BUILTIN_NO), 0);
	(void)snprintf(mine, sizeof(mine), "%s", entry_path(NULL));
	payload[7] ^= 1;
	ck_assert_int_eq(unlink(mine), 0);
	ck_assert_int_eq(store(BUILTIN_NO), 0);
	ck_assert_int_eq(rename(entry_path(NULL), mine), 0);
	payload[7] ^= 1;
	ck_assert(!find());
}
END_TEST

static void damage(const char *path, uint64_t at)
{
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_pread_full(fd, &byte, 1, at), 0);
	byte ^= 0x10;
	ck_assert_int_eq(fd_pwrite_full(fd, &byte, 1, at), 0);
}

START_TEST(damage_anywhere_is_found)
{
	static const uint64_t places[] = {
		0, 1000, ELF / 2, ELF - 1, ELF, ELF + PAYLOAD - 1,
	};
	const char *path;

	ck_assert_int_eq(store(BUILTIN_NO), 0);
	path = entry_path(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		damage(path, places[i]);
		ck_assert_msg(!holds(), "byte %llu",
			      (unsigned long long)places[i]);
		damage(path, places[i]);
		ck_assert(holds());
	}
	for (unsigned i = 0; i < 48; i++) { /* the trailer */
		damage(path, ELF + PAYLOAD + i);
		ck_assert_msg(!find(), "trailer byte %u", i);
		damage(path, ELF + PAYLOAD + i);
	}
	ck_assert(holds());
}
END_TEST

START_TEST(truncated_entry_is_not_taken)
{
	static const off_t lengths[] = {
		0, 1, 47, 48, ELF, ELF + PAYLOAD, ELF + PAYLOAD + 47,
	};
	const char *path;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		ck_assert_int_eq(store(BUILTIN_NO), 0); /* replaces it */
		path = entry_path(NULL);
		ck_assert_int_eq(truncate(path, lengths[i]), 0);
		ck_assert(!find());
	}
}
END_TEST

START_TEST(entry_that_others_may_write_is_not_taken)
{
	const char *path;

	ck_assert_int_eq(store(BUILTIN_NO), 0);
	path = entry_path(NULL);
	ck_assert_int_eq(chmod(path, 0620), 0);
	ck_assert(!find());
	ck_assert_int_eq(chmod(path, 0602), 0);
	ck_assert(!find());
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert(holds());
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(path, 1, 1), 0);
	ck_assert(!find());
}
END_TEST

START_TEST(symbolic_link_is_not_followed)
{
	char path[256];

	ck_assert_int_eq(store(BUILTIN_NO), 0);
	(void)snprintf(path, sizeof(path), "%s", entry_path(NULL));
	ck_assert_int_eq(rename(path, fixture_path("elsewhere")), 0);
	ck_assert_int_eq(symlink("elsewhere", path), 0);
	ck_assert(!find());
	ck_assert_int_eq(store(BUILTIN_NO), 0); /* takes its place */
	ck_assert(holds());
}
END_TEST

START_TEST(pipe_in_an_entrys_place_does_not_block)
{
	char path[256];

	ck_assert_int_eq(store(BUILTIN_NO), 0);
	(void)snprintf(path, sizeof(path), "%s", entry_path(NULL));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert(!find());
}
END_TEST

START_TEST(directories_are_made)
{
	struct stat st;

	dir = fixture_path("a/b");
	ck_assert_int_eq(store(BUILTIN_NO), 0);
	ck_assert(holds());
	ck_assert_int_eq(stat(fixture_path("a"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
}
END_TEST

START_TEST(impossible_directory_is_an_error_and_no_more)
{
	dir = "/dev/null/x";
	ck_assert_int_eq(store(BUILTIN_NO), -ENOTDIR);
	ck_assert(!find());
	dir = "";
	ck_assert_int_lt(store(BUILTIN_NO), 0);
	ck_assert(!find());
}
END_TEST

START_TEST(full_disk_leaves_nothing_behind)
{
	struct rlimit before, limit;
	unsigned n;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = ELF + 100;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(store(BUILTIN_NO), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	(void)entry_path(&n);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(only_the_entries_used_last_are_kept)
{
	static const uint8_t max[] = {
		[CACHE_KERNEL] = CACHE_KERNELS_MAX,
		[CACHE_MODULES] = CACHE_MODULES_MAX,
	};
	unsigned n;

	kind = (enum cache_kind)_i;
	for (uint8_t i = 0; i < max[kind]; i++) {
		payload[0] = i;
		ck_assert_int_eq(store(BUILTIN_NO), 0);
		usleep(20000); /* the file system's clock is coarse */
	}
	payload[0] = 0;
	ck_assert(holds()); /* used again: now the newest */
	usleep(20000);
	payload[0] = 100;
	ck_assert_int_eq(store(BUILTIN_NO), 0);
	(void)entry_path(&n);
	ck_assert_uint_eq(n, max[kind]);
	for (uint8_t i = 0; i < max[kind]; i++) {
		payload[0] = i;
		ck_assert_int_eq(holds(), i != 1);
	}
	payload[0] = 100;
	ck_assert(holds());
}
END_TEST

START_TEST(files_of_others_are_left_alone)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	static const char *const names[] = {
		"kernel-mine",
		".kernel-mine",
		"README",
		"kernel-00000000000000000",
		"kernel-000000000000000G",
		"kernel-0123456789abcdef.bak",
	};
	const char *left;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *path = fixture_file(names[i], "x", 1);

		ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
	}
	left = fixture_file(".kernel-0123456789abcdef", "x", 1);
	ck_assert_int_eq(utimensat(AT_FDCWD, left, old, 0), 0);
	fixture_file(".kernel-0123456789abcdee", "x", 1); /* being written */
	for (uint8_t i = 0; i <= CACHE_KERNELS_MAX; i++) {
		payload[0] = i;
		ck_assert_int_eq(store(BUILTIN_NO), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ck_assert_int_eq(access(fixture_path(names[i]), F_OK), 0);
	ck_assert_int_ne(access(fixture_path(".kernel-0123456789abcdef"), F_OK),
			 0);
	ck_assert_int_eq(access(fixture_path(".kernel-0123456789abcdee"), F_OK),
			 0);
}
END_TEST

static void *store_often(void *arg)
{
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(store(BUILTIN_NO), 0);
	return arg;
}

START_TEST(entry_is_whole_while_others_replace_it)
{
	pthread_t threads[2];

	ck_assert_int_eq(store(BUILTIN_NO), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, store_often,
						NULL),
				 0);
	for (unsigned i = 0; i < 30; i++)
		ck_assert(holds());
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert(holds());
}
END_TEST

/*
 * Aliases.
 */

/* Long after the file's last change. */
static void remember(int fd)
{
	ck_assert(find());
	cache_remember(dir, fd, &entry, time(NULL) + 60);
	image_close(&entry.plain);
}

static bool recalls(int fd)
{
	bool ok = cache_recall(dir, fd, &entry);

	if (ok) {
		ok = cache_verify(&entry) && entry.builtin == BUILTIN_TEXT;
		image_close(&entry.plain);
	}
	return ok;
}

static int open_kernel(void)
{
	int fd = open(fixture_file("k", "kernel", 6), O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(entry_is_recalled_by_the_file)
{
	AUTO_CLOSE int fd = open_kernel();

	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	ck_assert(!recalls(fd));
	remember(fd);
	ck_assert(recalls(fd));
}
END_TEST

START_TEST(file_that_has_changed_recalls_nothing)
{
	AUTO_CLOSE int fd = open_kernel();
	const struct timespec late[2] = {{.tv_nsec = UTIME_OMIT},
					 {.tv_sec = 4000000000}};

	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	remember(fd);
	ck_assert_int_eq(pwrite(fd, "longer", 6, 3), 6);
	ck_assert(!recalls(fd));
	ck_assert_int_eq(ftruncate(fd, 6), 0);
	ck_assert_int_eq(futimens(fd, late), 0);
	ck_assert(!recalls(fd));
}
END_TEST

START_TEST(file_that_may_still_change_is_not_remembered)
{
	AUTO_CLOSE int fd = open_kernel();

	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	ck_assert(find());
	cache_remember(dir, fd, &entry, time(NULL) + CACHE_SETTLED_S - 1);
	image_close(&entry.plain);
	ck_assert(!recalls(fd));
}
END_TEST

START_TEST(entry_that_was_replaced_is_not_recalled)
{
	AUTO_CLOSE int fd = open_kernel();

	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	remember(fd);
	/* Held, so that its inode is not used again. */
	ck_assert(find());
	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	image_close(&entry.plain);
	ck_assert(!recalls(fd));
}
END_TEST

START_TEST(damaged_alias_is_none)
{
	AUTO_CLOSE int fd = open_kernel();
	glob_t g;

	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	remember(fd);
	ck_assert_int_eq(glob(fixture_path("alias-*"), 0, NULL, &g), 0);
	for (off_t at = 0; at < 96; at++) {
		damage(g.gl_pathv[0], at);
		ck_assert(!recalls(fd));
		damage(g.gl_pathv[0], at); /* and back */
	}
	ck_assert(recalls(fd));
	ck_assert_int_eq(truncate(g.gl_pathv[0], 95), 0);
	ck_assert(!recalls(fd));
	globfree(&g);
}
END_TEST

START_TEST(aliases_are_kept_small)
{
	glob_t g;

	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	for (unsigned i = 0; i < CACHE_ALIASES_MAX + 5; i++) {
		AUTO_CLOSE int fd = open_kernel();

		ck_assert_int_eq(ftruncate(fd, i + 1), 0);
		remember(fd);
	}
	ck_assert_int_eq(store(BUILTIN_TEXT), 0);
	ck_assert_int_eq(glob(fixture_path("alias-*"), 0, NULL, &g), 0);
	ck_assert_uint_eq(g.gl_pathc, CACHE_ALIASES_MAX);
	globfree(&g);
}
END_TEST

/* From here on: boot_linux_load() with a cache. */

static struct boot_entry load(const char *cache)
{
	struct boot_linux_config config = {.cache_dir = cache};
	struct boot_entry e = {0};
	struct buf plain, b;

	buf_init(&plain);
	buf_init(&b);
	elf_build(&plain, &small_kernel);
	bzimage_pack(&b, &codec_zstd, &plain);
	config.kernel = fixture_file("k", b.data, b.len);
	buf_fini(&plain);
	buf_fini(&b);
	ck_assert_int_eq(boot_linux_load(&fx.mem, &config, &e, &fx.err), 0);
	ck_assert_uint_eq(e.rip, 0x1000010);
	ck_assert(guest_has_pattern(0x1000000, 0x1800));
	ck_assert(guest_has_pattern(0x1003000, 0x200));
	ck_assert_str_eq(e.how, "bzImage, unpacked by moat (zstd)");
	return e;
}

START_TEST(second_load_comes_from_the_cache)
{
	if (!codec_built(&codec_zstd))
		return;
	ck_assert(!load(fx.dir).from_cache);
	ck_assert_int_eq(gmem_zero(&fx.mem, MIB(16), MIB(1)), 0);
	ck_assert(load(fx.dir).from_cache);
	ck_assert(!load(NULL).from_cache);
}
END_TEST

START_TEST(load_unpacks_again_when_the_cache_is_damaged)
{
	const char *path;

	if (!codec_built(&codec_zstd))
		return;
	ck_assert(!load(fx.dir).from_cache);
	ck_assert_int_eq(unlink(fixture_path("k")), 0);
	path = entry_path(NULL);
	damage(path, 300);
	ck_assert_int_eq(gmem_zero(&fx.mem, MIB(16), MIB(1)), 0);
	ck_assert(!load(fx.dir).from_cache);
	ck_assert(load(fx.dir).from_cache); /* it was replaced */
}
END_TEST

START_TEST(load_does_without_a_cache_that_cannot_be)
{
	if (!codec_built(&codec_zstd))
		return;
	ck_assert(!load("/dev/null/x").from_cache);
	ck_assert(!load("/dev/null/x").from_cache);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/cache");
	TCase *tc = tcase_create("cache");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, fixture_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, entry_is_found_again);
	tcase_add_test(tc, entry_begins_with_the_plain_bytes);
	tcase_add_test(tc, another_payload_is_not_found);
	tcase_add_test(tc, modules_do_not_pass_for_a_kernel);
	tcase_add_test(tc, entry_under_a_wrong_name_is_not_taken);
	tcase_add_test(tc, damage_anywhere_is_found);
	tcase_add_test(tc, truncated_entry_is_not_taken);
	tcase_add_test(tc, entry_that_others_may_write_is_not_taken);
	tcase_add_test(tc, symbolic_link_is_not_followed);
	tcase_add_test(tc, pipe_in_an_entrys_place_does_not_block);
	tcase_add_test(tc, directories_are_made);
	tcase_add_test(tc, impossible_directory_is_an_error_and_no_more);
	tcase_add_test(tc, full_disk_leaves_nothing_behind);
	tcase_add_loop_test(tc, only_the_entries_used_last_are_kept, 0, 2);
	tcase_add_test(tc, files_of_others_are_left_alone);
	tcase_add_test(tc, entry_is_whole_while_others_replace_it);
	tcase_add_test(tc, entry_is_recalled_by_the_file);
	tcase_add_test(tc, file_that_has_changed_recalls_nothing);
	tcase_add_test(tc, file_that_may_still_change_is_not_remembered);
	tcase_add_test(tc, entry_that_was_replaced_is_not_recalled);
	tcase_add_test(tc, damaged_alias_is_none);
	tcase_add_test(tc, aliases_are_kept_small);
	tcase_add_test(tc, second_load_comes_from_the_cache);
	tcase_add_test(tc, load_unpacks_again_when_the_cache_is_damaged);
	tcase_add_test(tc, load_does_without_a_cache_that_cannot_be);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
