/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * func.h - a PCI function: configuration space, BARs, capabilities.
 *
 * A BAR is a window of the memory space with one or more bus regions at
 * fixed offsets inside.  It answers where its register points, while memory
 * decoding is on and the place is free (see pci_host_place).  So a guest
 * that moves a BAR the usual way, with decoding off, has the move committed
 * in one piece when it turns decoding on again.  With decoding on every
 * write takes effect by itself, as on hardware: a 64-bit BAR then passes
 * through an address of one old and one new half.  A BAR whose place is
 * taken reads as all ones, and is placed as soon as the other one leaves.
 *
 * Threads: all calls under @lock, which is the device's lock; the host
 * bridge takes it for configuration accesses, the bus for BAR accesses.
 * Lifetime: embedded in the device; attached to one host bridge until the
 * machine goes.
 */
#ifndef MOAT_PCI_FUNC_H
#define MOAT_PCI_FUNC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"
#include "pci/config.h"

struct pci_func;
struct pci_host;
struct msix;

#define PCI_BARS_MAX	    6
#define PCI_BAR_REGIONS_MAX 8

/* How the 16-bit requester id is made up on segment 0, bus 0. */
#define PCI_DEVFN(slot, fn) ((uint16_t)((slot) << 3 | (fn)))

struct pci_bar {
	uint64_t size; /* power of two >= 16; 0: no BAR here */
	bool is_64;    /* takes the next BAR's place, too */
	bool prefetch;
	bool mapped;   /* answers on the bus now */
	uint64_t base; /* where, while mapped */
	unsigned nregions;
	struct bus_region *regions[PCI_BAR_REGIONS_MAX];
	uint64_t offsets[PCI_BAR_REGIONS_MAX];
};

/* Any of these may drop and retake the lock; none may free the function. */
struct pci_func_ops {
	/*
	 * A configuration write happened and is in cfg.bytes already; for
	 * capabilities with side effects.  May be NULL.
	 */
	void (*config_written)(struct pci_func *f, unsigned off, unsigned size);
	/*
	 * A configuration read is about to take bytes [off, off + size).
	 * May be NULL.
	 */
	void (*config_reading)(struct pci_func *f, unsigned off, unsigned size);
	/*
	 * BAR @bar answers at its base now / does so no longer (its base is
	 * still the old one): attach and detach doorbells here.  What the
	 * guest wrote to the BAR in between is lost.  May be NULL.
	 */
	void (*bar_mapped)(struct pci_func *f, unsigned bar);
	void (*bar_unmapped)(struct pci_func *f, unsigned bar);
	/*
	 * Bus mastering changed; see pci_func_bus_master().  Without it the
	 * function must not touch memory.  (MSI-X pends by itself: after this
	 * call when it goes off, before it is live when it comes back.)
	 * May be NULL.
	 */
	void (*bus_master_changed)(struct pci_func *f);
};

struct pci_func {
	const struct pci_func_ops *ops;
	const char *name; /* "blk0"; borrowed */
	pthread_mutex_t *lock;
	struct pci_config cfg;
	uint8_t power_on[PCI_CONFIG_SIZE]; /* cfg.bytes when attached */
	struct pci_bar bars[PCI_BARS_MAX];
	unsigned last_cap; /* where the next capability is chained from */
	unsigned next_cap_at;
	bool bus_master;   /* as ops and MSI-X were told last */
	struct msix *msix; /* NULL: none */
	struct pci_host *host;
	uint16_t devfn; /* requester id on segment 0, bus 0 */
};

struct pci_ids {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint8_t revision;
	uint32_t class_code; /* 24 bits */
};

void pci_func_init(struct pci_func *f, const struct pci_func_ops *ops,
		   const char *name, pthread_mutex_t *lock,
		   const struct pci_ids *ids);
/* Leaves its slot; accepts a zeroed function.  Takes @lock; no vCPU runs. */
void pci_func_fini(struct pci_func *f);

/*
 * pci_bar_init - declare BAR @bar; before the function is attached to a host.
 * @size: power of two >= 16; at most 2 GiB unless @is_64
 */
void pci_bar_init(struct pci_func *f, unsigned bar, uint64_t size, bool is_64,
		  bool prefetch);

/*
 * pci_bar_add_region - let @r answer at @offset inside BAR @bar.
 * @r: borrowed; its base is set by the BAR; its lock is the function's.
 *	Regions of a BAR do not overlap.
 */
void pci_bar_add_region(struct pci_func *f, unsigned bar, uint64_t offset,
			struct bus_region *r);

/*
 * pci_bar_read, pci_bar_write - an access inside BAR @bar that does not come
 * by the bus (a window in configuration space), with all its effects.  Works
 * whether the BAR is mapped or not.  Arguments are the guest's; what no
 * region answers reads as all ones and swallows writes.
 */
uint64_t pci_bar_read(struct pci_func *f, unsigned bar, uint64_t off,
		      unsigned size);
void pci_bar_write(struct pci_func *f, unsigned bar, uint64_t off,
		   unsigned size, uint64_t val);

/*
 * pci_cap_add - append a capability of @len bytes (header included).
 *
 * Return: its offset, dword-aligned, in the first 256 bytes; -ENOSPC.  Body
 * bytes are zero and read-only until pci_config_set().
 */
int pci_cap_add(struct pci_func *f, uint8_t id, unsigned len);

/* Command register, as the guest set it. */
bool pci_func_bus_master(const struct pci_func *f);
bool pci_func_memory_enabled(const struct pci_func *f);

/*
 * Status register: an INTx message is due.  Read-only for the guest.
 */
void pci_func_set_interrupt_status(struct pci_func *f, bool on);

/*
 * Where the BAR register points, whether decoding is on or not.
 */
uint64_t pci_bar_address(const struct pci_func *f, unsigned bar);

/*
 * pci_func_config_read, pci_func_config_write - an access by the guest, with
 * all its effects.  @off + @size <= 4096; @size in {1, 2, 4, 8}.
 */
uint64_t pci_func_config_read(struct pci_func *f, unsigned off, unsigned size);
void pci_func_config_write(struct pci_func *f, unsigned off, unsigned size,
			   uint64_t val);

/*
 * pci_func_reset - registers as at power-on, BARs at the addresses that
 * moat assigned, decoding as moat set it; for a machine's restart.  A BAR
 * whose place another function still occupies follows in pci_host_reset().
 */
void pci_func_reset(struct pci_func *f);

/*
 * For pci/ only.
 */

/* Map and unmap BARs until they answer as the registers say. */
void pci_bars_sync(struct pci_func *f);
void pci_bars_unmap(struct pci_func *f);
/* A BAR should answer and does not. */
bool pci_bars_waiting(const struct pci_func *f);

#endif
