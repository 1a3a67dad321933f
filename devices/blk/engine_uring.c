/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * io_uring, by the ring that the loop waits with: what a kick brings goes to
 * the kernel in the system call by which the loop waits for the next one.  What
 * no ring has is put aside.
 */
#include "devices/blk/engine.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/loop.h"
#include "devices/blk/aside.h"
#include "devices/blk/image.h"

/* How long to leave a kernel alone that had no memory for a submission. */
#define RETRY_NS 1000000

struct uring {
	struct blk_engine engine;
	struct loop_io_user user;
	struct loop_timer retry;
	struct list queued; /* not in the ring yet */
	struct blk_aside aside;
};

static struct uring *to_uring(struct blk_engine *e)
{
	return container_of(e, struct uring, engine);
}

static void prepare(struct uring *u, struct io_uring_sqe *sqe,
		    struct blk_io *io)
{
	const int fd = u->user.fds[io->direct];

	switch (io->op) {
	case BLK_OP_READ:
		io_uring_prep_readv(sqe, fd, io->iov, io->niov, io->at);
		break;
	case BLK_OP_WRITE:
		io_uring_prep_writev2(sqe, fd, io->iov, io->niov, io->at,
				      io->stable ? RWF_DSYNC : 0);
		break;
	case BLK_OP_SYNC:
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
		break;
	case BLK_OP_FALLOCATE:
		io_uring_prep_fallocate(sqe, fd, io->mode, (off_t)io->at,
					(off_t)io->len);
		break;
	case BLK_OP_DISCARD: /* here and now: it could not be put aside */
		io->result = blk_io_run(io, u->engine.env.image);
		io_uring_prep_nop(sqe);
		break;
	}
	loop_io_put(&u->user, sqe, &io->ring);
}

static struct blk_io *first_queued(struct uring *u)
{
	return list_empty(&u->queued)
		       ? NULL
		       : container_of(u->queued.next, struct blk_io, node);
}

static bool put_aside(struct uring *u, struct blk_io *io)
{
	if (io->op != BLK_OP_DISCARD)
		return false;
	list_remove(&io->node);
	if (blk_aside_put(&u->aside, u->engine.env.loop, io) == 0)
		return true;
	list_insert(&u->queued, &io->node);
	return false;
}

/* On another thread, or in a kernel that takes no more: a little later. */
static void flush(struct uring *u)
{
	struct io_uring_sqe *sqe;
	struct blk_io *io;

	while ((io = first_queued(u)) != NULL) {
		if (put_aside(u, io))
			continue;
		sqe = loop_io_here(&u->user) ? loop_io_get(&u->user) : NULL;
		if (!sqe) {
			loop_timer_set(&u->retry,
				       loop_io_here(&u->user) ? RETRY_NS : 0);
			return;
		}
		list_remove(&io->node);
		prepare(u, sqe, io);
	}
}

static void uring_queue(struct blk_engine *e, struct blk_io *io)
{
	list_append(&to_uring(e)->queued, &io->node);
}

static void uring_submit(struct blk_engine *e)
{
	flush(to_uring(e));
}

static void uring_cancel(struct blk_engine *e)
{
	blk_aside_cancel(&to_uring(e)->aside);
}

static void on_done(struct loop_io_user *user, struct loop_io *done,
		    int32_t result)
{
	struct uring *u = container_of(user, struct uring, user);
	struct blk_engine_user *of = u->engine.env.user;
	struct blk_io *io = container_of(done, struct blk_io, ring);

	of->ops->done(of, io, io->op == BLK_OP_DISCARD ? io->result : result);
}

static void on_batch_done(struct loop_io_user *user)
{
	struct uring *u = container_of(user, struct uring, user);
	struct blk_engine_user *of = u->engine.env.user;

	flush(u);
	of->ops->batch_done(of);
}

static void on_retry(struct loop_timer *t)
{
	flush(container_of(t, struct uring, retry));
}

static void on_aside(struct loop_watch *w, uint32_t events)
{
	struct uring *u = container_of(w, struct uring, aside.watch);
	struct blk_engine_user *of = u->engine.env.user;
	struct blk_io *io;

	(void)events;
	while ((io = blk_aside_take(&u->aside)) != NULL)
		of->ops->done(of, io, io->result);
	on_batch_done(&u->user);
}

/* No request is left but for those that nobody waits for: nothing is queued. */
static void uring_free(struct blk_engine *e)
{
	struct uring *u = to_uring(e);

	blk_aside_fini(&u->aside);
	loop_timer_del(&u->retry);
	loop_io_close(&u->user);
	loop_barrier(e->env.loop);
	free(u);
}

static const struct blk_engine_ops uring_ops = {
	.queue = uring_queue,
	.submit = uring_submit,
	.cancel = uring_cancel,
	.free = uring_free,
};

int blk_uring_new(struct blk_engine **ret_e, const struct blk_engine_env *env)
{
	struct uring *u;
	int r;

	if (!env->loop)
		return -ENOSYS;
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->engine = (struct blk_engine){.ops = &uring_ops, .env = *env};
	list_init(&u->queued);
	blk_aside_init(&u->aside, env->image, on_aside, env->lock);
	u->user.done = on_done;
	u->user.batch_done = on_batch_done;
	u->user.lock = env->lock;
	u->user.fds[false] = env->image->fd;
	u->user.fds[true] = env->image->direct_fd;
	u->retry.fn = on_retry;
	u->retry.lock = env->lock;
	r = loop_io_open(env->loop, &u->user);
	if (r == 0)
		r = loop_timer_add(env->loop, &u->retry);
	if (r < 0) {
		uring_free(&u->engine);
		return r;
	}
	*ret_e = &u->engine;
	return 0;
}
