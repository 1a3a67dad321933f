# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The module goes before the IOMMU's driver came: the disks stay unused, until it is there again.

guest() {
	check "it was held back" logged '0000:00:05.0: waits for the driver of its IOMMU'
	rmmod virtio_iommu_topology
	check "the module says so" logged '0000:00:05.0: stays unused'
	check "nobody uses the disks" [ "$(count /sys/block/vd*)" = 0 ]
	insmod /modules/virtio_iommu_topology.ko
	insmod /modules/virtio-iommu.ko
	boot_evidence
}

take_topology_module virtio_iommu_topology virtio_blk
cell --describe none --iommu on
cell_shows DMA-FQ none
