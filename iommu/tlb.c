/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/tlb.h"

#include <string.h>

void tlb_init(struct tlb *t)
{
	memset(t, 0, sizeof(*t));
}

static unsigned tlb_slot(const struct pgtable *table, iova_t at)
{
	/* Neighbouring nodes fall into neighbouring slots. */
	return (unsigned)(at >> (table->shift + PT_INDEX_BITS)) % TLB_SLOTS;
}

static const struct pt_node *tlb_find(const struct tlb *t, unsigned slot,
				      iova_t at)
{
	if (t->last && pt_node_spans(t->last, at))
		return t->last;
	if (t->slots[slot] && pt_node_spans(t->slots[slot], at))
		return t->slots[slot];
	return NULL;
}

bool tlb_lookup(struct tlb *t, const struct pgtable *table, iova_t at,
		struct pt_leaf *ret_leaf, bool *ret_hit)
{
	uint64_t gen = pgtable_gen(table);
	unsigned slot = tlb_slot(table, at);
	const struct pt_node *n;

	/* Taken before the walk: a node that is remembered under a generation
	 * was in the table at that generation or later. */
	if (gen != t->gen) {
		tlb_init(t);
		t->gen = gen;
	}
	n = tlb_find(t, slot, at);
	*ret_hit = n != NULL;
	/* A node that spans @at is on the only way to @at: its answer is the
	 * table's. */
	if (n ? !pt_node_lookup(n, at, ret_leaf)
	      : !pgtable_lookup(table, at, ret_leaf))
		return false;
	t->last = ret_leaf->node;
	t->slots[slot] = ret_leaf->node;
	return true;
}
