/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * endpoints.h - PCI functions that a description names.
 */
#ifndef VIRTIO_IOMMU_TOPOLOGY_ENDPOINTS_H
#define VIRTIO_IOMMU_TOPOLOGY_ENDPOINTS_H

#include "iommus.h"

/* The IOMMU that manages @pdev or one of the ids it may use; NULL: none. */
struct topo_iommu *topo_endpoint_iommu(struct pci_dev *pdev);

/*
 * topo_endpoint_give - tell the core which IOMMU and ids @pdev has.
 *
 * Return: 0; -EPROBE_DEFER before the IOMMU's driver has registered; -errno.
 */
int topo_endpoint_give(struct pci_dev *pdev, struct topo_iommu *i);

/* Of the rest one at a time; the caller sees to that. */

/* Keep endpoints that nobody uses yet from being used untranslated. */
void topo_endpoints_hold_back(void);
/* Hand over all endpoints of IOMMUs that have a driver. */
void topo_endpoints_hand_over(void);
/* Forget those that still wait.  Their drivers do not get them back: what they
 * would transfer reaches nothing, or goes round the IOMMU. */
void topo_endpoints_let_go(void);

#endif
