/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * aside.h - operations that the kernel carries out in an ioctl, and no ring
 * has: on a thread of their own, one after the other, so that a device that
 * takes its time over a discard holds nobody else up.
 *
 * The thread is started for the first one; most disks have none.
 *
 * Threads: under the queue's lock, but for fini.
 */
#ifndef MOAT_DEVICES_BLK_ASIDE_H
#define MOAT_DEVICES_BLK_ASIDE_H

#include <pthread.h>
#include <stdbool.h>

#include "core/list.h"
#include "core/loop.h"

struct blk_image;
struct blk_io;

struct blk_aside {
	const struct blk_image *image; /* borrowed */
	struct loop_watch watch;       /* of @done_fd */
	int done_fd;
	bool running; /* there is a thread */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows; a leaf */
	pthread_cond_t changed;
	struct list todo, done;
	bool ending;
};

/* @fn: called by the loop, under the queue's lock, when there is something to
 * take; set in @a->watch with the lock before.  Nothing is started yet. */
void blk_aside_init(struct blk_aside *a, const struct blk_image *image,
		    loop_watch_fn fn, pthread_mutex_t *lock);
/* @fn is not called any more.  Waits for the operation that is under way; the
 * others are dropped, and nothing may be put.  Threads: without the lock. */
void blk_aside_fini(struct blk_aside *a);

/* What has not begun has its result, -ECANCELED, and can be taken. */
void blk_aside_cancel(struct blk_aside *a);

/* Return: 0: @io is the thread's, until it is taken; -errno: there is none. */
int blk_aside_put(struct blk_aside *a, struct loop *l, struct blk_io *io);
/* Return: one that has its result; NULL: none yet. */
struct blk_io *blk_aside_take(struct blk_aside *a);

#endif
