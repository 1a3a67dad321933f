/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iommus.h - the virtio-iommus of this machine and what they describe.
 */
#ifndef VIRTIO_IOMMU_TOPOLOGY_IOMMUS_H
#define VIRTIO_IOMMU_TOPOLOGY_IOMMUS_H

#include <linux/list.h>
#include <linux/pci.h>
#include <linux/virtio.h>

#include "topology.h"

struct topo_iommu {
	struct list_head link;
	struct pci_dev *pdev; /* a reference is held */
	struct device *vdev;  /* its virtio device; a reference is held */
	bool good;	      /* @list has been read */
	struct topo_list list;
};

extern struct list_head topo_iommus;

/*
 * topo_iommus_find - find all virtio-iommus, read what they describe, and give
 * those without a firmware node one of their own.
 *
 * The node is needed even where there is no description: virtio_iommu
 * registers its function's node with the core, and without one the core takes
 * every device for its client, which the driver does not survive.
 *
 * Return: how many there are, or -errno.
 */
int topo_iommus_find(void);
void topo_iommus_forget(void);

/* Has its driver been bound?  Then it takes endpoints. */
bool topo_iommu_bound(const struct topo_iommu *i);

#endif
