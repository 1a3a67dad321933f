/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The command on a terminal, around a machine that is a script (fake_mach.c).
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "vmm/cli/guard.h"
#include "vmm/cli/tests/sanitized.h"
#include "vmm/cli/tests/spawn.h"

const char *spawn_program = MOAT_FAKE;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/*
 * Signals.
 */

/* The status of a run that gets @sig as soon as it says "up". */
static int killed_with(const char *script, int sig)
{
	static struct spawn_tty t;
	int status;

	spawn_tty(&t, NULL, ARGV("run", "--kernel", script));
	spawn_expect(&t, "up");
	(void)kill(t.pid, sig);
	status = spawn_end(&t);
	ck_assert(!spawn_is_raw(&t));
	return status;
}

START_TEST(signals_end_the_run_as_shells_expect)
{
	ck_assert_int_eq(killed_with("print up;wait", SIGTERM), 143);
	ck_assert_int_eq(killed_with("print up;wait", SIGINT), 130);
	ck_assert_int_eq(killed_with("print up;wait", SIGHUP), 129);
}
END_TEST

START_TEST(panic_counts_though_somebody_ends_the_run_but_a_signal_counts_more)
{
	static const char script[] =
		"print Kernel panic - not syncing: up\\n;wait";
	static struct spawn_tty t;

	ck_assert_int_eq(killed_with(script, SIGTERM), 143);
	spawn_tty(&t, NULL, ARGV("run", "--kernel", script));
	spawn_expect(&t, "up");
	spawn_type(&t, "\001x");
	ck_assert_int_eq(spawn_end(&t), 255);
}
END_TEST

START_TEST(signals_end_a_machine_that_does_not_stand_yet)
{
	ck_assert_int_eq(killed_with("new-waits aloud", SIGTERM), 143);
	ck_assert_int_eq(killed_with("new-waits aloud", SIGINT), 130);
}
END_TEST

START_TEST(second_signal_ends_at_once)
{
	static struct spawn_tty t;
	double start;

	spawn_tty(&t, NULL, ARGV("run", "--kernel", "print up;stuck aloud"));
	spawn_expect(&t, "up");
	start = seconds();
	(void)kill(t.pid, SIGTERM);
	spawn_expect(&t, "asked to stop");
	(void)kill(t.pid, SIGTERM);
	ck_assert_int_eq(spawn_end(&t), 143);
	ck_assert_double_lt((seconds() - start) * 1000, GUARD_GRACE_MS);
	ck_assert(!spawn_is_raw(&t));
}
END_TEST

static void ends_by(int sig, int status)
{
	if (SANITIZED)
		ck_assert_int_ne(status, 0);
	else
		ck_assert_int_eq(status, 128 + sig);
}

START_TEST(deadly_signals_restore_the_terminal)
{
	static const int deadly[] = {SIGSEGV, SIGBUS,  SIGABRT, SIGFPE,
				     SIGILL,  SIGQUIT, SIGUSR1, SIGALRM};

	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		ends_by(deadly[i], killed_with("print up;wait", deadly[i]));
}
END_TEST

START_TEST(fault_inside_restores_the_terminal)
{
	ends_by(SIGSEGV, killed_with("print up;signal 11", 0));
	ends_by(SIGABRT, killed_with("print up;signal 6", 0));
}
END_TEST

static void ignore_hangup(void)
{
	signal(SIGHUP, SIG_IGN);
}

START_TEST(ignored_signals_stay_ignored)
{
	static struct spawn_tty t;

	spawn_tty(&t, ignore_hangup,
		  ARGV("run", "--kernel", "print up;sleep 300;poweroff"));
	spawn_expect(&t, "up");
	(void)kill(t.pid, SIGHUP);
	ck_assert_int_eq(spawn_end(&t), 0);
}
END_TEST

/*
 * Terminals.
 */

