/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vq_driver.h - plays the driver of a split queue, politely or not.
 *
 * The ring lies in real guest memory and the driver reaches it through a
 * struct dma of its own, @cpu, at the same addresses that it tells the
 * device.  Without translation that is any identity view; behind an IOMMU it
 * is a view with the same mappings and all permissions (fake_dma.h).
 *
 *	vqd_negotiate(d, features);
 *	vqd_init(&v, &cpu, base, len, size);
 *	vqd_connect(&v, d, 0);
 *	vqd_driver_ok(d);
 *	head = vqd_add(&v, bufs, n);
 *	if (vqd_wants_kick(&v))
 *		virtio_notify(d, 0);
 *	while (vqd_get_used(&v, &head, &len))
 *		...
 *
 * What cannot fail in a correct test is asserted.
 *
 * Threads: one; the device may run in another.
 */
#ifndef MOAT_VIRTIO_TESTS_VQ_DRIVER_H
#define MOAT_VIRTIO_TESTS_VQ_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dma.h"

struct virtio_dev;

#define VQD_SIZE_MAX 1024

struct vqd_buf {
	iova_t at;
	uint32_t len;
	bool write; /* the device writes it */
};

struct vq_driver {
	struct dma *cpu;
	uint16_t size;
	bool event_idx;
	iova_t desc, avail, used;
	iova_t heap, heap_end; /* for vqd_alloc() */
	uint16_t avail_idx;    /* staged up to here */
	uint16_t published;    /* what the device sees */
	uint16_t kick_base;    /* published at the last vqd_wants_kick() */
	uint16_t last_used;    /* taken up to here */
	uint16_t nfree;	       /* descriptors */
	uint16_t free_head;    /* list through next[] */
	uint16_t next[VQD_SIZE_MAX];
	uint16_t ndesc[VQD_SIZE_MAX]; /* of the chain that begins here; 0 */
};

/*
 * Negotiation.  No lock is taken; hold d->lock if a loop runs.
 */

/* Reset, ACKNOWLEDGE, DRIVER, @features, FEATURES_OK.
 * Return: did FEATURES_OK stick? */
bool vqd_negotiate(struct virtio_dev *d, uint64_t features);
/* Return: does the device run? */
bool vqd_driver_ok(struct virtio_dev *d);

/*
 * vqd_init - lay a fresh ring out in [base, base + len); the rest is the heap.
 * @base: page-aligned
 * @size: power of two up to VQD_SIZE_MAX
 */
void vqd_init(struct vq_driver *v, struct dma *cpu, iova_t base, uint64_t len,
	      uint16_t size);
/* Same place, as new, the heap too: after a reset. */
void vqd_renew(struct vq_driver *v);
/* Write the queue's registers and enable it. */
void vqd_connect(struct vq_driver *v, struct virtio_dev *d, unsigned qi);

/*
 * Memory.
 */

/* Zeroed bytes from the heap, aligned to 16; never given back. */
iova_t vqd_alloc(struct vq_driver *v, uint64_t len);
/* The same with a copy of @src. */
iova_t vqd_put(struct vq_driver *v, const void *src, size_t len);
void vqd_read(struct vq_driver *v, iova_t at, void *dst, size_t len);
void vqd_write(struct vq_driver *v, iova_t at, const void *src, size_t len);

/*
 * The polite driver.
 */

/* Put a chain into table and ring, the device does not see it yet.
 * Return: its head. */
uint16_t vqd_stage(struct vq_driver *v, const struct vqd_buf *bufs, unsigned n);
/* The same through an indirect table at @table (n * 16 bytes). */
uint16_t vqd_stage_indirect(struct vq_driver *v, iova_t table,
			    const struct vqd_buf *bufs, unsigned n);
/* Let the device see what is staged. */
void vqd_publish(struct vq_driver *v);
/* Stage and publish. */
uint16_t vqd_add(struct vq_driver *v, const struct vqd_buf *bufs, unsigned n);
/* The same with a table from the heap. */
uint16_t vqd_add_indirect(struct vq_driver *v, const struct vqd_buf *bufs,
			  unsigned n);

/* Must the device be told of what was published since the last call? */
bool vqd_wants_kick(struct vq_driver *v);

/* Take the next used chain; its descriptors are free again.
 * Return: false if there is none. */
bool vqd_get_used(struct vq_driver *v, uint32_t *ret_head, uint32_t *ret_len);

/* Interrupts: not wanted, or wanted for the next used chain, or, with the event
 * index, for the @n-th from now.
 * Return: true if there are so many used chains already. */
void vqd_interrupts_off(struct vq_driver *v);
bool vqd_interrupts_on(struct vq_driver *v);
bool vqd_interrupts_at(struct vq_driver *v, uint16_t n);

/*
 * The rude one: any word, any value.  These do no bookkeeping.
 */

void vqd_set_desc(struct vq_driver *v, unsigned i, uint64_t at, uint32_t len,
		  uint16_t flags, uint16_t next);
/* Descriptor @i of an indirect table. */
void vqd_set_table_desc(struct vq_driver *v, iova_t table, unsigned i,
			uint64_t at, uint32_t len, uint16_t flags,
			uint16_t next);
void vqd_set_avail_flags(struct vq_driver *v, uint16_t val);
void vqd_set_avail_slot(struct vq_driver *v, uint16_t slot, uint16_t head);
void vqd_set_avail_idx(struct vq_driver *v, uint16_t val);
void vqd_set_used_event(struct vq_driver *v, uint16_t val);
/* Make @head available, whatever it is. */
void vqd_offer(struct vq_driver *v, uint16_t head);

uint16_t vqd_used_flags(struct vq_driver *v);
uint16_t vqd_used_idx(struct vq_driver *v);
uint16_t vqd_avail_event(struct vq_driver *v);

#endif
