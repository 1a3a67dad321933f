/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * loop.h - event loop over epoll: descriptors, timers, deferred work.
 *
 * One thread runs it, and it is the only place that blocks in poll.  The loop
 * takes a watch's @lock before calling it, so device code locks nothing.
 *
 * Threads: loop_run() in one; everything else from any.  After a watch is
 * deleted with its lock held, its function does not start again.
 */
#ifndef MOAT_CORE_LOOP_H
#define MOAT_CORE_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;
struct loop_watch;
struct loop_timer;

/* @events: EPOLLIN, EPOLLOUT, EPOLLHUP, ... */
typedef void (*loop_watch_fn)(struct loop_watch *w, uint32_t events);
typedef void (*loop_timer_fn)(struct loop_timer *t);

/* Embedded in the device.  Set @fn and @lock before loop_watch_add(). */
struct loop_watch {
	loop_watch_fn fn;
	pthread_mutex_t *lock; /* NULL: none */
	/* the loop's: */
	struct loop *loop; /* NULL: not added */
	int fd;
};

/* One-shot; embedded in the device.  Set @fn and @lock first. */
struct loop_timer {
	loop_timer_fn fn;
	pthread_mutex_t *lock;
	/* the loop's: */
	struct loop_watch watch; /* of its timerfd */
};

/* Return: 0 or -errno. */
int loop_new(struct loop **ret_loop, struct err *err);
/* No thread may be in loop_run(); NULL does nothing. */
void loop_free(struct loop *l);

/* Dispatches until loop_stop(); a stop that came first counts. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/*
 * loop_watch_add - call w->fn when @fd has one of @events (level-triggered).
 * @fd: borrowed; must stay open until the watch is deleted
 *
 * Return: 0; -EEXIST if the fd is watched already; -EPERM for regular files;
 * -errno.
 */
int loop_watch_add(struct loop *l, struct loop_watch *w, int fd,
		   uint32_t events);
/* Change the events waited for; 0 pauses the watch. */
void loop_watch_set(struct loop_watch *w, uint32_t events);
/* Does nothing if it is not added. */
void loop_watch_del(struct loop_watch *w);

/* Return: 0 or -errno. */
int loop_timer_add(struct loop *l, struct loop_timer *t);
/* Fire once in @delay_ns (0: at once); replaces an earlier deadline. */
void loop_timer_set(struct loop_timer *t, uint64_t delay_ns);
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_del(struct loop_timer *t);

#endif
