/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The command as a process, around a machine that is a script (fake_mach.c).
 */
#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cli/tests/spawn.h"

const char *spawn_program = MOAT_FAKE;

#define RUN(...) spawn_run(NULL, NULL, 0, ARGV(__VA_ARGS__))

#define TRACE_FILE (16 + 48) /* as fake_mach.c writes it */

#define REASON "moat: IOMMU on: this machine is a fake\n"

static char path[64];

static void setup(void)
{
	(void)snprintf(path, sizeof(path), "/tmp/moat-test-%d", getpid());
}

static void teardown(void)
{
	(void)unlink(path);
}

static void result_is(struct spawn_result r, int status, const char *out,
		      const char *err)
{
	ck_assert_str_eq(r.err, err);
	ck_assert_str_eq(r.out, out);
	ck_assert_int_eq(r.status, status);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/*
 * Statuses.
 */

START_TEST(power_off_is_0)
{
	result_is(RUN("run", "--kernel", "print hello\\n;poweroff"), 0,
		  "hello\n", REASON);
}
END_TEST

START_TEST(halt_is_0_and_said)
{
	result_is(RUN("run", "--kernel", "halt"), 0, "",
		  REASON "moat: the guest halted\n");
}
END_TEST

START_TEST(reboot_without_reboot_is_0)
{
	result_is(RUN("run", "--no-reboot", "--kernel", "reboot"), 0, "",
		  REASON);
}
END_TEST

START_TEST(panic_and_crash_are_255)
{
	result_is(RUN("run", "--kernel", "panic"), 255, "",
		  REASON "moat: the guest's kernel panicked\n");
	result_is(RUN("run", "--kernel", "crash"), 255, "", REASON);
}
END_TEST

START_TEST(panic_text_is_255_whatever_follows)
{
	static const char text[] = "Kernel panic - not syncing: x\n";

	result_is(RUN("run", "--kernel",
		      "print Kernel panic - not syncing: x\\n;wait"),
		  255, text, REASON "moat: the guest's kernel panicked\n");
	result_is(RUN("run", "--kernel",
		      "print Kernel panic - not syncing: x\\n;reboot"),
		  255, text, REASON "moat: the guest's kernel panicked\n");
	result_is(RUN("run", "--kernel",
		      "print a Kernel panic - not syncing: x\\n;poweroff"),
		  0, "a Kernel panic - not syncing: x\n", REASON);
}
END_TEST

START_TEST(panic_text_counts_with_no_output)
{
	result_is(RUN("run", "--output", "none", "--kernel",
		      "print Kernel panic - not syncing: x\\n;wait"),
		  255, "", REASON "moat: the guest's kernel panicked\n");
}
END_TEST

START_TEST(timeout_is_124)
{
	result_is(RUN("run", "--timeout", "1s", "--kernel", "wait"), 124, "",
		  REASON "moat: timeout: the guest has not ended after 1 "
			 "s\n");
	result_is(RUN("run", "--timeout", "1h", "--kernel", "poweroff"), 0, "",
		  REASON);
}
END_TEST

START_TEST(timeout_counts_before_the_machine_stands)
{
	result_is(RUN("run", "--timeout", "1s", "--kernel", "new-waits"), 124,
		  "", "moat: timeout: the guest has not ended after 1 s\n");
}
END_TEST

START_TEST(kernel_that_is_stuck_ends_a_command_without_a_timeout)
{
	ck_assert_int_eq(setenv("MOAT_TEST", "boot=1s", 1), 0);
	result_is(RUN("run", "--kernel", "print here I stay\\n;wait", "--root",
		      "/", "--", "true"),
		  125, "",
		  "moat: warn: MOAT_TEST is set: this machine is for tests\n"
		  "moat: guest: here I stay\n"
		  "moat: the guest did not start: its kernel had not come to "
		  "its first process after 1 s\n");
	ck_assert_int_eq(unsetenv("MOAT_TEST"), 0);
}
END_TEST

START_TEST(machine_that_does_not_stop_is_left)
{
	double start = seconds();

	result_is(RUN("run", "--timeout", "1s", "--kernel", "stuck"), 124, "",
		  REASON "moat: timeout: the guest has not ended after 1 s\n"
			 "moat: the machine does not stop, leaving it\n");
	ck_assert_double_gt(seconds() - start, 5.0);
}
END_TEST

/* How it ends, the name of a guest is free then, and so is that of a later
 * one whose process gets the same number. */
START_TEST(run_that_is_left_leaves_no_socket)
{
	char dir[] = "/tmp/moat-left-XXXXXX", pattern[80], moat[64];
	glob_t g;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
	(void)snprintf(moat, sizeof(moat), "%s/moat", dir);
	(void)snprintf(pattern, sizeof(pattern), "%s/*", moat);
	ck_assert_int_eq(
		RUN("run", "--timeout", "1s", "--kernel", "new-waits").status,
		124);
	ck_assert_int_eq(glob(pattern, 0, NULL, &g), GLOB_NOMATCH);
	ck_assert_int_eq(
		RUN("run", "--timeout", "1s", "--kernel", "stuck").status, 124);
	ck_assert_int_eq(glob(pattern, 0, NULL, &g), GLOB_NOMATCH);
	ck_assert_int_eq(RUN("run", "--timeout", "1s", "--kernel", "stuck",
			     "--root", "/", "--", "true")
				 .status,
			 124);
	ck_assert_int_eq(glob(pattern, 0, NULL, &g), GLOB_NOMATCH);
	ck_assert_int_eq(unsetenv("XDG_RUNTIME_DIR"), 0);
	ck_assert_int_eq(rmdir(moat), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(memory_beyond_the_host_is_told)
{
	result_is(RUN("run", "--memory", "8G", "--kernel", "poweroff"), 0, "",
		  REASON);
	result_is(RUN("run", "--memory", "9G", "--kernel", "poweroff"), 0, "",
		  "moat: --memory: the guest may take 9216 MiB and this host "
		  "has 8192, swap included: if it does, the host's kernel "
		  "ends the run\n" REASON);
}
END_TEST

START_TEST(host_fault_is_1)
{
	result_is(RUN("run", "--kernel", "fail"), 1, "",
		  REASON "moat: the fake machine failed\n");
	result_is(RUN("run", "--kernel", "new-fails"), 1, "",
		  "moat: kernel 'new-fails': not a kernel\n");
	result_is(RUN("run", "--config", "/nonexistent"), 1, "",
		  "moat: --config '/nonexistent': cannot open: No such file "
		  "or directory\n");
	result_is(RUN("run", "--kernel", "poweroff", "--output",
		      "file=/nonexistent/x"),
		  1, "",
		  REASON "moat: --output 'file=/nonexistent/x': cannot open: "
			 "No such file or directory\n");
}
END_TEST

START_TEST(with_a_command_failures_of_ours_are_125)
{
	result_is(RUN("run", "--cpus", "65", "--", "true"), 125, "",
		  "moat: --cpus '65': expected a number from 1 to 64\n");
	result_is(RUN("run", "--kernel", "/nonexistent", "--root", "initrd",
		      "--", "true"),
		  125, "", "moat: --root 'initrd': there is no --initrd\n");
	result_is(RUN("run", "--kernel", "/nonexistent", "--root", "disk", "--",
		      "true"),
		  125, "", "moat: --root 'disk': there is no --disk\n");
	result_is(RUN("topology", "--", "true"), 2, "",
		  "moat: no command is run by 'topology'\n");
}
END_TEST

START_TEST(wrong_usage_is_2)
{
	result_is(RUN("run"), 2, "",
		  "moat: --kernel is missing: it names the guest's kernel "
		  "(vmlinux or bzImage); or give a command behind --\n");
	result_is(RUN("run", "--cpus", "65"), 2, "",
		  "moat: --cpus '65': expected a number from 1 to 64\n");
	result_is(RUN("rum"), 2, "",
		  "moat: unknown command 'rum', did you mean 'run'?\n");
	result_is(RUN("frobnicate"), 2, "",
		  "moat: unknown command 'frobnicate' (see 'moat help')\n");
	result_is(RUN("--kernel"), 2, "",
		  "moat: expected a command before '--kernel' (see 'moat "
		  "help')\n");
	result_is(RUN("help", "rum"), 2, "",
		  "moat: help: there is no command 'rum'\n");
	result_is(RUN("topology", "--describe", "none", "--cpus", "2"), 2, "",
		  "moat: --cpus 2: without a description (--describe none) a "
		  "guest finds one CPU only\n");
	result_is(RUN("run", "--kernel", "poweroff", "--iommu", "off", "--disk",
		      "a,iommu=on"),
		  2, "", "moat: --disk 'a': iommu=on, but --iommu is off\n");
	result_is(RUN("check", "--kernel=x"), 2, "",
		  "moat: --kernel: this command has no such option\n");
}
END_TEST

START_TEST(words_cannot_steer_the_terminal)
{
	result_is(RUN("run", "--cpus", "\033[2J\n"), 2, "",
		  "moat: --cpus '?[2J?': expected a number from 1 to 64\n");
}
END_TEST

/*
 * Texts.
 */

START_TEST(no_command_is_usage)
{
	struct spawn_result r = spawn_run(NULL, NULL, 0, ARGV(NULL));

	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "");
	ck_assert_ptr_nonnull(strstr(r.err, "usage: moat COMMAND"));
}
END_TEST

START_TEST(help_is_on_standard_output)
{
	struct spawn_result r = RUN("help");

	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.err, "");
	ck_assert_ptr_nonnull(strstr(r.out, "usage: moat COMMAND"));
	r = RUN("help", "run");
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_nonnull(strstr(r.out, "usage: moat run"));
	r = RUN("topology", "--help");
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_nonnull(strstr(r.out, "usage: moat topology"));
	r = RUN("check", "-h");
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_nonnull(strstr(r.out, "usage: moat check"));
	ck_assert_ptr_null(strstr(r.out, "--kernel"));
	ck_assert_ptr_nonnull(strstr(RUN("version").out, "moat "));
	ck_assert_ptr_nonnull(strstr(RUN("--version").out, "moat "));
}
END_TEST

static void full_stdout(void)
{
	dup2(open("/dev/full", O_WRONLY), 1);
}

START_TEST(text_that_cannot_be_written_is_1)
{
	result_is(spawn_run(full_stdout, NULL, 0, ARGV("help")), 1, "",
		  "moat: cannot write to standard output: No space left on "
		  "device\n");
}
END_TEST

START_TEST(topology_needs_no_kernel)
{
	struct spawn_result r = RUN("topology", "--disk", "a.img,ro=on",
				    "--iommu", "on", "--timeout", "1s");

	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.err, "");
	ck_assert_ptr_nonnull(strstr(r.out, "disk a.img ro 1"));
}
END_TEST

