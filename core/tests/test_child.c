/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child.h"
#include "core/err.h"
#include "core/fd.h"

#define PATIENCE_MS 20000

/* What this program does as a child, when told so. */
#define IO_URING "io_uring"

static struct child c;
static struct err err;

static int start_sh(const char *script, int pass_fd, unsigned flags)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	const struct child_config config = {
		.argv = argv,
		.pass_fd = pass_fd,
		.flags = flags,
	};

	child_init(&c);
	return child_start(&c, &config, &err);
}

static void assert_explained(const char *text)
{
	char got[256];

	ck_assert(child_ended(&c, PATIENCE_MS));
	child_explain(&c, got, sizeof(got));
	ck_assert_str_eq(got, text);
}

/* A line of a pipe or socket, without its newline. */
static void read_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n < size - 1) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
		ck_assert_int_eq(read(fd, line + n, 1), 1);
		if (line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
}

START_TEST(exit_status_and_last_line_explain_the_end)
{
	ck_assert_int_eq(start_sh("echo one; echo two >&2; exit 3", -1, 0), 0);
	assert_explained("ended with status 3: two");
	child_stop(&c, 0);
}
END_TEST

START_TEST(a_last_line_without_newline_counts)
{
	ck_assert_int_eq(start_sh("echo one; printf two", -1, 0), 0);
	assert_explained("ended with status 0: two");
	child_stop(&c, 0);
}
END_TEST

START_TEST(a_signal_explains_the_end)
{
	ck_assert_int_eq(start_sh("kill -9 $$", -1, 0), 0);
	assert_explained("was killed by signal 9");
	child_stop(&c, 0);
}
END_TEST

START_TEST(control_characters_are_not_shown)
{
	ck_assert_int_eq(start_sh("printf 'a\\033b\\n'", -1, 0), 0);
	assert_explained("ended with status 0: a?b");
	child_stop(&c, 0);
}
END_TEST

START_TEST(a_long_line_keeps_its_end)
{
	char got[256];

	ck_assert_int_eq(start_sh("printf '%0300d\\n' 7", -1, 0), 0);
	ck_assert(child_ended(&c, PATIENCE_MS));
	child_explain(&c, got, sizeof(got));
	ck_assert_uint_eq(strlen(c.line), CHILD_LINE_MAX - 1);
	ck_assert_str_eq(c.line + CHILD_LINE_MAX - 4, "007");
	child_stop(&c, 0);
}
END_TEST

START_TEST(more_output_than_a_pipe_holds_blocks_nobody)
{
	ck_assert_int_eq(start_sh("i=0; while [ $i -lt 4000 ]; do echo "
				  "$i-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
				  "2>/dev/null; i=$((i+1)); done",
				  -1, 0),
			 0);
	ck_assert(child_ended(&c, PATIENCE_MS));
	child_stop(&c, 0);
}
END_TEST

START_TEST(a_missing_program_fails_with_a_sentence)
{
	const char *const argv[] = {"/nonexistent/server", NULL};
	const struct child_config config = {.argv = argv, .pass_fd = -1};

	child_init(&c);
	ck_assert_int_eq(child_start(&c, &config, &err), -ENOENT);
	ck_assert_str_eq(err.msg, "'/nonexistent/server' cannot be executed: "
				  "No such file or directory");
	ck_assert_int_eq(c.pid, 0);
	child_stop(&c, 0);
}
END_TEST

START_TEST(programs_are_found_in_path_alone)
{
	char *found;

	setenv("PATH", "/nonexistent::/bin:/usr/bin", 1);
	found = child_find("sh");
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found, "/bin/sh");
	free(found);
	ck_assert_ptr_null(child_find("no-such-program"));
	setenv("PATH", "", 1);
	ck_assert_ptr_null(child_find("sh"));
	unsetenv("PATH");
	ck_assert_ptr_null(child_find("sh"));
}
END_TEST

