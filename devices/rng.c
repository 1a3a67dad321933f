/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

#include "core/bits.h"
#include "core/err.h"

#define QUEUE_SIZE 16

/*
 * A request gets at most this much, however large its buffer: the driver asks
 * again, and the loop is not kept busy.   [virtio 1.2, 5.4.6]
 */
#define REQUEST_MAX KIB(64)

struct rng {
	struct virtio_dev dev;
};

static struct rng *to_rng(struct virtio_dev *d)
{
	return container_of(d, struct rng, dev);
}

/* Stops early if the memory cannot be reached. */
static void fill(struct vq_chain *c)
{
	uint64_t left = min_u64(c->out.left, REQUEST_MAX);
	uint8_t bytes[1024];

	while (left > 0) {
		size_t want = (size_t)min_u64(left, sizeof(bytes));
		ssize_t n = getrandom(bytes, want, GRND_NONBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || vq_write(c, bytes, (size_t)n))
			return;
		left -= (size_t)n;
	}
}

static void rng_kick(struct virtio_dev *d, unsigned qi)
{
	struct vq *q = &d->vqs[qi];
	struct vq_chain *c;

	while (vq_pop(q, &c) == 1) {
		fill(c);
		vq_push(q, c);
	}
	vq_signal(q);
}

static int rng_start(struct virtio_dev *d)
{
	(void)d;
	return 0;
}

/* Nothing outlives a kick. */
static void rng_stop(struct virtio_dev *d)
{
	(void)d;
}

static void rng_queue_stop(struct virtio_dev *d, unsigned qi)
{
	(void)d;
	(void)qi;
}

static void rng_free(struct virtio_dev *d)
{
	virtio_dev_fini(d);
	free(to_rng(d));
}

static const struct virtio_dev_ops rng_ops = {
	.id = VIRTIO_ID_RNG,
	.name = "virtio-rng",
	.start = rng_start,
	.stop = rng_stop,
	.kick = rng_kick,
	.queue_stop = rng_queue_stop,
	.free = rng_free,
};

int rng_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    struct err *err)
{
	static const uint16_t queue_sizes[] = {QUEUE_SIZE};
	struct rng *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	r = virtio_dev_init(&g->dev, &rng_ops, env, 0, queue_sizes,
			    ARRAY_SIZE(queue_sizes), 0, err);
	if (r < 0) {
		free(g);
		return r;
	}
	*ret_d = &g->dev;
	return 0;
}