START_TEST(check_says_yes)
{
	struct spawn_result r = RUN("check");

	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_nonnull(strstr(r.out, "This host can run guests.\n"));
}
END_TEST

START_TEST(verbose_run_tells_what_the_machine_saw)
{
	result_is(RUN("run", "-v", "--iommu", "on", "--kernel", "poweroff"), 0,
		  "",
		  REASON
		  "moat: the guest powered off\n"
		  "moat: IOMMU: 1 attaches, 0 detaches, 2 maps, 3 unmaps, "
		  "0 rejected\n"
		  "moat: IOMMU: 0 translations, 0 cache hits, 0 misses, "
		  "0 walks, 0 faults\n"
		  "moat: exits: pio 12, mmio 34\n");
	result_is(RUN("run", "--iommu", "on", "--kernel", "poweroff"), 0, "",
		  "");
}
END_TEST

/*
 * Streams that are no terminals.
 */

START_TEST(input_reaches_the_guest_and_its_end_is_harmless)
{
	static char input[100000];
	unsigned long sum = 0;
	char want[64];

	for (size_t i = 0; i < sizeof(input); i++) {
		input[i] = (char)(i * 31 + i / 256);
		sum += (uint8_t)input[i];
	}
	(void)snprintf(want, sizeof(want), "ate 100000 sum %lu\n", sum);
	result_is(spawn_run(NULL, input, sizeof(input),
			    ARGV("run", "--kernel",
				 "eat 100000;sleep 50;poweroff")),
		  0, want, REASON);
}
END_TEST

