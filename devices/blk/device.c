/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The device: queues on one side, an engine for each on the other, a request
 * slot for each head in between.
 *
 * A queue with all that belongs to it is under its lock.  What they share: the
 * disk, which changes when the driver starts the device, the limit, which has
 * a lock, and the count of syncs that have failed.
 */
#include "devices/blk/device.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/log.h"
#include "devices/blk/engine.h"
#include "devices/blk/image.h"
#include "devices/blk/limit.h"
#include "devices/blk/request.h"
#include "devices/blk/wire.h"

#define QUEUE_SIZE 256

struct blk;

struct blk_queue {
	struct blk *blk;
	struct vq *vq;
	struct blk_engine_user user;
	struct blk_engine *engine; /* on the queue's loop */
	struct blk_req *reqs;	   /* one for each head, most never touched */
	struct loop_timer unthrottle;
	unsigned heard; /* of the disk's failed syncs */
	/* The limit has not been paid yet for the last request. */
	bool owing;
	uint64_t owed; /* bytes of it */
};

struct blk {
	struct virtio_dev dev;
	struct blk_disk disk;
	pthread_mutex_t limit_lock; /* a leaf, if queues have locks */
	struct blk_limit limit;
	atomic_uint failed_syncs;
	unsigned nqueues;
	struct blk_queue queues[BLK_QUEUES_MAX];
};

static struct blk *to_blk(struct virtio_dev *d)
{
	return container_of(d, struct blk, dev);
}

/*
 * Requests.
 */

static void end_request(struct blk_queue *q, struct blk_req *r)
{
	struct vq_chain *c = r->chain;

	blk_req_end(r);
	q->vq->stats.errors += r->status != BLK_S_OK;
	vq_push_more(q->vq, c);
}

static void begin_request(struct blk_queue *q, struct vq_chain *c)
{
	struct blk *b = q->blk;
	struct blk_req *r = &q->reqs[c->head];

	assert(!r->chain); /* a head is in flight once; see vq->busy */
	q->owing = true;
	q->owed = c->in.left + c->out.left;
	/* No room for a status: nothing can be said, so nothing is done. */
	if (c->out.left == 0) {
		q->vq->stats.errors++;
		vq_push_more(q->vq, c);
		return;
	}
	if (!blk_req_start(r, &b->disk, c)) {
		end_request(q, r);
		return;
	}
	/* A host that cannot clear writes them. */
	if (r->type == BLK_T_WRITE_ZEROES)
		q->owed += r->ranges[0].len;
	r->heard = q->heard;
	vq_flight_begin(q->vq);
	q->engine->ops->queue(q->engine, &r->io);
}

/*
 * That the host has lost what was written to its page cache it says once, to
 * whoever syncs first, and what was lost may be anybody's.  So each queue hears
 * of it, in all flushes that it has under way or else in its next one.
 */
static int64_t sync_result(struct blk_queue *q, const struct blk_req *r,
			   int64_t result)
{
	atomic_uint *failed = &q->blk->failed_syncs;

	if (result == -EINTR || result == -EAGAIN) /* not yet */
		return result;
	if (result < 0)
		atomic_fetch_add(failed, 1);
	q->heard = atomic_load(failed);
	return result == 0 && q->heard != r->heard ? -EIO : result;
}

static void io_done(struct blk_engine_user *u, struct blk_io *io,
		    int64_t result)
{
	struct blk_queue *q = container_of(u, struct blk_queue, user);
	struct blk_req *r = container_of(io, struct blk_req, io);
	struct virtio_dev *d = &q->blk->dev;

	if (io->op == BLK_OP_SYNC)
		result = sync_result(q, r, result);
	/* A request of many pieces ends early when the device is reset. */
	if (blk_req_next(r, result) && d->running) {
		q->engine->ops->queue(q->engine, io);
		return;
	}
	end_request(q, r);
	vq_flight_end(q->vq);
}

static void batch_done(struct blk_engine_user *u)
{
	vq_signal(container_of(u, struct blk_queue, user)->vq);
}

static const struct blk_engine_user_ops user_ops = {
	.done = io_done,
	.batch_done = batch_done,
};

/*
 * The device's face.
 */

static int blk_start(struct virtio_dev *d)
{
	struct blk *b = to_blk(d);

	b->disk.discard = virtio_has(d, BLK_F_DISCARD);
	b->disk.write_zeroes = virtio_has(d, BLK_F_WRITE_ZEROES);
	/* [virtio 1.2, 5.2.6.2]: without FLUSH, done means stable. */
	b->disk.write_through = !virtio_has(d, BLK_F_FLUSH);
	/* What was lost before is nothing that this driver has written. */
	for (unsigned i = 0; i < b->nqueues; i++)
		b->queues[i].heard = atomic_load(&b->failed_syncs);
	return 0;
}

