# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A disk that is no PCI function is behind the IOMMU, by ACPI and VIOT.

guest() {
	device=$(readlink -f "/sys/block/$(disk data)/device/..")
	tell bus "$(basename "$(readlink -f "$device/subsystem")")"
	tell type "$(cat "$device/iommu_group/type")"
	tell endpoints "$(cd /sys/class/iommu/0000:00:01.0/devices && echo ./* | sed 's|\./||g')"
	copy_disk data copy
}

modules=(virtio-iommu virtio_mmio virtio_blk)
make_disk data
make_blank_disk copy
boot --iommu on --disk path=data.img,id=data,transport=mmio --disk path=copy.img,id=copy,transport=mmio
told_is bus platform
told_is type DMA-FQ
told_is endpoints '0000:00:03.0 LNRO0005:00 LNRO0005:01'
disk_was_copied data copy
iommu_was_used
