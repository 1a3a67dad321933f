/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * topology.h - which endpoints an IOMMU manages, and where they are.
 *
 * One list feeds everything that describes the machine: the array in the
 * virtio-iommu's configuration space, the ACPI VIOT table and the device
 * tree's iommu-map.  It is complete before the guest runs and constant after.
 */
#ifndef MOAT_IOMMU_TOPOLOGY_H
#define MOAT_IOMMU_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum iommu_place { IOMMU_PLACE_PCI, IOMMU_PLACE_MMIO };

struct iommu_item {
	enum iommu_place place;
	uint32_t endpoint; /* id; of the first function in a range */
	union {
		struct {
			uint16_t segment;
			uint16_t first, last; /* requester ids, inclusive */
		} pci;
		struct {
			uint64_t address; /* first MMIO address */
		} mmio;
	};
};

struct iommu_topology {
	struct iommu_item *items;
	size_t n, cap;
};

/* How the virtio-iommu shows the list; see docs of `topology=`. */
enum iommu_topology_form {
	IOMMU_TOPOLOGY_NONE,   /* ratified device: not at all */
	IOMMU_TOPOLOGY_V2,     /* bit 6, descriptor at byte 36 */
	IOMMU_TOPOLOGY_NATIVE, /* bit 23, descriptor at byte 48 */
};

/* All items must end within the first 4 KiB of the configuration space. */
#define IOMMU_TOPOLOGY_STRIDE	 16
#define IOMMU_TOPOLOGY_ITEMS_MAX 250

void iommu_topology_init(struct iommu_topology *t);
void iommu_topology_fini(struct iommu_topology *t);

/*
 * iommu_topology_add_pci - add one function; a run of consecutive functions
 * with consecutive ids becomes one range.
 * iommu_topology_add_mmio - add an endpoint that is no PCI function.
 *
 * Return: 0; -EEXIST if function, address or id is described already;
 * -ENOSPC past IOMMU_TOPOLOGY_ITEMS_MAX; -ENOMEM; with a sentence.
 */
int iommu_topology_add_pci(struct iommu_topology *t, uint16_t segment,
			   uint16_t requester, uint32_t endpoint,
			   struct err *err);
int iommu_topology_add_mmio(struct iommu_topology *t, uint64_t address,
			    uint32_t endpoint, struct err *err);

/* The id of the last function in a range; item->endpoint for others. */
uint32_t iommu_item_last_endpoint(const struct iommu_item *item);

/*
 * iommu_topology_check - what a careful guest's parser would refuse.
 *
 * Ranges run forwards, ids do not overflow, nothing is described twice, and
 * there are no more than IOMMU_TOPOLOGY_ITEMS_MAX items.  An empty list is
 * fine: it says that the IOMMU manages nothing.
 *
 * Return: 0; -EINVAL with a sentence.
 */
int iommu_topology_check(const struct iommu_topology *t, struct err *err);

/*
 * iommu_topology_encode - the items as the 2020 patch's array.
 * @dst: n * IOMMU_TOPOLOGY_STRIDE bytes
 */
void iommu_topology_encode(const struct iommu_topology *t, uint8_t *dst);

#endif
