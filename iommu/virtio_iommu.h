/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * virtio_iommu.h - the virtio-iommu device.   [virtio 1.2, 5.13]
 *
 * Queue 0 takes requests and is served on the vCPU that rang (inline_kick):
 * Linux spins on it with interrupts off.  Queue 1 carries faults.
 */
#ifndef MOAT_IOMMU_VIRTIO_IOMMU_H
#define MOAT_IOMMU_VIRTIO_IOMMU_H

#include "iommu/iommu.h"
#include "iommu/topology.h"
#include "virtio/device.h"

struct viommu_config {
	struct iommu *iommu;		       /* borrowed */
	const struct iommu_topology *topology; /* borrowed */
	enum iommu_topology_form form;
};

/*
 * viommu_new - the device; its own queues use env->dma, an identity view.
 * The topology is complete when this is called.
 *
 * Return: 0; -EINVAL for a topology that a careful guest would refuse;
 * -ENOMEM; -errno.
 */
int viommu_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	       const struct viommu_config *config, struct err *err);

#endif