START_TEST(the_descriptor_is_the_third_and_the_only_one)
{
	int fds[2];
	char line[64];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(start_sh("set -- /proc/self/fd/[3-9]*; echo $* >&3",
				  fds[1], 0),
			 0);
	close(fds[1]);
	read_line(fds[0], line, sizeof(line));
	/* The shell itself lists the folder, without opening it for long. */
	ck_assert_int_eq(strncmp(line, "/proc/self/fd/3", 15), 0);
	close(fds[0]);
	child_stop(&c, PATIENCE_MS);
}
END_TEST

START_TEST(descriptor_three_itself_can_be_passed)
{
	int pair[2], fd;

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	/* Whatever has number 3 in this process, put ours there. */
	fd = dup3(pair[1], CHILD_FD, O_CLOEXEC);
	if (pair[1] == CHILD_FD)
		fd = CHILD_FD;
	ck_assert_int_eq(fd, CHILD_FD);
	ck_assert_int_eq(start_sh("echo here >&3", CHILD_FD, 0), 0);
	ck_assert(child_ended(&c, PATIENCE_MS));
	ck_assert_int_eq(c.status, 0);
	child_stop(&c, 0);
}
END_TEST

START_TEST(it_has_a_group_of_its_own)
{
	ck_assert_int_eq(start_sh("sleep 100", -1, 0), 0);
	ck_assert_int_eq(getpgid(c.pid), c.pid);
	ck_assert(!child_ended(&c, 0));
	child_stop(&c, 0);
}
END_TEST

