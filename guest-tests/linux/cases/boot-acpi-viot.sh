# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: ACPI, VIOT, stock kernel.

guest() {
	boot_evidence
}

cell --iommu on,bypass=on
cell_shows DMA-FQ acpi
