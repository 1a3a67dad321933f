/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * device.h - the network device from inside: the device itself (device.c),
 * one direction of a pair of queues each in rx.c and tx.c, and the control
 * queue (control.c).
 *
 * Queues are rx 0, tx 0, rx 1, ... and the control queue; where that one is
 * depends on whether the driver wants several pairs.   [virtio 1.2, 5.1.2]
 */
#ifndef MOAT_DEVICES_NET_DEVICE_H
#define MOAT_DEVICES_NET_DEVICE_H

#include "core/loop.h"
#include "devices/net.h"
#include "devices/net/backend.h"
#include "devices/net/vhost.h"

/* Chains that one frame may take. */
#define NET_SLOTS_MAX 128
/* Pieces of host memory that one frame may lie in: a piece for each of the
 * queue's descriptors, and one more for each page boundary in between. */
#define NET_PIECES_MAX 544

/* What one turn of the loop moves in one direction of one pair, at most. */
#define NET_TURN_FRAMES 256
#define NET_TURN_BYTES	MIB(1)

/* A buffer of the guest's, and where it begins. */
struct net_slot {
	struct vq_chain *chain;
	struct vq_cursor start;
	uint64_t room; /* bytes, a header's among them */
};

/* The frame that is being received; nothing here holds guest memory. */
struct net_rx {
	struct net_slot slots[NET_SLOTS_MAX];
	unsigned nslots;
	uint64_t room; /* of all slots */
	uint64_t got;  /* bytes of the frame that are in slots */
	size_t over;   /* and behind them, in @spill */
	bool complete; /* all of it has come */
	bool begun;    /* some of it has */
	bool discard;  /* nobody wants it */
	bool starved;  /* no buffer is there: a kick tells of one */
	struct net_header_wire hdr;
	uint8_t *spill; /* NET_FRAME_MAX + 1 bytes */
};

struct net_tx {
	struct vq_chain *stuck; /* the backend had no room; NULL: none */
	uint8_t *rest;		/* of a frame it has in part; NET_FRAME_MAX */
	size_t rest_at, rest_end;
};

struct net_pair {
	struct net *net;
	unsigned index;
	struct loop_watch watch; /* of the backend's queue */
	uint32_t events;	 /* that it watches for */
	struct loop_watch room;	 /* if the backend tells of that apart */
	struct net_rx rx;
	struct net_tx tx;
	struct iovec iov[NET_PIECES_MAX + 2];
};

struct net {
	struct virtio_dev dev;
	struct net_backend *backend; /* NULL: none, and no link */
	struct net_pair *pairs;	     /* npairs of them */
	unsigned npairs, active;     /* that there are; in use */
	/* Who moves the frames while there is a link; NULL: we do. */
	struct net_vhost *vhost;
	bool link;
	unsigned mtu; /* that the driver is told of; 0: none */
	struct net_listener listener;
	uint8_t mac[NET_MAC_LEN]; /* at power-on */
	struct net_filter filter;
	struct net_stats stats;
};

static inline struct vq *net_rxq(struct net_pair *p)
{
	return &p->net->dev.vqs[2 * p->index];
}

static inline struct vq *net_txq(struct net_pair *p)
{
	return &p->net->dev.vqs[2 * p->index + 1];
}

/* Is there work to be done for @p? */
static inline bool net_pair_on(const struct net_pair *p)
{
	return p->net->dev.running && p->index < p->net->active;
}

/*
 * net_new_on - the device on any backend, which is its own from here on,
 * failure included.
 * net_new_vhost - the same with all of its frames moved by a server.
 * @vhost: for as many pairs as @backend has queues
 */
int net_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	       const uint8_t *mac, unsigned mtu, struct net_backend *backend,
	       struct err *err);
int net_new_vhost(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		  const uint8_t *mac, unsigned mtu, struct net_backend *backend,
		  struct net_vhost *vhost, struct err *err);

/* device.c */
/* The backend is lost: the link goes down, for good if it does not come
 * back. */
void net_lost(struct net *n, int error);
/* Watch for what the pair can make use of. */
void net_pair_watch(struct net_pair *p);
/* The backend's queue has something to say; as its watch does. */
void net_pair_run(struct net_pair *p);
/* The driver uses @n pairs.   Return: 0, -errno. */
int net_activate(struct net *n, unsigned active);
/* The driver's address, or filter, is another one. */
void net_set_mac(struct net *n, const uint8_t *mac);
void net_apply_filter(struct net *n);

/* rx.c */
/* Move frames to the guest until there are no more, or no buffers. */
void net_rx_run(struct net_pair *p);
/* Reset: buffers are given back, unused; so is what they have of a frame. */
void net_rx_drop(struct net_pair *p);

/* tx.c */
/* Move frames out until there are no more, or no room. */
void net_tx_run(struct net_pair *p);
/* Reset; the rest of a frame that the backend has in part stays. */
void net_tx_drop(struct net_pair *p);
static inline bool net_tx_waits(const struct net_pair *p)
{
	return p->tx.stuck || p->tx.rest_at < p->tx.rest_end;
}

/* control.c */
void net_control_run(struct net *n, struct vq *q);

#endif
