/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * child.h - a helper program that lives no longer than we do.
 *
 * It runs in a process group of its own, so that Ctrl-C is ours alone, gains
 * no privileges, and is killed when the thread that started it ends, whatever
 * ends it.  What it prints is not shown: the last line explains its end.
 *
 * Threads: one at a time.
 */
#ifndef MOAT_CORE_CHILD_H
#define MOAT_CORE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/bits.h"

struct err;

/* The descriptor that the program finds its @pass_fd at. */
#define CHILD_FD 3

/* Be root of a user namespace that has nobody but us; for those who are not
 * root already. */
#define CHILD_USER_NAMESPACE BIT(0)
/* See every file system read-only. */
#define CHILD_READONLY BIT(1)
/* Have no sockets but those of this machine's own (AF_UNIX), and no io_uring,
 * which would make others. */
#define CHILD_NO_NETWORK BIT(2)

struct child_config {
	const char *const
		*argv; /* argv[0]: path of the program; ends in NULL */
	int pass_fd;   /* borrowed; -1: none */
	unsigned flags;
};

#define CHILD_LINE_MAX 120

struct child {
	pid_t pid;  /* and of its group; 0: none */
	int output; /* what it prints, non-blocking; -1: none */
	bool ended; /* is a zombie: its number stays ours until child_stop() */
	bool killed;
	int status; /* its exit status, or the signal that killed it */
	char line[CHILD_LINE_MAX]; /* the end of the last that is not empty */
	size_t len;		   /* of the line that is being read */
	char partial[CHILD_LINE_MAX];
};

/*
 * child_find - look for the program @name in PATH.
 * Return: its path, which the caller frees; NULL: it is not there.
 */
char *child_find(const char *name);

/* Nothing has been started. */
void child_init(struct child *c);

/*
 * child_start - run a program; it has been executed when this returns.
 *
 * Return: 0; -errno with a sentence that names the program and the step.
 */
int child_start(struct child *c, const struct child_config *config,
		struct err *err);

/*
 * child_read - take what it has printed so far, some KiB at most.
 * Return: false once it has closed its output.
 */
bool child_read(struct child *c);

/*
 * child_ended - has it?  Waits up to @timeout_ms for it.
 */
bool child_ended(struct child *c, unsigned timeout_ms);

/*
 * child_explain - how it ended, or "still runs", and its last line.
 */
void child_explain(struct child *c, char *text, size_t size);

/* Ask it to end (SIGTERM), which it may have to do something for. */
void child_ask(struct child *c);

/*
 * child_stop - give it @grace_ms to end by itself, then kill its group.  One
 * that was never started is accepted.
 */
void child_stop(struct child *c, unsigned grace_ms);

#endif
