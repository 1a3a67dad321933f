/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/tests/spawn.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#define ARGS_MAX 64

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* nohup, and a shell that starts us in its background, would have the child
 * ignore what the tests send. */
static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < SIGRTMIN; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become(spawn_before_fn before, const char *const *argv)
{
	char *args[ARGS_MAX + 1] = {(char[]){"moat"}};
	int n = 1;

	for (; *argv && n < ARGS_MAX; argv++)
		args[n++] = strdup(*argv);
	args[n] = NULL;
	default_signals();
	if (before)
		before();
	execv(spawn_program, args);
	_exit(126);
}

int spawn_shell_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

/*
 * Pipes.
 */

struct pump {
	int fd;
	char text[SPAWN_TEXT_MAX];
	size_t len;
};

static void pump_read(struct pump *p)
{
	ssize_t n = read(p->fd, p->text + p->len, SPAWN_TEXT_MAX - 1 - p->len);

	if (n > 0) {
		p->len += (size_t)n;
		p->text[p->len] = '\0';
	} else {
		close(p->fd);
		p->fd = -1;
	}
}

static void pump_all(struct pump *out, struct pump *err, int in,
		     const char *input, size_t len)
{
	const long end = now_ms() + SPAWN_PATIENCE_MS;

	while (out->fd >= 0 || err->fd >= 0) {
		struct pollfd p[3] = {
			{.fd = out->fd, .events = POLLIN},
			{.fd = err->fd, .events = POLLIN},
			{.fd = in, .events = POLLOUT},
		};

		ck_assert_msg(now_ms() < end, "the child does not end");
		(void)poll(p, 3, 100);
		if (p[0].revents)
			pump_read(out);
		if (p[1].revents)
			pump_read(err);
		if (in >= 0 && p[2].revents) {
			ssize_t n = len ? write(in, input, len) : -1;

			if (n < 0) {
				close(in);
				in = -1;
			} else {
				input += n;
				len -= (size_t)n;
			}
		}
	}
	if (in >= 0)
		close(in);
}

struct spawn_result spawn_run(spawn_before_fn before, const void *input,
			      size_t len, const char *const *argv)
{
	static struct pump out, err;
	int in[2], o[2], e[2], status;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(o, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(e, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(input ? in[0] : open("/dev/null", O_RDONLY), 0);
		dup2(o[1], 1);
		dup2(e[1], 2);
		become(before, argv);
	}
	close(in[0]);
	close(o[1]);
	close(e[1]);
	(void)fcntl(in[1], F_SETFL, O_NONBLOCK);
	out.len = err.len = 0;
	out.text[0] = err.text[0] = '\0';
	out.fd = o[0];
	err.fd = e[0];
	pump_all(&out, &err, in[1], input, len);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return (struct spawn_result){
		.status = spawn_shell_status(status),
		.out = out.text,
		.err = err.text,
		.out_len = out.len,
	};
}

/*
 * Terminals.
 */

void spawn_tty(struct spawn_tty *t, spawn_before_fn before,
	       const char *const *argv)
{
	*t = (struct spawn_tty){0};
	ck_assert_int_eq(openpty(&t->master, &t->slave, NULL, NULL, NULL), 0);
	ck_assert_int_eq(tcgetattr(t->slave, &t->mode), 0);
	(void)fcntl(t->master, F_SETFD, FD_CLOEXEC);
	(void)fcntl(t->slave, F_SETFD, FD_CLOEXEC);
	t->pid = fork();
	ck_assert_int_ge(t->pid, 0);
	if (t->pid == 0) {
		close(t->master);
		(void)login_tty(dup(t->slave));
		become(before, argv);
	}
}

/* Some more of what it prints, if any comes within 100 ms. */
static void listen_on(struct spawn_tty *t)
{
	struct pollfd p = {.fd = t->master, .events = POLLIN};
	ssize_t n = 0;

	if (poll(&p, 1, 100) == 1)
		n = read(t->master, t->text + t->len,
			 sizeof(t->text) - 1 - t->len);
	if (n > 0)
		t->len += (size_t)n;
	t->text[t->len] = '\0';
}

void spawn_expect(struct spawn_tty *t, const char *text)
{
	const long end = now_ms() + SPAWN_PATIENCE_MS;
	const char *at;

	while (!(at = strstr(t->text + t->seen, text))) {
		ck_assert_msg(now_ms() < end, "no '%s' behind '%s'", text,
			      t->text + t->seen);
		listen_on(t);
	}
	t->seen = (size_t)(at - t->text) + strlen(text);
}

void spawn_type(struct spawn_tty *t, const char *keys)
{
	ck_assert_int_eq(write(t->master, keys, strlen(keys)),
			 (ssize_t)strlen(keys));
}

bool spawn_is_raw(struct spawn_tty *t)
{
	struct termios mode;

	ck_assert_int_eq(tcgetattr(t->slave, &mode), 0);
	/* All of it or nothing of it. */
	ck_assert_int_eq(!(mode.c_lflag & ICANON), !(mode.c_lflag & ECHO));
	ck_assert_int_eq(!(mode.c_lflag & ICANON), !(mode.c_lflag & ISIG));
	ck_assert_int_eq(!(mode.c_lflag & ICANON), !(mode.c_oflag & OPOST));
	ck_assert_int_eq(!(mode.c_lflag & ICANON), !(mode.c_iflag & ICRNL));
	return !(mode.c_lflag & ICANON);
}

void spawn_sane(struct spawn_tty *t)
{
	ck_assert_int_eq(tcsetattr(t->slave, TCSANOW, &t->mode), 0);
}

void spawn_wait_raw(struct spawn_tty *t, bool raw)
{
	const long end = now_ms() + SPAWN_PATIENCE_MS;

	while (spawn_is_raw(t) != raw) {
		ck_assert_msg(now_ms() < end, "the terminal is%s raw",
			      raw ? " not" : "");
		(void)usleep(5000);
	}
}

int spawn_end(struct spawn_tty *t)
{
	const long end = now_ms() + SPAWN_PATIENCE_MS;
	int status;

	while (waitpid(t->pid, &status, WNOHANG) == 0) {
		ck_assert_msg(now_ms() < end, "the child does not end");
		listen_on(t);
	}
	listen_on(t);
	return spawn_shell_status(status);
}
