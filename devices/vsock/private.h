/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * private.h - the virtio-vsock device from inside: device.c (queues, packets to
 * the guest), guest.c (packets from it), host.c (sockets), conns.c (all
 * connections, and time).
 *
 * Bounded: connections by VSOCK_CONNS_MAX, bytes that wait by
 * VSOCK_WAITING_MAX (no more is promised), answers to packets that belong to
 * no connection by VSOCK_RESETS_MAX; when these are full no packet is taken
 * from the guest until it has made room.   [virtio 1.2, 5.10.6.1]
 */
#ifndef MOAT_DEVICES_VSOCK_PRIVATE_H
#define MOAT_DEVICES_VSOCK_PRIVATE_H

#include "core/bits.h"
#include "core/socket.h"
#include "devices/vsock.h"
#include "devices/vsock/conn.h"
#include "devices/vsock/wire.h"

#define VSOCK_CONNS_MAX	 16384
#define VSOCK_RESETS_MAX 64
#define VSOCK_BUCKETS	 1024

/* An RST for a packet that belongs to no connection. */
struct vsock_reset {
	uint32_t cid; /* the one the guest has tried to reach */
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct vsock {
	struct virtio_dev dev;
	uint32_t cid;
	struct vq_chain *spare; /* of the rx queue, not yet used; NULL: none */
	bool tx_stopped;	/* no room for answers */
	bool event_due;		/* connections of an earlier life are gone */

	/* conns.c */
	struct list conns; /* all */
	unsigned nconns, ndialling;
	struct list dead; /* closed, not yet freed: conn.h */
	unsigned ndead;
	struct list buckets[VSOCK_BUCKETS];
	uint64_t hash_key;
	struct list sending; /* that have something for the guest */
	struct list timed;   /* whose state may not last */
	struct loop_timer timer;
	uint64_t tick_ms;	  /* the timer is set to it; 0: it is not */
	uint64_t waiting;	  /* bytes of their buffers */
	uint64_t promised;	  /* of them, at most, beyond the least */
	uint64_t opened, refused; /* counted */
	struct vsock_reset resets[VSOCK_RESETS_MAX];
	unsigned first_reset, nresets;

	/* host.c */
	struct socket_server server;
	struct loop_watch listening;
	bool deaf; /* the host had no descriptors: listens again later */
	uint32_t next_port;
	char path[VSOCK_PATH_MAX + 1];
};

static inline struct vsock *to_vsock(struct virtio_dev *d)
{
	return container_of(d, struct vsock, dev);
}

/*
 * conns.c
 */
void vsock_conns_init(struct vsock *v);
int vsock_conns_start(struct vsock *v, struct err *err);
/* Drops all. */
void vsock_conns_clear(struct vsock *v);
/* ... and the clock stops. */
void vsock_conns_stop(struct vsock *v);
/* The loop is done with them. */
void vsock_conns_fini(struct vsock *v);
/* NULL: too many, or no memory. */
struct vsock_conn *vsock_conn_make(struct vsock *v, enum conn_state state);
void vsock_conn_drop(struct vsock_conn *c);
/* It has its ports: packets of the guest find it. */
void vsock_conn_enter(struct vsock *v, struct vsock_conn *c);
struct vsock_conn *vsock_conn_find(struct vsock *v, uint32_t host_port,
				   uint32_t guest_port);
/* Close it, and tell the guest. */
void vsock_conn_reset(struct vsock_conn *c);
/* Is there room for another?  If not, tx stops. */
bool vsock_resets_full(const struct vsock *v);
void vsock_reset_add(struct vsock *v, const struct vsock_reset *r);
/* The clock runs from now on, if there is anything to wait for. */
void vsock_tick_soon(struct vsock *v);

/*
 * device.c
 */
/* Packets to the guest, as many as it has buffers for. */
void vsock_serve(struct vsock *v);

/*
 * guest.c
 */
/* What is in the tx queue. */
void vsock_take_packets(struct vsock *v);

/*
 * host.c
 */
int vsock_host_init(struct vsock *v, const struct vsock_config *config,
		    struct err *err);
void vsock_host_fini(struct vsock *v);
/* New clients are taken or not. */
void vsock_host_listen(struct vsock *v, bool on);
/* The guest's connection @c to a server; leaves it open, dialling or
 * resetting. */
void vsock_host_dial(struct vsock *v, struct vsock_conn *c);
/* A client of the host has said something. */
void vsock_host_greeting(struct vsock *v, struct vsock_conn *c);
/* The guest has accepted the client. */
void vsock_host_accepted(struct vsock *v, struct vsock_conn *c);

#endif
