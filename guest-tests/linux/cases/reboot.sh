# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A reboot starts the guest again, with all its devices.

guest() {
	disk=/dev/$(disk state)
	boot=$(dd if="$disk" bs=512 count=1 2>/dev/null | tr -d '\000')
	tell "boot-$boot" "$(group_type "$(pci_of "$(disk state)")")"
	[ "$boot" = 2 ] && return
	dd if=/dev/zero bs=512 count=1 2>/dev/null | { printf 2; cat; } | dd of="$disk" bs=512 count=1 conv=fsync 2>/dev/null
	reboot -f
	sleep 1000
}

make_blank_disk state
printf 1 | dd of=state.img conv=notrunc status=none
boot --no-reboot=off --iommu on --disk path=state.img,id=state
told_is boot-1 DMA-FQ
told_is boot-2 DMA-FQ
iommu_was_used
