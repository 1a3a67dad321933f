/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/args.h"
#include "vmm/cli/config_file.h"
#include "vmm/cli/settings.h"

static struct settings s;
static struct err err;

static void setup(void)
{
	ck_assert_int_eq(settings_init(&s, &err), 0);
}

static void teardown(void)
{
	settings_fini(&s);
}

static int apply_bytes(const char *bytes, size_t len)
{
	char *text = malloc(len + 1);

	memcpy(text, bytes, len);
	text[len] = '\0';
	ck_assert_int_eq(settings_keep(&s, text, &err), 0);
	return config_text_apply(&s, text, len, "m.conf", &err);
}

static int apply(const char *text)
{
	return apply_bytes(text, strlen(text));
}

static void bad(const char *text, const char *sentence)
{
	ck_assert_int_eq(apply(text), -EINVAL);
	ck_assert_str_eq(err.msg, sentence);
}

START_TEST(each_line_is_an_option)
{
	ck_assert_int_eq(apply("kernel = vmlinuz\n"
			       "cmdline=console=ttyS0 # not a comment\n"
			       "\tcpus\t=\t4  \r\n"
			       "disk = a.img\n"
			       "disk = b.img,ro=on\n"
			       "no-reboot\n"
			       "verbose = 2"),
			 0);
	ck_assert_str_eq(s.machine.kernel, "vmlinuz");
	ck_assert_str_eq(s.machine.cmdline, "console=ttyS0 # not a comment");
	ck_assert_uint_eq(s.machine.cpus, 4);
	ck_assert_uint_eq(s.machine.ndisks, 2);
	ck_assert_str_eq(s.machine.disks[1].path, "b.img");
	ck_assert(s.machine.disks[1].readonly);
	ck_assert(!s.machine.reboot);
	ck_assert_uint_eq(s.verbosity, 2);
}
END_TEST

START_TEST(empty_text_and_comments_set_nothing)
{
	ck_assert_int_eq(apply(""), 0);
	ck_assert_int_eq(apply("\n"), 0);
	ck_assert_int_eq(apply("   \n\t# cpus = 9\n#\n\n  "), 0);
	ck_assert_uint_eq(s.machine.cpus, 1);
}
END_TEST

START_TEST(flag_may_have_a_value)
{
	ck_assert_int_eq(apply("no-reboot = on\n"), 0);
	ck_assert(!s.machine.reboot);
	ck_assert_int_eq(apply("no-reboot = off\n"), 0);
	ck_assert(s.machine.reboot);
}
END_TEST

START_TEST(empty_value_is_one)
{
	ck_assert_int_eq(apply("cmdline =\n"), 0);
	ck_assert_str_eq(s.machine.cmdline, "");
}
END_TEST

START_TEST(sentence_names_file_and_line)
{
	bad("cpus = 65", "m.conf:1: --cpus '65': expected a number from 1 to "
			 "64");
	bad("\n# x\nkernal = x\n",
	    "m.conf:3: unknown key 'kernal', did you mean 'kernel'?");
	bad("frobnicate = x",
	    "m.conf:1: unknown key 'frobnicate': keys are the options of "
	    "'moat run', without dashes");
	bad("--kernel = x", "m.conf:1: unknown key '--kernel', did you mean "
			    "'kernel'?");
	bad("kernel vmlinuz", "m.conf:1: unknown key 'kernel vmlinuz': keys "
			      "are the options of 'moat run', without dashes");
	bad("kernel", "m.conf:1: expected 'kernel = FILE'");
	bad("= x", "m.conf:1: unknown key '': keys are the options of 'moat "
		   "run', without dashes");
	bad("disk = a,rw=on\n",
	    "m.conf:1: --disk 'a,rw=on': unknown key 'rw' (did you mean "
	    "'ro'?): there are path, format, vhost-user, reconnect, ro, iommu, "
	    "id, indirect, reserved, transport, queues, loop, direct, bps "
	    "and iops");
}
END_TEST

START_TEST(file_cannot_name_another)
{
	bad("config = other", "m.conf:1: 'config' is for the command line "
			      "only");
	bad("help", "m.conf:1: 'help' is for the command line only");
	ck_assert_ptr_null(s.config_path);
}
END_TEST