START_TEST(terminal_is_raw_only_during_the_run)
{
	static struct spawn_tty t;

	spawn_tty(&t, NULL, ARGV("run", "--kernel", "print up;echo;poweroff"));
	spawn_expect(&t, "up");
	ck_assert(spawn_is_raw(&t));
	/* No echo of ours, no signal, no translation of either way. */
	spawn_type(&t, "\003\032\r\n");
	spawn_expect(&t, "\003\032\r\n");
	spawn_type(&t, "q");
	ck_assert_int_eq(spawn_end(&t), 0);
	ck_assert(!spawn_is_raw(&t));
}
END_TEST

START_TEST(every_end_restores_the_terminal)
{
	static const struct {
		const char *script;
		int status;
	} ends[] = {
		{"print up;poweroff", 0}, {"print up;panic", 255},
		{"print up;crash", 255},  {"print up;fail", 1},
		{"new-fails", 1},
	};
	static struct spawn_tty t;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		spawn_tty(&t, NULL, ARGV("run", "--kernel", ends[i].script));
		ck_assert_int_eq(spawn_end(&t), ends[i].status);
		ck_assert(!spawn_is_raw(&t));
	}
}
END_TEST

START_TEST(timeout_restores_the_terminal)
{
	static struct spawn_tty t;

	spawn_tty(&t, NULL,
		  ARGV("run", "--timeout", "1s", "--kernel", "print up;wait"));
	spawn_wait_raw(&t, true);
	ck_assert_int_eq(spawn_end(&t), 124);
	ck_assert(!spawn_is_raw(&t));
	/* Behind the guest's line, not in it. */
	spawn_expect(&t, "up\r\nmoat: timeout: ");
}
END_TEST

START_TEST(ctrl_a_x_ends_however_stuck_the_guest_is)
{
	static struct spawn_tty t;

	spawn_tty(&t, NULL, ARGV("run", "--kernel", "print up;deaf"));
	spawn_expect(&t, "up");
	for (int i = 0; i < 100; i++)
		spawn_type(&t, "0123456789012345678901234567890123456789");
	spawn_type(&t, "\001x");
	ck_assert_int_eq(spawn_end(&t), 0);
	ck_assert(!spawn_is_raw(&t));
}
END_TEST

START_TEST(ctrl_a_h_helps_and_ctrl_a_twice_is_one)
{
	static struct spawn_tty t;

	spawn_tty(&t, NULL, ARGV("run", "--kernel", "print up;echo;poweroff"));
	spawn_expect(&t, "up");
	spawn_type(&t, "\001h");
	spawn_expect(&t, "\r\nmoat: Ctrl-a x ends the run");
	spawn_expect(&t, "\r\n");
	spawn_type(&t, "\001\001");
	spawn_expect(&t, "\001");
	spawn_type(&t, "q");
	ck_assert_int_eq(spawn_end(&t), 0);
}
END_TEST

static void set_size(struct spawn_tty *t, unsigned short cols,
		     unsigned short rows)
{
	struct winsize w = {.ws_col = cols, .ws_row = rows};

	ck_assert_int_eq(ioctl(t->master, TIOCSWINSZ, &w), 0);
}

START_TEST(guest_learns_the_size_of_the_window)
{
	static struct spawn_tty t;

	spawn_tty(&t, NULL,
		  ARGV("run", "--kernel", "print up;size;size;echo;poweroff"));
	spawn_expect(&t, "up");
	set_size(&t, 100, 30);
	spawn_expect(&t, "100x30\n");
	set_size(&t, 132, 50);
	spawn_expect(&t, "132x50\n");
	spawn_type(&t, "q");
	ck_assert_int_eq(spawn_end(&t), 0);
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

START_TEST(ctrl_c_ends_the_wait_for_a_reader)
{
	static struct spawn_tty t;

	spawn_tty(&t, stdout_without_reading,
		  ARGV("run", "--kernel", "flood 100000;sleep 200;poweroff"));
	spawn_wait_raw(&t, true);
	spawn_wait_raw(&t, false);
	spawn_type(&t, "\003");
	/* The guest had powered off; its text is lost. */
	ck_assert_int_eq(spawn_end(&t), 130);
}
END_TEST

/*
 * A shell of few words, so that there is somebody to stop for: it leads the
 * session, the command is its job in the foreground.
 */

static void take_terminal(pid_t group)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &old);
	(void)tcsetpgrp(0, group);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* A line from the user is "fg", a 'b' is "bg". */
