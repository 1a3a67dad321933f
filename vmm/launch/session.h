/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * session.h - moat's end of the control port: what init says, and what it is
 * told.  See vmm/launch/protocol.h.
 *
 * The guest may say anything: lines are bounded, states go forward only, and
 * what is not understood is ignored.
 *
 * Threads: the stream's functions from any, with the device's lock held;
 * session_signal() and session_resize() from any without a lock; the rest is
 * done on the loop.
 */
#ifndef MOAT_VMM_LAUNCH_SESSION_H
#define MOAT_VMM_LAUNCH_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"
#include "core/stream.h"
#include "vmm/launch/protocol.h"

struct err;
struct session;

enum session_state {
	SESSION_BOOTING,
	SESSION_UP,	 /* init runs */
	SESSION_RUNNING, /* the command does */
	SESSION_FAILED,	 /* init could not start it */
	SESSION_EXITED,
};

struct session_ops {
	/* Something may have changed.  On the loop, no lock held. */
	void (*changed)(struct session *s);
};

/* How things stand. */
struct session_news {
	enum session_state state;
	unsigned modules_ms, ports_ms, root_ms; /* RUNNING: took so long */
	int status;		   /* EXITED: as a shell shows it */
	uint64_t out, err;	   /* EXITED: bytes sent on these streams */
	char why[LAUNCH_LINE_MAX]; /* FAILED */
};

struct session {
	struct stream_end end;
	const struct session_ops *ops;
	int wake_fd;
	struct loop_watch wake_watch;
	pthread_mutex_t lock; /* a leaf; of what follows */
	struct session_news news;
	char in[LAUNCH_LINE_MAX];
	size_t in_len;
	char out[LAUNCH_LINE_MAX]; /* not yet sent */
	size_t out_len;
};

/* Return: 0 or -errno with a sentence. */
int session_init(struct session *s, const struct session_ops *ops,
		 struct err *err);
void session_fini(struct session *s);

/* Join the port's end and serve it on @loop.  Return: 0 or -errno; detach in
 * any case. */
int session_attach(struct session *s, struct stream_end *port,
		   struct loop *loop, struct err *err);
/* The loop does not run. */
void session_detach(struct session *s);

void session_get(struct session *s, struct session_news *ret_n);

/*
 * session_signal - for the command.
 * Return: false if it does not run (yet, or any more), or too much waits.
 */
bool session_signal(struct session *s, int sig);
/* Return: as session_signal(). */
bool session_resize(struct session *s, unsigned cols, unsigned rows);

#endif