START_TEST(binary_file_is_refused)
{
	static const char text[] = "cpus = 2\nmem\0ory = 32\n";

	ck_assert_int_eq(apply_bytes(text, sizeof(text) - 1), -EINVAL);
	ck_assert_str_eq(err.msg,
			 "m.conf:2: a zero byte: this is no text file");
	ck_assert_int_eq(apply_bytes("\0", 1), -EINVAL);
	ck_assert_str_eq(err.msg,
			 "m.conf:1: a zero byte: this is no text file");
}
END_TEST

/* A file with @text; gives its path. */
static const char *file_with(const char *text, size_t len)
{
	static char path[64];
	int fd = memfd_create("config", 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

START_TEST(command_line_wins_over_the_file)
{
	static const char text[] = "cpus = 2\ndisk = a\nmemory = 64\n";
	const char *path = file_with(text, strlen(text));
	char config[80];
	char *argv[] = {
		(char[]){"--cpus=3"}, /* also when it stands first */
		config,
		(char[]){"--disk=b"},
	};

	(void)snprintf(config, sizeof(config), "--config=%s", path);
	ck_assert_int_eq(args_apply(&s, 3, argv, OPTION_MACHINE, &err), 0);
	ck_assert_uint_eq(s.machine.cpus, 3);
	ck_assert_uint_eq(s.machine.memory, MIB(64));
	ck_assert_uint_eq(s.machine.ndisks, 2);
	ck_assert_str_eq(s.machine.disks[0].path, "a");
	ck_assert_str_eq(s.machine.disks[1].path, "b");
}
END_TEST

START_TEST(key_of_the_file_survives_another_of_the_command_line)
{
	char *on[] = {(char[]){"--iommu=on"}};

	ck_assert_int_eq(apply("iommu = off,topology=native"), 0);
	ck_assert_int_eq(args_apply(&s, 1, on, OPTION_MACHINE, &err), 0);
	ck_assert_int_eq(s.machine.iommu.on, MACH_ON);
	ck_assert_int_eq(s.machine.iommu.topology, MACH_TOPOLOGY_NATIVE);
}
END_TEST

START_TEST(file_that_cannot_be_read_is_the_hosts_fault)
{
	ck_assert_int_eq(config_file_apply(&s, "/nonexistent", &err), -ENOENT);
	ck_assert_str_eq(err.msg, "--config '/nonexistent': cannot open: No "
				  "such file or directory");
	ck_assert_int_eq(config_file_apply(&s, "/", &err), -EISDIR);
	ck_assert_str_eq(err.msg, "--config '/': cannot read: Is a directory");
}
END_TEST

START_TEST(file_has_a_largest_size)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);

	memset(text, '\n', CONFIG_FILE_MAX + 1);
	ck_assert_int_eq(config_file_apply(&s, file_with(text, CONFIG_FILE_MAX),
					   &err),
			 0);
	ck_assert_int_eq(config_file_apply(&s,
					   file_with(text, CONFIG_FILE_MAX + 1),
					   &err),
			 -E2BIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "': longer than 1 MiB"));
	free(text);
}
END_TEST

START_TEST(endless_file_is_refused)
{
	ck_assert_int_eq(config_file_apply(&s, "/dev/zero", &err), -E2BIG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm/cli/config_file");
	TCase *tc = tcase_create("config_file");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_line_is_an_option);
	tcase_add_test(tc, empty_text_and_comments_set_nothing);
	tcase_add_test(tc, flag_may_have_a_value);
	tcase_add_test(tc, empty_value_is_one);
	tcase_add_test(tc, sentence_names_file_and_line);
	tcase_add_test(tc, file_cannot_name_another);
	tcase_add_test(tc, binary_file_is_refused);
	tcase_add_test(tc, command_line_wins_over_the_file);
	tcase_add_test(tc,
		       key_of_the_file_survives_another_of_the_command_line);
	tcase_add_test(tc, file_that_cannot_be_read_is_the_hosts_fault);
	tcase_add_test(tc, file_has_a_largest_size);
	tcase_add_test(tc, endless_file_is_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
