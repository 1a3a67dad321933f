/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * conn.h - one connection of a virtio-vsock: a socket of the host, the credit
 * of both sides, and what is on its way to the host.
 *
 * A connection knows nothing of queues.  What it has to say to the guest are
 * bits in @due, or bytes that wait in its socket (@readable); its device
 * asks for them when the guest has a buffer.  Bytes to the host go to the
 * socket at once as far as it takes them, and wait in memory of ours beyond
 * that, never in the guest's: as many as the credit allows.
 *
 * Threads: under the device's lock.
 */
#ifndef MOAT_DEVICES_VSOCK_CONN_H
#define MOAT_DEVICES_VSOCK_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bits.h"
#include "core/list.h"
#include "core/loop.h"
#include "devices/vsock/credit.h"

/* What one is promised: a power of two. */
#define VSOCK_BUF_ALLOC KIB(256)
#define VSOCK_BUF_LEAST KIB(2)
/* Waiting bytes of all connections of a device together. */
#define VSOCK_WAITING_MAX MIB(64)

enum conn_state {
	CONN_GREETING,	/* a client of the host that has not said CONNECT */
	CONN_REQUESTED, /* the guest has been asked */
	CONN_DIALLING,	/* by the guest, to a server of the host that is busy */
	CONN_OPEN,
	CONN_CLOSING,	/* both directions; the guest has to confirm */
	CONN_LINGERING, /* the guest knows it no more, the host reads the rest */
	CONN_RESETTING, /* has no socket any more, the guest has to be told */
};

/* What there is to say to the guest, in the order of saying it. */
#define CONN_DUE_RST	  BIT(0)
#define CONN_DUE_REQUEST  BIT(1)
#define CONN_DUE_RESPONSE BIT(2)
#define CONN_DUE_UPDATE	  BIT(3)
#define CONN_DUE_ASK	  BIT(4) /* for its credit */
#define CONN_DUE_SHUTDOWN BIT(5)

struct iovec;
struct vsock_conn;

/* Its device.  All but greeting() and over() leave it as it is; serve() and
 * greeting() are called on the loop. */
struct vsock_conn_ops {
	/* It has something for the guest; to be remembered. */
	void (*wants)(struct vsock_conn *c);
	/* The socket has had its turn: what is remembered may be said. */
	void (*serve)(struct vsock_conn *c);
	/* Its state is one that may not last. */
	void (*waits)(struct vsock_conn *c);
	/* GREETING, and there is something to read.  May end it. */
	void (*greeting)(struct vsock_conn *c);
	/* LINGERING, and the host has all; ends it. */
	void (*over)(struct vsock_conn *c);
};

struct vsock_conn {
	const struct vsock_conn_ops *ops;
	void *owner; /* for its ops */
	enum conn_state state;
	uint32_t host_port, guest_port;
	int fd; /* of the host's socket; -1: none */
	struct loop_watch watch;
	uint32_t events; /* of the watch */
	bool readable;	 /* the socket may have bytes, or an end */
	bool hung_up;	 /* it takes no more */
	bool asked;	 /* for credit, and not answered */
	unsigned due;
	unsigned peer_shut; /* VSOCK_SHUTDOWN_: what the guest does no more */
	unsigned shut;	    /* ... and what the host does no more */
	struct vsock_credit credit;

	/* Bytes for the host, a ring. */
	uint8_t *buf;
	uint32_t cap, at, len;
	uint64_t *waiting; /* the device's sum of all caps */

	/* The device's. */
	uint64_t deadline_ms;
	struct list node, hash_node, send_node, timed_node;
};

/*
 * The loop may be looking at a connection's watch when another thread closes
 * it, so its memory stays until a function on the loop frees it, or nobody
 * runs the loop any more.
 */

/*
 * @promise: bytes that it takes from the guest and keeps for the host
 *
 * Return: zeroed but for what is given, lists included; NULL: no memory.
 */
struct vsock_conn *conn_new(const struct vsock_conn_ops *ops, void *owner,
			    uint64_t *waiting, uint32_t promise,
			    enum conn_state state);
/* It has been closed. */
void conn_free(struct vsock_conn *c);
/* Closes the socket, if there is one. */
void conn_close(struct vsock_conn *c);
/*
 * conn_adopt - the connection gets its socket.
 * @fd: the connection's from now on
 *
 * Return: 0; -errno.
 */
int conn_adopt(struct vsock_conn *c, struct loop *loop, pthread_mutex_t *lock,
	       int fd);
void conn_set_state(struct vsock_conn *c, enum conn_state state);

/*
 * Bytes for the host; the credit allows them.
 *
 * conn_send_now() gives the socket what it takes, without a copy, and returns
 * how much that was; the rest is conn_send()'s.
 *
 * Return of conn_send(): 0; -ENOBUFS if there is no room.
 */
uint32_t conn_send_now(struct vsock_conn *c, const struct iovec *iov,
		       unsigned n);
int conn_send(struct vsock_conn *c, const uint8_t *src, uint32_t len);

/* The guest's SHUTDOWN. */
void conn_peer_shutdown(struct vsock_conn *c, unsigned flags);
/* The guest knows it no more: bytes that wait still reach the host.  May end
 * it. */
void conn_peer_gone(struct vsock_conn *c);

/* How many bytes the guest takes now.  0: none, or there are none; asks for
 * credit if it is that. */
uint32_t conn_may_read(struct vsock_conn *c);
/*
 * conn_read - from the host, for the guest: at most conn_may_read() bytes.
 * Return: bytes; 0 if there are none, now or ever.
 */
uint32_t conn_read(struct vsock_conn *c, const struct iovec *iov, unsigned n);

#endif
