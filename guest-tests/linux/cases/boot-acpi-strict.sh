# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: ACPI, VIOT, stock kernel, iommu.strict=1.

guest() {
	boot_evidence
}

cmdline='iommu.strict=1'
cell --iommu on,bypass=on
cell_shows DMA acpi
(($(iommu_count unmaps) > 0)) || fail "the IOMMU counted no unmaps"
