# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# No firmware, all drivers built in: a patched kernel reads the topology itself.

guest() {
	check "nothing is a module" [ ! -s /modules/order ]
	check "the topology was read" logged '0000:00:01.0: topology: '
	tell reserved "$(cat "$(group_of "$(pci_of "$(disk data)")")/reserved_regions")"
	boot_evidence
}

kernel_version=patched
cell --describe none --iommu on,topology=v2,bypass=off
cell_shows DMA-FQ none
told_is reserved '0x00000000fee00000 0x00000000feefffff msi'
