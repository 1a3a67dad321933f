/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/view.h"

#include <errno.h>
#include <sys/mman.h>

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
	unsigned perms; /* enum dma_access of the last one's whole page, or 0 */
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
	iova_t unused;

	f->reason = IOMMU_FAULT_UNKNOWN;
	if (resv_first(&v->ep->resv, first, last, &f->at))
		return -EFAULT;
	if (!all_ram(v->dma.mem, first, len, &done)) {
		f->at = first + done;
		return -EFAULT;
	}
	/* A reserved region may begin or end within a page. */
	if (!resv_first(&v->ep->resv, align_down(first, RECALL_PAGE_SIZE),
			last | RECALL_PAGE_MASK, &unused))
		s->perms = DMA_READ | DMA_WRITE;
	return slices_add(s, first, len);
}

static unsigned dma_perms(unsigned perms)
{
	return (perms & PT_READ ? DMA_READ : 0u) |
	       (perms & PT_WRITE ? DMA_WRITE : 0u);
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
		s->perms = dma_perms(leaf.perms);
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

/* The first slice of a translation that succeeded is one page's. */
static void remember(struct iommu_view *v, iova_t at, const struct slices *s,
		     unsigned perms)
{
	struct iovec iov;
	iova_t page = align_down(at, RECALL_PAGE_SIZE);
	gpa_t phys = align_down(s->at[0].at, RECALL_PAGE_SIZE);

	if (gmem_iov(v->dma.mem, phys, RECALL_PAGE_SIZE, &iov, 1) == 1)
		tlb_page_add(&v->tlb, at, perms,
			     (uintptr_t)iov.iov_base - page);
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
	struct hold_news news;
	int number, r = -EFAULT;

	count(&v->stats.translations);
	number = hold_begin(&v->holds, at, last, &news);
	if (number >= 0) {
		if (news.any)
			tlb_pages_forget(&v->tlb, news.first, news.last);
		r = translate(v, at, last, access, &s, &f);
		if (r == 0) {
			hold_settle(&v->holds, (unsigned)number);
			hold->cookie = (uint32_t)number;
			if (s.perms && recall_in_page(at, len))
				remember(v, at, &s, s.perms);
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

/* The leaf that @at is in, if nothing about it is special. */
static bool common_leaf(const struct iommu_view *v, iova_t at,
			enum dma_access access, struct pt_leaf *ret_leaf)
{
	const struct iommu_domain *d =
		atomic_load_explicit(&v->ep->domain, memory_order_acquire);
	unsigned need = (access == DMA_WRITE ? PT_WRITE : PT_READ) | PT_RAM;

	return d && !d->bypass &&
	       tlb_table_lookup(&v->tlb, &d->table, at, ret_leaf) &&
	       (ret_leaf->perms & need) == need;
}

/* Caller holds the page.  Return: true with what is behind @at. */
static bool look_up(struct iommu_view *v, iova_t at, enum dma_access access,
		    uint64_t *ret_to_host)
{
	iova_t page = align_down(at, RECALL_PAGE_SIZE);
	struct pt_leaf leaf;
	struct iovec iov;

	if (!common_leaf(v, at, access, &leaf) ||
	    gmem_iov(v->dma.mem, leaf.phys + (page - leaf.first),
		     RECALL_PAGE_SIZE, &iov, 1) != 1)
		return false;
	*ret_to_host = (uintptr_t)iov.iov_base - page;
	tlb_page_add(&v->tlb, at, dma_perms(leaf.perms), *ret_to_host);
	return true;
}

static bool view_lookup(struct dma *dma, iova_t at, uint64_t len,
			enum dma_access access, struct iovec *iov,
			struct dma_hold *hold)
{
	struct iommu_view *v = to_view(dma);
	struct recall *r = &v->recall;
	uint64_t to_host;

	if (r->heard == 0 ||
	    atomic_load_explicit(&r->page, memory_order_relaxed) != 0)
		return false;
	hold->dma = dma;
	hold->recalled = true;
	if (recall_hold(r, at, RECALL_WALK) &&
	    look_up(v, at, access, &to_host)) {
		recall_walked(r);
		*iov = (struct iovec){(void *)(uintptr_t)(at + to_host), len};
		return true;
	}
	recall_in_vain(r);
	dma_done(hold);
	*hold = (struct dma_hold){0};
	return false;
}

static void view_release(struct dma *dma, struct dma_hold *hold)
{
	struct iommu_view *v = to_view(dma);

	if (hold->recalled)
		hold_care(&v->holds);
	else
		hold_end(&v->holds, hold->cookie);
}

static const struct dma_ops view_ops = {
	.translate = view_translate,
	.lookup = view_lookup,
	.release = view_release,
};

/* Zeroed and aligned; what is not touched takes no memory. */
static struct iommu_view *view_alloc(void)
{
	void *p = mmap(NULL, sizeof(struct iommu_view), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct iommu_view *view_new(struct iommu_endpoint *ep)
{
	struct iommu_view *v = view_alloc();

	if (!v)
		return NULL;
	v->dma = (struct dma){
		.ops = &view_ops,
		.mem = ep->iommu->config.mem,
		.recall = &v->recall,
	};
	v->ep = ep;
	tlb_init(&v->tlb, &v->recall);
	hold_table_init(&v->holds, &v->recall, &ep->iommu->gate);
	return v;
}

void view_free(struct iommu_view *v)
{
	hold_table_fini(&v->holds);
	(void)munmap(v, sizeof(*v));
}

static uint64_t value(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void view_add_stats(const struct iommu_view *v, struct iommu_stats *s)
{
	uint64_t recalled = value(&v->recall.uses) - value(&v->recall.vain);

	s->translations += value(&v->stats.translations) + recalled;
	s->cache_hits += value(&v->stats.hits) + recalled;
	s->walks += value(&v->stats.walks);
	s->faults += value(&v->stats.faults);
}
