/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/pgtable.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "iommu/counter.h"

/*
 * An entry is empty (0), a leaf or a node:
 *
 *	63          12 11   8  7    6     5    4     3      2    1  0
 *	page it leads to 0    END START HOST  MMIO WRITE  READ   type
 *	address of the node                                      type
 *
 * core/recall.h reads leaves too.
 */
#define PTE_TYPE  RECALL_TYPE
#define PTE_LEAF  RECALL_LEAF
#define PTE_NODE  UINT64_C(0x02)
#define PTE_START UINT64_C(0x40)
#define PTE_END	  UINT64_C(0x80)
#define PTE_PHYS  (~UINT64_C(0xfff))

static bool pte_is_leaf(uint64_t e)
{
	return (e & PTE_TYPE) == PTE_LEAF;
}

static bool pte_is_node(uint64_t e)
{
	return (e & PTE_TYPE) == PTE_NODE;
}

static struct pt_node *pte_node(uint64_t e)
{
	return (struct pt_node *)(uintptr_t)(e & ~PTE_TYPE);
}

static uint64_t pte_of_node(const struct pt_node *n)
{
	return (uintptr_t)n | PTE_NODE;
}

/* The writer reads its own stores. */
static uint64_t pte_own(const _Atomic uint64_t *slot)
{
	return atomic_load_explicit(slot, memory_order_relaxed);
}

/* Pairs with the readers' loads: what stands behind the entry is complete. */
static void pte_set(_Atomic uint64_t *slot, uint64_t e)
{
	atomic_store_explicit(slot, e, memory_order_release);
}

/* Readers learn of it by a notice (hold.c), which comes later. */
static void pte_clear(_Atomic uint64_t *slot)
{
	atomic_store_explicit(slot, 0, memory_order_relaxed);
}

static iova_t low_mask(unsigned bits)
{
	return bits >= 64 ? ~UINT64_C(0) : BIT_ULL(bits) - 1;
}

static iova_t node_last(const struct pt_node *n)
{
	return n->base | n->mask;
}

static unsigned node_index(const struct pt_node *n, iova_t at)
{
	return (unsigned)(at >> n->shift) & (PT_ENTRIES - 1);
}

/* The entries that touch the range, which touches the node. */
static void node_clip(const struct pt_node *n, iova_t first, iova_t last,
		      unsigned *ret_lo, unsigned *ret_hi)
{
	*ret_lo = first <= n->base ? 0 : node_index(n, first);
	*ret_hi = node_index(n, min_u64(last, node_last(n)));
}

static bool node_overlaps(const struct pt_node *n, iova_t first, iova_t last)
{
	return n->base <= last && first <= node_last(n);
}

static bool pool_has(const struct pt_pool *pool, unsigned nodes)
{
	uint64_t used = counter_get(&pool->used);

	return used <= pool->max &&
	       (pool->max - used) / sizeof(struct pt_node) >= nodes;
}

static void pool_charge(struct pt_pool *pool, int64_t bytes)
{
	counter_add(&pool->used, (uint64_t)bytes);
}

/* Return: a node without entries, or NULL. */
static struct pt_node *spare_take(struct pt_pool *pool)
{
	struct pt_node *n = pool->spare;

	if (n) {
		pool->spare = n->next;
		pool->nspare--;
	}
	return n;
}

/* @n has no entries: it is kept for the next one, or freed. */
static void spare_put(struct pt_pool *pool, struct pt_node *n)
{
	pool_charge(pool, -(int64_t)sizeof(*n));
	if (pool->nspare == PT_SPARE_MAX) {
		free(n);
		return;
	}
	n->next = pool->spare;
	pool->spare = n;
	pool->nspare++;
}

void pt_pool_fini(struct pt_pool *pool)
{
	while (pool->spare)
		free(spare_take(pool));
}

static struct pt_node *node_new(struct pgtable *t, unsigned level, iova_t at)
{
	struct pt_node *n;

	if (!pool_has(t->pool, 1))
		return NULL;
	n = spare_take(t->pool);
	if (!n)
		n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	pool_charge(t->pool, sizeof(*n));
	n->level = (uint8_t)level;
	n->shift = (uint8_t)(t->shift + level * PT_INDEX_BITS);
	n->mask = low_mask(n->shift + PT_INDEX_BITS);
	n->base = at & ~n->mask;
	return n;
}

static void node_free(struct pt_pool *pool, struct pt_node *n)
{
	pool_charge(pool, -(int64_t)sizeof(*n));
	free(n);
}

void pgtable_init(struct pgtable *t, unsigned shift, struct pt_pool *pool)
{
	assert(shift >= PT_SHIFT_MIN && shift <= PT_SHIFT_MAX);
	*t = (struct pgtable){.pool = pool, .shift = shift};
	atomic_init(&t->root, 0);
	atomic_init(&t->gen, ++pool->gen);
}

