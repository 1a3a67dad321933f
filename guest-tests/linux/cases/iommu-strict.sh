# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# iommu.strict=1: every buffer is unmapped before the driver goes on.

guest() {
	tell type "$(group_type "$(pci_of "$(disk data)")")"
	copy_disk data copy
}

cmdline='iommu.strict=1'
make_disk data
make_blank_disk copy
boot --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type DMA
disk_was_copied data copy
iommu_was_used
(($(iommu_count unmaps) > 0)) || fail "the IOMMU counted no unmaps"
