# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# What the guest sees of the IOMMU: its device, endpoints, reserved region.

guest() {
	pci=$(pci_of "$(disk data)")
	set -- /sys/class/iommu/*
	check "there is one IOMMU" [ -e "$1" -a $# = 1 ]
	tell iommu "$(basename "$(readlink -f "$1/device/..")")"
	check "the disk is among its devices" [ -e "$1/devices/$pci" ]
	check "the rng is among its devices" [ -e "$1/devices/0000:00:03.0" ]
	tell devices "$(count "$1/devices"/*)"
	tell members "$(ls "$(group_of "$pci")/devices")"
	tell reserved "$(cat "$(group_of "$pci")/reserved_regions")"
	tell disk "$pci"
	check "the IOMMU itself is not managed" [ ! -e /sys/bus/pci/devices/0000:00:01.0/iommu_group ]
	tell sum "$(sum "$(disk data)")"
}

make_disk data
boot --disk path=data.img,id=data
told_is iommu 0000:00:01.0
told_is disk 0000:00:05.0
told_is devices 2
told_is members 0000:00:05.0
told_is reserved '0x00000000fee00000 0x00000000feefffff msi'
told_is sum "$(sum_of data)"
iommu_was_used
