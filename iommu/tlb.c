/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/tlb.h"

#include <string.h>

/* Up to so many pages are forgotten one by one. */
#define FEW (16 * RECALL_PAGE_SIZE)

void tlb_init(struct tlb *t, struct recall *r)
{
	t->recall = r;
}

void tlb_page_add(struct tlb *t, iova_t at, unsigned access, uint64_t to_host)
{
	t->recall->pages[recall_place(at)] = (struct recall_page){
		.tag = (at & ~RECALL_PAGE_MASK) | t->recall->age | access,
		.to_host = to_host,
	};
}

static void forget_all(struct recall *r)
{
	if (r->age < TLB_AGE_LAST) {
		r->age += TLB_AGE;
		return;
	}
	memset(r->pages, 0, sizeof(r->pages));
	r->age = 0;
}

void tlb_pages_forget(struct tlb *t, iova_t first, iova_t last)
{
	if (last - first >= FEW) {
		forget_all(t->recall);
		return;
	}
	for (iova_t at = first;; at += RECALL_PAGE_SIZE) {
		t->recall->pages[recall_place(at)].tag = 0;
		if (last - at < RECALL_PAGE_SIZE)
			return;
	}
}

static bool wide_lookup(const struct tlb *t, uint64_t gen, iova_t at,
			struct pt_leaf *ret_leaf)
{
	if (t->wide_gen != gen)
		return false;
	for (unsigned k = 0; k < TLB_WIDE && t->wide[k]; k++)
		if (pt_node_spans(t->wide[k], at))
			return pt_node_lookup(t->wide[k], at, ret_leaf);
	return false;
}

static void wide_add(struct tlb *t, uint64_t gen, const struct pt_node *node)
{
	if (t->wide_gen != gen) {
		memset(t->wide, 0, sizeof(t->wide));
		t->wide_gen = gen;
		t->wide_next = 0;
	}
	t->wide[t->wide_next] = node;
	t->wide_next = (t->wide_next + 1) % TLB_WIDE;
}

static uint64_t table_span(const struct pgtable *table, iova_t at)
{
	return (at >> (table->shift + PT_INDEX_BITS)) + 1;
}

bool tlb_table_lookup(const struct tlb *t, const struct pgtable *table,
		      iova_t at, struct pt_leaf *ret_leaf)
{
	uint64_t span = table_span(table, at);
	const struct tlb_table *s = &t->tables[span % TLB_TABLES];

	return s->span == span && s->gen == pgtable_gen(table) &&
	       pt_leaf_at(s->node, table->shift, at, ret_leaf);
}

bool tlb_lookup(struct tlb *t, const struct pgtable *table, iova_t at,
		struct pt_leaf *ret_leaf, bool *ret_hit)
{
	/* Taken before the walk: a node that is remembered under a generation
	 * was in the table at that generation or later. */
	uint64_t gen = pgtable_gen(table);
	uint64_t span = table_span(table, at);
	/* Neighbouring nodes fall into neighbouring slots. */
	struct tlb_table *s = &t->tables[span % TLB_TABLES];

	*ret_hit = true;
	/* A node that spans @at is on the only way to @at: its answer is the
	 * table's. */
	if (s->span == span && s->gen == gen)
		return pt_leaf_at(s->node, table->shift, at, ret_leaf);
	if (wide_lookup(t, gen, at, ret_leaf)) {
		if (ret_leaf->node->level > 0)
			return true;
	} else if (!pgtable_lookup(table, at, ret_leaf)) {
		*ret_hit = false;
		return false;
	}
	*ret_hit = false;
	if (ret_leaf->node->level == 0)
		*s = (struct tlb_table){span, gen, ret_leaf->node};
	else
		wide_add(t, gen, ret_leaf->node);
	return true;
}
