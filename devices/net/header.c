/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/header.h"

#include "core/bits.h"

#define ETHERNET_LEN 14
#define TCP_LEN	     20 /* without options */
#define TCP_CSUM_AT  16

static bool has(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

uint64_t net_usable_offloads(uint64_t f)
{
	const uint64_t in =
		BIT_ULL(NET_F_GUEST_TSO4) | BIT_ULL(NET_F_GUEST_TSO6);
	const uint64_t out =
		BIT_ULL(NET_F_HOST_TSO4) | BIT_ULL(NET_F_HOST_TSO6);

	f &= NET_OFFLOADS;
	if (!has(f, NET_F_GUEST_CSUM))
		f &= ~in;
	if (!has(f, NET_F_CSUM))
		f &= ~out;
	if (!(f & in))
		f &= ~BIT_ULL(NET_F_GUEST_ECN);
	if (!(f & out))
		f &= ~BIT_ULL(NET_F_HOST_ECN);
	return f;
}

/* Two bytes within the frame, and not in Ethernet's header. */
static bool csum_ok(const struct net_header_wire *h, size_t len)
{
	const size_t start = le16_get(h->csum_start);

	return start >= ETHERNET_LEN &&
	       start + le16_get(h->csum_offset) + 2 <= len;
}

/* Each segment needs its checksum, so there has to be one.
 * [virtio 1.2, 5.1.6.2.1] */
static bool gso_ok(const struct net_header_wire *h, uint64_t features,
		   size_t len)
{
	const uint8_t type = h->gso_type & (uint8_t)~NET_GSO_ECN;

	if (type == NET_GSO_TCPV4
		    ? !has(features, NET_F_HOST_TSO4)
		    : type != NET_GSO_TCPV6 || !has(features, NET_F_HOST_TSO6))
		return false;
	if (h->gso_type & NET_GSO_ECN && !has(features, NET_F_HOST_ECN))
		return false;
	return h->flags == NET_HDR_F_NEEDS_CSUM && le16_get(h->gso_size) > 0 &&
	       le16_get(h->csum_offset) == TCP_CSUM_AT &&
	       (size_t)le16_get(h->csum_start) + TCP_LEN <= len;
}

bool net_header_check(struct net_header_wire *h, uint64_t features, size_t len)
{
	h->flags &= NET_HDR_F_NEEDS_CSUM;
	h->num_buffers = le16_put(0);
	if (!h->flags) {
		h->csum_start = h->csum_offset = le16_put(0);
	} else if (!has(features, NET_F_CSUM) || !csum_ok(h, len)) {
		return false;
	}
	if (h->gso_type == NET_GSO_NONE) {
		h->gso_size = h->hdr_len = le16_put(0);
		return true;
	}
	if (!gso_ok(h, features, len))
		return false;
	/* A hint, and not to be trusted. */
	if (le16_get(h->hdr_len) > len)
		h->hdr_len = le16_put((uint16_t)len);
	return true;
}

bool net_header_fits(const struct net_header_wire *h, uint64_t features)
{
	const uint8_t type = h->gso_type & (uint8_t)~NET_GSO_ECN;

	if (h->flags & NET_HDR_F_NEEDS_CSUM && !has(features, NET_F_GUEST_CSUM))
		return false;
	if (h->gso_type == NET_GSO_NONE)
		return true;
	if (h->gso_type & NET_GSO_ECN && !has(features, NET_F_GUEST_ECN))
		return false;
	return (type == NET_GSO_TCPV4 && has(features, NET_F_GUEST_TSO4)) ||
	       (type == NET_GSO_TCPV6 && has(features, NET_F_GUEST_TSO6));
}

/* What is a driver's feature when it sends is another when it receives. */
static uint64_t sending(uint64_t features)
{
	static const struct {
		unsigned in, out;
	} pairs[] = {
		{NET_F_GUEST_CSUM, NET_F_CSUM},
		{NET_F_GUEST_TSO4, NET_F_HOST_TSO4},
		{NET_F_GUEST_TSO6, NET_F_HOST_TSO6},
		{NET_F_GUEST_ECN, NET_F_HOST_ECN},
	};
	uint64_t f = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (has(features, pairs[i].in))
			f |= BIT_ULL(pairs[i].out);
	}
	return f;
}

bool net_header_check_in(struct net_header_wire *h, uint64_t features,
			 size_t len)
{
	const uint8_t valid = h->flags & NET_HDR_F_DATA_VALID;

	if (!net_header_check(h, sending(features), len))
		return false;
	if (valid && !h->flags && has(features, NET_F_GUEST_CSUM))
		h->flags = NET_HDR_F_DATA_VALID;
	return true;
}
