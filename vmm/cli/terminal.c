/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/terminal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "core/bits.h"

/* What would end us without our doing.  A sanitizer or a machine may have a
 * handler of its own for the first ones: it runs after ours. */
static const int deadly[] = {
	SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGABRT, SIGTRAP,
	SIGSYS,	 SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM,
	SIGPROF, SIGXCPU, SIGXFSZ, SIGIO,   SIGPWR,
};

/*
 * Signal handlers have no argument to carry it.  Written before @raw is set
 * or with the handlers not installed.
 */
static struct {
	int fd; /* -1: none */
	struct termios saved;
	atomic_bool raw;
	bool wanted; /* raw, whenever we are in the foreground */
	bool caught;
	struct sigaction old[ARRAY_SIZE(deadly)];
	pthread_mutex_t lock; /* not taken by handlers */
} term = {.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

/* Only what a signal handler may do: tcsetattr() is on POSIX's list.  Not
 * TCSADRAIN: output that somebody stopped with Ctrl-S would hang us. */
static void put_back(void)
{
	if (atomic_exchange(&term.raw, false))
		(void)tcsetattr(term.fd, TCSANOW, &term.saved);
}

/* The old action takes over when this returns: the instruction faults once
 * more, or the signal raised here is delivered. */
static void on_deadly(int sig)
{
	const int saved = errno;

	put_back();
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
		if (deadly[i] == sig)
			(void)sigaction(sig, &term.old[i], NULL);
	}
	(void)raise(sig);
	errno = saved;
}

/* The first ones are faults, whoever else wants to know of them; the rest is
 * left to others who do. */
static bool is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL ||
	       sig == SIGFPE || sig == SIGABRT;
}

static void catch_deadly_locked(void)
{
	struct sigaction act = {.sa_handler = on_deadly};

	if (term.caught)
		return;
	sigfillset(&act.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
		(void)sigaction(deadly[i], NULL, &term.old[i]);
		if (is_fault(deadly[i]) || term.old[i].sa_handler == SIG_DFL)
			(void)sigaction(deadly[i], &act, NULL);
	}
	term.caught = true;
}

static void uncatch_deadly_locked(void)
{
	struct sigaction now;

	if (!term.caught)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
		(void)sigaction(deadly[i], NULL, &now);
		if (now.sa_handler == on_deadly)
			(void)sigaction(deadly[i], &term.old[i], NULL);
	}
	term.caught = false;
}

bool terminal_open(int fd)
{
	struct termios mode;

	if (tcgetattr(fd, &mode) < 0)
		return false;
	pthread_mutex_lock(&term.lock);
	term.saved = mode;
	term.fd = fd;
	pthread_mutex_unlock(&term.lock);
	return true;
}

/* Not our controlling terminal: nobody can put us into its background. */
static bool foreground_locked(void)
{
	pid_t group;

	if (term.fd < 0)
		return false;
	group = tcgetpgrp(term.fd);
	return group < 0 || group == getpgrp();
}

bool terminal_foreground(void)
{
	bool ours;

	pthread_mutex_lock(&term.lock);
	ours = foreground_locked();
	pthread_mutex_unlock(&term.lock);
	return ours;
}

/* In the background it is not raw, whatever we did to it before: whoever put
 * us there has put its own mode there, too. */
static void make_raw_locked(void)
{
	struct termios raw = term.saved;

	if (!term.wanted || !foreground_locked()) {
		atomic_store(&term.raw, false);
		return;
	}
	cfmakeraw(&raw);
	/* First the flag: a signal between the two puts back what is there. */
	atomic_store(&term.raw, true);
	(void)tcsetattr(term.fd, TCSANOW, &raw);
}

/* In the background the shell has put its own mode there already. */
static void restore_locked(void)
{
	if (foreground_locked())
		put_back();
	else
		atomic_store(&term.raw, false);
}

void terminal_raw(void)
{
	pthread_mutex_lock(&term.lock);
	if (term.fd >= 0) {
		catch_deadly_locked();
		term.wanted = true;
		make_raw_locked();
	}
	pthread_mutex_unlock(&term.lock);
}

void terminal_suspend(void)
{
	pthread_mutex_lock(&term.lock);
	restore_locked();
	pthread_mutex_unlock(&term.lock);
}

void terminal_resume(void)
{
	pthread_mutex_lock(&term.lock);
	make_raw_locked();
	pthread_mutex_unlock(&term.lock);
}

void terminal_close(void)
{
	pthread_mutex_lock(&term.lock);
	restore_locked();
	uncatch_deadly_locked();
	term.wanted = false;
	term.fd = -1;
	pthread_mutex_unlock(&term.lock);
}

bool terminal_is_raw(void)
{
	return atomic_load(&term.raw);
}

bool terminal_size(int fd, uint16_t *ret_cols, uint16_t *ret_rows)
{
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) < 0 || w.ws_col == 0 || w.ws_row == 0)
		return false;
	*ret_cols = w.ws_col;
	*ret_rows = w.ws_row;
	return true;
}
