# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Without the IOMMU a disk is read, written and flushed.

guest() {
	tell groups "$(count /sys/kernel/iommu_groups/*)"
	copy_disk data copy
}

make_disk data
make_blank_disk copy
boot --iommu off --disk path=data.img,id=data --disk path=copy.img,id=copy
disk_was_copied data copy
told_is groups 0
iommu_was_off
