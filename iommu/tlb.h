/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tlb.h - where a view found its last translations.
 *
 * A cache of tables, not of translations: an entry is read again for each use,
 * so MAP and UNMAP need not tell it anything.  Two sizes of windows, each with
 * the node whose entries show it: small ones, what a node of level 0 spans
 * (core/recall.h, for a hit that calls nothing), and big ones, what a node of
 * level 1 spans, for leaves of 2 MiB and more.  A view forgets all of them
 * when the table's generation moves, which happens when nodes are taken out.
 *
 * Threads: the view's user.
 */
#ifndef MOAT_IOMMU_TLB_H
#define MOAT_IOMMU_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/recall.h"
#include "iommu/pgtable.h"

#define TLB_BIG 64

struct tlb {
	struct recall *recall; /* borrowed: small windows */
	struct recall_window big[TLB_BIG];
};

/* Both are zeroed; @shift: log2 of the granule */
void tlb_init(struct tlb *t, struct recall *r, unsigned shift);

/*
 * tlb_big - the window that @at is in, if a big one is remembered.
 * tlb_add_node - remember @n, which has the leaf for @at.
 * tlb_add_entry - remember that one entry shows all of a small window.
 *
 * Return: the window; NULL if there is none.
 */
const struct recall_window *tlb_big(struct tlb *t, iova_t at);
const struct recall_window *tlb_add_node(struct tlb *t, iova_t at,
					 const struct pt_node *n);
const struct recall_window *tlb_add_entry(struct tlb *t, iova_t at,
					  uint64_t entry);
void tlb_forget(struct tlb *t);

#endif
