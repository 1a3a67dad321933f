# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A disk is removed and found again elsewhere: its BARs have moved.

guest() {
	disk=$(disk data) pci=$(pci_of "$disk")
	tell before "$(sum "$disk")"
	old=$(bars_of "$pci")
	# an alignment that no BAR has by chance, so that Linux has to move it
	echo "25@$pci" >/sys/bus/pci/resource_alignment
	echo 1 >"/sys/bus/pci/devices/$pci/remove"
	check "the disk is gone" [ ! -e "/sys/block/$disk" ]
	echo 1 >/sys/bus/pci/rescan
	disk=$(disk data)
	new=$(bars_of "$pci")
	tell bars "$old -> $new"
	check "its BARs have moved" [ "$old" != "$new" ]
	check "it is behind the IOMMU again" managed "$pci"
	tell after "$(sum "$disk")"
	copy_disk data copy
}

make_disk data
make_blank_disk copy
boot --iommu on --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is before "$(sum_of data)"
told_is after "$(sum_of data)"
disk_was_copied data copy
iommu_was_used