static void stdin_from_file(void)
{
	dup2(open(path, O_RDONLY), 0);
}

START_TEST(input_may_be_a_file)
{
	FILE *f = fopen(path, "w");

	for (int i = 0; i < 10000; i++)
		fputc(i % 256, f);
	fclose(f);
	result_is(spawn_run(stdin_from_file, NULL, 0,
			    ARGV("run", "--kernel",
				 "eat 10000;sleep 20;poweroff")),
		  0, "ate 10000 sum 1273080\n", REASON);
}
END_TEST

START_TEST(all_text_comes_out_before_the_end)
{
	struct spawn_result r = RUN("run", "--kernel", "flood 300000;poweroff");

	ck_assert_int_eq(r.status, 0);
	ck_assert_uint_eq(r.out_len, 300000);
}
END_TEST

static void stdout_without_reader(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		_exit(125);
	close(fds[0]);
	dup2(fds[1], 1);
	close(fds[1]);
}

START_TEST(reader_that_has_gone_does_not_end_the_guest)
{
	result_is(spawn_run(stdout_without_reader, NULL, 0,
			    ARGV("run", "--kernel", "flood 300000;poweroff")),
		  0, "", REASON);
}
END_TEST

START_TEST(full_disk_does_not_end_the_guest)
{
	result_is(spawn_run(full_stdout, NULL, 0,
			    ARGV("run", "--kernel", "flood 300000;poweroff")),
		  0, "",
		  REASON "moat: cannot write the guest's text: No space left "
			 "on device\n");
}
END_TEST

