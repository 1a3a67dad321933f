/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * watchdog_pci.h - the watchdog as the PCI function that drivers look for.
 */
#ifndef MOAT_VMM_MACHINE_WATCHDOG_PCI_H
#define MOAT_VMM_MACHINE_WATCHDOG_PCI_H

#include <pthread.h>
#include <stdbool.h>

#include "core/log.h"
#include "devices/watchdog.h"
#include "pci/func.h"

struct err;
struct loop;
struct machine_events;
struct pci_host;

struct watchdog_pci {
	struct pci_func func;
	struct watchdog watchdog;
	pthread_mutex_t lock;
	bool made;
	/* Of what the guest lets happen; under lock, as when it is unfed. */
	struct guest_log log;
};

/* Return: 0 or -errno, with a sentence. */
int watchdog_pci_init(struct watchdog_pci *w, struct pci_host *host, int slot,
		      struct loop *loop, struct machine_events *events,
		      struct err *err);
/* Accepts a zeroed object. */
void watchdog_pci_fini(struct watchdog_pci *w);
/* The machine starts once more; before pci_host_reset().  Accepts a zeroed
 * object. */
void watchdog_pci_reset(struct watchdog_pci *w);

#endif
