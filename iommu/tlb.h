/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tlb.h - where a view found its last translations.
 *
 * Two caches.  Pages (core/recall.h): the host memory behind an IOVA page, for
 * a hit that touches nothing else; the view forgets pages when it hears that
 * they are gone (iommu/notice.h).  Tables: nodes of the page table, of which an entry is
 * read again on every use, so that MAP and UNMAP need not tell it anything; it
 * forgets them when the table's generation moves, which happens when nodes are
 * taken out.  One table serves 512 pages, or 512 leaves of 2 MiB or 1 GiB.
 *
 * Threads: the view's user.
 */
#ifndef MOAT_IOMMU_TLB_H
#define MOAT_IOMMU_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/recall.h"
#include "iommu/pgtable.h"

#define TLB_TABLES 512
#define TLB_WIDE   4

/* A step of struct recall's age: what its tags have room for. */
#define TLB_AGE	     UINT64_C(4)
#define TLB_AGE_LAST (RECALL_PAGE_MASK & ~(TLB_AGE - 1))

/* A node of level 0. */
struct tlb_table {
	uint64_t span; /* number of the span, plus one; 0: empty */
	uint64_t gen;  /* of the table it belongs to */
	const struct pt_node *node;
};

struct tlb {
	struct recall *recall; /* borrowed: the pages */
	struct tlb_table tables[TLB_TABLES];
	/* Nodes above, which hold bigger leaves. */
	uint64_t wide_gen;
	unsigned wide_next;
	const struct pt_node *wide[TLB_WIDE];
};

/* Both are zeroed. */
void tlb_init(struct tlb *t, struct recall *r);

/* Remember the page that @at is in; @access is a mask. */
void tlb_page_add(struct tlb *t, iova_t at, unsigned access, uint64_t to_host);
/* Forget the pages in [first, last], and perhaps more. */
void tlb_pages_forget(struct tlb *t, iova_t first, iova_t last);

/*
 * tlb_lookup - as pgtable_lookup(), through the tables.  The caller walks
 * (iommu/hold.h).
 * @ret_hit: whether a remembered node answered
 */
bool tlb_lookup(struct tlb *t, const struct pgtable *table, iova_t at,
		struct pt_leaf *ret_leaf, bool *ret_hit);
/*
 * tlb_table_lookup - the same, through remembered nodes of level 0 only.
 * Return: also false if there is none for @at.
 */
bool tlb_table_lookup(const struct tlb *t, const struct pgtable *table,
		      iova_t at, struct pt_leaf *ret_leaf);

#endif
