# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# iommu.passthrough=1: the guest asks for an identity domain.

guest() {
	tell type "$(group_type "$(pci_of "$(disk data)")")"
	copy_disk data copy
}

cmdline='iommu.passthrough=1'
make_disk data
make_blank_disk copy
boot --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type identity
disk_was_copied data copy
(($(iommu_count attaches) > 0)) || fail "the IOMMU counted no attaches"
[ "$(iommu_count faults)" = 0 ] || fail "the IOMMU counted $(iommu_count faults) faults"
