/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * slot.h - what stands where on bus 0; the same whether the IOMMU is on or
 * off, and whatever else there is.
 */
#ifndef MOAT_VMM_MACHINE_SLOT_H
#define MOAT_VMM_MACHINE_SLOT_H

enum mach_slot {
	SLOT_BRIDGE,
	SLOT_IOMMU,
	SLOT_CONSOLE,
	SLOT_RNG,
	SLOT_PVPANIC,
	SLOT_DISKS,	  /* and up */
	SLOT_SHARES = 24, /* and down */
	SLOT_VSOCK,
	SLOT_BALLOON,
	SLOT_WATCHDOG,
	SLOT_NETS = 28, /* and up */
};

#endif
