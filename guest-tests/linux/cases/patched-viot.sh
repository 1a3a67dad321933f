# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# ACPI with VIOT: a patched kernel takes that, and there is no topology to read.

guest() {
	check "there is VIOT" [ -e /sys/firmware/acpi/tables/VIOT ]
	check "there is no topology" logged 'topology: the device has no description'
	tell_iommu "$(disk data)"
	copy_disk data copy
}

kernel_version=patched
make_disk data
make_blank_disk copy
boot --iommu on --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type DMA-FQ
disk_was_copied data copy
iommu_was_used
