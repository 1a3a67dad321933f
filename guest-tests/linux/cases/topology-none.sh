# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# No firmware at all: a module reads the topology from the IOMMU itself.

guest() {
	check "there is no ACPI" [ ! -e /sys/firmware/acpi/tables ]
	tell_iommu "$(disk data)"
	copy_disk data copy
}

take_topology_module virtio_iommu_topology virtio-iommu virtio_blk
make_disk data
make_blank_disk copy
boot --describe none --iommu on --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type DMA-FQ
told_is endpoints '0000:00:03.0 0000:00:05.0 0000:00:06.0'
disk_was_copied data copy
iommu_was_used
