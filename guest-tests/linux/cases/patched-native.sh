# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# ACPI that says nothing of the IOMMU: a patched kernel reads the native form.

guest() {
	check "there is ACPI" [ -e /sys/firmware/acpi/tables/DSDT ]
	check "there is no VIOT" [ ! -e /sys/firmware/acpi/tables/VIOT ]
	tell_iommu "$(disk data)"
	copy_disk data copy
}

kernel_version=patched
make_disk data
make_blank_disk copy
boot --viot off --iommu on,topology=native --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type DMA-FQ
told_is endpoints '0000:00:03.0 0000:00:05.0 0000:00:06.0'
disk_was_copied data copy
iommu_was_used