static void few_files(void)
{
	const struct rlimit r = {100, 200};

	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		_exit(125);
}

/* A connection of a vsock is one; the soft limit is 1024 for most. */
START_TEST(a_machine_may_open_as_many_files_as_the_hard_limit_says)
{
	result_is(spawn_run(few_files, NULL, 0,
			    ARGV("run", "--kernel", "files;poweroff")),
		  0, "200\n", REASON);
}
END_TEST

START_TEST(reports_on_a_full_disk_are_missed_aloud)
{
	static const char *const kernel = "print text\\n;poweroff";

	result_is(RUN("run", "--kernel", kernel, "--root", "/", "--log",
		      "/dev/full", "--", "true"),
		  125, "",
		  "moat: --log '/dev/full': cannot write: No space "
		  "left on device\n"
		  "moat: guest: text\n"
		  "moat: the guest powered off before the command "
		  "ended\n");
	result_is(RUN("run", "--kernel", kernel, "--root", "/", "--junit",
		      "/dev/full", "--", "true"),
		  125, "",
		  "moat: guest: text\n"
		  "moat: the guest powered off before the command "
		  "ended\n"
		  "moat: --junit '/dev/full': cannot write: No space "
		  "left on device\n");
}
END_TEST

/* Nobody reads from its other end, but it is there. */
static void stdout_without_reading(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		_exit(125);
	dup2(fds[1], 1);
}

