/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/tests/fake_dev.h"

#include "core/bits.h"

static struct fake_dev *to_fake(struct virtio_dev *d)
{
	return container_of(d, struct fake_dev, vdev);
}

static int on_start(struct virtio_dev *d)
{
	struct fake_dev *f = to_fake(d);

	f->starts++;
	return f->start_result;
}

struct vq_chain *fake_dev_take(struct fake_dev *f)
{
	if (list_empty(&f->held))
		return NULL;

	struct list *node = f->held.next;

	list_remove(node);
	f->nheld--;
	return container_of(node, struct vq_chain, node);
}

static void hold(struct fake_dev *f, struct vq_chain *c)
{
	list_append(&f->held, &c->node);
	f->nheld++;
	if (f->hold_is_inflight)
		virtio_inflight_begin(&f->vdev);
}

void fake_dev_complete(struct fake_dev *f)
{
	struct vq_chain *c = fake_dev_take(f);
	struct vq *q = c->vq;

	vq_push(q, c);
	vq_signal(q);
	if (f->hold_is_inflight)
		virtio_inflight_end(&f->vdev);
}

/* Those that are not in flight. */
static void drop_held(struct fake_dev *f, struct vq *q)
{
	if (f->hold_is_inflight)
		return;
	list_for_each (node, &f->held) {
		struct vq_chain *c = container_of(node, struct vq_chain, node);

		if (!q || c->vq == q) {
			list_remove(node);
			f->nheld--;
			vq_drop(c->vq, c);
		}
	}
}

static void on_stop(struct virtio_dev *d)
{
	struct fake_dev *f = to_fake(d);

	f->stops++;
	drop_held(f, NULL);
}

static void on_queue_stop(struct virtio_dev *d, unsigned qi)
{
	struct fake_dev *f = to_fake(d);

	f->queue_stops++;
	drop_held(f, &d->vqs[qi]);
}

static void echo(struct vq_chain *c)
{
	uint8_t buf[256];
	size_t n;

	while ((n = min_u64(sizeof(buf), min_u64(c->in.left, c->out.left)))) {
		if (vq_read(c, buf, n) || vq_write(c, buf, n))
			break;
	}
}

static void serve(struct fake_dev *f, struct vq *q)
{
	struct vq_chain *c;
	int r;

	while ((r = vq_pop(q, &c)) == 1) {
		if (f->hold) {
			hold(f, c);
			continue;
		}
		echo(c);
		f->done++;
		vq_push(q, c);
	}
	f->last_pop = r;
}

static void on_kick(struct virtio_dev *d, unsigned qi)
{
	struct fake_dev *f = to_fake(d);
	struct vq *q = &d->vqs[qi];

	f->kicks++;
	if (f->pause_in_kick)
		virtio_pause(d, true);
	if (!f->suppress_kicks) {
		serve(f, q);
	} else {
		do {
			vq_kicks_off(q);
			serve(f, q);
		} while (vq_kicks_on(q));
	}
	vq_signal(q);
}

static void on_config_written(struct virtio_dev *d, size_t off, size_t len)
{
	struct fake_dev *f = to_fake(d);

	f->config_writes++;
	f->config_off = off;
	f->config_len = len;
}

static bool on_features_ok(struct virtio_dev *d, uint64_t features)
{
	(void)features;
	return !to_fake(d)->refuse_features;
}

static void on_free(struct virtio_dev *d)
{
	to_fake(d)->frees++;
	virtio_dev_fini(d);
}

static const struct virtio_dev_ops full_ops = {
	.id = FAKE_DEV_ID,
	.name = "fake",
	.start = on_start,
	.stop = on_stop,
	.kick = on_kick,
	.config_written = on_config_written,
	.features_ok = on_features_ok,
	.queue_stop = on_queue_stop,
	.free = on_free,
};

/* Only what a device must have. */
static const struct virtio_dev_ops plain_ops = {
	.id = FAKE_DEV_ID,
	.name = "fake",
	.start = on_start,
	.stop = on_stop,
	.kick = on_kick,
	.free = on_free,
};

static int init(struct fake_dev *f, const struct virtio_dev_ops *ops,
		const struct virtio_dev_env *env, const uint16_t *queue_sizes,
		unsigned nvqs, size_t config_len)
{
	*f = (struct fake_dev){0};
	list_init(&f->held);
	return virtio_dev_init(&f->vdev, ops, env, FAKE_DEV_FEATURES,
			       queue_sizes, nvqs, config_len, NULL);
}

int fake_dev_init(struct fake_dev *f, const struct virtio_dev_env *env,
		  const uint16_t *queue_sizes, unsigned nvqs, size_t config_len)
{
	return init(f, &full_ops, env, queue_sizes, nvqs, config_len);
}

int fake_dev_init_plain(struct fake_dev *f, const struct virtio_dev_env *env,
			const uint16_t *queue_sizes, unsigned nvqs,
			size_t config_len)
{
	return init(f, &plain_ops, env, queue_sizes, nvqs, config_len);
}

void fake_dev_fini(struct fake_dev *f)
{
	virtio_dev_fini(&f->vdev);
}
