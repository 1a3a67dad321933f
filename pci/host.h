/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * host.h - host bridge: segment 0, bus 0, 32 slots of one function.
 *
 * Configuration space answers through ECAM (1 MiB, this bus) and, where the
 * machine wants it, ports 0xcf8-0xcff.  The bridge itself is 00:00.0.  BARs
 * are assigned by moat before the guest starts; the guest may move them to
 * any place that is free: guests without firmware know no windows.
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
#define PCI_ECAM_SIZE 0x100000 /* one bus */

struct pci_host_config {
	uint64_t ecam_base; /* 1 MiB aligned; 0: no ECAM */
	bool ports;	    /* 0xcf8-0xcff on @pio */
	/*
	 * Byte accesses at 0xcf9, which lies inside the address port but is
	 * the chipset's reset control register, go to this region (size 1,
	 * attached to no bus).  NULL: they read all ones.
	 */
	struct bus_region *reset;
	struct range mmio32; /* window for 32-bit BARs */
	struct range mmio64; /* window for 64-bit BARs */
	/*
	 * Where no BAR may answer, besides what is on the MMIO bus: RAM and
	 * what the kernel emulates (interrupt controllers).  Borrowed.
	 */
	const struct range *closed;
	unsigned nclosed;
};

struct pci_host {
	struct bus *mmio, *pio;
	struct pci_host_config config;
	struct pci_func *slots[PCI_SLOTS_MAX]; /* borrowed but for slot 0 */
	struct pci_func bridge;
	pthread_mutex_t bridge_lock;
	struct bus_region ecam, address_port, data_port;
	pthread_mutex_t address_lock;
	uint32_t address;	   /* 0xcf8 */
	struct range_set assigned; /* by moat; where BARs return on reset */
	pthread_mutex_t place_lock;
	struct range_set placed; /* BARs that answer now */
	bool freed;		 /* a BAR left since pci_host_settle() */
};

/*
 * pci_host_init - bridge at 00:00.0, ECAM and ports attached to the buses.
 * @pio: NULL on machines without ports
 *
 * Return: 0; -EINVAL for an unaligned ECAM; -EEXIST if something else is on
 * the bus there, with a sentence.
 */
int pci_host_init(struct pci_host *h, struct bus *mmio, struct bus *pio,
		  const struct pci_host_config *config, struct err *err);
/* No function is attached any more; accepts a zeroed object. */
void pci_host_fini(struct pci_host *h);

/*
 * pci_host_attach - put @f into @slot and assign its BARs: addresses out of
 * the windows, memory decoding on.  A 64-bit BAR for which mmio64 has no room
 * goes below 4 GiB.
 * @slot: 1 to 31, or -1 for the lowest free one
 *
 * Return: 0; -EBUSY if the slot is taken; -ENOSPC if slots, windows or the
 * bus are full; -EINVAL for a slot number out of range; -ENOMEM (all with a
 * sentence).
 */
int pci_host_attach(struct pci_host *h, struct pci_func *f, int slot,
		    struct err *err);

/*
 * pci_host_reset - every function as at power-on (pci_func_reset), all of
 * them off the bus first, so that each finds its place free.  For a
 * machine's restart, after the devices have been reset; no vCPU runs.
 */
void pci_host_reset(struct pci_host *h);

/*
 * For pci/ only.
 */

/* Leave the slot, give back the assigned addresses.  Caller holds f->lock. */
void pci_host_detach(struct pci_host *h, struct pci_func *f);

/*
 * pci_host_place - a BAR is to answer at [base, base + size).
 *
 * Return: 0; -EEXIST if another BAR is there; -EACCES if it is closed;
 * -ENOMEM.
 */
int pci_host_place(struct pci_host *h, uint64_t base, uint64_t size);
void pci_host_unplace(struct pci_host *h, uint64_t base, uint64_t size);
/* Try BARs again that wait for a place, if one has become free.  Takes locks
 * of functions, so the caller holds none. */
void pci_host_settle(struct pci_host *h);

/* access.c */
extern const struct bus_ops pci_ecam_ops, pci_address_ops, pci_data_ops;
void pci_host_set_address(struct pci_host *h, uint32_t address);

#endif
