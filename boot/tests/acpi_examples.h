/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * acpi_examples.h - two machines, one with everything, one with nothing that
 * could be left out; their tables as text are in acpi/.
 */
#ifndef MOAT_BOOT_TESTS_ACPI_EXAMPLES_H
#define MOAT_BOOT_TESTS_ACPI_EXAMPLES_H

#include "boot/acpi.h"
#include "core/bits.h"

static const struct acpi_viot_item acpi_full_items[] = {
	{.endpoint = 16, .first = 0x10, .last = 0x18},
	{.endpoint = 0xf8, .first = 0xf8, .last = 0xf8},
	{.mmio = true, .endpoint = 0x10000, .address = 0xd0001000},
};

static const struct acpi_mmio acpi_full_mmio[] = {
	{.base = 0xeed00000, .size = 0x1000, .irq = 5},
	{.base = 0xeed01000, .size = 0x1000, .irq = 6},
};

static const struct acpi_config acpi_full = {
	.ncpus = 4,
	.lapic_base = 0xfee00000,
	.ioapic_base = 0xfec00000,
	.ecam_base = 0xeec00000,
	.mmio32 = {0xc0000000, 0xeebfffff},
	.mmio64 = {0x4000000000, 0x7fffffffff},
	.serial_port = 0x3f8,
	.serial_irq = 4,
	.power_port = 0x600,
	.pvpanic_port = 0x505,
	.cmos = true,
	.mmio = acpi_full_mmio,
	.nmmio = ARRAY_SIZE(acpi_full_mmio),
	.iommu = true,
	.viot = true,
	.iommu_requester = 0x8,
	.items = acpi_full_items,
	.nitems = ARRAY_SIZE(acpi_full_items),
};

static const struct acpi_config acpi_minimal = {
	.ncpus = 1,
	.lapic_base = 0xfee00000,
	.ioapic_base = 0xfec00000,
	.ecam_base = 0xe0000000,
	.mmio32 = {0xd0000000, 0xdfffffff},
	.mmio64 = {1, 0}, /* no window */
	.power_port = 0x604,
};

#endif
