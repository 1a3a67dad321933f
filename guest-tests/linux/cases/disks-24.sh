# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# 24 disks, each with its own bytes, place and IOMMU group.

guest() {
	for n in $(seq 24); do
		disk=$(disk "disk$n")
		check "disk $n is managed" managed "$(pci_of "$disk")"
		tell "sum-$n" "$(sum "$disk")"
		tell "pci-$n" "$(pci_of "$disk")"
	done
	tell groups "$(count /sys/kernel/iommu_groups/*)"
}

options=()
for n in {1..24}; do
	make_disk "disk$n" 64K
	options+=(--disk "path=disk$n.img,id=disk$n")
done
boot --iommu on "${options[@]}"
for n in {1..24}; do
	told_is "sum-$n" "$(sum_of "disk$n")"
	told_is "pci-$n" "$(printf '0000:00:%02x.0' $((4 + n)))"
done
told_is groups 25
iommu_was_used
