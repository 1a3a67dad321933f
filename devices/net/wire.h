/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire.h - what virtio-net and its driver say to each other.
 * [virtio 1.2, 5.1]
 */
#ifndef MOAT_DEVICES_NET_WIRE_H
#define MOAT_DEVICES_NET_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/le.h"

#define NET_F_CSUM	    0
#define NET_F_GUEST_CSUM    1
#define NET_F_MTU	    3
#define NET_F_MAC	    5
#define NET_F_GUEST_TSO4    7
#define NET_F_GUEST_TSO6    8
#define NET_F_GUEST_ECN	    9
#define NET_F_HOST_TSO4	    11
#define NET_F_HOST_TSO6	    12
#define NET_F_HOST_ECN	    13
#define NET_F_MRG_RXBUF	    15
#define NET_F_STATUS	    16
#define NET_F_CTRL_VQ	    17
#define NET_F_CTRL_RX	    18
#define NET_F_MQ	    22
#define NET_F_CTRL_MAC_ADDR 23

#define NET_MAC_LEN 6

/* Of the link. */
#define NET_S_LINK_UP 1

struct net_config_wire {
	uint8_t mac[NET_MAC_LEN];
	le16_t status;
	le16_t max_virtqueue_pairs;
	le16_t mtu;
};
static_assert(sizeof(struct net_config_wire) == 12, "[virtio 1.2, 5.1.4]");

/* In front of every frame.   [5.1.6] */
struct net_header_wire {
	uint8_t flags;
	uint8_t gso_type;
	le16_t hdr_len;
	le16_t gso_size;
	le16_t csum_start;
	le16_t csum_offset;
	le16_t num_buffers; /* to the driver alone */
};
static_assert(sizeof(struct net_header_wire) == 12, "[virtio 1.2, 5.1.6]");

#define NET_HDR_F_NEEDS_CSUM 1
#define NET_HDR_F_DATA_VALID 2

#define NET_GSO_NONE  0
#define NET_GSO_TCPV4 1
#define NET_GSO_TCPV6 4
#define NET_GSO_ECN   0x80 /* a flag beside the type */

/* The control queue; each command ends in a byte for the answer.
 * [5.1.6.5] */
struct net_ctrl_wire {
	uint8_t class;
	uint8_t command;
};
static_assert(sizeof(struct net_ctrl_wire) == 2, "[virtio 1.2, 5.1.6.5]");

#define NET_CTRL_OK  0
#define NET_CTRL_ERR 1

#define NET_CTRL_RX	     0
#define NET_CTRL_RX_PROMISC  0
#define NET_CTRL_RX_ALLMULTI 1

#define NET_CTRL_MAC	       1
#define NET_CTRL_MAC_TABLE_SET 0
#define NET_CTRL_MAC_ADDR_SET  1

#define NET_CTRL_MQ	      4
#define NET_CTRL_MQ_PAIRS_SET 0

#endif
