# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# ACPI that says nothing of the IOMMU: a patched kernel reads the native form.

guest() {
	check "there is ACPI" [ -e /sys/firmware/acpi/tables/DSDT ]
	check "there is no VIOT" [ ! -e /sys/firmware/acpi/tables/VIOT ]
	boot_evidence
}

kernel_version=patched
cell --viot off --iommu on,topology=native
cell_shows DMA-FQ acpi
