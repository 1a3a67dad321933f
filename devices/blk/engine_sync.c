/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The engine for hosts without io_uring, and the operations themselves.
 */
#include "devices/blk/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/bits.h"
#include "devices/blk/image.h"

struct sync_engine {
	struct blk_engine engine;
	struct list queued;
};

static struct sync_engine *to_sync(struct blk_engine *e)
{
	return container_of(e, struct sync_engine, engine);
}

int64_t blk_io_run(const struct blk_io *io, const struct blk_image *image)
{
	const off_t at = (off_t)io->at;
	const int fd = io->direct ? image->direct_fd : image->fd;
	uint64_t range[2] = {io->at, io->len};
	int64_t r = -EINVAL;

	switch (io->op) {
	case BLK_OP_READ:
		r = preadv(fd, io->iov, (int)io->niov, at);
		break;
	case BLK_OP_WRITE:
		r = pwritev2(fd, io->iov, (int)io->niov, at,
			     io->stable ? RWF_DSYNC : 0);
		break;
	case BLK_OP_SYNC:
		r = fdatasync(image->fd);
		break;
	case BLK_OP_FALLOCATE:
		r = fallocate(image->fd, io->mode, at, (off_t)io->len);
		break;
	case BLK_OP_DISCARD:
		r = ioctl(image->fd, BLKDISCARD, range);
		break;
	}
	return r < 0 ? -errno : r;
}

static void sync_queue(struct blk_engine *e, struct blk_io *io)
{
	list_append(&to_sync(e)->queued, &io->node);
}

/* done() may append: a request of many pieces is a loop, not a recursion. */
static void sync_submit(struct blk_engine *e)
{
	struct sync_engine *s = to_sync(e);

	while (!list_empty(&s->queued)) {
		struct blk_io *io =
			container_of(s->queued.next, struct blk_io, node);

		list_remove(&io->node);
		e->env.user->ops->done(e->env.user, io,
				       blk_io_run(io, e->env.image));
	}
}

static void sync_free(struct blk_engine *e)
{
	free(to_sync(e));
}

static const struct blk_engine_ops sync_ops = {
	.queue = sync_queue,
	.submit = sync_submit,
	.free = sync_free,
};

int blk_sync_new(struct blk_engine **ret_e, const struct blk_engine_env *env)
{
	struct sync_engine *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->engine = (struct blk_engine){.ops = &sync_ops, .env = *env};
	list_init(&s->queued);
	*ret_e = &s->engine;
	return 0;
}
