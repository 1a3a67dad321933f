/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * queue_priv.h - what the files of a queue share: queue.c (life), ring.c (the
 * two rings), walk.c (descriptors), chain.c (pool and cursors).
 *
 *	avail:	flags  idx  ring[size]      used_event	 the driver's
 *	used:	flags  idx  elem[size]      avail_event  ours
 */
#ifndef MOAT_VIRTIO_QUEUE_PRIV_H
#define MOAT_VIRTIO_QUEUE_PRIV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtio/device.h"
#include "virtio/queue.h"
#include "virtio/wire.h"

/* Pops outside of a kick from the loop are not counted. */
#define VQ_NO_BUDGET UINT_MAX

static inline iova_t vq_avail_flags_at(const struct vq *q)
{
	return q->avail;
}

static inline iova_t vq_avail_idx_at(const struct vq *q)
{
	return q->avail + VQ_RING_IDX;
}

static inline iova_t vq_avail_entry_at(const struct vq *q, unsigned i)
{
	return q->avail + VQ_RING_ENTRIES + i * sizeof(le16_t);
}

static inline iova_t vq_used_event_at(const struct vq *q)
{
	return vq_avail_entry_at(q, q->size);
}

static inline iova_t vq_used_flags_at(const struct vq *q)
{
	return q->used;
}

static inline iova_t vq_used_idx_at(const struct vq *q)
{
	return q->used + VQ_RING_IDX;
}

static inline iova_t vq_used_entry_at(const struct vq *q, unsigned i)
{
	return q->used + VQ_RING_ENTRIES + i * sizeof(struct vq_used_elem_wire);
}

static inline iova_t vq_avail_event_at(const struct vq *q)
{
	return vq_used_entry_at(q, q->size);
}

/* May the rings be touched? */
static inline bool vq_live(const struct vq *q)
{
	return q->running && !q->resetting && !q->broken && q->dev->running;
}

/* What was read ahead is read again. */
static inline void vq_look_no_further(struct vq *q)
{
	q->ahead.at = q->ahead.n = 0;
}

/* A reset of this queue alone ends when the device has no chain of it. */
void vq_reset_if_idle(struct vq *q);

/* A chain from the pool, made if there is none; NULL without memory. */
struct vq_chain *vq_chain_get(struct vq *q);
/* Ends its holds. */
void vq_chain_put(struct vq_chain *c);
/* Frees every chain of the queue, those the device has included. */
void vq_chain_free_all(struct vq *q);

/*
 * vq_chain_walk - fill @c from the descriptors that start at @head.
 * @first: a copy of that one; NULL: it has not been read
 * @ret_why: on failure, what is wrong, for the log
 *
 * Return: 0; -EPROTO if the format is broken; -EFAULT if a descriptor cannot
 * be read; -ENOMEM.
 */
int vq_chain_walk(struct vq_chain *c, uint16_t head,
		  const struct vq_desc_wire *first, const char **ret_why);

#endif
