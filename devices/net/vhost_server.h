/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_server.h - who else may serve a network device's queues: the host's
 * kernel (vhost_kernel.h), or a process at a socket (vhost_socket.h).
 *
 * A server reads and writes the rings of the guest's driver itself.  Queues
 * are the device's; they come in groups that have features and an IOTLB in
 * common (a pair for the kernel, all of them for a process).
 *
 * Threads: under the device's lock, but for forget().
 */
#ifndef MOAT_DEVICES_NET_VHOST_SERVER_H
#define MOAT_DEVICES_NET_VHOST_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bits.h"
#include "core/dma.h"
#include "devices/net/wire.h"
#include "virtio/wire.h"

struct vhost_server;

/* Of the driver's features, what every server has to know; behind an IOMMU. */
#define VHOST_FEATURES                                            \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(NET_F_MRG_RXBUF) | \
	 BIT_ULL(VIRTIO_F_EVENT_IDX) | BIT_ULL(VIRTIO_F_INDIRECT_DESC))
#define VHOST_FEATURES_IOMMU BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)

struct vhost_ring {
	uint16_t size, base;
	/* The host's addresses; IOVAs behind an IOMMU. */
	uint64_t desc, avail, used;
	int kick_fd, call_fd, error_fd;
	int backend_fd; /* where its frames are from and to */
};

struct vhost_server_ops {
	/*
	 * begin - of group @g no queue is served: it has @features from now on,
	 * and no translations.
	 * set_ring - of queue @qi, which is not served.
	 * serve - it.  Behind an IOMMU, with translations of the ring there
	 * already.
	 * Return: 0; -EPIPE: it is dead, and its backend says so to the link;
	 * another -errno.
	 */
	int (*begin)(struct vhost_server *s, unsigned g, uint64_t features);
	int (*set_ring)(struct vhost_server *s, unsigned qi,
			const struct vhost_ring *r);
	int (*serve)(struct vhost_server *s, unsigned qi);
	/*
	 * And no more.  No access is under way afterwards, and @ret_base is
	 * where to go on.
	 * Return: 0; -EINPROGRESS: listener->ended() is called later, of a dead
	 * server when it has let go of all it has, or is given up; -errno: it
	 * has ended, and nobody knows where.
	 */
	int (*end)(struct vhost_server *s, unsigned qi, uint16_t *ret_base);

	/* Behind an IOMMU. */

	/* What there is to read for a miss. */
	int (*miss_fd)(struct vhost_server *s, unsigned g);
	/*
	 * The next miss.
	 * @ret_access: mask of enum dma_access; 0 for what is none
	 * Return: 1; -EAGAIN: no more; -errno.
	 */
	int (*take_miss)(struct vhost_server *s, unsigned g, iova_t *ret_at,
			 unsigned *ret_access);
	/* The last one has had its update; not @given: it has none.
	 * May be NULL: it does not wait for that word. */
	void (*answered)(struct vhost_server *s, unsigned g, bool given);
	/*
	 * Answer one that came for @at.
	 * @asked: what it was to permit, a mask; @e permits to write, if that
	 * is among it
	 * Return: as begin().
	 */
	int (*update)(struct vhost_server *s, unsigned g, iova_t at,
		      unsigned asked, const struct dma_extent *e);
	/* Forget; on return no access by these is under way, or a dead server
	 * is given up.  Threads: any. */
	void (*forget)(struct vhost_server *s, unsigned g,
		       const struct range *r, unsigned n);
	/* Forget @n questions that had no answer; no queue of the group is
	 * served.  May be NULL: ending its queues does that. */
	void (*drop_questions)(struct vhost_server *s, unsigned g, unsigned n);
	/* Be done with it: it has misbehaved, in the way of @why, a predicate.
	 * May be NULL: it does not. */
	void (*cut_off)(struct vhost_server *s, const char *why);

	/* May be NULL: it ends with its backend. */
	void (*free)(struct vhost_server *s);
};

struct vhost_server_listener {
	/* Queue @qi has ended.  @base: as of end(); -errno. */
	void (*ended)(struct vhost_server_listener *l, unsigned qi, int base);
};

struct vhost_server {
	const struct vhost_server_ops *ops;
	const char *name; /* for people */
	struct vhost_server_listener *listener;
	unsigned nqueues; /* of the device */
	unsigned ngroups; /* equal ones */
	/* Told to forget a range it may forget what begins right behind it,
	 * too, and drop a frame before it asks for that. */
	bool forgets_neighbours;
	/* Kicked, it asks again for what it has had no answer to. */
	bool asks_again;
};

#endif