static void node_free_all(struct pt_pool *pool, struct pt_node *n)
{
	for (unsigned i = 0; i < PT_ENTRIES && n->used > 0; i++) {
		uint64_t e = pte_own(&n->entries[i]);

		if (pte_is_node(e))
			node_free_all(pool, pte_node(e));
		if (e)
			n->used--;
	}
	node_free(pool, n);
}

void pgtable_fini(struct pgtable *t)
{
	uint64_t root = pte_own(&t->root);

	if (root)
		node_free_all(t->pool, pte_node(root));
	pgtable_reap(t);
	atomic_store_explicit(&t->root, 0, memory_order_relaxed);
}

void pt_list_free(struct pt_pool *pool, struct pt_node **list)
{
	while (*list) {
		struct pt_node *n = *list;

		*list = n->next;
		spare_put(pool, n);
	}
}

void pgtable_reap(struct pgtable *t)
{
	pt_list_free(t->pool, &t->retired);
}

void pgtable_bury(struct pgtable *t, struct pt_node **list)
{
	struct pt_node **tail = list;

	while (*tail)
		tail = &(*tail)->next;
	*tail = t->retired;
	t->retired = NULL;
}

/* Readers.  The loads pair with pte_set(). */
static bool node_lookup(const struct pt_node *n, iova_t at,
			struct pt_leaf *ret_leaf)
{
	for (;;) {
		uint64_t e = atomic_load_explicit(
			&n->entries[node_index(n, at)], memory_order_acquire);
		iova_t span = low_mask(n->shift);

		if (pte_is_leaf(e)) {
			*ret_leaf = (struct pt_leaf){
				.first = at & ~span,
				.last = at | span,
				.phys = e & PTE_PHYS,
				.perms = (unsigned)e & PT_PERMS,
				.node = n,
			};
			return true;
		}
		if (!e)
			return false;
		n = pte_node(e);
		if (!pt_node_spans(n, at))
			return false;
	}
}

bool pgtable_lookup(const struct pgtable *t, iova_t at,
		    struct pt_leaf *ret_leaf)
{
	uint64_t root = atomic_load_explicit(&t->root, memory_order_acquire);

	return root && pt_node_spans(pte_node(root), at) &&
	       node_lookup(pte_node(root), at, ret_leaf);
}

static bool node_mapped(const struct pt_node *n, iova_t first, iova_t last)
{
	unsigned i, hi;

	if (!node_overlaps(n, first, last))
		return false;
	/* Never empty, so what lies inside the range has a leaf there. */
	if (first <= n->base && node_last(n) <= last)
		return true;
	node_clip(n, first, last, &i, &hi);
	for (; i <= hi; i++) {
		uint64_t e = pte_own(&n->entries[i]);

		if (pte_is_leaf(e) ||
		    (e && node_mapped(pte_node(e), first, last)))
			return true;
	}
	return false;
}

/*
 * The writer's way in: the node that it wrote last, if the range lies in that
 * one, or the root.  A node that spans an address is on the only way to it.
 */
static struct pt_node *recent_for(const struct pgtable *t, iova_t first,
				  iova_t last)
{
	struct pt_node *n = t->recent;

	return n && pt_node_spans(n, first) && pt_node_spans(n, last) ? n
								      : NULL;
}

/*
 * Guests map and unmap single pages most of all, one beside the other: the
 * entry for [first, last] if that is one page in the node written last.
 */
static _Atomic uint64_t *recent_page(const struct pgtable *t, iova_t first,
				     iova_t last)
{
	struct pt_node *n = t->recent;

	if (!n || last - first != low_mask(t->shift) ||
	    !pt_node_spans(n, first) || (first & low_mask(t->shift)) != 0)
		return NULL;
	return &n->entries[node_index(n, first)];
}

bool pgtable_mapped(const struct pgtable *t, iova_t first, iova_t last)
{
	const _Atomic uint64_t *page = recent_page(t, first, last);
	const struct pt_node *recent = recent_for(t, first, last);
	uint64_t root = pte_own(&t->root);

	if (page)
		return pte_own(page) != 0;
	if (recent)
		return node_mapped(recent, first, last);
	return root && node_mapped(pte_node(root), first, last);
}

/*
 * A node above @n and @at, which @n does not span: at the level where the two
 * addresses part.  Nobody sees it until the caller enters it in n's place.
 */
static struct pt_node *node_join(struct pgtable *t, struct pt_node *n,
				 iova_t at, unsigned level)
{
	unsigned bit = 63u - (unsigned)__builtin_clzll(n->base ^ at);
	unsigned join_level = (bit - t->shift) / PT_INDEX_BITS;
	struct pt_node *join;

	/* Do not leave a node with one way down behind if there is no room
	 * for the node that @at needs below it. */
	if (join_level > level && !pool_has(t->pool, 2))
		return NULL;
	join = node_new(t, join_level, at);
	if (!join)
		return NULL;
	pte_set(&join->entries[node_index(join, n->base)], pte_of_node(n));
	join->used = 1;
	return join;
}

