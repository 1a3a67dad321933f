/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The device: queue on one side, engine on the other, a request slot for each
 * head in between.
 */
#include "devices/blk/device.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "devices/blk/engine.h"
#include "devices/blk/image.h"
#include "devices/blk/request.h"
#include "devices/blk/wire.h"

#define QUEUE_SIZE 256

struct blk {
	struct virtio_dev dev;
	struct blk_engine_user user;
	struct blk_engine *engine;
	struct blk_disk disk;
	struct blk_req *reqs; /* one for each head, most never touched */
};

static struct blk *to_blk(struct virtio_dev *d)
{
	return container_of(d, struct blk, dev);
}

/*
 * Requests.
 */

static void end_request(struct blk *b, struct blk_req *r)
{
	struct vq_chain *c = r->chain;

	blk_req_end(r);
	vq_push(&b->dev.vqs[0], c);
}

static void begin_request(struct blk *b, struct vq_chain *c)
{
	struct blk_req *r = &b->reqs[c->head];

	assert(!r->chain); /* a head is in flight once; see vq->busy */
	/* No room for a status: nothing can be said, so nothing is done. */
	if (c->out.left == 0) {
		vq_push(&b->dev.vqs[0], c);
		return;
	}
	if (!blk_req_start(r, &b->disk, c)) {
		end_request(b, r);
		return;
	}
	virtio_inflight_begin(&b->dev);
	b->engine->ops->queue(b->engine, &r->io);
}

static void io_done(struct blk_engine_user *u, struct blk_io *io,
		    int64_t result)
{
	struct blk *b = container_of(u, struct blk, user);
	struct blk_req *r = container_of(io, struct blk_req, io);

	/* A request of many pieces ends early when the device is reset. */
	if (blk_req_next(r, result) && b->dev.running) {
		b->engine->ops->queue(b->engine, io);
		return;
	}
	end_request(b, r);
	virtio_inflight_end(&b->dev);
}

static void batch_done(struct blk_engine_user *u)
{
	vq_signal(&container_of(u, struct blk, user)->dev.vqs[0]);
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
	return 0;
}

/* What the kernel has comes back by itself, and soon. */
static void blk_stop(struct virtio_dev *d)
{
	(void)d;
}

static void blk_queue_stop(struct virtio_dev *d, unsigned qi)
{
	(void)d;
	(void)qi;
}

static void blk_kick(struct virtio_dev *d, unsigned qi)
{
	struct blk *b = to_blk(d);
	struct vq *q = &d->vqs[qi];
	struct vq_chain *c;

	vq_kicks_off(q);
	do {
		while (vq_pop(q, &c) == 1)
			begin_request(b, c);
	} while (vq_kicks_on(q));
	b->engine->ops->submit(b->engine);
	vq_signal(q);
}

static void blk_free(struct virtio_dev *d)
{
	struct blk *b = to_blk(d);

	if (b->engine)
		b->engine->ops->free(b->engine);
	virtio_dev_fini(d);
	blk_image_close(&b->disk.image);
	free(b->reqs);
	free(b);
}

static const struct virtio_dev_ops blk_ops = {
	.id = VIRTIO_ID_BLOCK,
	.name = "virtio-blk",
	.start = blk_start,
	.stop = blk_stop,
	.kick = blk_kick,
	.queue_stop = blk_queue_stop,
	.free = blk_free,
};

/*
 * Birth.
 */

static uint64_t features(const struct blk_image *im)
{
	uint64_t f = BIT_ULL(BLK_F_SEG_MAX) | BIT_ULL(BLK_F_BLK_SIZE) |
		     BIT_ULL(BLK_F_TOPOLOGY) | BIT_ULL(BLK_F_FLUSH);

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

static int make_engine(struct blk *b, blk_engine_new_fn new_engine)
{
	const struct blk_engine_env env = {
		.loop = b->dev.loop,
		.lock = &b->dev.lock,
		.image = &b->disk.image,
		.user = &b->user,
		.depth = QUEUE_SIZE,
	};

	if (new_engine)
		return new_engine(&b->engine, &env);
	if (blk_uring_new(&b->engine, &env) == 0)
		return 0;
	return blk_sync_new(&b->engine, &env);
}

int blk_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	       const struct blk_config *config, blk_engine_new_fn new_engine,
	       struct err *err)
{
	static const uint16_t queue_sizes[] = {QUEUE_SIZE};
	struct blk *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_set(err, ENOMEM, "disk '%s': no memory",
			       config->path);
	b->user.ops = &user_ops;
	b->disk.image.fd = -1;
	r = set_id(b, config, err);
	if (r == 0)
		r = blk_image_open(&b->disk.image, config->path,
				   config->readonly, err);
	if (r == 0)
		r = virtio_dev_init(&b->dev, &blk_ops, env,
				    features(&b->disk.image), queue_sizes,
				    ARRAY_SIZE(queue_sizes),
				    sizeof(struct blk_config_wire), err);
	if (r < 0)
		goto fail;
	if (config->no_indirect)
		b->dev.offered &= ~BIT_ULL(VIRTIO_F_INDIRECT_DESC);
	fill_config(b);
	b->reqs = calloc(QUEUE_SIZE, sizeof(*b->reqs));
	r = b->reqs ? make_engine(b, new_engine) : -ENOMEM;
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
