# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A disk that is no PCI function is behind the IOMMU, by ACPI and VIOT.

guest() {
	device=$(readlink -f "/sys/block/$(disk data)/device/..")
	tell bus "$(basename "$(readlink -f "$device/subsystem")")"
	tell type "$(cat "$device/iommu_group/type")"
	check "it is among the IOMMU's devices" [ -e "/sys/class/iommu/0000:00:01.0/devices/$(basename "$device")" ]
	copy_disk data copy
}

modules=(virtio-iommu virtio_mmio virtio_blk)
make_disk data
make_blank_disk copy
boot --iommu on --disk path=data.img,id=data,transport=mmio --disk path=copy.img,id=copy,transport=mmio
told_is bus platform
told_is type DMA-FQ
disk_was_copied data copy
iommu_was_used
