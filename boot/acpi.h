/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * acpi.h - the ACPI tables of a hardware-reduced machine, from plain
 * descriptors.
 *
 * Composes RSDP, XSDT, FADT, MADT, MCFG, DSDT and, when there is an IOMMU to
 * describe, VIOT, and writes them into guest memory.   [ACPI 6.5]
 */
#ifndef MOAT_BOOT_ACPI_H
#define MOAT_BOOT_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/gmem.h"
#include "core/range.h"

struct err;

/* An endpoint of the IOMMU. */
struct acpi_viot_item {
	bool mmio;
	uint32_t endpoint;	       /* id; of the first in a range */
	uint16_t segment, first, last; /* PCI: requester ids, inclusive */
	uint64_t address;	       /* MMIO: first address */
};

/* A virtio device that is no PCI function. */
struct acpi_mmio {
	uint32_t base, size;
	uint32_t irq;
};

struct acpi_config {
	unsigned ncpus; /* APIC ids 0 to ncpus - 1 */
	uint64_t lapic_base, ioapic_base;
	uint64_t ecam_base;	     /* buses 0 to 0 */
	struct range mmio32, mmio64; /* host bridge windows */
	uint16_t serial_port;	     /* 0: none */
	uint32_t serial_irq;
	uint16_t power_port;   /* sleep control, status, reset: 3 bytes */
	uint16_t pvpanic_port; /* QEMU0001; 0: none */
	bool cmos;	       /* an RTC at 0x70 */
	const struct acpi_mmio *mmio;
	size_t nmmio;		  /* at most 100 */
	bool iommu;		  /* a function of bus 0 */
	uint16_t iommu_requester; /* its own, segment 0 */
	/* VIOT; needs the IOMMU */
	bool viot;
	const struct acpi_viot_item *items;
	size_t nitems;
};

/*
 * acpi_write - compose at @at and above, below @end.
 * @ret_rsdp: where the RSDP is, 16-byte aligned, in the range
 *
 * Return: 0; -ENOSPC; -ENOMEM; -EFAULT.
 */
int acpi_write(struct gmem *mem, const struct acpi_config *config, gpa_t at,
	       gpa_t end, gpa_t *ret_rsdp, struct err *err);

#endif
