/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * host.h - host bridge: segment 0, bus 0, 32 slots of one function.
 *
 * Configuration space answers through ECAM (1 MiB, this bus) and, where the
 * machine wants it, ports 0xcf8-0xcff.  The bridge itself is 00:00.0.  BARs
 * are assigned by moat before the guest starts; the guest may move them.
 *
 * Threads: accesses from any; set-up before the guest runs.
 */
#ifndef MOAT_PCI_HOST_H
#define MOAT_PCI_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"
#include "core/range.h"
#include "pci/func.h"

struct err;

#define PCI_SLOTS_MAX 32

struct pci_host_config {
	uint64_t ecam_base;  /* 1 MiB aligned; 0: no ECAM */
	bool ports;	     /* 0xcf8-0xcff on @pio */
	struct range mmio32; /* window for 32-bit BARs */
	struct range mmio64; /* window for 64-bit BARs */
};

struct pci_host {
	struct bus *mmio, *pio;
	struct pci_host_config config;
	struct pci_func *slots[PCI_SLOTS_MAX]; /* borrowed but for slot 0 */
	struct pci_func bridge;
	pthread_mutex_t bridge_lock;
	struct bus_region ecam, address_port, data_port;
	pthread_mutex_t address_lock;
	uint32_t address; /* 0xcf8 */
	struct range_set used32, used64;
};

/*
 * pci_host_init - bridge at 00:00.0, ECAM and ports attached to the buses.
 * @pio: NULL on machines without ports
 */
int pci_host_init(struct pci_host *h, struct bus *mmio, struct bus *pio,
		  const struct pci_host_config *config, struct err *err);
void pci_host_fini(struct pci_host *h);

/*
 * pci_host_attach - put @f into @slot and assign its BARs: addresses out of
 * the windows, memory decoding on.
 * @slot: 1 to 31, or -1 for the lowest free one
 *
 * Return: 0; -EBUSY if the slot is taken; -ENOSPC if slots or windows are
 * full (with a sentence).
 */
int pci_host_attach(struct pci_host *h, struct pci_func *f, int slot,
		    struct err *err);

#endif
