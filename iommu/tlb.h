/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tlb.h - where a view found its last translations.
 *
 * It remembers nodes of the page table, not translations: a hit reads the
 * entry again, so MAP and UNMAP need not tell it anything, and one slot serves
 * a whole node (512 pages).  It forgets everything when the table's generation
 * moves, which happens when nodes are taken out.   (iommu/hold.c)
 *
 * Threads: the view's user.
 */
#ifndef MOAT_IOMMU_TLB_H
#define MOAT_IOMMU_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "iommu/pgtable.h"

#define TLB_SLOTS 64

struct tlb {
	uint64_t gen; /* of the table it belongs to */
	const struct pt_node *last;
	const struct pt_node *slots[TLB_SLOTS]; /* by the part above a node */
};

void tlb_init(struct tlb *t);

/*
 * tlb_lookup - as pgtable_lookup(), through the cache.  The caller holds @at.
 * @ret_hit: whether a remembered node answered
 */
bool tlb_lookup(struct tlb *t, const struct pgtable *table, iova_t at,
		struct pt_leaf *ret_leaf, bool *ret_hit);

#endif
