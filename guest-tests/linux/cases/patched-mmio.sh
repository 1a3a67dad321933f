# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# No firmware: virtio-mmio disks of the command line are behind the IOMMU.

guest() {
	check "there is no ACPI" [ ! -e /sys/firmware/acpi/tables ]
	device=$(readlink -f "/sys/block/$(disk data)/device/..")
	tell bus "$(basename "$(readlink -f "$device/subsystem")")"
	tell type "$(cat "$device/iommu_group/type")"
	tell endpoints "$(cd /sys/class/iommu/0000:00:01.0/devices && echo ./* | sed 's|\./||g')"
	copy_disk data copy
}

kernel_version=patched
make_disk data
make_blank_disk copy
boot --describe none --iommu on --disk path=data.img,id=data,transport=mmio --disk path=copy.img,id=copy,transport=mmio
told_is bus platform
told_is type DMA-FQ
told_is endpoints '0000:00:03.0 virtio-mmio.0 virtio-mmio.1'
disk_was_copied data copy
iommu_was_used
