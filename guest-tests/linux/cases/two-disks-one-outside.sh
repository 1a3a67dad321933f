# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Of two disks one is behind the IOMMU, one outside; both are right.

guest() {
	check "the disk inside has a group" managed "$(pci_of "$(disk inside)")"
	check "the disk outside has no group" [ "$(group_type "$(pci_of "$(disk outside)")")" = none ]
	copy_disk inside outside
}

make_disk inside
make_blank_disk outside
boot --iommu on --disk path=inside.img,id=inside --disk path=outside.img,id=outside,iommu=off
disk_was_copied inside outside
iommu_was_used