/*
 * The node at @level that spans @at, made if need be; it may be empty then.
 * No leaf and no lower node is in the way, because the leaf that the caller
 * is about to enter overlaps nothing.
 */
static struct pt_node *node_walk(struct pgtable *t, iova_t at, unsigned level)
{
	struct pt_node *parent = NULL;
	_Atomic uint64_t *slot = &t->root;

	for (;;) {
		uint64_t e = pte_own(slot);
		struct pt_node *n;

		if (!e) {
			n = node_new(t, level, at);
			if (!n)
				return NULL;
			pte_set(slot, pte_of_node(n));
			if (parent)
				parent->used++;
			return n;
		}
		n = pte_node(e);
		if (!pt_node_spans(n, at)) {
			n = node_join(t, n, at, level);
			if (!n)
				return NULL;
			pte_set(slot, pte_of_node(n));
		}
		assert(n->level >= level);
		if (n->level == level)
			return n;
		parent = n;
		slot = &n->entries[node_index(n, at)];
	}
}

static struct pt_node *node_for(struct pgtable *t, iova_t at, unsigned level)
{
	struct pt_node *n = level == 0 ? recent_for(t, at, at) : NULL;

	if (n)
		return n;
	n = node_walk(t, at, level);
	if (level == 0)
		t->recent = n;
	return n;
}

/* The largest leaf that begins at @at and ends at or before @last. */
static unsigned leaf_level(const struct pgtable *t, iova_t at, iova_t last)
{
	unsigned level = 0;

	for (;;) {
		unsigned bits = t->shift + (level + 1) * PT_INDEX_BITS;
		iova_t span = low_mask(bits);

		if (bits >= 64 || (at & span) != 0 || last - at < span)
			return level;
		level++;
	}
}

/*
 * Enter leaves from @at on in one node.  Return: the last address entered.
 */
static iova_t node_fill(struct pt_node *n, iova_t at, iova_t last,
			uint64_t proto)
{
	iova_t span = low_mask(n->shift);
	unsigned i = node_index(n, at);

	for (;;) {
		iova_t end = at | span;

		pte_set(&n->entries[i], proto | (end == last ? PTE_END : 0));
		n->used++;
		if (++i == PT_ENTRIES || last - end <= span)
			return end;
		proto = (proto & ~PTE_START) + span + 1;
		at = end + 1;
	}
}

static void node_retire(struct pgtable *t, struct pt_node *n)
{
	if (n == t->recent)
		t->recent = NULL;
	n->next = t->retired;
	t->retired = n;
}

static void change_add(struct pt_change *c, iova_t first, iova_t last)
{
	c->first = c->any ? min_u64(c->first, first) : first;
	c->last = c->any ? max_u64(c->last, last) : last;
	c->any = true;
}

/*
 * Take out all leaves in the range, which no leaf crosses.
 * Return: true if the node is now empty.
 */
static bool node_clear(struct pgtable *t, struct pt_node *n, iova_t first,
		       iova_t last, struct pt_change *c)
{
	unsigned i, hi;

	node_clip(n, first, last, &i, &hi);
	for (; i <= hi && n->used > 0; i++) {
		uint64_t e = pte_own(&n->entries[i]);

		if (pte_is_node(e)) {
			struct pt_node *child = pte_node(e);

			if (!node_overlaps(child, first, last) ||
			    !node_clear(t, child, first, last, c))
				continue;
			node_retire(t, child);
		} else if (e) {
			iova_t at = n->base + ((iova_t)i << n->shift);

			change_add(c, at, at | low_mask(n->shift));
			c->mappings += (e & PTE_START) != 0;
			c->bytes += low_mask(n->shift) + 1;
		} else {
			continue;
		}
		pte_clear(&n->entries[i]);
		n->used--;
	}
	return n->used == 0;
}

static void range_clear(struct pgtable *t, iova_t first, iova_t last,
			struct pt_change *c)
{
	uint64_t e = pte_own(&t->root);
	struct pt_node *root = e ? pte_node(e) : NULL;
	struct pt_node *recent = recent_for(t, first, last);

	/* An empty node has to be taken out of the one above. */
	if (recent && !node_clear(t, recent, first, last, c))
		return;
	if (!root || !node_overlaps(root, first, last))
		return;
	if (node_clear(t, root, first, last, c)) {
		pte_clear(&t->root);
		node_retire(t, root);
	}
	c->nodes = t->retired != NULL;
	/* After the nodes are out: who still sees the old one began before. */
	if (c->nodes)
		atomic_store_explicit(&t->gen, ++t->pool->gen,
				      memory_order_release);
}

