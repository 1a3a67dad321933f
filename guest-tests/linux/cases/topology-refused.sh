# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A wrong topology is refused with its reason, and the guest goes on.

guest() {
	check "the reason is in the log" logged 'topology refused: the IOMMU is its own endpoint'
	check "the driver is bound" [ -e /sys/class/iommu/0000:00:01.0 ]
	check "it has no endpoints" [ "$(count /sys/class/iommu/0000:00:01.0/devices/*)" = 0 ]
	tell sum "$(sum "$(disk data)")"
}

take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
wrapper=(env MOAT_TEST=topology=item-self)
make_disk data
boot --describe none --iommu on --disk path=data.img,id=data,iommu=off
moat_says 'wrong on purpose'
told_is sum "$(sum_of data)"
