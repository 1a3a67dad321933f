/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * loop.h - event loop: descriptors, timers, and I/O by io_uring.
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

/* @events: EPOLLIN, EPOLLOUT, EPOLLHUP, ...; EPOLLIN | EPOLLET for an eventfd
 * of eventfd_new(): called after each signal, or after several, and the count
 * is nobody's business.  That is how doorbells cost least. */
typedef void (*loop_watch_fn)(struct loop_watch *w, uint32_t events);
typedef void (*loop_timer_fn)(struct loop_timer *t);

/*
 * Embedded in the device.  Set the first three before loop_watch_add().
 *
 * @often: events are many, and each should cost no call of its own to wait for
 * it.  The file behind the descriptor is let go of in the loop's next round
 * after the watch was deleted, or when loop_run() ends, and not at once.
 */
struct loop_watch {
	loop_watch_fn fn;
	pthread_mutex_t *lock; /* NULL: none */
	bool often;
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

/* Dispatches once what is ready, without waiting; in place of loop_run(), for
 * who has no thread to spare. */
void loop_poll(struct loop *l);

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
 * Return: 0; -EEXIST if the fd (unless @often) or @w is watched already; -EPERM
 * for regular files; -errno.
 */
int loop_watch_add(struct loop *l, struct loop_watch *w, int fd,
		   uint32_t events);
/* Change the events waited for; 0 pauses the watch, hang-ups included.  Not of
 * a watch with EPOLLET. */
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

/*
 * I/O through the loop's own io_uring.  What is put in goes to the kernel when
 * the loop next waits, all devices' together in the one system call that it
 * waits by; completions of a batch come under one taking of the user's lock.
 */
struct io_uring_sqe;
struct loop_io_user;

/* Embedded in an operation. */
struct loop_io {
	/* the loop's: */
	struct loop_io_user *user;
	struct loop_io *next;
	int32_t result;
};

#define LOOP_IO_FILES 2

/* Embedded in a device's engine.  Set the first four before loop_io_open(). */
struct loop_io_user {
	void (*done)(struct loop_io_user *u, struct loop_io *io,
		     int32_t result);
	/* After the last done() of a batch, under the same lock. */
	void (*batch_done)(struct loop_io_user *u);
	pthread_mutex_t *lock;	/* taken for both */
	int fds[LOOP_IO_FILES]; /* its files; borrowed, -1: none */
	/* the loop's: */
	struct loop *loop;
	int files[LOOP_IO_FILES]; /* their numbers in the ring, -1: none */
	unsigned pending;
	bool closed;
	pthread_cond_t idle;
};

/* Return: 0; -ENOSYS if this loop has no io_uring. */
int loop_io_open(struct loop *l, struct loop_io_user *u);
/*
 * Waits for what the kernel still has; done() is not called for it.  Does
 * nothing if it is not open.  Threads: without the user's lock; the loop does
 * not begin or end to run meanwhile.
 */
void loop_io_close(struct loop_io_user *u);
/*
 * loop_io_get - an entry to be filled in by io_uring_prep_...().
 * loop_io_put - it is filled in; done() follows.
 *
 * Threads: the one that runs the loop, with the user's lock held.
 *
 * loop_io_get() returns NULL when the kernel takes no more for now.
 */
struct io_uring_sqe *loop_io_get(struct loop_io_user *u);
void loop_io_put(struct loop_io_user *u, struct io_uring_sqe *sqe,
		 struct loop_io *io);
/* May this thread call the two? */
bool loop_io_here(const struct loop_io_user *u);

#endif