static void wait_for_word(pid_t job)
{
	char c = '\0';

	while (c != 'b' && c != '\n' && read(0, &c, 1) == 1)
		;
	if (c != 'b')
		take_terminal(job);
	(void)kill(-job, SIGCONT);
}

static void shell(bool background)
{
	pid_t job = fork();
	int status;

	if (job == 0) {
		setpgid(0, 0);
		if (!background)
			take_terminal(getpgrp());
		return;
	}
	setpgid(job, job);
	if (background)
		wait_for_word(job);
	while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
		take_terminal(getpgrp());
		dprintf(1, "[stopped]");
		wait_for_word(job);
	}
	_exit(spawn_shell_status(status));
}

static void under_a_shell(void)
{
	shell(false);
}

static void in_the_background(void)
{
	shell(true);
}

/* The job, which is the one with the terminal. */
static pid_t job_of(struct spawn_tty *t)
{
	return tcgetpgrp(t->master);
}

START_TEST(stopped_run_gives_the_terminal_back_and_takes_it_again)
{
	static struct spawn_tty t;

	spawn_tty(&t, under_a_shell,
		  ARGV("run", "--kernel", "print up;echo;poweroff"));
	spawn_expect(&t, "up");
	spawn_wait_raw(&t, true);
	for (int i = 0; i < 3; i++) {
		(void)kill(job_of(&t), SIGTSTP);
		spawn_expect(&t, "[stopped]");
		ck_assert(!spawn_is_raw(&t));
		spawn_type(&t, "\n");
		spawn_wait_raw(&t, true);
		spawn_type(&t, "typed");
		spawn_expect(&t, "typed");
	}
	spawn_type(&t, "q");
	ck_assert_int_eq(spawn_end(&t), 0);
	ck_assert(!spawn_is_raw(&t));
}
END_TEST

START_TEST(run_stopped_by_force_takes_the_terminal_again)
{
	static struct spawn_tty t;

	spawn_tty(&t, under_a_shell,
		  ARGV("run", "--kernel", "print up;echo;poweroff"));
	spawn_expect(&t, "up");
	(void)kill(job_of(&t), SIGSTOP);
	spawn_expect(&t, "[stopped]");
	/* Nobody could restore it: the shell does. */
	spawn_sane(&t);
	ck_assert(!spawn_is_raw(&t));
	spawn_type(&t, "\n");
	spawn_wait_raw(&t, true);
	spawn_type(&t, "q");
	ck_assert_int_eq(spawn_end(&t), 0);
}
END_TEST

START_TEST(run_in_the_background_leaves_the_terminal_alone)
{
	static struct spawn_tty t;

	spawn_tty(&t, in_the_background,
		  ARGV("run", "--kernel", "print up;echo;poweroff"));
	spawn_expect(&t, "up");
	spawn_type(&t, "for the shell");
	(void)usleep(500000);
	ck_assert(!spawn_is_raw(&t));
	spawn_type(&t, "\n");
	spawn_wait_raw(&t, true);
	spawn_type(&t, "for the guest");
	spawn_expect(&t, "for the guest");
	spawn_type(&t, "q");
	ck_assert_int_eq(spawn_end(&t), 0);
	ck_assert(!spawn_is_raw(&t));
	/* The terminal's echo is all that the first words came to. */
	ck_assert_ptr_eq(strstr(t.text, "for the shell"),
			 strstr(t.text, "up") + 2);
	ck_assert_ptr_null(
		strstr(strstr(t.text, "for the shell") + 1, "for the shell"));
}
END_TEST

