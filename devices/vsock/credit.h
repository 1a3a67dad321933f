/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * credit.h - flow control of one connection.   [virtio 1.2, 5.10.6.3]
 *
 * Each side promises room for buf_alloc bytes, and counts in fwd_cnt those
 * that its reader has taken.  All counters run freely and wrap at 2^32;
 * nothing that the peer says makes a difference of them invalid.
 */
#ifndef MOAT_DEVICES_VSOCK_CREDIT_H
#define MOAT_DEVICES_VSOCK_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

struct vsock_credit {
	/* Bytes from the peer. */
	uint32_t alloc;	    /* what we have promised */
	uint32_t received;  /* so far */
	uint32_t forwarded; /* of them, those that have left us */
	uint32_t told;	    /* forwarded, as the peer knows it */
	/* Bytes to the peer. */
	uint32_t sent;
	uint32_t peer_alloc, peer_forwarded;
};

/* Bytes that the peer can take.  It may have taken its promise back, or have
 * forwarded what it never got: then none. */
static inline uint32_t vsock_credit_free(const struct vsock_credit *c)
{
	const uint32_t in_flight = c->sent - c->peer_forwarded;

	return in_flight < c->peer_alloc ? c->peer_alloc - in_flight : 0;
}

/* May it have sent @len more? */
static inline bool vsock_credit_allows(const struct vsock_credit *c,
				       uint32_t len)
{
	return len <= c->alloc - (c->received - c->forwarded);
}

/* Is what the peer knows worth an update of its own?  So that one who sends
 * without pause is not stopped: when half of the room seems used. */
static inline bool vsock_credit_stale(const struct vsock_credit *c)
{
	return c->forwarded != c->told && c->received - c->told >= c->alloc / 2;
}

#endif
