/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire.h - the description as it lies in the device.   (docs/topology.md)
 *
 * Little-endian integers are structs of bytes: they need no alignment, mean
 * the same on any processor, and do not mix with plain integers.
 */
#ifndef MOAT_GUEST_TOPOLOGY_WIRE_H
#define MOAT_GUEST_TOPOLOGY_WIRE_H

#include "topology.h"

/* clang-format off */
typedef struct { uint8_t b[2]; } topo_le16;
typedef struct { uint8_t b[4]; } topo_le32;
typedef struct { uint8_t b[8]; } topo_le64;
/* clang-format on */

static inline uint16_t topo_get16(topo_le16 v)
{
	return (uint16_t)(v.b[0] | v.b[1] << 8);
}

static inline uint32_t topo_get32(topo_le32 v)
{
	return v.b[0] | (uint32_t)v.b[1] << 8 | (uint32_t)v.b[2] << 16 |
	       (uint32_t)v.b[3] << 24;
}

static inline uint64_t topo_get64(topo_le64 v)
{
	uint64_t val = 0;
	unsigned n;

	for (n = 0; n < 8; n++)
		val |= (uint64_t)v.b[n] << 8 * n;
	return val;
}

/* Behind the fixed fields: at 36 (v2) or 48 (native). */
struct topo_config_wire {
	topo_le32 offset;
	topo_le32 num_items;
	topo_le32 item_length;
};

#define TOPO_AT_V2     36
#define TOPO_AT_NATIVE 48

struct topo_pci_wire {
	topo_le16 type;
	topo_le16 hierarchy;
	topo_le16 requester_start;
	topo_le16 requester_end;
	topo_le32 endpoint_start;
};

struct topo_mmio_wire {
	topo_le16 type;
	topo_le16 reserved; /* ignored */
	topo_le32 endpoint;
	topo_le64 address;
};

#endif
