# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Boot matrix: ACPI, VIOT, stock kernel, no bypass from power-on.

guest() {
	boot_evidence
}

cell --iommu on,bypass=off
cell_shows DMA-FQ acpi
