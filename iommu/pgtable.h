/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pgtable.h - the mappings of one domain: a radix table over IOVAs.
 *
 * Nine bits a level above the granule.  A leaf may stand at any level and is
 * aligned in IOVA space only: it may lead to any page, since this table is
 * walked by software.  Each leaf keeps the borders of the MAP it
 * belongs to, so the UNMAP rules need no second structure.  A node is found by
 * its prefix: levels with one way down are left out, so a lone mapping at the
 * top of a 64-bit space costs one node, not six.  Nodes are never empty.
 *
 * IOVA intervals are (first, last), inclusive.
 *
 * Threads: one writer (map, unmap, reap), any number of readers beside it.
 * A reader is inside a walk (iommu/hold.h): a node that was taken out of the
 * table is freed by pgtable_reap(), which the writer calls when all walks that
 * had begun are over.  pgtable_gen() moves before that, so a reader that
 * remembers nodes between walks knows that it must forget them.
 */
#ifndef MOAT_IOMMU_PGTABLE_H
#define MOAT_IOMMU_PGTABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/dma.h"

#define PT_INDEX_BITS 9
#define PT_ENTRIES    512

/* What a leaf permits; kept in the entry. */
#define PT_READ	 ((unsigned)DMA_READ << RECALL_ALLOWED)
#define PT_WRITE ((unsigned)DMA_WRITE << RECALL_ALLOWED)
#define PT_MMIO	 0x10u
#define PT_HOST	 ((unsigned)RECALL_HOST) /* it leads to host addresses */
#define PT_PERMS 0x3cu

/* The smallest granule: an entry's low 12 bits are flags. */
#define PT_SHIFT_MIN 12
#define PT_SHIFT_MAX 30

/* What all tables of one IOMMU share. */
struct pt_pool {
	_Atomic uint64_t used; /* bytes of nodes; written by the writer */
	uint64_t max;
	uint64_t gen; /* last generation given out */
	/* Nodes taken out and not used: empty, and not counted. */
	struct pt_node *spare;
	unsigned nspare;
};

/* Spare nodes that are kept: so many can come and go at no cost. */
#define PT_SPARE_MAX 8

struct pt_node {
	iova_t base; /* of what it spans */
	iova_t mask; /* the address bits that it spans */
	uint8_t level;
	uint8_t shift;	      /* log2 of what one entry spans */
	uint16_t used;	      /* entries that are not empty; the writer's */
	struct pt_node *next; /* in a list of nodes taken out */
	_Atomic uint64_t entries[PT_ENTRIES];
};

struct pgtable {
	_Atomic uint64_t root; /* as an entry: empty or a node */
	_Atomic uint64_t gen;
	struct pt_pool *pool; /* borrowed */
	unsigned shift;	      /* log2 of the granule */
	struct pt_node *retired;
	/* The node of level 0 that was written last; the writer often comes
	 * back. */
	struct pt_node *recent;
};

/* One leaf, as a reader found it. */
struct pt_leaf {
	iova_t first, last;	    /* what it spans */
	gpa_t phys;		    /* behind first; PT_HOST: the host's */
	unsigned perms;		    /* PT_READ ... */
	const struct pt_node *node; /* where it was found */
};

/* What a writer has to wait for. */
struct pt_change {
	bool any;	   /* something was mapped in [first, last] */
	bool nodes;	   /* nodes were taken out: walks, and pgtable_reap() */
	uint64_t mappings; /* MAPs that are gone */
	iova_t first, last; /* holds that overlap this may still use it */
	/* Modulo 2^64.  Not beside mappings: as one vector the two would be
	 * loaded before their stores have reached the cache. */
	uint64_t bytes;
};

/* Frees what the pool keeps; all tables are gone. */
void pt_pool_fini(struct pt_pool *pool);

/* @shift: PT_SHIFT_MIN to PT_SHIFT_MAX */
void pgtable_init(struct pgtable *t, unsigned shift, struct pt_pool *pool);
/* Frees all nodes; no reader is left.  Accepts a zeroed object. */
void pgtable_fini(struct pgtable *t);

/*
 * pgtable_map - enter one MAP.  Both ends are aligned to the granule, @phys is
 * aligned and does not wrap, and nothing in the range is mapped
 * (pgtable_mapped() said so).
 *
 * Return: 0; -ENOMEM, with nothing entered, and @ret_change telling what
 * readers may have seen for a moment.
 */
int pgtable_map(struct pgtable *t, iova_t first, iova_t last, gpa_t phys,
		unsigned perms, struct pt_change *ret_change);

/*
 * pgtable_unmap - take out every MAP inside the range; holes are allowed.
 *
 * Return: 0; -ERANGE if a MAP lies across an end of the range (nothing is
 * taken out then).
 */
int pgtable_unmap(struct pgtable *t, iova_t first, iova_t last,
		  struct pt_change *ret_change);

/* Frees the nodes taken out so far. */
void pgtable_reap(struct pgtable *t);
/* Moves them to the list @list instead; pt_list_free() frees that. */
void pgtable_bury(struct pgtable *t, struct pt_node **list);
void pt_list_free(struct pt_pool *pool, struct pt_node **list);

/* True if any byte of the range is mapped.  The writer's. */
bool pgtable_mapped(const struct pgtable *t, iova_t first, iova_t last);

/*
 * pgtable_lookup - the leaf that spans @at.
 * Return: true with a leaf; false if @at is not mapped.
 */
bool pgtable_lookup(const struct pgtable *t, iova_t at,
		    struct pt_leaf *ret_leaf);

/* One MAP, whole. */
struct pt_mapping {
	iova_t first, last;
	gpa_t phys;
	unsigned perms;
};

/*
 * pgtable_next - the first MAP that begins at or after @from.  The writer's;
 * its work is bounded by the leaves of the MAP, and of the one across @from.
 *
 * Return: true with a MAP; false if there is none.
 */
bool pgtable_next(const struct pgtable *t, iova_t from,
		  struct pt_mapping *ret_m);

static inline bool pt_node_spans(const struct pt_node *n, iova_t at)
{
	return (at & ~n->mask) == n->base;
}

/* Unique over all tables of a pool; moves when nodes are taken out. */
static inline uint64_t pgtable_gen(const struct pgtable *t)
{
	return atomic_load_explicit(&t->gen, memory_order_acquire);
}

#endif
