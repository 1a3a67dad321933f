/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ring.h - a shadow ring: the guest's chains, checked and translated, in a
 * split virtqueue of our own that a server reads.   [virtio 1.2, 2.7]
 *
 * The server never sees a ring of the guest's, nor an address that only the
 * guest's IOMMU understands: a descriptor here is the host's address of a
 * piece of guest memory, and the memory table declares all memory at its
 * host's address.  A chain holds its ranges until the server has used it, so
 * an UNMAP waits for that.  What the server writes is checked like a guest's.
 *
 * A chain takes one descriptor, which names a table of its own; its number is
 * that of the guest's head.  Its first bytes can be others than the guest's:
 * then they are beside that table.
 *
 * Threads: under the device's lock.
 */
#ifndef MOAT_DEVICES_VHOST_USER_RING_H
#define MOAT_DEVICES_VHOST_USER_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/gmem.h"
#include "virtio/queue.h"
#include "virtio/wire.h"

struct err;
struct vhu_vring_addr_wire;

/* Pieces of host memory in a chain; what servers take at most. */
#define VHU_PIECES_MAX 1024

/* Bytes in the place of a chain's first ones, at most. */
#define VHU_FRONT_MAX 64

/* A chain that the server has. */
struct vhu_slot {
	struct vq_chain *chain; /* NULL: none */
	/* Where its cursors stood. */
	struct vq_cursor in, out;
	uint64_t written;
};

struct vhu_ring {
	struct gmem *mem; /* borrowed; shared */
	gpa_t at;	  /* of the ring in there */
	uint16_t size;	  /* a power of two */
	bool event_idx;	  /* negotiated with the server */
	int kick_fd, call_fd;
	uint16_t next_avail, last_used;
	uint16_t kicked; /* next_avail at the last vhu_ring_publish() */
	unsigned inflight;
	struct vhu_slot *slots; /* size of them */
	struct iovec *iov;	/* VHU_PIECES_MAX: room to work in */
	struct vq_desc_wire *table;
};

/* Bytes of memory that a ring of @size takes; a multiple of the page. */
uint64_t vhu_ring_bytes(uint16_t size);

/*
 * vhu_ring_init - an empty ring at @at of @mem, which reads as zeros there.
 * Return: 0; -errno.
 */
int vhu_ring_init(struct vhu_ring *r, struct gmem *mem, gpa_t at,
		  uint16_t size);
/* Nothing is in flight.  Zeroed or half-built is accepted. */
void vhu_ring_fini(struct vhu_ring *r);

/* Where it is, for SET_VRING_ADDR; all but the index. */
void vhu_ring_addr(const struct vhu_ring *r, struct vhu_vring_addr_wire *a);

/*
 * vhu_ring_add - have the server do @c; vhu_ring_publish() tells it.
 * @front, @len: what it reads in the place of the first @len bytes, which are
 * no more than VHU_FRONT_MAX and than @c has; 0: all is the guest's
 *
 * Return: 0; -EINVAL if it is empty; -E2BIG if it is in too many pieces; -EFAULT
 * if a buffer is not reachable; -ENOMEM.  After a failure @c is as before.
 */
int vhu_ring_add(struct vhu_ring *r, struct vq_chain *c, const void *front,
		 size_t len);
void vhu_ring_publish(struct vhu_ring *r);

/*
 * vhu_ring_take - the next chain that the server has used; its c->written is
 * set.
 *
 * Return: 1; 0: none; -EPROTO if the server broke the ring.
 */
int vhu_ring_take(struct vhu_ring *r, struct vq_chain **ret_c);
/* Have the server call at the next one.  Return: true if there is one. */
bool vhu_ring_arm(struct vhu_ring *r);

/* A chain that the server will not finish, as it was when it was added; NULL:
 * there is none. */
struct vq_chain *vhu_ring_abandon(struct vhu_ring *r);

#endif
