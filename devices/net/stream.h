/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * stream.h - frames on a stream socket, the length of each in front of it: 32
 * bits, big-endian, as passt and QEMU's "-netdev stream" have it.
 */
#ifndef MOAT_DEVICES_NET_STREAM_H
#define MOAT_DEVICES_NET_STREAM_H

#include "devices/net/backend.h"

#define NET_STREAM_HEAD sizeof(be32_t)
/* Nothing on the way is made of wire. */
#define NET_STREAM_MTU 65520

/* A backend without offloads and with one queue; embedded in whoever knows
 * what is at the other end. */
struct net_stream {
	struct net_backend backend;
	int fd;		   /* owned */
	be32_t head;	   /* the next length, as far as it is here */
	unsigned head_len; /* bytes of that */
	size_t left;	   /* of the frame that is being received */
	be32_t out_head;   /* the length of the frame that is being sent */
	unsigned out_left; /* bytes of that which have not gone */
};

/* @fd: taken, and non-blocking from here on.  Return: 0, -errno. */
int net_stream_init(struct net_stream *s, int fd);
void net_stream_fini(struct net_stream *s);

/* For the table of functions of whoever embeds it. */
ssize_t net_stream_incoming(struct net_backend *b, unsigned q);
ssize_t net_stream_receive(struct net_backend *b, unsigned q, struct iovec *iov,
			   unsigned n, struct net_header_wire *hdr,
			   bool *ret_end);
ssize_t net_stream_send(struct net_backend *b, unsigned q, struct iovec *iov,
			unsigned n, size_t len,
			const struct net_header_wire *hdr);
ssize_t net_stream_send_rest(struct net_backend *b, unsigned q,
			     const uint8_t *buf, size_t len);

#endif
