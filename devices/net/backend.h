/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * backend.h - where the frames of a network device come from and go to.
 *
 * A backend has a queue for each pair of queues that the device has, with a
 * descriptor that the device watches.  It moves frames between that and the
 * memory in the iovecs it is given, and keeps nothing of either.
 *
 * In both directions iov[0] and iov[n + 1] are the backend's to use; the
 * frame is in iov[1] to iov[n].
 *
 * Threads: under the device's lock.
 */
#ifndef MOAT_DEVICES_NET_BACKEND_H
#define MOAT_DEVICES_NET_BACKEND_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "devices/net/wire.h"

struct loop;
struct net_backend;

/*
 * The longest frame: Ethernet's header with a VLAN, IPv6's, and its largest
 * payload.   [virtio 1.2, 5.1.6.3]
 */
#define NET_FRAME_MAX (14 + 4 + 40 + 65535)
/* The header of Ethernet. */
#define NET_FRAME_MIN 14
/* What a VLAN adds to it. */
#define NET_TAG_LEN 4

/* Which frames the driver wants.   [virtio 1.2, 5.1.6.5.1, 5.1.6.5.2] */
#define NET_FILTER_MAX 64

struct net_filter {
	bool promisc;  /* all */
	bool allmulti; /* all with several recipients */
	bool full;     /* more addresses than fit here */
	uint8_t own[NET_MAC_LEN];
	unsigned n; /* besides */
	uint8_t macs[NET_FILTER_MAX][NET_MAC_LEN];
};

struct net_backend_ops {
	/*
	 * How many bytes of a frame to make room for: those that are left of
	 * one that has been received in part, else of the next one.  A guess
	 * costs a copy if it is too low.
	 *
	 * Return: > 0; -EAGAIN if nothing is there; another -errno if nothing
	 * will ever be.
	 */
	ssize_t (*incoming)(struct net_backend *b, unsigned q);
	/*
	 * Receive what is there of the frame that incoming() has announced.
	 * @hdr: the frame's header, as far as the backend knows it
	 * @ret_end: whether the frame has come to its end
	 *
	 * Return: > 0; -EAGAIN; -errno as incoming().
	 */
	ssize_t (*receive)(struct net_backend *b, unsigned q, struct iovec *iov,
			   unsigned n, struct net_header_wire *hdr,
			   bool *ret_end);
	/*
	 * Send a frame of @len bytes.  What it has not taken of it comes by
	 * send_rest(), all of it before the next frame.
	 * @hdr: checked (header.h)
	 *
	 * Return: bytes taken; -EAGAIN if there is no room, which the
	 * descriptor's writability ends; -EINVAL, -EIO: not this frame;
	 * another -errno: never again.
	 */
	ssize_t (*send)(struct net_backend *b, unsigned q, struct iovec *iov,
			unsigned n, size_t len,
			const struct net_header_wire *hdr);
	/* Return: bytes taken; -EAGAIN; -errno.  May be NULL: send() takes
	 * whole frames. */
	ssize_t (*send_rest)(struct net_backend *b, unsigned q,
			     const uint8_t *buf, size_t len);
	/* The features that driver and device have agreed on.
	 * May be NULL: there are no offloads.   Return: 0, -errno. */
	int (*offload)(struct net_backend *b, uint64_t features);
	/* Use the first @n queues, at least 1.  May be NULL: there is one. */
	int (*activate)(struct net_backend *b, unsigned n);
	/* May be NULL: all frames are for the guest. */
	void (*filter)(struct net_backend *b, const struct net_filter *f);
	/* The device runs on @loop; under @lock are the backend's own watches.
	 * May be NULL: it has none.   Return: 0, -errno. */
	int (*attach)(struct net_backend *b, struct loop *loop,
		      pthread_mutex_t *lock);
	/* The device ends, and its lock with it: no watch or thread is there
	 * afterwards.  Without the lock; twice does no harm.  May be NULL. */
	void (*detach)(struct net_backend *b);
	/* It is lost, for @error.  Say how that came, and let go of the rest.
	 * May be NULL: the error says it. */
	void (*lost)(struct net_backend *b, int error, char *text, size_t size);
	void (*free)(struct net_backend *b);
};

/* Who is told what the descriptors do not say. */
struct net_listener {
	/* The other end has gone, for @error; 0: it is there again.  Under the
	 * device's lock. */
	void (*link)(struct net_listener *l, int error);
};

struct net_backend {
	const struct net_backend_ops *ops;
	const char *name; /* for people: "tap 'tap0'" */
	const int *fds;	  /* of the queues */
	/* Of the queues: what there is to read when there is room again.
	 * NULL: then @fds can be written. */
	const int *room_fds;
	struct net_listener *listener; /* set by the device */
	unsigned nqueues;	       /* 1 to NET_QUEUES_MAX */
	uint64_t features;	       /* NET_F_... of the offloads it can do */
	unsigned mtu;		       /* 0: not known */
	bool comes_back;	       /* perhaps, when it is lost */
};

#endif
