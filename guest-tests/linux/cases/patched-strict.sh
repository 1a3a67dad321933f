# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# No firmware, iommu.strict=1: every buffer is unmapped before the driver goes on.

guest() {
	tell_iommu "$(disk data)"
	copy_disk data copy
}

kernel_version=patched
cmdline='iommu.strict=1'
make_disk data
make_blank_disk copy
boot --describe none --iommu on --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type DMA
disk_was_copied data copy
iommu_was_used
(($(iommu_count unmaps) > 0)) || fail "the IOMMU counted no unmaps"