START_TEST(reader_that_sleeps_does_not_stop_the_timeout)
{
	result_is(spawn_run(stdout_without_reading, NULL, 0,
			    ARGV("run", "--timeout", "1s", "--kernel",
				 "flood 300000;poweroff")),
		  124, "",
		  REASON "moat: timeout: the guest has not ended after 1 "
			 "s\n");
	/* Small enough for moat's buffer: the guest ends, its text waits. */
	result_is(spawn_run(stdout_without_reading, NULL, 0,
			    ARGV("run", "--timeout", "1s", "--kernel",
				 "flood 100000;poweroff")),
		  124, "",
		  REASON "moat: timeout: the guest has not ended after 1 "
			 "s\n");
}
END_TEST

static void file_has(const char *want)
{
	char got[64] = "";
	int fd = open(path, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(read(fd, got, sizeof(got) - 1), 0);
	close(fd);
	ck_assert_str_eq(got, want);
}

START_TEST(output_goes_to_a_file)
{
	char output[80];
	FILE *f = fopen(path, "w");

	fputs("something old and longer", f);
	fclose(f);
	(void)snprintf(output, sizeof(output), "--output=file=%s", path);
	/* A run that cannot be leaves it as it is. */
	(void)RUN("run", output, "--kernel", "new-fails");
	file_has("something old and longer");
	result_is(RUN("run", output, "--kernel", "print hi\\n;poweroff"), 0, "",
		  REASON);
	file_has("hi\n");
}
END_TEST

static void write_file(const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

/* A sentence about the file, whose name is not the same twice. */
static void trace_fails(const char *what)
{
	char sentence[160];

	(void)snprintf(sentence, sizeof(sentence), "moat: trace: '%s' %s\n",
		       path, what);
	result_is(RUN("trace", path), 1, "", sentence);
}

START_TEST(trace_is_written_and_printed)
{
	char file[TRACE_FILE + 1];
	int fd;

	result_is(RUN("run", "--trace", path, "--kernel", "poweroff"), 0, "",
		  REASON);
	result_is(RUN("trace", path), 0,
		  "1.000000005 map domain 1 0x5000-0x5fff to 0x9000 rw: OK\n",
		  "");
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, file, sizeof(file)), TRACE_FILE);
	close(fd);
	/* What came before the cut is printed, too. */
	write_file(file, TRACE_FILE - 1);
	trace_fails("ends in the middle of a record");
	write_file(file, 16);
	result_is(RUN("trace", path), 0, "", "");
	write_file(file, 15);
	trace_fails("is no trace");
	write_file(file + 1, 40);
	trace_fails("is no trace");
	file[16 + 8] = 6; /* there is no such request */
	write_file(file, TRACE_FILE);
	trace_fails("is damaged at byte 16");
	file[16 + 8] = 3;
	file[16 + 9] = 9; /* nor such an answer */
	write_file(file, TRACE_FILE);
	trace_fails("is damaged at byte 16");
}
END_TEST

START_TEST(trace_says_what_is_wrong_with_it)
{
	result_is(RUN("trace"), 2, "",
		  "moat: trace: FILE is missing: what 'moat run --trace FILE' "
		  "has written\n");
	result_is(RUN("trace", "a", "b"), 2, "", "moat: unexpected word 'b'\n");
	result_is(RUN("trace", "/"), 1, "",
		  "moat: trace: cannot read '/': Is a directory\n");
	result_is(RUN("trace", "/nonexistent"), 1, "",
		  "moat: trace: cannot open '/nonexistent': No such file or "
		  "directory\n");
	result_is(RUN("trace", "a", "--memory", "1G"), 2, "",
		  "moat: --memory: this command has no such option\n");
	result_is(RUN("run", "--kernel", "poweroff", "--trace", "/no/where"), 1,
		  "",
		  REASON "moat: --trace '/no/where': cannot open: No such file "
			 "or directory\n");
	result_is(RUN("run", "--trace", ""), 2, "",
		  "moat: --trace '': expected something, not nothing\n");
}
END_TEST

