# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# ACPI with VIOT: a patched kernel takes that, and there is no topology to read.

guest() {
	check "there is VIOT" [ -e /sys/firmware/acpi/tables/VIOT ]
	check "there is no topology" logged 'topology: the device has no description'
	boot_evidence
}

kernel_version=patched
cell --iommu on
cell_shows DMA-FQ acpi