int pgtable_map(struct pgtable *t, iova_t first, iova_t last, gpa_t phys,
		unsigned perms, struct pt_change *ret_change)
{
	_Atomic uint64_t *page = recent_page(t, first, last);
	iova_t at = first;

	*ret_change = (struct pt_change){0};
	if (page) {
		pte_set(page, phys | perms | PTE_LEAF | PTE_START | PTE_END);
		t->recent->used++;
		return 0;
	}
	for (;;) {
		uint64_t proto = (phys + (at - first)) | perms | PTE_LEAF |
				 (at == first ? PTE_START : 0);
		struct pt_node *n = node_for(t, at, leaf_level(t, at, last));
		iova_t end;

		if (!n)
			break;
		end = node_fill(n, at, last, proto);
		if (end == last)
			return 0;
		at = end + 1;
	}
	if (at != first)
		range_clear(t, first, at - 1, ret_change);
	return -ENOMEM;
}

/* Whether a MAP that holds @first or @last reaches beyond the range. */
static bool splits(const struct pgtable *t, iova_t first, iova_t last)
{
	struct pt_leaf leaf;

	if (pgtable_lookup(t, first, &leaf) &&
	    (leaf.first != first ||
	     !(pte_own(&leaf.node->entries[node_index(leaf.node, first)]) &
	       PTE_START)))
		return true;
	return pgtable_lookup(t, last, &leaf) &&
	       (leaf.last != last ||
		!(pte_own(&leaf.node->entries[node_index(leaf.node, last)]) &
		  PTE_END));
}

/* The same for one page in the node written last, which does not empty it.
 * Return: false if it is no such case. */
static bool unmap_page(struct pgtable *t, iova_t first, iova_t last,
		       struct pt_change *ret_change)
{
	const uint64_t whole = PTE_START | PTE_END;
	_Atomic uint64_t *page = recent_page(t, first, last);

	if (!page || (pte_own(page) & whole) != whole || t->recent->used == 1)
		return false;
	pte_clear(page);
	t->recent->used--;
	*ret_change = (struct pt_change){
		.any = true,
		.first = first,
		.last = last,
		.mappings = 1,
		.bytes = last - first + 1,
	};
	return true;
}

int pgtable_unmap(struct pgtable *t, iova_t first, iova_t last,
		  struct pt_change *ret_change)
{
	if (unmap_page(t, first, last, ret_change))
		return 0;
	*ret_change = (struct pt_change){0};
	if (splits(t, first, last))
		return -ERANGE;
	range_clear(t, first, last, ret_change);
	return 0;
}

/*
 * The first leaf that begins at or after @at, which is not behind the node.
 * No node is empty, so at most one way down is in vain.
 */
static bool node_next(const struct pt_node *n, iova_t at,
		      struct pt_leaf *ret_leaf)
{
	for (unsigned i = at <= n->base ? 0 : node_index(n, at); i < PT_ENTRIES;
	     i++) {
		uint64_t e = pte_own(&n->entries[i]);
		iova_t first = n->base + ((iova_t)i << n->shift);

		if (pte_is_node(e)) {
			if (at <= node_last(pte_node(e)) &&
			    node_next(pte_node(e), at, ret_leaf))
				return true;
		} else if (e && first >= at) {
			*ret_leaf = (struct pt_leaf){
				.first = first,
				.last = first | low_mask(n->shift),
				.phys = e & PTE_PHYS,
				.perms = (unsigned)e & PT_PERMS,
				.node = n,
			};
			return true;
		}
	}
	return false;
}

static bool table_next(const struct pgtable *t, iova_t at,
		       struct pt_leaf *ret_leaf)
{
	uint64_t root = pte_own(&t->root);

	return root && at <= node_last(pte_node(root)) &&
	       node_next(pte_node(root), at, ret_leaf);
}

static bool leaf_has(const struct pt_leaf *l, uint64_t border)
{
	unsigned i = node_index(l->node, l->first);

	return pte_own(&l->node->entries[i]) & border;
}

bool pgtable_next(const struct pgtable *t, iova_t from,
		  struct pt_mapping *ret_m)
{
	struct pt_leaf leaf;

	if (!table_next(t, from, &leaf))
		return false;
	while (!leaf_has(&leaf, PTE_START))
		if (leaf.last == ~UINT64_C(0) ||
		    !table_next(t, leaf.last + 1, &leaf))
			return false;
	*ret_m = (struct pt_mapping){
		.first = leaf.first,
		.phys = leaf.phys,
		.perms = leaf.perms,
	};
	while (!leaf_has(&leaf, PTE_END) && table_next(t, leaf.last + 1, &leaf))
		;
	ret_m->last = leaf.last;
	return true;
}
