# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A disk behind the IOMMU is read, written and flushed.

guest() {
	check "the disk has an IOMMU group" managed "$(pci_of "$(disk data)")"
	copy_disk data copy
}

make_disk data 4M
make_blank_disk copy 4M
boot --iommu on --disk path=data.img,id=data --disk path=copy.img,id=copy
disk_was_copied data copy
iommu_was_used
