# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# No firmware, all drivers built in: a patched kernel reads the topology itself.

guest() {
	check "there is no ACPI" [ ! -e /sys/firmware/acpi/tables ]
	check "nothing is a module" [ ! -s /modules/order ]
	check "the topology was read" logged '0000:00:01.0: topology: '
	tell_iommu "$(disk data)"
	tell reserved "$(cat "$(group_of "$(pci_of "$(disk data)")")/reserved_regions")"
	copy_disk data copy
}

kernel_version=patched
make_disk data
make_blank_disk copy
boot --describe none --iommu on,topology=v2,bypass=off --disk path=data.img,id=data --disk path=copy.img,id=copy
told_is type DMA-FQ
told_is endpoints '0000:00:03.0 0000:00:05.0 0000:00:06.0'
told_is reserved '0x00000000fee00000 0x00000000feefffff msi'
disk_was_copied data copy
iommu_was_used
