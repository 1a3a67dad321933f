/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * func.h - a PCI function: configuration space, BARs, capabilities.
 *
 * A BAR is a window of the memory space with one or more bus regions at
 * fixed offsets inside.  Where it answers follows the BAR register, and a
 * move is committed when memory decoding is enabled, never at one half of a
 * 64-bit register.
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

struct err;
struct pci_func;
struct pci_host;
struct msix;

#define PCI_BARS_MAX	    6
#define PCI_BAR_REGIONS_MAX 4

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
	 * BAR @bar answers at its base now / does so no longer: attach and
	 * detach doorbells here.  May be NULL.
	 */
	void (*bar_mapped)(struct pci_func *f, unsigned bar);
	void (*bar_unmapped)(struct pci_func *f, unsigned bar);
	/* Bus mastering changed; see pci_func_bus_master().  May be NULL. */
	void (*bus_master_changed)(struct pci_func *f);
};

struct pci_func {
	const struct pci_func_ops *ops;
	const char *name; /* "blk0"; borrowed */
	pthread_mutex_t *lock;
	struct pci_config cfg;
	struct pci_bar bars[PCI_BARS_MAX];
	unsigned last_cap; /* where the next capability is chained from */
	unsigned next_cap_at;
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
void pci_func_fini(struct pci_func *f);

/*
 * pci_bar_init - declare BAR @bar; before the function is attached to a host.
 */
void pci_bar_init(struct pci_func *f, unsigned bar, uint64_t size, bool is_64,
		  bool prefetch);

/*
 * pci_bar_add_region - let @r answer at @offset inside BAR @bar.
 * @r: borrowed; its base is set by the BAR
 */
void pci_bar_add_region(struct pci_func *f, unsigned bar, uint64_t offset,
			struct bus_region *r);

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
 * moat assigned, decoding as moat set it; for a machine's restart.
 */
void pci_func_reset(struct pci_func *f);

#endif
