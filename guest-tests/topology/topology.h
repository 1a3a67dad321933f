/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * topology.h - how a careful guest reads the topology that a virtio-iommu
 * carries in its configuration space.   (docs/topology.md)
 *
 * A pure library for any guest: no allocation, no I/O, no header but the
 * compiler's (or the Linux kernel's <linux/types.h>).  The caller copies the
 * bytes out of the device once, while config_generation stays the same, and
 * gives the copy; a device cannot change what has been checked.
 *
 *	256 bytes of PCI configuration space -> topo_find_structure
 *	the structure's bytes -> topo_parse -> topo_endpoint_of_pci, _of_mmio
 *
 * Nothing in the bytes is believed.  Either the whole description is good, or
 * nothing is written and the reason is told.
 *
 * Threads: any; no state.
 */
#ifndef MOAT_GUEST_TOPOLOGY_H
#define MOAT_GUEST_TOPOLOGY_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

/* A driver maps what it needs of a structure [virtio 1.2, 4.1.4.1]: of this one
 * Linux maps a page at most. */
#define TOPO_BYTES_MAX 4096
/* So many of the shorter items fit behind the shorter descriptor. */
#define TOPO_ITEMS_MAX ((TOPO_BYTES_MAX - 48) / 12)

/* Feature bits; 6 is BYPASS_CONFIG for a ratified device. */
#define TOPO_F_V2     6
#define TOPO_F_NATIVE 23

enum topo_result {
	TOPO_OK,
	/* The device has no description: it is an ordinary virtio-iommu. */
	TOPO_ABSENT,

	/* Refused: where the structure is. */
	TOPO_NO_CAPABILITIES,	/* the list is empty or not there */
	TOPO_LIST_BROKEN,	/* a pointer leads astray, or in circles */
	TOPO_NO_STRUCTURE,	/* no usable capability of that type */
	TOPO_STRUCTURE_OUTSIDE, /* not inside its BAR */

	/* Refused: the description as a whole. */
	TOPO_STRUCTURE_SHORT, /* ends before the descriptor does */
	TOPO_OFFSET_EARLY,    /* items begin inside the fixed fields */
	TOPO_OFFSET_ODD,      /* ... or are not 8-aligned */
	TOPO_LENGTH_SMALL,    /* an item is shorter than the shortest */
	TOPO_LENGTH_ODD,      /* ... or no multiple of 4 */
	TOPO_ITEMS_MANY,      /* more than could ever fit */
	TOPO_ITEMS_OUTSIDE,   /* the array runs out of the structure */

	/* Refused: an item. */
	TOPO_ITEM_CUT,	   /* its type is longer than item_length */
	TOPO_ITEM_REVERSE, /* the range ends before it begins */
	TOPO_ITEM_WRAPS,   /* its ids pass 2^32 */
	TOPO_ITEM_SELF,	   /* the IOMMU is its own endpoint */
	TOPO_PLACE_TWICE,  /* two items for a device */
	TOPO_ID_TWICE,	   /* two devices with an id */
	TOPO_RESULTS
};

/* What is wrong, as a clause without a full stop; static. */
const char *topo_reason(enum topo_result r);

enum topo_kind { TOPO_PCI = 1, TOPO_MMIO = 2 };

struct topo_item {
	enum topo_kind kind;
	uint32_t endpoint; /* id; of the first function in a range */
	/* TOPO_PCI: functions first to last, inclusive, as requester ids */
	uint16_t segment, first, last;
	/* TOPO_MMIO: first MMIO address of the device */
	uint64_t address;
};

/* About 11 KiB. */
struct topo_list {
	unsigned n;	  /* may be 0: the IOMMU manages nothing */
	unsigned skipped; /* items of unknown types */
	struct topo_item items[TOPO_ITEMS_MAX];
};

/* Where the IOMMU itself is. */
struct topo_self {
	enum topo_kind kind;
	uint16_t segment, requester; /* TOPO_PCI */
	uint64_t address;	     /* TOPO_MMIO */
};

/* Which items a refusal is about, counted from 0; else both 0. */
struct topo_where {
	unsigned item, other;
};

/*
 * topo_parse - check and read a description.
 * @bytes, @len: the device-specific structure, as long as its capability says
 * @features: what the device offers
 * @self: the IOMMU
 * @ret_t: written only with TOPO_OK
 * @ret_where: may be NULL
 *
 * Return: TOPO_OK, TOPO_ABSENT, or why the description is refused.
 */
enum topo_result topo_parse(struct topo_list *ret_t, const uint8_t *bytes,
			    size_t len, uint64_t features,
			    const struct topo_self *self,
			    struct topo_where *ret_where);

/* The endpoint id of a device.  Return: false if the IOMMU does not manage
 * it; the IOMMU itself never is. */
bool topo_endpoint_of_pci(const struct topo_list *t, uint16_t segment,
			  uint16_t requester, uint32_t *ret_endpoint);
bool topo_endpoint_of_mmio(const struct topo_list *t, uint64_t address,
			   uint32_t *ret_endpoint);

/* A structure of a virtio PCI function.   [virtio 1.2, 4.1.4] */
struct topo_structure {
	uint8_t bar; /* 0 to 5 */
	uint8_t cap; /* where the capability is */
	uint32_t offset, length;
};

#define TOPO_CFG_COMMON 1
#define TOPO_CFG_NOTIFY 2
#define TOPO_CFG_ISR	3
#define TOPO_CFG_DEVICE 4
#define TOPO_CFG_PCI	5 /* the window; its structure is nowhere */

/*
 * topo_find_structure - the first usable capability of @cfg_type.
 * @config: the first 256 bytes of the function's configuration space
 *
 * Return: TOPO_OK; TOPO_NO_CAPABILITIES, TOPO_LIST_BROKEN, TOPO_NO_STRUCTURE.
 */
enum topo_result topo_find_structure(const uint8_t config[256],
				     uint8_t cfg_type,
				     struct topo_structure *ret_s);

/*
 * topo_usable_length - how much of it may be read: what the capability says,
 * at most TOPO_BYTES_MAX.
 * @bar_size: of its BAR; 0 if that one is not memory or not assigned
 *
 * Return: TOPO_OK; TOPO_STRUCTURE_OUTSIDE.
 */
enum topo_result topo_usable_length(const struct topo_structure *s,
				    uint64_t bar_size, uint32_t *ret_length);

#endif
