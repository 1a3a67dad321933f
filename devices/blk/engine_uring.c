/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * io_uring: one submission for a batch, completions by an eventfd that the
 * loop watches.
 *
 * Every blk_io has at most one entry in the rings, and there are no more than
 * env.depth of them, for which both rings have room.
 */
#include "devices/blk/engine.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/loop.h"
#include "devices/blk/image.h"

/* How long to leave a kernel alone that had no memory for a submission. */
#define RETRY_NS 1000000

struct uring {
	struct blk_engine engine;
	struct io_uring ring;
	bool ring_made;
	int event_fd;
	struct loop_watch watch; /* of event_fd */
	struct loop_timer retry;
	unsigned pending; /* queued and not done */
};

static struct uring *to_uring(struct blk_engine *e)
{
	return container_of(e, struct uring, engine);
}

static void uring_queue(struct blk_engine *e, struct blk_io *io)
{
	struct uring *u = to_uring(e);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	int fd = e->env.image->fd;

	assert(sqe && u->pending < e->env.depth);
	u->pending++;
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
	case BLK_OP_DISCARD: /* an ioctl; no ring has it */
		io->result = blk_io_run(io, e->env.image);
		io_uring_prep_nop(sqe);
		break;
	}
	io_uring_sqe_set_data(sqe, io);
}

static bool unsubmitted(const struct uring *u)
{
	return io_uring_sq_ready(&u->ring) > 0;
}

static void submit_all(struct uring *u)
{
	while (unsubmitted(u)) {
		int r = io_uring_submit(&u->ring);

		if (r > 0 || r == -EINTR)
			continue;
		loop_timer_set(&u->retry, RETRY_NS);
		return;
	}
}

/* Takes one completion; NULL if there is none. */
static struct blk_io *take(struct uring *u, int64_t *ret_result)
{
	struct io_uring_cqe *cqe;
	struct blk_io *io;

	if (io_uring_peek_cqe(&u->ring, &cqe) != 0)
		return NULL;
	io = io_uring_cqe_get_data(cqe);
	*ret_result = io->op == BLK_OP_DISCARD ? io->result : cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	u->pending--;
	return io;
}

/* What done() queues waits for submit_all(), so this ends. */
static bool reap(struct uring *u)
{
	struct blk_engine_user *user = u->engine.env.user;
	struct blk_io *io;
	int64_t result;
	bool any = false;

	while ((io = take(u, &result)) != NULL) {
		user->ops->done(user, io, result);
		any = true;
	}
	return any;
}

/*
 * What the page cache had is complete already and goes into the same batch.
 * The eventfd has been signalled for it, too, and finds nothing new then.
 */
static void uring_submit(struct blk_engine *e)
{
	struct uring *u = to_uring(e);

	submit_all(u);
	if (reap(u))
		submit_all(u);
}

static void on_completion(struct loop_watch *w, uint32_t events)
{
	struct uring *u = container_of(w, struct uring, watch);
	struct blk_engine_user *user = u->engine.env.user;

	(void)events;
	/* First the event, then the ring: what comes after is signalled. */
	(void)eventfd_clear(u->event_fd);
	if (!reap(u))
		return;
	submit_all(u);
	user->ops->batch_done(user);
}

static void on_retry(struct loop_timer *t)
{
	submit_all(container_of(t, struct uring, retry));
}

/* Nobody calls done() any more, but the kernel may still move data. */
static void wait_for_kernel(struct uring *u)
{
	int64_t result;

	while (u->pending > 0) {
		(void)io_uring_submit_and_wait(&u->ring, 1);
		while (take(u, &result))
			;
	}
}

static void uring_free(struct blk_engine *e)
{
	struct uring *u = to_uring(e);

	loop_watch_del(&u->watch);
	loop_timer_del(&u->retry);
	loop_barrier(e->env.loop);
	if (u->ring_made) {
		wait_for_kernel(u);
		io_uring_queue_exit(&u->ring);
	}
	if (u->event_fd >= 0)
		close(u->event_fd);
	free(u);
}

static const struct blk_engine_ops uring_ops = {
	.queue = uring_queue,
	.submit = uring_submit,
	.free = uring_free,
};

static int make_ring(struct uring *u)
{
	int r = io_uring_queue_init(u->engine.env.depth, &u->ring, 0);

	if (r < 0)
		return r;
	u->ring_made = true;
	u->event_fd = eventfd_new();
	if (u->event_fd < 0)
		return u->event_fd;
	return io_uring_register_eventfd(&u->ring, u->event_fd);
}

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
	u->event_fd = -1;
	u->watch.fn = on_completion;
	u->watch.lock = env->lock;
	u->retry.fn = on_retry;
	u->retry.lock = env->lock;
	r = make_ring(u);
	if (r == 0)
		r = loop_watch_add(env->loop, &u->watch, u->event_fd, EPOLLIN);
	if (r == 0)
		r = loop_timer_add(env->loop, &u->retry);
	if (r < 0) {
		uring_free(&u->engine);
		return r;
	}
	*ret_e = &u->engine;
	return 0;
}
