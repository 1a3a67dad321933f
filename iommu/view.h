/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * view.h - what one user of an endpoint holds.
 *
 * A view is a struct dma: it translates through the endpoint's domain, with a
 * cache and a table of holds of its own, so that users share nothing they
 * write to.
 *
 * Threads: a view belongs to one user at a time; others drain its holds and
 * sum its counters.
 */
#ifndef MOAT_IOMMU_VIEW_H
#define MOAT_IOMMU_VIEW_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/bits.h"
#include "core/dma.h"
#include "iommu/hold.h"
#include "iommu/tlb.h"

struct iommu_domain;
struct iommu_endpoint;
struct iommu_stats;

/* Written by the view's user alone, read by whoever sums. */
struct view_stats {
	/* @translations: those that needed a slot; recall counts the others */
	_Atomic uint64_t translations, misses, walks, faults;
};

struct iommu_view {
	struct dma dma;
	struct iommu_endpoint *ep;
	struct iommu_view *next;
	struct view_stats stats;
	struct hold_table holds;
	uint64_t gen; /* of the table that @tlb remembers nodes of */
	struct tlb tlb;
	struct recall recall;
};

/* Return: a view that nobody finds yet; NULL without memory. */
struct iommu_view *view_new(struct iommu_endpoint *ep);
void view_free(struct iommu_view *v);

/* extent.c; as dma_extent(). */
int view_extent(struct dma *dma, iova_t at, enum dma_access access,
		struct dma_extent *ret_e, struct dma_hold *hold);

/* For extent.c: before anything is looked up under a new hold; and then. */
void view_hear(struct iommu_view *v, enum notice_news news);
const struct iommu_domain *view_domain(const struct iommu_view *v);

static inline struct iommu_view *to_view(struct dma *d)
{
	return container_of(d, struct iommu_view, dma);
}

/* Adds the view's counters. */
void view_add_stats(const struct iommu_view *v, struct iommu_stats *s);

#endif
