/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pci_rig.h - a host bridge with functions that record, for the tests of
 * pci/ and its fuzz target.
 *
 * Each function has
 *	BAR 0	64-bit, 64 KiB: registers at 0, MSI-X table at 0x8000 and
 *		pending bits at 0xc000
 *	BAR 2	32-bit, 4 KiB: registers at 0x800
 *	a vendor capability of 20 bytes
 */
#ifndef MOAT_PCI_TESTS_PCI_RIG_H
#define MOAT_PCI_TESTS_PCI_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"
#include "core/tests/fake_irq.h"
#include "pci/func.h"
#include "pci/host.h"

#define RIG_ECAM     UINT64_C(0xe0000000)
#define RIG_MMIO32   UINT64_C(0xc0000000)   /* 16 MiB */
#define RIG_MMIO64   UINT64_C(0x8000000000) /* 1 GiB */
#define RIG_RAM_LAST UINT64_C(0x7fffffff)
#define RIG_LAPIC    UINT64_C(0xfee00000)

#define RIG_BAR0_SIZE 0x10000
#define RIG_BAR2_SIZE 0x1000
#define RIG_BAR2_REGS 0x800
#define RIG_REGS_SIZE 0x100
#define RIG_TABLE     0x8000
#define RIG_PBA	      0xc000
#define RIG_VECTORS   3

/* Registers that are memory. */
struct rig_regs {
	struct bus_region region;
	uint8_t bytes[RIG_REGS_SIZE];
	unsigned reads, writes;
};

struct rig_func {
	struct pci_func func;
	pthread_mutex_t lock;
	struct rig_regs regs0, regs2;
	unsigned mapped[PCI_BARS_MAX], unmapped[PCI_BARS_MAX];
	uint64_t mapped_at[PCI_BARS_MAX]; /* at the last call */
	unsigned master_changes;
	unsigned config_reads, config_writes;
	unsigned cap; /* the vendor capability */
};

#define RIG_FUNCS 3

struct rig {
	struct bus mmio, pio;
	struct range closed[2];
	struct fake_msi msi;
	struct pci_host host;
	struct rig_func funcs[RIG_FUNCS]; /* in slots 1, 2, 3 */
};

/* @reset: what answers at 0xcf9; may be NULL */
void rig_init(struct rig *r, struct bus_region *reset);
void rig_fini(struct rig *r);

/* A function that is in no slot yet. */
void rig_func_init(struct rig_func *rf, const char *name, unsigned vectors,
		   struct msi_sink *sink);
void rig_func_fini(struct rig_func *rf);

/* Configuration accesses through ECAM; @fn is an index into funcs. */
uint64_t rig_read(struct rig *r, unsigned fn, unsigned off, unsigned size);
void rig_write(struct rig *r, unsigned fn, unsigned off, unsigned size,
	       uint64_t val);

/* Set and clear bits of the command register. */
void rig_command(struct rig *r, unsigned fn, uint16_t set, uint16_t clear);

/* The usual move: decoding off, both halves, decoding on. */
void rig_move_bar0(struct rig *r, unsigned fn, uint64_t to);

/* True if registers of @fn answer at @addr. */
bool rig_answers(struct rig *r, unsigned fn, uint64_t addr);

#endif
