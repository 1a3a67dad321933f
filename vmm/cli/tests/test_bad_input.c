/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * moat itself with what it cannot run: one sentence that names option and
 * file, the right status, the terminal as it was, nothing left behind.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bits.h"
#include "vmm/cli/tests/guest.h"
#include "vmm/cli/tests/spawn.h"

const char *spawn_program = MOAT;

#define OLD_LOG "an older run's text\n"

static char dir[32];

static void make_file(const char *path, const void *bytes, size_t len,
		      off_t size)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fflush(f), 0);
	ck_assert_int_eq(ftruncate(fileno(f), size), 0);
	fclose(f);
}

/* What a bzImage's header says of a kernel of 1 MiB. */
static void make_truncated_bzimage(void)
{
	uint8_t head[0x270] = {
		[0x1f1] = 4,	[0x1f5] = 0x10, /* 0x1000 * 16 bytes */
		[0x1f6] = 0x01, [0x1fe] = 0x55, [0x1ff] = 0xaa, [0x201] = 0x6a,
		[0x202] = 'H',	[0x203] = 'd',	[0x204] = 'r',	[0x205] = 'S',
		[0x206] = 0x0f, [0x207] = 0x02, [0x211] = 0x01, [0x234] = 1,
		[0x236] = 0x7f,
	};

	make_file("truncated", head, sizeof(head), 4096);
}

