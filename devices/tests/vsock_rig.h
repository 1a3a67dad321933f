/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vsock_rig.h - a virtio-vsock, the driver that speaks its packets, and
 * programs of the host.  What cannot fail in a correct test is asserted.
 */
#ifndef MOAT_DEVICES_TESTS_VSOCK_RIG_H
#define MOAT_DEVICES_TESTS_VSOCK_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/tests/dev_fixture.h"
#include "devices/vsock/private.h"

#define RIG_CID	      42
#define RIG_PORT      52   /* of the host's server */
#define RIG_GUEST     1024 /* the guest's port */
#define RIG_BUFFERS   64
#define RIG_BUFFER    3072u
#define RIG_PAYLOAD   (RIG_BUFFER - (unsigned)sizeof(struct vsock_header_wire))
#define RIG_TX_MAX    (256 * 1024u)
#define RIG_BUF_ALLOC (64 * 1024u)

struct rig {
	struct dev_fixture f;
	struct vsock *v;
	char dir[32], path[40], port_path[64];
	iova_t tx, rx[256]; /* the buffer of each head */
	/* What the guest says of its credit. */
	uint32_t buf_alloc, fwd_cnt;
	/* Where it says it is. */
	uint64_t cid;
	uint16_t type;
	uint32_t host_port, guest_port;
};

struct rig_packet {
	struct vsock_header_wire h;
	uint32_t len; /* of the payload, as it came */
	uint8_t data[RIG_PAYLOAD];
};

/* @ways: FIX_SCATTERED or not */
void rig_up(struct rig *r, unsigned ways);
void rig_down(struct rig *r);
/* After a reset: the driver again, without buffers. */
void rig_start(struct rig *r);
/* @n buffers for packets to the guest. */
void rig_post(struct rig *r, unsigned n);

/* A packet of the guest. */
void rig_send(struct rig *r, uint16_t op, uint32_t flags, const void *data,
	      uint32_t len);
/* The same, with any header and so many bytes of it and its payload. */
void rig_send_raw(struct rig *r, const struct vsock_header_wire *h,
		  const void *data, uint32_t len, uint32_t total);
struct vsock_header_wire rig_header(const struct rig *r, uint16_t op,
				    uint32_t flags, uint32_t len);
/* The next packet to the guest; its buffer is posted again. */
void rig_recv(struct rig *r, struct rig_packet *p);
/* The same, and it is @op. */
void rig_expect(struct rig *r, uint16_t op, struct rig_packet *p);
bool rig_is_silent(struct rig *r); /* now */

/* A server of the host at RIG_PORT. */
int rig_listen(struct rig *r, int backlog);
int rig_accept(int server);
/* A client of the host that has said @greeting. */
int rig_client(struct rig *r, const char *greeting);
/* What there is, as read(2) within seconds, but not interrupted. */
ssize_t rig_read_some(int fd, void *buf, size_t len);
/* All of it, within seconds; at the end of file 0. */
size_t rig_read(int fd, void *buf, size_t len);
/* A connection of the guest; returns the host's end. */
int rig_connect(struct rig *r, int server);
/* A connection of the host, to RIG_GUEST; returns the host's end. */
int rig_connect_back(struct rig *r);
unsigned rig_conns(struct rig *r);
/* There is a connection at least, and its time is over. */
void rig_time_out(struct rig *r);

#endif
