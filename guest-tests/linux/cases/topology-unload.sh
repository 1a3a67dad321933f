# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The module may go once the disks are attached: they work on.

guest() {
	rmmod virtio_iommu_topology
	check "the module is gone" [ ! -e /sys/module/virtio_iommu_topology ]
	boot_evidence
}

take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
cell --describe none --iommu on
cell_shows DMA-FQ none