START_TEST(run_that_ends_in_the_background_leaves_the_terminal_alone)
{
	static struct spawn_tty t;
	struct termios mode;

	spawn_tty(&t, in_the_background,
		  ARGV("run", "--kernel", "print up;sleep 300;poweroff"));
	spawn_expect(&t, "up");
	/* The shell has its own ideas of the mode. */
	ck_assert_int_eq(tcgetattr(t.slave, &mode), 0);
	mode.c_lflag &= ~(tcflag_t)ECHOK;
	ck_assert_int_eq(tcsetattr(t.slave, TCSANOW, &mode), 0);
	(void)usleep(600000);
	spawn_type(&t, "\n");
	ck_assert_int_eq(spawn_end(&t), 0);
	ck_assert_int_eq(tcgetattr(t.slave, &mode), 0);
	ck_assert(!(mode.c_lflag & ECHOK));
}
END_TEST

START_TEST(run_sent_into_the_background_leaves_the_terminal_alone)
{
	static struct spawn_tty t;

	spawn_tty(&t, under_a_shell,
		  ARGV("run", "--timeout", "1s", "--kernel", "print up;wait"));
	spawn_expect(&t, "up");
	spawn_wait_raw(&t, true);
	(void)kill(job_of(&t), SIGSTOP);
	spawn_expect(&t, "[stopped]");
	/* The shell's own mode: no echo, but whole lines. */
	t.mode.c_lflag &= ~(tcflag_t)ECHO;
	t.mode.c_lflag |= ICANON;
	spawn_sane(&t);
	spawn_type(&t, "b\n");
	ck_assert_int_eq(spawn_end(&t), 124);
	/* As the shell left it, and our line ends as it wants it. */
	ck_assert_int_eq(tcgetattr(t.slave, &t.mode), 0);
	ck_assert_uint_eq(t.mode.c_lflag & (ECHO | ICANON), ICANON);
	spawn_expect(&t, "moat: timeout: ");
	spawn_expect(&t, "s\r\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/terminal");
	TCase *tc = tcase_create("terminal");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 150);
	tcase_add_test(tc, signals_end_the_run_as_shells_expect);
	tcase_add_test(
		tc,
		panic_counts_though_somebody_ends_the_run_but_a_signal_counts_more);
	tcase_add_test(tc, signals_end_a_machine_that_does_not_stand_yet);
	tcase_add_test(tc, second_signal_ends_at_once);
	tcase_add_test(tc, deadly_signals_restore_the_terminal);
	tcase_add_test(tc, fault_inside_restores_the_terminal);
	tcase_add_test(tc, ignored_signals_stay_ignored);
	tcase_add_test(tc, terminal_is_raw_only_during_the_run);
	tcase_add_test(tc, every_end_restores_the_terminal);
	tcase_add_test(tc, timeout_restores_the_terminal);
	tcase_add_test(tc, ctrl_a_x_ends_however_stuck_the_guest_is);
	tcase_add_test(tc, ctrl_a_h_helps_and_ctrl_a_twice_is_one);
	tcase_add_test(tc, guest_learns_the_size_of_the_window);
	tcase_add_test(tc,
		       stopped_run_gives_the_terminal_back_and_takes_it_again);
	tcase_add_test(tc, run_stopped_by_force_takes_the_terminal_again);
	tcase_add_test(tc, run_in_the_background_leaves_the_terminal_alone);
	tcase_add_test(
		tc, run_that_ends_in_the_background_leaves_the_terminal_alone);
	tcase_add_test(tc,
		       run_sent_into_the_background_leaves_the_terminal_alone);
	tcase_add_test(tc, ctrl_c_ends_the_wait_for_a_reader);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
