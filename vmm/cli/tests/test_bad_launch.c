/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * moat itself with commands that it cannot start a guest for: one sentence,
 * status 125, nothing left behind.  None of it needs a KVM.
 */
#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "vmm/cli/tests/guest.h"
#include "vmm/cli/tests/sanitized.h"
#include "vmm/cli/tests/spawn.h"

const char *spawn_program = MOAT;

static char dir[32];

static void make_file(const char *path)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fclose(f);
}

static void setup(void)
{
	strcpy(dir, "/tmp/moat-bad-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
	ck_assert_int_eq(setenv("TMPDIR", dir, 1), 0);
	ck_assert_int_eq(mkdir("folder", 0755), 0);
	ck_assert_int_eq(mkdir("modules", 0755), 0);
	make_file("modules/modules.dep");
	make_file("file");
	guest_start();
	guest_out(GUEST_POWER, GUEST_POWER_OFF);
	guest_write("kernel");
}

static void teardown(void)
{
	ck_assert_int_eq(system("rm -rf folder modules file kernel moat"), 0);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0); /* so it was all that was there */
}

static void no_socket_left(void)
{
	glob_t g;

	ck_assert_int_eq(glob("moat/*", 0, NULL, &g), GLOB_NOMATCH);
}

/* @options: of "moat run"; @sentence: all that is said */
static void refused(spawn_before_fn before, const char *sentence,
		    const char *const *options)
{
	const char *argv[32] = {"run", "--kernel", "kernel", "--cache", "none"};
	struct spawn_result r;
	size_t n = 5;

	for (; *options; options++)
		argv[n++] = *options;
	argv[n++] = "--";
	argv[n] = "true";
	r = spawn_run(before, NULL, 0, argv);
	ck_assert_str_eq(r.err, sentence);
	ck_assert_str_eq(r.out, "");
	ck_assert_int_eq(r.status, 125);
	no_socket_left();
}

#define REFUSED(sentence, ...) refused(NULL, sentence, ARGV(__VA_ARGS__))

START_TEST(folders_that_are_not_there)
{
	REFUSED("moat: --share 'gone': No such file or directory\n", "--share",
		"gone");
	REFUSED("moat: --rw 'gone': No such file or directory\n", "--rw",
		"gone");
	REFUSED("moat: --root 'gone': No such file or directory\n", "--root",
		"gone");
	REFUSED("moat: --share 'file': is no directory\n", "--share", "file");
}
END_TEST

static void vanish(void)
{
	if (mkdir("gone", 0755) < 0 || chdir("gone") < 0 ||
	    rmdir("../gone") < 0)
		_exit(1);
}

START_TEST(current_folder_that_is_not_there)
{
	refused(vanish, "moat: the current folder: No such file or directory\n",
		ARGV("--iommu", "off"));
}
END_TEST

START_TEST(folders_that_cannot_be_at_their_place)
{
	REFUSED("moat: --rw '/': '/' cannot be shared at its place\n", "--rw",
		"/");
	REFUSED("moat: --share '/proc': '/proc' cannot be shared at its "
		"place\n",
		"--share", "/proc");
	REFUSED("moat: --rw '/run': '/run' cannot be shared at its place\n",
		"--rw", "/run");
}
END_TEST

START_TEST(roots_that_there_are_not)
{
	REFUSED("moat: --root 'disk': there is no --disk\n", "--root", "disk");
	REFUSED("moat: --root 'initrd': there is no --initrd\n", "--root",
		"initrd");
}
END_TEST

START_TEST(drivers_that_the_kernel_lacks)
{
	REFUSED("moat: the kernel has no driver 'virtio_pci', which every "
		"device needs: neither built in nor in 'modules'\n",
		"--modules", "modules");
	REFUSED("moat: --modules 'folder': there is no modules.dep in it "
		"(depmod makes it)\n",
		"--modules", "folder");
}
END_TEST

static void little_memory(void)
{
	const struct rlimit limit = {MIB(200), MIB(200)};

	if (setrlimit(RLIMIT_AS, &limit) < 0)
		_exit(1);
}

START_TEST(memory_that_the_host_has_not)
{
	if (SANITIZED) {
		printf("skipped: a sanitizer takes more address space than "
		       "this leaves\n");
		return;
	}
	refused(little_memory,
		"moat: --memory: cannot reserve 512 MiB of RAM: Cannot "
		"allocate memory\n",
		ARGV("--root", "folder", "--iommu", "off"));
}
END_TEST

static void small_files(void)
{
	const struct rlimit limit = {MIB(1), MIB(1)};

	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		_exit(1);
}

/* Memory that a server shares is a file, in a way. */
START_TEST(memory_that_is_larger_than_files_may_be)
{
	refused(small_files,
		"moat: --memory: cannot reserve 512 MiB of RAM: File too "
		"large\n",
		ARGV("--root", "folder", "--iommu", "off"));
}
END_TEST

START_TEST(reports_that_cannot_be_written)
{
	REFUSED("moat: --log 'gone/log': cannot open: No such file or "
		"directory\n",
		"--log", "gone/log");
	REFUSED("moat: --junit 'gone/report': cannot open: No such file or "
		"directory\n",
		"--junit", "gone/report");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/bad_launch");
	TCase *tc = tcase_create("bad_launch");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, folders_that_are_not_there);
	tcase_add_test(tc, current_folder_that_is_not_there);
	tcase_add_test(tc, folders_that_cannot_be_at_their_place);
	tcase_add_test(tc, roots_that_there_are_not);
	tcase_add_test(tc, drivers_that_the_kernel_lacks);
	tcase_add_test(tc, memory_that_the_host_has_not);
	tcase_add_test(tc, memory_that_is_larger_than_files_may_be);
	tcase_add_test(tc, reports_that_cannot_be_written);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
