/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What is around an address: for a device with a cache of its own, which asks
 * once and then uses the answer until it is told that it is gone.
 *
 * A MAP goes as a whole, so a hold of one byte of it is enough for all of it.
 * Neighbours may be other MAPs: they are added as far as the hold goes.
 */
#include <errno.h>

#include "core/bits.h"
#include "iommu/counter.h"
#include "iommu/endpoint.h"
#include "iommu/private.h"
#include "iommu/view.h"

/* How far the hold goes, at most. */
#define REACH MIB(2)

/*
 * Clip @e, which leads to @phys behind its first byte, to the piece of RAM
 * around @at.   Return: false if that is none.
 */
static bool clip_to_ram(const struct gmem *m, iova_t at, gpa_t phys,
			struct dma_extent *e)
{
	const gpa_t here = phys + (at - e->first);

	for (unsigned n = 0; n < m->nslots; n++) {
		const struct gmem_slot *s = &m->slots[n];
		uint64_t before, after;

		if (here - s->base >= s->size)
			continue;
		before = min_u64(at - e->first, here - s->base);
		after = min_u64(e->last - at, s->base + s->size - 1 - here);
		e->first = at - before;
		e->last = at + after;
		e->host = gmem_host(m, here - before, before + after + 1);
		return true;
	}
	return false;
}

/* Between the reserved regions that are next to @at, which is in none. */
static void clip_to_gap(const struct resv_set *s, iova_t at,
			struct dma_extent *e)
{
	for (unsigned n = 0; n < s->n; n++) {
		const struct iommu_resv_region *r = &s->at[n];

		if (r->last < at && r->last >= e->first)
			e->first = r->last + 1;
		if (r->first > at && r->first <= e->last)
			e->last = r->first - 1;
	}
}

static bool find_identity(const struct iommu_view *v, iova_t at,
			  struct dma_extent *e)
{
	iova_t unused;

	if (resv_first(&v->ep->resv, at, at, &unused))
		return false;
	*e = (struct dma_extent){
		.last = ~UINT64_C(0),
		.access = DMA_READ | DMA_WRITE,
	};
	clip_to_gap(&v->ep->resv, at, e);
	return clip_to_ram(v->dma.mem, at, e->first, e);
}

/* Go on with leaves that begin at or before @end and continue @e. */
static void add_neighbours(const struct iommu_domain *d, iova_t end,
			   unsigned perms, struct dma_extent *e)
{
	while (e->last < end) {
		const uint64_t len = e->last - e->first + 1;
		struct pt_leaf leaf;

		if (!pgtable_lookup(&d->table, e->last + 1, &leaf) ||
		    leaf.first != e->last + 1 || leaf.perms != perms ||
		    leaf.phys != (uintptr_t)e->host + len)
			return;
		e->last = leaf.last;
	}
}

static bool find_mapped(struct iommu_view *v, const struct iommu_domain *d,
			iova_t at, iova_t end, struct dma_extent *e)
{
	struct pt_leaf leaf;

	counter_add(&v->stats.walks, 1);
	if (!pgtable_lookup(&d->table, at, &leaf))
		return false;
	*e = (struct dma_extent){
		.first = leaf.first,
		.last = leaf.last,
		.access = leaf.perms >> RECALL_ALLOWED & (DMA_READ | DMA_WRITE),
	};
	if (!(leaf.perms & PT_HOST))
		return clip_to_ram(v->dma.mem, at, leaf.phys, e);
	e->host = (void *)(uintptr_t)leaf.phys;
	add_neighbours(d, end, leaf.perms, e);
	return true;
}

static bool find(struct iommu_view *v, iova_t at, iova_t end,
		 struct dma_extent *e)
{
	const struct iommu_domain *d = view_domain(v);

	if (d && !d->bypass)
		return find_mapped(v, d, at, end, e);
	if (d || iommu_bypass(v->ep->iommu))
		return find_identity(v, at, e);
	return false;
}

int view_extent(struct dma *dma, iova_t at, enum dma_access access,
		struct dma_extent *ret_e, struct dma_hold *hold)
{
	struct iommu_view *v = to_view(dma);
	const iova_t end = at | (REACH - 1);
	struct dma_extent e;
	enum notice_news news;
	int number = hold_begin(&v->holds, at, end, &news);

	counter_add(&v->stats.translations, 1);
	counter_add(&v->stats.misses, 1);
	if (number < 0)
		return number;
	view_hear(v, news);
	if (!find(v, at, end, &e) || !(e.access & access)) {
		hold_end(&v->holds, (unsigned)number);
		return -EFAULT;
	}
	hold_settle(&v->holds, (unsigned)number);
	*hold = (struct dma_hold){
		.dma = dma,
		.first = at,
		.last = end,
		.cookie = (uint32_t)number,
	};
	*ret_e = e;
	return 0;
}
