/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The registers of queues, as every transport has them.
 */
#include "virtio/device.h"

struct vq *virtio_queue(struct virtio_dev *d, uint32_t qi)
{
	return qi < d->nvqs ? &d->vqs[qi] : NULL;
}

bool virtio_queue_runs(struct vq *q)
{
	bool runs;

	virtio_lock_queue(q);
	runs = q->running;
	virtio_unlock_queue(q);
	return runs;
}

bool virtio_queue_writable(const struct virtio_dev *d, const struct vq *q)
{
	if (d->stopping || q->enabled ||
	    !(d->status & VIRTIO_STATUS_FEATURES_OK))
		return false;
	return q->renewed || !(d->status & VIRTIO_STATUS_DRIVER_OK);
}

/* All locks are held. */
static void enable(struct virtio_dev *d, struct vq *q)
{
	if (!virtio_queue_writable(d, q))
		return;
	if (vq_check(q)) {
		virtio_broken(d, "queue %u: size or address not allowed",
			      q->index);
		return;
	}
	q->enabled = true;
	/* The others wait for DRIVER_OK. */
	if (!d->running)
		return;

	int r = vq_start(q);

	if (r)
		virtio_broken(d, "queue %u: does not start: error %d", q->index,
			      -r);
}

void virtio_queue_enable(struct virtio_dev *d, struct vq *q)
{
	virtio_lock_queues(d);
	enable(d, q);
	virtio_unlock_queues(d);
}

bool virtio_queue_reset(struct virtio_dev *d, struct vq *q)
{
	bool begins;

	virtio_lock_queue(q);
	begins = !d->stopping && !q->resetting && q->enabled &&
		 virtio_has(d, VIRTIO_F_RING_RESET);
	if (begins)
		vq_begin_reset(q);
	virtio_unlock_queue(q);
	return begins;
}

void virtio_notify(struct virtio_dev *d, uint32_t qi)
{
	struct vq *q = virtio_queue(d, qi);

	if (!q)
		return;
	virtio_lock_queue(q);
	vq_dispatch(q);
	virtio_unlock_queue(q);
}
