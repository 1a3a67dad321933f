# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# The module first, then the disk's driver: the disk waits for its IOMMU.

guest() {
	tell_iommu "$(disk data)"
	copy_disk data copy
	check "it was held back" logged 'waits for the driver of its IOMMU'
}

take_topology_module virtio_iommu_topology virtio_blk virtio-iommu
make_disk data
make_blank_disk copy
boot --describe none --iommu on --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type DMA-FQ
disk_was_copied data copy
iommu_was_used
