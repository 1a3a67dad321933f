/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * queue.h - split virtqueue, device side.   [virtio 1.2, 2.7]
 *
 * A queue turns guest rings into chains that have already been copied and
 * checked: head in range and not in flight, every descriptor read once,
 * readable before writable, indirect rules, no more descriptors than the
 * queue has, lengths that sum below 2^32.  It holds no pointers into guest
 * memory; every access goes through the device's DMA view, so a ring may be
 * scattered and may lose its mapping at any moment.
 *
 * next_avail, next_used and signalled live here; the guest-visible copies
 * are write-only for us.
 *
 * Threads: all calls under the owning device's lock.
 * Lifetime: embedded in struct virtio_dev's array; runs from vq_start() to
 * vq_stop().
 */
#ifndef MOAT_VIRTIO_QUEUE_H
#define MOAT_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/dma.h"
#include "core/list.h"
#include "core/loop.h"

struct virtio_dev;
struct vq;

#define VQ_SIZE_MAX 1024

struct vq_seg {
	iova_t at;
	uint32_t len;
};

/* A place in one half of a chain. */
struct vq_cursor {
	unsigned seg, end; /* index into segs; end is one past */
	uint32_t off;	   /* into segs[seg] */
	uint64_t left;	   /* bytes from here to the end of the half */
};

/*
 * One request.  From vq_pop() until vq_push() or vq_drop() the device may
 * keep it, across loop iterations.  Comes from a pool of the queue.
 */
struct vq_chain {
	struct vq *vq;
	struct list node; /* the device's to use while it has the chain */
	uint16_t head;
	unsigned nsegs, nreadable; /* segs[0, nreadable) are device-readable */
	struct vq_cursor in;	   /* device-readable half */
	struct vq_cursor out;	   /* device-writable half */
	uint64_t written;	   /* what vq_push() reports */
	unsigned nholds, holds_cap;
	struct dma_hold *holds; /* of vq_iov_*(); ended by push and drop */
	struct vq_seg *segs;
	unsigned segs_cap;
};

struct vq {
	struct virtio_dev *dev;
	unsigned index;
	uint16_t size_max; /* what the device offers */
	bool inline_kick;  /* served on the vCPU: no doorbell for this one */

	/* Registers; the driver's until enabled. */
	uint16_t size;
	bool enabled;
	bool resetting; /* queue_reset reads 1 */
	iova_t desc, avail, used;

	/* The device's. */
	bool running;
	bool indirect, event_idx; /* negotiated */
	uint16_t next_avail, next_used, signalled;
	bool signalled_valid;
	uint8_t *busy;	   /* a byte for each head: in flight */
	struct list pool;  /* chains that are free */
	unsigned inflight; /* chains the device has */
	int kick_fd;	   /* eventfd; signalled by the doorbell */
	struct loop_watch kick_watch;
};

/*
 * vq_pop - take the next available chain.
 * @ret_c: set on success; give it back with vq_push() or vq_drop()
 *
 * Return: 1 with a chain; 0 if the ring is empty; -EPROTO if the guest broke
 * the ring format, -EFAULT if an address is outside the device's memory,
 * -ENOMEM; in all three cases the device has been marked broken.
 */
int vq_pop(struct vq *q, struct vq_chain **ret_c);

/*
 * vq_push - put the chain into the used ring; used.len is c->written.
 * Ends its holds first.  Does not interrupt: vq_signal() does, once a batch.
 */
void vq_push(struct vq *q, struct vq_chain *c);

/* vq_drop - give the chain back to the pool without using it (reset). */
void vq_drop(struct vq *q, struct vq_chain *c);

/* Interrupt the driver if it wants it for what was pushed since last time. */
void vq_signal(struct vq *q);

/*
 * Ask the driver for no kicks / for kicks again.  After vq_kicks_on() look at
 * the ring once more: it returns true if buffers came in between.
 */
void vq_kicks_off(struct vq *q);
bool vq_kicks_on(struct vq *q);

/*
 * Cursors.  Copies move through the half and cross segments.
 *
 * Return: 0; -ENODATA if fewer than @len bytes are left (nothing moved);
 * -EFAULT if memory is not reachable.
 */
int vq_read(struct vq_chain *c, void *dst, size_t len);
int vq_write(struct vq_chain *c, const void *src, size_t len);
#define vq_read_obj(c, obj)  vq_read(c, obj, sizeof(*(obj)))
#define vq_write_obj(c, obj) vq_write(c, obj, sizeof(*(obj)))

/* Write at the last @len bytes of the writable half (a status or tail),
 * leaving the cursor; takes them off what is left. */
int vq_write_tail(struct vq_chain *c, const void *src, size_t len);
/* Clear up to @len bytes of the writable half. */
int vq_write_zero(struct vq_chain *c, uint64_t len);

/*
 * vq_iov_read, vq_iov_write - host memory behind the next @len bytes of a
 * half, for bulk I/O; the cursor moves past what the result covers.
 * @ret_len: bytes covered, less than @len when @max pieces are too few
 *
 * Holds are kept in the chain until vq_push(), vq_drop() or
 * vq_end_holds().
 *
 * Return: count of iovecs; -EFAULT; -ENODATA if the half is shorter; -ENOMEM.
 */
int vq_iov_read(struct vq_chain *c, uint64_t len, struct iovec *iov,
		unsigned max, uint64_t *ret_len);
int vq_iov_write(struct vq_chain *c, uint64_t len, struct iovec *iov,
		 unsigned max, uint64_t *ret_len);
void vq_end_holds(struct vq_chain *c);

/* For virtio/device.c. */
int vq_init(struct vq *q, struct virtio_dev *d, unsigned index,
	    uint16_t size_max);
void vq_fini(struct vq *q);
/* Return: 0; -EPROTO for a size or address the rules forbid; -ENOMEM. */
int vq_start(struct vq *q);
void vq_stop(struct vq *q);
/* Registers as after device reset. */
void vq_reset(struct vq *q);

#endif
