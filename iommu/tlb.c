/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/tlb.h"

#include <string.h>

#define AGE_LAST (~UINT64_C(0) & ~(RECALL_AGE - 1))

void tlb_init(struct tlb *t, struct recall *r, unsigned shift)
{
	t->recall = r;
	r->shift = shift + PT_INDEX_BITS;
	r->age = RECALL_AGE;
}

static struct recall_window *small_place(const struct tlb *t, iova_t at)
{
	return &t->recall->windows[recall_place(t->recall, at)];
}

static struct recall_window *big_place(struct tlb *t, iova_t at)
{
	return &t->big[(at >> t->recall->shift >> PT_INDEX_BITS) % TLB_BIG];
}

static uint64_t big_tag(const struct tlb *t, iova_t at)
{
	return (at >> t->recall->shift >> PT_INDEX_BITS) | t->recall->age;
}

static void show(struct recall_window *w, const struct pt_node *n)
{
	w->entries = n->entries;
	w->mask = PT_ENTRIES - 1;
	w->shift = n->shift;
}

const struct recall_window *tlb_big(struct tlb *t, iova_t at)
{
	const struct recall_window *big = big_place(t, at);
	struct recall_window *w;

	if (big->tag != big_tag(t, at))
		return NULL;
	/* The next time on the short way. */
	w = small_place(t, at);
	w->entries = big->entries;
	w->mask = big->mask;
	w->shift = big->shift;
	w->tag = recall_tag(t->recall, at);
	return w;
}

const struct recall_window *tlb_add_node(struct tlb *t, iova_t at,
					 const struct pt_node *n)
{
	struct recall_window *w = small_place(t, at);

	if (n->level > 0) {
		struct recall_window *big = big_place(t, at);

		show(big, n);
		big->tag = big_tag(t, at);
	}
	show(w, n);
	w->tag = recall_tag(t->recall, at);
	return w;
}

const struct recall_window *tlb_add_entry(struct tlb *t, iova_t at,
					  uint64_t entry)
{
	struct recall_window *w = small_place(t, at);

	atomic_store_explicit(&w->own, entry, memory_order_relaxed);
	w->entries = &w->own;
	w->mask = 0;
	w->shift = (uint8_t)t->recall->shift;
	w->tag = recall_tag(t->recall, at);
	return w;
}

void tlb_forget(struct tlb *t)
{
	struct recall *r = t->recall;

	if (r->age < AGE_LAST) {
		r->age += RECALL_AGE;
		return;
	}
	memset(r->windows, 0, sizeof(r->windows));
	memset(t->big, 0, sizeof(t->big));
	r->age = RECALL_AGE;
}
