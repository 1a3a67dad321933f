/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/view.h"

#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "iommu/endpoint.h"
#include "iommu/private.h"

static struct iommu_view *to_view(struct dma *d)
{
	return container_of(d, struct iommu_view, dma);
}

/* One writer: no need for an atomic addition. */
static void count(_Atomic uint64_t *counter)
{
	uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, n + 1, memory_order_relaxed);
}

/* Slices under construction. */
struct slices {
	struct dma_slice *at;
	unsigned n, max;
};

static int slices_add(struct slices *s, gpa_t at, uint64_t len)
{
	struct dma_slice *prev = s->n ? &s->at[s->n - 1] : NULL;

	if (prev && prev->at + prev->len == at) {
		prev->len += len;
		return 0;
	}
	if (s->n == s->max)
		return -E2BIG;
	s->at[s->n++] = (struct dma_slice){.at = at, .len = len};
	return 0;
}

/*
 * True if all of it is RAM; else @ret_done says how many bytes before the
 * first one that is not.
 */
static bool all_ram(const struct gmem *m, gpa_t at, uint64_t len,
		    uint64_t *ret_done)
{
	uint64_t done = 0;

	if (gmem_has(m, at, len))
		return true;
	for (unsigned n = 0; n < m->nslots; n++) {
		const struct gmem_slot *slot = &m->slots[n];

		/* Ascending: neighbours follow each other. */
		if (at + done - slot->base < slot->size)
			done = slot->base + slot->size - at;
	}
	*ret_done = done;
	return false;
}

/*
 * Both translations return 0 with @s filled, -E2BIG, or -EFAULT with @f's
 * reason and place filled.
 */
static int translate_identity(struct iommu_view *v, iova_t first, iova_t last,
			      struct slices *s, struct iommu_fault *f)
{
	uint64_t len = last - first + 1;
	uint64_t done;

	f->reason = IOMMU_FAULT_UNKNOWN;
	if (resv_first(&v->ep->resv, first, last, &f->at))
		return -EFAULT;
	if (!all_ram(v->dma.mem, first, len, &done)) {
		f->at = first + done;
		return -EFAULT;
	}
	return slices_add(s, first, len);
}

static int translate_mapped(struct iommu_view *v, struct iommu_domain *d,
			    iova_t first, iova_t last, enum dma_access access,
			    struct slices *s, struct iommu_fault *f)
{
	unsigned need = access == DMA_WRITE ? PT_WRITE : PT_READ;
	iova_t at = first;

	f->reason = IOMMU_FAULT_MAPPING;
	for (;;) {
		struct pt_leaf leaf;
		bool hit, found;
		uint64_t done;
		iova_t end;
		gpa_t phys;
		int r;

		found = tlb_lookup(&v->tlb, &d->table, at, &leaf, &hit);
		count(hit ? &v->stats.hits : &v->stats.walks);
		f->at = at;
		if (!found || !(leaf.perms & need))
			return -EFAULT;
		end = min_u64(leaf.last, last);
		phys = leaf.phys + (at - leaf.first);
		if (!(leaf.perms & PT_RAM) &&
		    !all_ram(v->dma.mem, phys, end - at + 1, &done)) {
			f->at = at + done;
			return -EFAULT;
		}
		r = slices_add(s, phys, end - at + 1);
		if (r || end == last)
			return r;
		at = end + 1;
	}
}

static int translate(struct iommu_view *v, iova_t first, iova_t last,
		     enum dma_access access, struct slices *s,
		     struct iommu_fault *f)
{
	struct iommu_domain *d =
		atomic_load_explicit(&v->ep->domain, memory_order_seq_cst);

	if (d && !d->bypass)
		return translate_mapped(v, d, first, last, access, s, f);
	if (d || iommu_bypass(v->ep->iommu))
		return translate_identity(v, first, last, s, f);
	f->reason = IOMMU_FAULT_DOMAIN;
	f->at = first;
	return -EFAULT;
}

static int view_translate(struct dma *dma, iova_t at, uint64_t len,
			  enum dma_access access, struct dma_slice *slices,
			  unsigned max, struct dma_hold *hold)
{
	struct iommu_view *v = to_view(dma);
	iova_t last = at + (len - 1);
	struct slices s = {.at = slices, .max = max};
	struct iommu_fault f = {
		.reason = IOMMU_FAULT_UNKNOWN,
		.access = access,
		.endpoint = v->ep->id,
		.at = at,
	};
	int number, r = -EFAULT;

	count(&v->stats.translations);
	number = hold_begin(&v->holds, at, last);
	if (number >= 0) {
		r = translate(v, at, last, access, &s, &f);
		if (r == 0) {
			hold_settle(&v->holds, (unsigned)number);
			hold->cookie = (uint32_t)number;
			return (int)s.n;
		}
		hold_end(&v->holds, (unsigned)number);
	}
	if (r == -EFAULT) {
		count(&v->stats.faults);
		iommu_report(v->ep->iommu, &f);
	}
	return r;
}

static void view_release(struct dma *dma, struct dma_hold *hold)
{
	hold_end(&to_view(dma)->holds, hold->cookie);
}

static const struct dma_ops view_ops = {
	.translate = view_translate,
	.release = view_release,
};

struct iommu_view *view_new(struct iommu_endpoint *ep)
{
	struct iommu_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->dma = (struct dma){.ops = &view_ops, .mem = ep->iommu->config.mem};
	v->ep = ep;
	tlb_init(&v->tlb);
	hold_table_init(&v->holds, &ep->iommu->gate);
	return v;
}

void view_free(struct iommu_view *v)
{
	hold_table_fini(&v->holds);
	free(v);
}

static uint64_t value(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void view_add_stats(const struct iommu_view *v, struct iommu_stats *s)
{
	s->translations += value(&v->stats.translations);
	s->cache_hits += value(&v->stats.hits);
	s->walks += value(&v->stats.walks);
	s->faults += value(&v->stats.faults);
}