/* What the kernel has comes back by itself, and soon. */
static void blk_stop(struct virtio_dev *d)
{
	struct blk *b = to_blk(d);

	for (unsigned i = 0; i < b->nqueues; i++) {
		struct blk_engine *e = b->queues[i].engine;

		loop_timer_cancel(&b->queues[i].unthrottle);
		if (e->ops->cancel)
			e->ops->cancel(e);
	}
}

static void blk_queue_stop(struct virtio_dev *d, unsigned qi)
{
	(void)d;
	(void)qi;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Pay for the request before; then ns until the next one may pass. */
static uint64_t limit_wait(struct blk_queue *q)
{
	struct blk *b = q->blk;
	uint64_t wait;

	if (b->dev.queue_locks)
		pthread_mutex_lock(&b->limit_lock);
	if (q->owing)
		blk_limit_pay(&b->limit, q->owed);
	wait = blk_limit_wait(&b->limit, now_ns());
	if (b->dev.queue_locks)
		pthread_mutex_unlock(&b->limit_lock);
	q->owing = false;
	return wait;
}

/* Is it too early for another request?  Then the timer kicks. */
static bool throttled(struct blk_queue *q)
{
	uint64_t wait;

	if (!blk_limit_is_on(&q->blk->limit))
		return false;
	wait = limit_wait(q);
	if (wait == 0)
		return false;
	q->vq->stats.throttled++;
	loop_timer_set(&q->unthrottle, wait);
	return true;
}

static void on_unthrottle(struct loop_timer *t)
{
	struct blk_queue *q = container_of(t, struct blk_queue, unthrottle);

	vq_kick_later(q->vq);
}

/* What has to wait stays in the ring: nothing is popped, no memory held, and
 * the driver need not kick. */
static void blk_kick(struct virtio_dev *d, unsigned qi)
{
	struct blk_queue *q = &to_blk(d)->queues[qi];
	struct vq_chain *c;
	bool wait;

	vq_kicks_off(q->vq);
	do {
		while (!(wait = throttled(q)) && vq_pop(q->vq, &c) == 1)
			begin_request(q, c);
	} while (!wait && vq_kicks_on(q->vq));
	q->engine->ops->submit(q->engine);
	vq_signal(q->vq);
}

static void blk_free(struct virtio_dev *d)
{
	struct blk *b = to_blk(d);

	for (unsigned i = 0; i < b->nqueues; i++) {
		struct blk_engine *e = b->queues[i].engine;

		loop_timer_del(&b->queues[i].unthrottle);
		if (e)
			e->ops->free(e);
	}
	virtio_dev_fini(d);
	(void)pthread_mutex_destroy(&b->limit_lock);
	blk_image_close(&b->disk.image);
	for (unsigned i = 0; i < b->nqueues; i++)
		free(b->queues[i].reqs);
	free(b);
}

static const struct virtio_dev_ops blk_ops = {
	.id = VIRTIO_ID_BLOCK,
	.name = "virtio-blk",
	.queue_locks = true,
	.start = blk_start,
	.stop = blk_stop,
	.kick = blk_kick,
	.queue_stop = blk_queue_stop,
	.free = blk_free,
};

/*
 * Birth.
 */

static uint64_t features(const struct blk_image *im, unsigned nqueues)
{
	uint64_t f = BIT_ULL(BLK_F_SEG_MAX) | BIT_ULL(BLK_F_BLK_SIZE) |
		     BIT_ULL(BLK_F_TOPOLOGY) | BIT_ULL(BLK_F_FLUSH);

	if (nqueues > 1)
		f |= BIT_ULL(BLK_F_MQ);
	if (im->readonly)
		return f | BIT_ULL(BLK_F_RO);
	return f | BIT_ULL(BLK_F_DISCARD) | BIT_ULL(BLK_F_WRITE_ZEROES);
}

static void fill_config(struct blk *b)
{
	const struct blk_image *im = &b->disk.image;
	const uint32_t blocks = im->physical / im->logical;
	struct blk_config_wire w = {
		.capacity = le64_put(im->size / BLK_SECTOR),
		/* Header and status take a descriptor each. */
		.seg_max = le32_put(QUEUE_SIZE - 2),
		.blk_size = le32_put(im->logical),
		.physical_block_exp = (uint8_t)__builtin_ctz(blocks),
		.min_io_size = le16_put((uint16_t)blocks),
		.num_queues = le16_put((uint16_t)b->nqueues),
	};

	if (!im->readonly) {
		w.max_discard_sectors = le32_put(BLK_DISCARD_SECTORS_MAX);
		w.max_discard_seg = le32_put(BLK_DISCARD_RANGES_MAX);
		w.discard_sector_alignment = le32_put(im->logical / BLK_SECTOR);
		w.max_write_zeroes_sectors =
			le32_put(BLK_WRITE_ZEROES_SECTORS_MAX);
		w.max_write_zeroes_seg = le32_put(BLK_WRITE_ZEROES_RANGES_MAX);
		w.write_zeroes_may_unmap = 1;
	}
	memcpy(b->dev.config, &w, sizeof(w));
}

static void warn_of_format(const struct blk *b, const struct blk_config *config)
{
	const char *format = blk_image_looks_like(&b->disk.image);

	if (format && !config->raw_for_sure)
		log_warn("disk '%s' starts like a %s image, and the guest gets "
			 "it byte by byte; with format=%s it gets what is in "
			 "it, with format=raw there is no warning",
			 config->path, format, format);
}

static int set_id(struct blk *b, const struct blk_config *config,
		  struct err *err)
{
	const char *slash = strrchr(config->path, '/');
	const char *id = config->id;

	if (!id)
		id = slash ? slash + 1 : config->path;
	else if (strlen(id) > BLK_ID_LEN)
		return err_set(err, EINVAL,
			       "disk '%s': id '%s' has more than 20 bytes",
			       config->path, id);
	memcpy(b->disk.id, id, strnlen(id, BLK_ID_LEN));
	return 0;
}

static int make_engine(struct blk_queue *q, blk_engine_new_fn new_engine)
{
	const struct blk_engine_env env = {
		.loop = q->vq->loop,
		.lock = q->vq->lock,
		.image = &q->blk->disk.image,
		.user = &q->user,
		.depth = QUEUE_SIZE,
	};

	if (new_engine)
		return new_engine(&q->engine, &env);
	if (blk_uring_new(&q->engine, &env) == 0)
		return 0;
	return blk_sync_new(&q->engine, &env);
}

static int make_queue(struct blk *b, unsigned i, blk_engine_new_fn new_engine)
{
	struct blk_queue *q = &b->queues[i];

	q->blk = b;
	q->vq = &b->dev.vqs[i];
	q->user.ops = &user_ops;
	q->reqs = calloc(QUEUE_SIZE, sizeof(*q->reqs));
	if (!q->reqs)
		return -ENOMEM;
	q->unthrottle.fn = on_unthrottle;
	q->unthrottle.lock = q->vq->lock;
	if (blk_limit_is_on(&b->limit)) {
		int r = loop_timer_add(q->vq->loop, &q->unthrottle);

		if (r < 0)
			return r;
	}
	return make_engine(q, new_engine);
}

int blk_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	       const struct blk_config *config, blk_engine_new_fn new_engine,
	       struct err *err)
{
	uint16_t queue_sizes[BLK_QUEUES_MAX];
	struct blk *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_set(err, ENOMEM, "disk '%s': no memory",
			       config->path);
	(void)pthread_mutex_init(&b->limit_lock, NULL);
	b->disk.image.fd = b->disk.image.direct_fd = -1;
	b->nqueues = config->queues ? config->queues : 1;
	assert(b->nqueues <= BLK_QUEUES_MAX);
	for (unsigned i = 0; i < b->nqueues; i++)
		queue_sizes[i] = QUEUE_SIZE;
	r = set_id(b, config, err);
	if (r == 0)
		r = blk_image_open(&b->disk.image, config->path,
				   config->readonly, config->direct, err);
	if (r == 0)
		r = virtio_dev_init(&b->dev, &blk_ops, env,
				    features(&b->disk.image, b->nqueues),
				    queue_sizes, b->nqueues,
				    sizeof(struct blk_config_wire), err);
	if (r < 0)
		goto fail;
	warn_of_format(b, config);
	if (config->no_indirect)
		b->dev.offered &= ~BIT_ULL(VIRTIO_F_INDIRECT_DESC);
	fill_config(b);
	/* Without a loop nobody would say when to go on. */
	if (b->dev.loop)
		blk_limit_init(&b->limit, config->bps, config->iops, now_ns());
	for (unsigned i = 0; r == 0 && i < b->nqueues; i++)
		r = make_queue(b, i, new_engine);
	if (r < 0) {
		(void)err_errno(err, -r, "disk '%s'", config->path);
		goto fail;
	}
	*ret_d = &b->dev;
	return 0;
fail:
	blk_free(&b->dev);
	return r;
}

int blk_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    const struct blk_config *config, struct err *err)
{
	return blk_new_on(ret_d, env, config, NULL, err);
}
