/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * msix.h - MSI-X: table, pending bits, masking.   [PCI 3.0, 6.8.2]
 *
 * Vectors start masked and the function disabled.  A vector is connected to
 * its msi_line while it is unmasked, the function enabled, not masked as a
 * whole and a bus master (messages are memory writes); what is raised
 * meanwhile sets its pending bit and is delivered on unmask.  A line's
 * resources are taken at its first unmask and given back when the guest
 * disables MSI-X, which also forgets what is pending.
 *
 * Table accesses of any size and alignment read and write the bytes they
 * name; reserved bits read 0 and stay.  The pending bits are read-only.
 *
 * Threads: the device's lock; after msix_share(), msix_raise() from any thread
 * without it.
 */
#ifndef MOAT_PCI_MSIX_H
#define MOAT_PCI_MSIX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"
#include "core/irq.h"

struct err;
struct pci_func;
struct msix;

#define MSIX_VECTORS_MAX 2048

/* Bytes of BAR that the table and the pending bits of @n vectors take. */
uint64_t msix_table_size(unsigned n);
uint64_t msix_pba_size(unsigned n);

/*
 * msix_new - give @f an MSI-X capability with @n vectors.
 * @bar, @table_at, @pba_at: where table (16 bytes a vector) and pending bits
 *	(8 bytes for 64 vectors) answer; both regions are added to the BAR
 * @sink: borrowed; outlives the function
 *
 * Return: 0; -EINVAL for 0 or too many vectors; -ENOSPC, -ENOMEM.  Owned by
 * the function: f->msix, freed by pci_func_fini().
 */
int msix_new(struct pci_func *f, unsigned n, unsigned bar, uint64_t table_at,
	     uint64_t pba_at, struct msi_sink *sink, struct err *err);
void msix_free(struct msix *m);

unsigned msix_vectors(const struct msix *m);
/* As the guest set it; a masked function is enabled, too. */
bool msix_enabled(const struct msix *m);

/* Interrupts are raised by several threads at once: from now on a vector is
 * changed and raised under a lock of its own.  Before the guest runs. */
void msix_share(struct msix *m);

/* Guest-chosen @vector: out of range, or with MSI-X disabled, is ignored. */
void msix_raise(struct msix *m, unsigned vector);

/*
 * msix_lend - @s signals @vector, straight while the vector is connected.
 * msix_take_back - it is its owner's again; not of one that is not lent.
 * @vector: guest-chosen; out of range the signals stay the owner's
 */
void msix_lend(struct msix *m, unsigned vector, struct irq_source *s);
void msix_take_back(struct msix *m, unsigned vector, struct irq_source *s);

/* Forget pending bits of @vector (its user was reset). */
void msix_clear_pending(struct msix *m, unsigned vector);

/*
 * For pci/func.c: the control or command register changed; power-on reset.
 */
void msix_sync(struct msix *m);
void msix_reset(struct msix *m);

#endif
