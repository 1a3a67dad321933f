/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Where a structure of a virtio PCI function is.   [virtio 1.2, 4.1.4]
 */
#include "topology.h"
#include "wire.h"

#define STATUS		0x06
#define STATUS_CAP_LIST 0x10
#define CAP_POINTER	0x34
#define CAPS_FIRST	0x40 /* none is inside the header */
#define CAPS_MAX	48   /* of 4 bytes, in what is left of 256 */
#define CAP_ID_VENDOR	0x09
#define CAP_STRUCTURE	16 /* bytes of struct virtio_pci_cap */
#define BAR_LAST	5

struct cap_wire {
	uint8_t id, next, len;
	uint8_t cfg_type, bar, struct_id, padding[2];
	topo_le32 offset, length;
};

_Static_assert(sizeof(struct cap_wire) == CAP_STRUCTURE, "[virtio 1.2, 4.1.4]");

static bool is_usable(const uint8_t *config, unsigned at, uint8_t cfg_type)
{
	const uint8_t *cap = config + at;

	return cap[0] == CAP_ID_VENDOR && cap[2] >= CAP_STRUCTURE &&
	       at + CAP_STRUCTURE <= 256 && cap[3] == cfg_type &&
	       cap[4] <= BAR_LAST;
}

static void read_cap(struct topo_structure *ret_s, const uint8_t *config,
		     unsigned at)
{
	struct cap_wire w;
	uint8_t *dst = (uint8_t *)&w;
	unsigned n;

	for (n = 0; n < sizeof(w); n++)
		dst[n] = config[at + n];
	*ret_s = (struct topo_structure){
		.bar = w.bar,
		.cap = (uint8_t)at,
		.offset = topo_get32(w.offset),
		.length = topo_get32(w.length),
	};
}

enum topo_result topo_find_structure(const uint8_t config[256],
				     uint8_t cfg_type,
				     struct topo_structure *ret_s)
{
	unsigned at = config[CAP_POINTER] & 0xfc, n;

	if (!(config[STATUS] & STATUS_CAP_LIST) || at == 0)
		return TOPO_NO_CAPABILITIES;
	for (n = 0; n < CAPS_MAX; n++) {
		if (at < CAPS_FIRST)
			return TOPO_LIST_BROKEN;
		if (is_usable(config, at, cfg_type)) {
			read_cap(ret_s, config, at);
			return TOPO_OK;
		}
		at = config[at + 1] & 0xfc;
		if (at == 0)
			return TOPO_NO_STRUCTURE;
	}
	return TOPO_LIST_BROKEN;
}

enum topo_result topo_usable_length(const struct topo_structure *s,
				    uint64_t bar_size, uint32_t *ret_length)
{
	if (s->length == 0 || s->offset % 4 ||
	    (uint64_t)s->offset + s->length > bar_size)
		return TOPO_STRUCTURE_OUTSIDE;
	*ret_length = s->length < TOPO_BYTES_MAX ? s->length : TOPO_BYTES_MAX;
	return TOPO_OK;
}