static void setup(void)
{
	strcpy(dir, "/tmp/moat-bad-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mkdir("cache", 0755), 0);
	ck_assert_int_eq(mkdir("folder", 0755), 0);
	guest_start();
	guest_out(GUEST_POWER, GUEST_POWER_OFF);
	guest_write("kernel");
	make_file("junk", "this is no kernel, but text\n", 28, 5000);
	make_file("empty", "", 0, 0);
	make_file("short-elf", "\177ELF\2\1\1", 7, 40);
	make_truncated_bzimage();
	make_file("log", OLD_LOG, strlen(OLD_LOG), strlen(OLD_LOG));
	make_file("odd", "", 0, 1000);
	make_file("disk", "", 0, 1 << 20);
	make_file("huge-initrd", "", 0, (off_t)GIB(1));
}

static void teardown(void)
{
	ck_assert_int_eq(system("rm -rf cache folder kernel junk empty "
				"short-elf truncated log odd disk huge-initrd "
				"conf"),
			 0);
	ck_assert_int_eq(chdir("/"), 0);
	(void)rmdir(dir);
}

static void nothing_left(void)
{
	char text[64] = "";
	struct dirent *e;
	DIR *d = opendir("cache");
	FILE *f = fopen("log", "r");

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		ck_assert_msg(e->d_name[0] == '.', "left: %s", e->d_name);
	closedir(d);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	ck_assert_str_eq(text, OLD_LOG);
	fclose(f);
}

/* @words: behind "moat run" and a few options that every run here has.
 * @sentence: what standard error has, whole or up to "..." */
static void refused(spawn_before_fn before, int status, const char *sentence,
		    const char *const *words)
{
	const char *argv[32] = {"run",	    "--cache",	 "cache",
				"--output", "file=log",	 "--iommu",
				"off",	    "--timeout", "30s"};
	size_t n = 9, len = strlen(sentence);
	struct spawn_result r;

	while (*words)
		argv[n++] = *words++;
	r = spawn_run(before, NULL, 0, argv);
	ck_assert_str_eq(r.out, "");
	if (len > 3 && strcmp(sentence + len - 3, "...") == 0)
		ck_assert_msg(strncmp(r.err, sentence, len - 3) == 0,
			      "'%s' is not '%s'", r.err, sentence);
	else
		ck_assert_str_eq(r.err, sentence);
	/* One line. */
	ck_assert_ptr_eq(strchr(r.err, '\n'), r.err + strlen(r.err) - 1);
	ck_assert_int_eq(r.status, status);
	nothing_left();
}

#define REFUSED(status, sentence, ...) \
	refused(NULL, status, "moat: " sentence, ARGV(__VA_ARGS__))

START_TEST(kernel_that_is_no_kernel)
{
	REFUSED(1, "kernel 'nothere': No such file or directory\n", "--kernel",
		"nothere");
	REFUSED(1, "kernel 'folder': is a directory\n", "--kernel", "folder");
	REFUSED(1, "kernel 'empty': file is empty\n", "--kernel", "empty");
	REFUSED(1,
		"kernel 'junk': neither an ELF (vmlinux) nor a bzImage for "
		"x86\n",
		"--kernel", "junk");
	REFUSED(1, "kernel '/dev/null': ...", "--kernel", "/dev/null");
	REFUSED(1, "kernel '/bin/sh': ...", "--kernel", "/bin/sh");
}
END_TEST

START_TEST(kernel_that_is_cut_short)
{
	REFUSED(1, "kernel 'short-elf': ...", "--kernel", "short-elf");
	REFUSED(1, "kernel 'truncated': file is truncated: ...", "--kernel",
		"truncated");
	ck_assert_int_eq(truncate("kernel", 0x1000), 0);
	REFUSED(1, "kernel 'kernel': ...", "--kernel", "kernel");
}
END_TEST

START_TEST(initrd_that_does_not_fit_or_open)
{
	REFUSED(1, "initrd 'nothere': No such file or directory\n", "--kernel",
		"kernel", "--initrd", "nothere");
	REFUSED(1, "initrd 'folder': ...", "--kernel", "kernel", "--initrd",
		"folder");
	REFUSED(1, "initrd 'huge-initrd': 1048576 KiB do not fit into the ...",
		"--kernel", "kernel", "--initrd", "huge-initrd");
	/* Nobody looks for a driver in it. */
	REFUSED(1, "initrd 'huge-initrd': 1048576 KiB do not fit into the ...",
		"--kernel", "kernel", "--initrd", "huge-initrd", "--iommu",
		"auto", "--timeout", "3s");
}
END_TEST

START_TEST(memory_too_small_for_the_kernel)
{
	REFUSED(1,
		"kernel 'kernel': needs memory up to 0x1000007, the guest has "
		"16 MiB\n",
		"--kernel", "kernel", "--memory", "16M");
}
END_TEST

START_TEST(disk_that_cannot_be_one)
{
	REFUSED(1, "disk 'nothere': No such file or directory\n", "--kernel",
		"kernel", "--disk", "nothere");
	REFUSED(1, "disk 'folder': Is a directory\n", "--kernel", "kernel",
		"--disk", "folder");
	REFUSED(1, "disk 'empty': empty\n", "--kernel", "kernel", "--disk",
		"empty");
	REFUSED(1, "disk 'odd': 1000 bytes are not whole sectors of 512\n",
		"--kernel", "kernel", "--disk", "odd");
	REFUSED(1, "disk 'disk': in use by another machine, or given twice\n",
		"--kernel", "kernel", "--disk", "disk", "--disk", "disk");
	REFUSED(1, "disk '/dev/null': neither a file nor a block device\n",
		"--kernel", "kernel", "--disk", "/dev/null");
	REFUSED(2,
		"--disk 'disk': id 'aaaaaaaaaaaaaaaaaaaaa' has more than 20 "
		"bytes\n",
		"--kernel", "kernel", "--disk",
		"disk,id=aaaaaaaaaaaaaaaaaaaaa");
}
END_TEST

START_TEST(output_that_is_an_input_is_spared)
{
	struct stat before, after;

	ck_assert_int_eq(stat("kernel", &before), 0);
	REFUSED(1,
		"--output 'file=./kernel': the guest's kernel is in that "
		"file\n",
		"--kernel", "kernel", "--output", "file=./kernel");
	REFUSED(1,
		"--output 'file=disk': a disk of the guest is in that file\n",
		"--kernel", "kernel", "--disk", "disk", "--output",
		"file=disk");
	ck_assert_int_eq(stat("kernel", &after), 0);
	ck_assert_int_eq(before.st_size, after.st_size);
	ck_assert_int_eq(stat("disk", &after), 0);
	ck_assert_int_eq(after.st_size, 1 << 20);
}
END_TEST

START_TEST(numbers_out_of_range)
{
	REFUSED(2, "--cpus '0': expected a number from 1 to 64\n", "--cpus",
		"0");
	REFUSED(2, "--cpus '65': expected a number from 1 to 64\n", "--cpus",
		"65");
	REFUSED(2, "--memory '15M': expected a size from 16M to 1T\n",
		"--memory", "15M");
	REFUSED(2, "--memory '2T': expected a size from 16M to 1T\n",
		"--memory", "2T");
}
END_TEST

START_TEST(words_that_are_wrong)
{
	make_file("conf", "kernel = kernel\ncpus = many\n", 28, 28);
	REFUSED(2, "unknown option '--kernle', did you mean '--kernel'?\n",
		"--kernle", "kernel");
	REFUSED(2, "--describe 'dtb': expected acpi, mptable or none\n",
		"--describe", "dtb");
	REFUSED(2,
		"--disk 'disk,readonly=on': unknown key 'readonly': there are "
		"path, format, vhost-user, reconnect, ro, iommu, id, indirect, "
		"reserved, transport, queues, loop, direct, bps and iops\n",
		"--disk", "disk,readonly=on");
	REFUSED(2, "conf:2: --cpus 'many': expected a number from 1 to 64\n",
		"--config", "conf");
	REFUSED(2,
		"--kernel is missing: it names the guest's kernel (vmlinux or "
		"bzImage); or give a command behind --\n",
		"--cpus", "1");
}
END_TEST

START_TEST(command_line_too_long)
{
	static char words[70000];

	memset(words, 'x', sizeof(words) - 1);
	REFUSED(1, "kernel 'kernel': command line of ...", "--kernel", "kernel",
		"--cmdline", words);
}
END_TEST

/*
 * Hosts that cannot.
 */

static void hide_kvm(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/dev", "tmpfs", 0, NULL) < 0)
		_exit(125);
}

static void false_kvm(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("/dev/null", "/dev/kvm", NULL, MS_BIND, NULL) < 0)
		_exit(125);
}