START_TEST(trace_does_not_go_into_a_disk)
{
	char disk[80], sentence[160];

	write_file("precious", 8);
	(void)snprintf(disk, sizeof(disk), "%s", path);
	(void)snprintf(sentence, sizeof(sentence),
		       REASON "moat: --trace '%s': a disk of the guest is in "
			      "that file\n",
		       path);
	result_is(RUN("run", "--kernel", "poweroff", "--disk", disk, "--trace",
		      path),
		  1, "", sentence);
}
END_TEST

START_TEST(output_goes_nowhere)
{
	result_is(RUN("run", "--output=none", "--kernel",
		      "flood 300000;poweroff"),
		  0, "", REASON);
}
END_TEST

static void no_descriptors(void)
{
	close(0);
	close(1);
	close(2);
}

START_TEST(closed_descriptors_do_no_harm)
{
	char output[80];

	(void)snprintf(output, sizeof(output), "--output=file=%s", path);
	result_is(
		spawn_run(no_descriptors, NULL, 0,
			  ARGV("run", output, "--kernel", "print hi\\n;fail")),
		1, "", "");
	file_has("hi\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/command");
	TCase *tc = tcase_create("command");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 150);
	tcase_add_test(tc, power_off_is_0);
	tcase_add_test(tc, halt_is_0_and_said);
	tcase_add_test(tc, reboot_without_reboot_is_0);
	tcase_add_test(tc, panic_and_crash_are_255);
	tcase_add_test(tc, panic_text_is_255_whatever_follows);
	tcase_add_test(tc, panic_text_counts_with_no_output);
	tcase_add_test(tc, timeout_is_124);
	tcase_add_test(tc, timeout_counts_before_the_machine_stands);
	tcase_add_test(tc,
		       kernel_that_is_stuck_ends_a_command_without_a_timeout);
	tcase_add_test(tc, machine_that_does_not_stop_is_left);
	tcase_add_test(tc, run_that_is_left_leaves_no_socket);
	tcase_add_test(tc, memory_beyond_the_host_is_told);
	tcase_add_test(tc, host_fault_is_1);
	tcase_add_test(tc, with_a_command_failures_of_ours_are_125);
	tcase_add_test(tc, wrong_usage_is_2);
	tcase_add_test(tc, words_cannot_steer_the_terminal);
	tcase_add_test(tc, no_command_is_usage);
	tcase_add_test(tc, help_is_on_standard_output);
	tcase_add_test(tc, text_that_cannot_be_written_is_1);
	tcase_add_test(tc, topology_needs_no_kernel);
	tcase_add_test(tc, check_says_yes);
	tcase_add_test(tc, verbose_run_tells_what_the_machine_saw);
	tcase_add_test(tc, input_reaches_the_guest_and_its_end_is_harmless);
	tcase_add_test(tc, input_may_be_a_file);
	tcase_add_test(tc, all_text_comes_out_before_the_end);
	tcase_add_test(tc, reader_that_has_gone_does_not_end_the_guest);
	tcase_add_test(tc, full_disk_does_not_end_the_guest);
	tcase_add_test(tc,
		       a_machine_may_open_as_many_files_as_the_hard_limit_says);
	tcase_add_test(tc, reports_on_a_full_disk_are_missed_aloud);
	tcase_add_test(tc, reader_that_sleeps_does_not_stop_the_timeout);
	tcase_add_test(tc, output_goes_to_a_file);
	tcase_add_test(tc, trace_is_written_and_printed);
	tcase_add_test(tc, trace_says_what_is_wrong_with_it);
	tcase_add_test(tc, trace_does_not_go_into_a_disk);
	tcase_add_test(tc, output_goes_nowhere);
	tcase_add_test(tc, closed_descriptors_do_no_harm);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
