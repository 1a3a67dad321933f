/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * header.h - is what the guest says about a frame true enough to act on it, and
 * is what the host says any use to the guest?
 */
#ifndef MOAT_DEVICES_NET_HEADER_H
#define MOAT_DEVICES_NET_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/net/wire.h"

/* The offloads that a frame's header can ask for. */
#define NET_OFFLOADS                                             \
	(BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_GUEST_CSUM) |       \
	 BIT_ULL(NET_F_GUEST_TSO4) | BIT_ULL(NET_F_GUEST_TSO6) | \
	 BIT_ULL(NET_F_GUEST_ECN) | BIT_ULL(NET_F_HOST_TSO4) |   \
	 BIT_ULL(NET_F_HOST_TSO6) | BIT_ULL(NET_F_HOST_ECN))

/* Those of @features that a driver can use: each rests on another.
 * [virtio 1.2, 5.1.3.1] */
uint64_t net_usable_offloads(uint64_t features);

/*
 * net_header_check - may a frame of @len bytes be sent with @h?
 * @features: the negotiated ones
 *
 * All that the rules let a device ignore is set to 0 or to what it must be,
 * so what is left lies within the frame.   [virtio 1.2, 5.1.6.2]
 *
 * Return: false if the frame is to be dropped.
 */
bool net_header_check(struct net_header_wire *h, uint64_t features, size_t len);

/*
 * net_header_fits - can the driver make use of a frame that came with @h?  The
 * host may have put it into its queue for one that could do more.
 * [virtio 1.2, 5.1.6.4.1]
 *
 * Return: false if the frame is to be dropped.
 */
bool net_header_fits(const struct net_header_wire *h, uint64_t features);

/* The same of a frame to the guest, from another process.
 * [virtio 1.2, 5.1.6.4.1] */
bool net_header_check_in(struct net_header_wire *h, uint64_t features,
			 size_t len);

#endif
