/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Kicks.   [virtio 1.2, 4.1.4.4]
 *
 * Each queue has an address of its own, so a doorbell needs no value.  The
 * doorbell signals the queue's eventfd; what comes by the bus (no doorbells,
 * or a write on the way to one) signals the same.  Doorbells are attached
 * only while the device runs: enumeration toggles decoding many times, and
 * each attach and detach makes the kernel wait for its readers.
 */
#include "core/bits.h"
#include "core/fd.h"
#include "virtio/pci_priv.h"

static void kick(struct vpci *v, unsigned qi)
{
	struct vq *q = virtio_queue(v->dev, qi);

	if (!q)
		return;
	if (q->inline_kick)
		virtio_notify(v->dev, qi);
	else
		eventfd_signal_shared(q->kick_fd);
}

void vpci_kick_all(struct vpci *v)
{
	for (unsigned i = 0; i < v->dev->nvqs; i++) {
		if (virtio_queue_runs(&v->dev->vqs[i]))
			kick(v, i);
	}
}

static void bell_detach(struct vpci *v, unsigned qi)
{
	struct vpci_queue *vq = &v->queues[qi];

	v->doorbells->ops->detach(v->doorbells, vq->bell,
				  v->dev->vqs[qi].kick_fd);
	vq->belled = false;
}

static void bell_attach(struct vpci *v, unsigned qi, uint64_t at)
{
	struct vpci_queue *vq = &v->queues[qi];

	/* Without the doorbell kicks come by the bus: slower, not lost. */
	if (v->doorbells->ops->attach(v->doorbells, at,
				      v->dev->vqs[qi].kick_fd))
		return;
	vq->bell = at;
	vq->belled = true;
}

/* A BAR that moves is unmapped on the way, so no bell is at an old address. */
void vpci_sync_doorbells(struct vpci *v)
{
	const struct pci_bar *b = &v->func.bars[VPCI_BAR];

	if (!v->doorbells)
		return;
	for (unsigned i = 0; i < v->dev->nvqs; i++) {
		struct vq *q = &v->dev->vqs[i];
		bool wanted =
			b->mapped && !q->inline_kick && virtio_queue_runs(q);

		if (v->queues[i].belled && !wanted)
			bell_detach(v, i);
		if (wanted && !v->queues[i].belled)
			bell_attach(v, i,
				    b->base + v->notify_at +
					    i * VPCI_NOTIFY_MULTIPLIER);
	}
}

static uint64_t notify_read(struct bus_region *r, uint64_t off, unsigned size)
{
	(void)r, (void)off, (void)size;
	return 0;
}

static void notify_write(struct bus_region *r, uint64_t off, unsigned size,
			 uint64_t val)
{
	struct vpci *v = container_of(r, struct vpci, notify);

	(void)size, (void)val;
	kick(v, (unsigned)(off / VPCI_NOTIFY_MULTIPLIER));
}

const struct bus_ops vpci_notify_ops = {
	.read = notify_read,
	.write = notify_write,
};