START_TEST(stop_kills_the_whole_group)
{
	int fds[2];
	char line[64], byte;

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(start_sh("sleep 1000 & echo up >&3; wait", fds[1], 0),
			 0);
	close(fds[1]);
	read_line(fds[0], line, sizeof(line));
	child_stop(&c, 0);
	/* The grandchild has the socket, too: the end comes when it is gone. */
	struct pollfd p = {.fd = fds[0], .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}
END_TEST

START_TEST(stop_gives_the_grace_it_is_told)
{
	int fds[2];
	char line[64];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(start_sh("read x <&3; echo done >&3", fds[1], 0), 0);
	close(fds[1]);
	ck_assert_int_eq(write(fds[0], "x\n", 2), 2);
	child_stop(&c, PATIENCE_MS);
	read_line(fds[0], line, sizeof(line));
	ck_assert_str_eq(line, "done");
	close(fds[0]);
}
END_TEST

START_TEST(one_that_is_asked_to_end_may_do_something_first)
{
	char line[64];

	ck_assert_int_eq(start_sh("trap 'echo asked; exit 3' TERM; echo up; "
				  "while :; do sleep 0.01; done",
				  -1, 0),
			 0);
	read_line(c.output, line, sizeof(line));
	ck_assert_str_eq(line, "up");
	child_ask(&c);
	assert_explained("ended with status 3: asked");
	child_ask(&c);
	child_stop(&c, 0);
}
END_TEST

START_TEST(stop_accepts_what_was_never_started)
{
	child_init(&c);
	child_stop(&c, 0);
	child_stop(&c, 0);
}
END_TEST

START_TEST(it_is_killed_when_its_parent_is)
{
	int fds[2];
	char line[64], byte;
	pid_t parent;

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	parent = fork();
	if (parent == 0) {
		if (start_sh("echo up >&3; exec sleep 1000", fds[1], 0) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	read_line(fds[0], line, sizeof(line));
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	struct pollfd p = {.fd = fds[0], .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}
END_TEST

/* Namespaces may be forbidden here; then nothing is shown. */
static bool started(int r)
{
	if (r == -EPERM || r == -ENOSPC || r == -EACCES) {
		fprintf(stderr, "skipped: %s\n", err.msg);
		return false;
	}
	ck_assert_int_eq(r, 0);
	return true;
}

START_TEST(a_user_namespace_makes_it_root_of_nothing)
{
	if (!started(start_sh("echo $(id -u) $(cat /proc/self/uid_map)", -1,
			      CHILD_USER_NAMESPACE)))
		return;
	char want[64];

	snprintf(want, sizeof(want), "ended with status 0: 0 0 %u 1",
		 geteuid());
	assert_explained(want);
	child_stop(&c, 0);
}
END_TEST

START_TEST(readonly_children_write_no_file)
{
	char path[] = "/tmp/moat-child-XXXXXX";
	char script[128];
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	snprintf(script, sizeof(script),
		 "(echo x >%s) 2>/dev/null || exit 9; exit 0", path);
	if (started(start_sh(script, -1,
			     CHILD_READONLY |
				     (geteuid() ? CHILD_USER_NAMESPACE : 0)))) {
		struct stat st;

		ck_assert(child_ended(&c, PATIENCE_MS));
		ck_assert_int_eq(c.status, 9);
		ck_assert_int_eq(fstat(fd, &st), 0);
		ck_assert_int_eq(st.st_size, 0);
		/* ... and ours is as writable as before. */
		ck_assert_int_eq(write(fd, "x", 1), 1);
	}
	child_stop(&c, 0);
	close(fd);
	unlink(path);
}
END_TEST

/* Nobody listens there, so that without it the answer is another. */
START_TEST(a_child_without_network_gets_no_socket)
{
	static const char script[] =
		"bash -c 'exec 9<>/dev/tcp/127.0.0.1/9' 2>&1 | tail -n 1";

	ck_assert_int_eq(start_sh(script, -1, _i ? CHILD_NO_NETWORK : 0), 0);
	ck_assert(child_ended(&c, PATIENCE_MS));
	(void)child_read(&c);
	ck_assert_msg(!strstr(c.line, "Permission denied") == !_i, "%s",
		      c.line);
	child_stop(&c, 0);
}
END_TEST

/* Which makes sockets without a system call. */
START_TEST(a_child_without_network_gets_no_io_uring)
{
	const char *const argv[] = {"/proc/self/exe", IO_URING, NULL};
	const struct child_config config = {
		.argv = argv,
		.pass_fd = -1,
		.flags = _i ? CHILD_NO_NETWORK : 0,
	};

	child_init(&c);
	ck_assert_int_eq(child_start(&c, &config, &err), 0);
	ck_assert(child_ended(&c, PATIENCE_MS));
	ck_assert_int_ge(c.status, 0);
	ck_assert_int_eq(c.status == EACCES, _i);
	child_stop(&c, 0);
}
END_TEST

/* Return: why there is none. */
static int begin_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL) < 0 ? errno : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], IO_URING) == 0)
		return begin_io_uring();

	Suite *s = suite_create("core/child");
	TCase *t = tcase_create("child");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, exit_status_and_last_line_explain_the_end);
	tcase_add_test(t, a_last_line_without_newline_counts);
	tcase_add_test(t, a_signal_explains_the_end);
	tcase_add_test(t, control_characters_are_not_shown);
	tcase_add_test(t, a_long_line_keeps_its_end);
	tcase_add_test(t, more_output_than_a_pipe_holds_blocks_nobody);
	tcase_add_test(t, a_missing_program_fails_with_a_sentence);
	tcase_add_test(t, programs_are_found_in_path_alone);
	tcase_add_test(t, the_descriptor_is_the_third_and_the_only_one);
	tcase_add_test(t, descriptor_three_itself_can_be_passed);
	tcase_add_test(t, it_has_a_group_of_its_own);
	tcase_add_test(t, stop_kills_the_whole_group);
	tcase_add_test(t, stop_gives_the_grace_it_is_told);
	tcase_add_test(t, one_that_is_asked_to_end_may_do_something_first);
	tcase_add_test(t, stop_accepts_what_was_never_started);
	tcase_add_test(t, it_is_killed_when_its_parent_is);
	tcase_add_test(t, a_user_namespace_makes_it_root_of_nothing);
	tcase_add_test(t, readonly_children_write_no_file);
	tcase_add_loop_test(t, a_child_without_network_gets_no_socket, 0, 2);
	tcase_add_loop_test(t, a_child_without_network_gets_no_io_uring, 0, 2);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
