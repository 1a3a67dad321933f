/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * loop.h - event loop over epoll: descriptors and timers.
 *
 * One thread runs it, and it is the only place that blocks in poll.  The loop
 * takes a watch's @lock before calling it, so device code locks nothing.
 *
 * Threads: loop_run() in one; everything else from any.  After a watch is
 * deleted or paused with its lock held, its function does not start again.
 * The loop may still be waiting for that lock, though: before the watch or
 * the lock is freed while another thread runs the loop, call loop_barrier().
 * A function may delete any watch, its own included, and free it if the lock
 * it runs under stays.
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
	unsigned slot;
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
/* No thread may be in loop_run(); takes off the watches that are left
 * (they still exist); NULL does nothing. */
void loop_free(struct loop *l);

/* Dispatches until loop_stop(); a stop that came first counts. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/*
 * loop_barrier - wait until the loop is done with what was deleted before.
 *
 * Call it without any lock that a watch's function takes.  On the loop's own
 * thread it does nothing: there deleting is enough.
 */
void loop_barrier(struct loop *l);

/*
 * loop_watch_add - call w->fn when @fd has one of @events (level-triggered).
 * @fd: borrowed; must stay open until the watch is deleted
 *
 * Return: 0; -EEXIST if the fd or @w is watched already; -EPERM for regular
 * files; -errno.
 */
int loop_watch_add(struct loop *l, struct loop_watch *w, int fd,
		   uint32_t events);
/* Change the events waited for; 0 pauses the watch, hang-ups included. */
void loop_watch_set(struct loop_watch *w, uint32_t events);
/* Does nothing if it is not added. */
void loop_watch_del(struct loop_watch *w);

/* Return: 0; -EEXIST if added already; -errno. */
int loop_timer_add(struct loop *l, struct loop_timer *t);
/*
 * Fire once in @delay_ns (0: as soon as the loop gets to it, which is how work
 * is put off); replaces an earlier deadline.  Set, cancelled or deleted with
 * its lock held, an earlier deadline does not fire any more.
 */
void loop_timer_set(struct loop_timer *t, uint64_t delay_ns);
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_del(struct loop_timer *t);

#endif
