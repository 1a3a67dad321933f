/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guard.h - the thread that watches over a run: signals, the timeout, and a
 * machine that does not stop when asked.
 *
 * It is a thread of its own so that no loop, lock or system call of the
 * machine can keep a run from ending.
 *
 * SIGINT, SIGTERM, SIGHUP, the timeout: the machine is asked to stop; the
 * second signal, or GUARD_GRACE_MS later, and the process ends at once, with
 * the terminal restored.  So it does when there is no machine yet.
 * Where signals are forwarded, SIGQUIT, SIGUSR1 and SIGUSR2 are, too; three
 * signals within GUARD_INSIST_MS end the run all the same.
 * SIGTSTP and SIGCONT: the terminal is restored, and raw again.
 * SIGWINCH and SIGCONT: the terminal may have another size.
 *
 * Threads: all calls from the thread that runs the machine, except
 * guard_ask().
 */
#ifndef MOAT_VMM_CLI_GUARD_H
#define MOAT_VMM_CLI_GUARD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct mach;

#define GUARD_GRACE_MS	5000
#define GUARD_INSIST_MS 2000

enum guard_cause {
	GUARD_NONE,
	GUARD_USER, /* guard_ask() */
	GUARD_SIGNAL,
	GUARD_TIMEOUT,
};

struct guard;

/* All on the guard's thread. */
struct guard_ops {
	/* The terminal may have another size. */
	void (*resized)(struct guard *g);
	/* The process ends here and now: remove what would stay behind it. */
	void (*leaves)(struct guard *g);
	/* A signal: is it the guest's?  May be NULL: never. */
	bool (*forward)(struct guard *g, int sig);
	int user_status; /* of a run that the user has ended */
};

struct guard {
	const struct guard_ops *ops;
	pthread_t thread;
	int signal_fd, wake_fd;
	sigset_t old_mask;
	uint64_t forwarded_ms[2]; /* when, the last two */
	uint64_t timeout_ms;	  /* 0: none */
	uint64_t deadline_ms;	  /* on the monotonic clock */
	pthread_mutex_t lock;	  /* of what follows */
	struct mach *m;		  /* NULL: none (yet, or any more) */
	enum guard_cause cause;	  /* why the machine was asked to stop */
	int signal;
	uint64_t give_up_ms;
	bool quit;
};

/*
 * guard_start - from now on; the timeout begins.
 * @timeout_ms: 0: none
 *
 * Blocks the signals in the calling thread, and so in all that it makes.
 *
 * Return: 0 or -errno with a sentence.
 */
int guard_start(struct guard *g, const struct guard_ops *ops,
		uint64_t timeout_ms, struct err *err);
/* Ends the thread and unblocks the signals. */
void guard_end(struct guard *g);

/* The machine is there; and will soon be no more (NULL). */
void guard_watch(struct guard *g, struct mach *m);

/* Ask the machine to stop, as the user wishes. */
void guard_ask(struct guard *g);

/* Why it was asked.  @ret_signal: with GUARD_SIGNAL */
enum guard_cause guard_cause(struct guard *g, int *ret_signal);

/* The line that says so. */
void guard_report_timeout(const struct guard *g);

/* End the process as @sig does by default, so that a shell sees what it
 * expects.  Does not return. */
__attribute__((noreturn)) void guard_die(int sig);

#endif
