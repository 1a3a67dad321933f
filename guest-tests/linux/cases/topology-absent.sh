# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# An IOMMU that nobody describes: the module keeps its driver from crashing.

guest() {
	check "the module says so" logged 'topology: the device has no description'
	check "the driver is bound" [ -e /sys/class/iommu/0000:00:01.0 ]
	check "it has no endpoints" [ "$(count /sys/class/iommu/0000:00:01.0/devices/*)" = 0 ]
	tell sum "$(sum "$(disk data)")"
}

take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
make_disk data
boot --describe none --iommu on,topology=none --disk path=data.img,id=data,iommu=off
told_is sum "$(sum_of data)"
