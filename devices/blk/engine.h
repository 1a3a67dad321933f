/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * engine.h - how a disk's I/O gets to the host's kernel and back.
 *
 * The user fills in a struct blk_io, queues it, and after a batch submits.
 * The engine calls done() for each, in any order: from inside submit() or
 * from the loop, never from inside queue().  done() may queue again; what it
 * queues is submitted without being asked.
 *
 * Threads: everything under the queue's lock, which is env.lock.
 */
#ifndef MOAT_DEVICES_BLK_ENGINE_H
#define MOAT_DEVICES_BLK_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/list.h"
#include "core/loop.h"

struct blk_engine;
struct blk_engine_user;
struct blk_io;
struct blk_image;
struct err;

enum blk_op {
	BLK_OP_READ,
	BLK_OP_WRITE,
	BLK_OP_SYNC,	  /* what was written before is stable */
	BLK_OP_FALLOCATE, /* with @mode */
	BLK_OP_DISCARD,	  /* of a block device */
};

/* One operation; embedded in a request.  Untouched until done(). */
struct blk_io {
	enum blk_op op;
	uint64_t at, len;  /* bytes */
	struct iovec *iov; /* READ, WRITE; @len together */
	unsigned niov;
	bool stable; /* WRITE: done when it is on the disk */
	bool direct; /* READ, WRITE: past the page cache */
	int mode;    /* FALLOCATE */
	/* The engine's. */
	struct list node;
	struct loop_io ring;
	int64_t result;
};

struct blk_engine_user_ops {
	/* @result: bytes moved (READ, WRITE; perhaps fewer than asked for),
	 * 0, or -errno. */
	void (*done)(struct blk_engine_user *u, struct blk_io *io,
		     int64_t result);
	/* The loop has called done() for all there was: tell the driver. */
	void (*batch_done)(struct blk_engine_user *u);
};

struct blk_engine_user {
	const struct blk_engine_user_ops *ops;
};

/* All borrowed, all outlive the engine. */
struct blk_engine_env {
	struct loop *loop; /* NULL: nobody runs one */
	pthread_mutex_t *lock;
	const struct blk_image *image;
	struct blk_engine_user *user;
	unsigned depth; /* operations at a time, at most */
};

struct blk_engine_ops {
	void (*queue)(struct blk_engine *e, struct blk_io *io);
	void (*submit)(struct blk_engine *e);
	/* May be NULL.  The device is being reset: what would take long and
	 * has not begun ends with -ECANCELED, by done() from the loop. */
	void (*cancel)(struct blk_engine *e);
	/* Waits for what the kernel still has; done() is not called for it.
	 * Threads: without the lock. */
	void (*free)(struct blk_engine *e);
};

struct blk_engine {
	const struct blk_engine_ops *ops;
	struct blk_engine_env env;
};

/* Return: 0 or -errno. */
typedef int (*blk_engine_new_fn)(struct blk_engine **ret_e,
				 const struct blk_engine_env *env);

/* preadv and pwritev on the calling thread; works everywhere. */
int blk_sync_new(struct blk_engine **ret_e, const struct blk_engine_env *env);

/*
 * The io_uring of the loop.  -ENOSYS without a loop, or if it has none.
 */
int blk_uring_new(struct blk_engine **ret_e, const struct blk_engine_env *env);

/* Carry @io out here and now.  Return: as done()'s @result. */
int64_t blk_io_run(const struct blk_io *io, const struct blk_image *image);

#endif
