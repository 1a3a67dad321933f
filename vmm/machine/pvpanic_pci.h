/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pvpanic_pci.h - pvpanic as a PCI function, for guests without ACPI.
 */
#ifndef MOAT_VMM_MACHINE_PVPANIC_PCI_H
#define MOAT_VMM_MACHINE_PVPANIC_PCI_H

#include <pthread.h>
#include <stdbool.h>

#include "pci/func.h"

struct bus_region;
struct err;
struct pci_host;

struct pvpanic_pci {
	struct pci_func func;
	pthread_mutex_t lock;
	bool made;
};

/*
 * pvpanic_pci_init - put @reg, the pvpanic register, behind BAR 0 of a
 * function in @slot.
 *
 * Return: 0 or -errno, with a sentence.
 */
int pvpanic_pci_init(struct pvpanic_pci *p, struct pci_host *host, int slot,
		     struct bus_region *reg, struct err *err);
/* Accepts a zeroed object. */
void pvpanic_pci_fini(struct pvpanic_pci *p);

#endif
