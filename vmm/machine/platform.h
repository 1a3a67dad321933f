/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * platform.h - what differs between machines of different architectures:
 * the memory map, the devices that are no PCI functions, and how a kernel is
 * placed and described.  One implementation is picked by the build.
 */
#ifndef MOAT_VMM_MACHINE_PLATFORM_H
#define MOAT_VMM_MACHINE_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"
#include "core/gmem.h"
#include "devices/cmos.h"
#include "devices/platform.h"
#include "iommu/iommu.h"
#include "pci/host.h"
#include "vmm/kvm/irqchip.h"
#include "vmm/kvm/vcpu.h"

struct err;
struct mach;
struct serial;

/* x86_64 */
struct mach_platform {
	struct serial *serial; /* NULL: virtio-console only */
	struct irqchip_line serial_irq;
	struct cmos cmos;
	struct acpi_power power;
	struct i8042_reset i8042;
	struct reset_port reset;
	struct pvpanic pvpanic;
	struct range closed[GMEM_SLOTS_MAX + 1]; /* to BARs */
};

/* RAM slots for @memory bytes.  Return: how many. */
unsigned platform_memory_layout(uint64_t memory, struct gmem_slot *slots);

/* Where the host bridge finds its configuration space and windows. */
void platform_pci_config(struct mach *m, struct pci_host_config *c);

/* Registers and wire of the @n-th device that is no PCI function, below
 * MACH_MMIO_MAX. */
void platform_mmio_place(unsigned n, uint64_t *ret_at, uint32_t *ret_gsi);

/* True if pvpanic is one of the platform's own devices. */
bool platform_has_pvpanic(const struct mach *m);

/* The reserved region that message-signalled interrupts go through. */
extern const struct iommu_resv_region platform_msi_region;

/* Make the devices and attach them.  Return: 0 or -errno. */
int platform_init(struct mach *m, struct err *err);
void platform_fini(struct mach *m);
/* Registers as at power-on. */
void platform_reset(struct mach *m);

/* Kernel, initrd, command line and tables into memory. */
int platform_load(struct mach *m, struct vcpu_entry *ret_e, struct err *err);

#endif
