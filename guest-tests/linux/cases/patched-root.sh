# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# No firmware, no initrd: the root file system is on the protected disk.

guest() {
	tell_firmware
	tell root "$(awk '$2 == "/" { print $1, $3 }' /proc/mounts | tail -n 1)"
	tell_iommu "$(disk system)"
	check "no transfer of the disk went round the IOMMU" attached_first "$(pci_of "$(disk system)")" "$(disk system)"
	tell sum "$(sum "$(disk data)")"
	echo kept >/kept
	sync
}

kernel_version=patched
make_disk data
boot_from=disk
boot "${machine[@]---describe=none}" --iommu on,topology=v2 --disk path=system.img,id=system --disk path=data.img,id=data
told_is firmware "${firmware-none}"
told_is root '/dev/root ext4'
told_is type DMA-FQ
told_is endpoints '0000:00:03.0 0000:00:05.0 0000:00:06.0'
told_is sum "$(sum_of data)"
iommu_was_used
[ "$(debugfs -R 'cat /kept' system.img 2>/dev/null)" = kept ] || fail "what the guest wrote to its root is not there"