/* A file system of our own, so that its mode is, too. */
static void forbidden_kvm(void)
{
	hide_kvm();
	if (mknod("/dev/kvm", S_IFREG | 0600, 0) < 0 || setuid(65534) < 0)
		_exit(125);
}

/* Only root may arrange these hosts. */
static bool can_hide_kvm(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		hide_kvm();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return spawn_shell_status(status) == 0;
}

START_TEST(host_without_kvm)
{
	const char *const *argv = ARGV("--kernel", "kernel");

	if (!can_hide_kvm())
		return;
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(chmod("cache", 0777), 0);
	refused(hide_kvm, 1, "moat: /dev/kvm does not exist: ...", argv);
	refused(false_kvm, 1, "moat: /dev/kvm: not a KVM device: ...", argv);
	refused(forbidden_kvm, 1, "moat: /dev/kvm: permission denied: ...",
		argv);
}
END_TEST

START_TEST(terminal_is_intact)
{
	static struct spawn_tty t;

	spawn_tty(&t, NULL, ARGV("run", "--kernel", "junk"));
	ck_assert_int_eq(spawn_end(&t), 1);
	ck_assert(!spawn_is_raw(&t));
	spawn_expect(&t, "moat: kernel 'junk': ");
	spawn_tty(&t, NULL,
		  ARGV("run", "--iommu", "off", "--kernel", "kernel",
		       "--output", "file=folder"));
	ck_assert_int_eq(spawn_end(&t), 1);
	ck_assert(!spawn_is_raw(&t));
	spawn_expect(&t, "moat: --output 'file=folder': cannot open: Is a "
			 "directory");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/bad_input");
	TCase *tc = tcase_create("bad_input");
	SRunner *sr;
	int failed;

	if (!guest_can_run()) {
		puts("skipped: no usable /dev/kvm");
		return 77;
	}
	sr = srunner_create(s);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 150);
	tcase_add_test(tc, kernel_that_is_no_kernel);
	tcase_add_test(tc, kernel_that_is_cut_short);
	tcase_add_test(tc, initrd_that_does_not_fit_or_open);
	tcase_add_test(tc, memory_too_small_for_the_kernel);
	tcase_add_test(tc, disk_that_cannot_be_one);
	tcase_add_test(tc, output_that_is_an_input_is_spared);
	tcase_add_test(tc, numbers_out_of_range);
	tcase_add_test(tc, words_that_are_wrong);
	tcase_add_test(tc, command_line_too_long);
	tcase_add_test(tc, host_without_kvm);
	tcase_add_test(tc, terminal_is_intact);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
