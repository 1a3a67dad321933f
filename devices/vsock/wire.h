/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire.h - virtio-vsock's configuration, packets and events.
 * [virtio 1.2, 5.10]
 */
#ifndef MOAT_DEVICES_VSOCK_WIRE_H
#define MOAT_DEVICES_VSOCK_WIRE_H

#include <assert.h>

#include "core/le.h"

#define VSOCK_QUEUE_RX	  0 /* to the driver */
#define VSOCK_QUEUE_TX	  1
#define VSOCK_QUEUE_EVENT 2

#define VSOCK_CID_HOST 2

struct vsock_config_wire {
	le64_t guest_cid;
};
static_assert(sizeof(struct vsock_config_wire) == 8, "[virtio 1.2, 5.10.4]");

/* The payload stands behind it.  No number in it is aligned past 4 bytes. */
struct vsock_header_wire {
	le32_t src_cid, src_cid_high;
	le32_t dst_cid, dst_cid_high;
	le32_t src_port, dst_port;
	le32_t len; /* of the payload */
	le16_t type, op;
	le32_t flags;
	le32_t buf_alloc, fwd_cnt; /* the sender's credit */
};
static_assert(sizeof(struct vsock_header_wire) == 44, "[virtio 1.2, 5.10.6]");

#define VSOCK_TYPE_STREAM 1

#define VSOCK_OP_REQUEST	1
#define VSOCK_OP_RESPONSE	2
#define VSOCK_OP_RST		3
#define VSOCK_OP_SHUTDOWN	4
#define VSOCK_OP_RW		5
#define VSOCK_OP_CREDIT_UPDATE	6
#define VSOCK_OP_CREDIT_REQUEST 7

/* Flags of SHUTDOWN: the sender will not ... any more. */
#define VSOCK_SHUTDOWN_RECEIVE 1u
#define VSOCK_SHUTDOWN_SEND    2u
#define VSOCK_SHUTDOWN_BOTH    3u

struct vsock_event_wire {
	le32_t id;
};
static_assert(sizeof(struct vsock_event_wire) == 4, "[virtio 1.2, 5.10.6.7]");

#define VSOCK_EVENT_TRANSPORT_RESET 0

#endif
