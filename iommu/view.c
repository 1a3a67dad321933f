/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/view.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/bits.h"
#include "iommu/counter.h"
#include "iommu/endpoint.h"
#include "iommu/private.h"

const struct iommu_domain *view_domain(const struct iommu_view *v)
{
	return atomic_load_explicit(&v->ep->domain, memory_order_seq_cst);
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

static int translate_mapped(struct iommu_view *v, const struct iommu_domain *d,
			    iova_t first, iova_t last, enum dma_access access,
			    struct slices *s, struct iommu_fault *f)
{
	unsigned need = access == DMA_WRITE ? PT_WRITE : PT_READ;
	iova_t at = first;

	f->reason = IOMMU_FAULT_MAPPING;
	for (;;) {
		struct pt_leaf leaf;
		bool found;
		uint64_t done;
		iova_t end;
		gpa_t phys;
		int r;

		found = pgtable_lookup(&d->table, at, &leaf);
		counter_add(&v->stats.walks, 1);
		f->at = at;
		if (!found || !(leaf.perms & need))
			return -EFAULT;
		end = min_u64(leaf.last, last);
		phys = iommu_phys(v->dma.mem, leaf.phys, leaf.perms) +
		       (at - leaf.first);
		if (!(leaf.perms & PT_HOST) &&
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
	const struct iommu_domain *d = view_domain(v);

	if (d && !d->bypass)
		return translate_mapped(v, d, first, last, access, s, f);
	if (d || iommu_bypass(v->ep->iommu))
		return translate_identity(v, first, last, s, f);
	f->reason = IOMMU_FAULT_DOMAIN;
	f->at = first;
	return -EFAULT;
}

void view_hear(struct iommu_view *v, enum notice_news news)
{
	const struct iommu_domain *d;
	uint64_t gen;

	if (news == NOTICE_NONE)
		return;
	d = view_domain(v);
	gen = d ? pgtable_gen(&d->table) : 0;
	if (news == NOTICE_UPHEAVAL || gen != v->gen)
		tlb_forget(&v->tlb);
	v->gen = gen;
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
	enum notice_news news;
	int number, r = -EFAULT;

	counter_add(&v->stats.translations, 1);
	counter_add(&v->stats.misses, 1);
	number = hold_begin(&v->holds, at, last, &news);
	if (number >= 0) {
		view_hear(v, news);
		r = translate(v, at, last, access, &s, &f);
		if (r == 0) {
			hold_settle(&v->holds, (unsigned)number);
			hold->cookie = (uint32_t)number;
			return (int)s.n;
		}
		hold_end(&v->holds, (unsigned)number);
	}
	if (r == -EFAULT) {
		counter_add(&v->stats.faults, 1);
		iommu_report(v->ep->iommu, &f);
	}
	return r;
}

/*
 * A window of identity, if all of it is in one piece of RAM and nothing in it
 * is reserved.
 */
static const struct recall_window *identity_window(struct iommu_view *v,
						   iova_t at)
{
	const uint64_t size = BIT_ULL(v->recall.shift);
	const iova_t first = align_down(at, size);
	const void *host = gmem_host(v->dma.mem, first, size);
	iova_t unused;

	if (!host ||
	    resv_first(&v->ep->resv, first, first + (size - 1), &unused))
		return NULL;
	return tlb_add_entry(&v->tlb, at,
			     (uintptr_t)host | RECALL_LEAF | PT_READ |
				     PT_WRITE | PT_HOST);
}

/* The window that @at is in, not found again; NULL if there is nothing that a
 * window shows. */
static const struct recall_window *walk(struct iommu_view *v, iova_t at)
{
	const struct iommu_domain *d = view_domain(v);
	struct pt_leaf leaf;

	if (d && !d->bypass) {
		/* If there is nothing, the long way looks and counts again. */
		if (!pgtable_lookup(&d->table, at, &leaf))
			return NULL;
		counter_add(&v->stats.walks, 1);
		return tlb_add_node(&v->tlb, at, leaf.node);
	}
	if (d || iommu_bypass(v->ep->iommu))
		return identity_window(v, at);
	return NULL;
}

/* Pieces of host memory under construction. */
struct pieces {
	struct iovec *iov;
	unsigned n, max;
};

/* Joined to the last one if the host's memory goes on there. */
static int pieces_add(struct pieces *p, uint64_t host, uint64_t len)
{
	struct iovec *prev = p->n ? &p->iov[p->n - 1] : NULL;

	if (prev && (uintptr_t)prev->iov_base + prev->iov_len == host) {
		prev->iov_len += len;
		return 0;
	}
	if (p->n == p->max)
		return -E2BIG;
	p->iov[p->n++] = (struct iovec){(void *)(uintptr_t)host, len};
	return 0;
}

/*
 * The entries of @w from @at on, as far as they go.
 * @at: then the first byte that is left
 *
 * Return: 0; -EFAULT at an entry that the short way does not take; -E2BIG.
 */
static int window_run(const struct recall_window *w, iova_t *at, iova_t last,
		      enum dma_access access, struct pieces *p)
{
	const iova_t span = BIT_ULL(w->shift) - 1;
	unsigned i = (unsigned)(*at >> w->shift) & w->mask;

	for (;; i++) {
		uint64_t e = atomic_load_explicit(&w->entries[i],
						  memory_order_acquire);
		const iova_t end = min_u64(*at | span, last);

		if (!recall_permits(e, access))
			return -EFAULT;
		if (pieces_add(p, recall_host(w, e, *at), end - *at + 1))
			return -E2BIG;
		*at = end + 1;
		if (end == last || i == w->mask)
			return 0;
	}
}

/* Caller holds the range.  Return: 0 or -errno as window_run(). */
static int look_up(struct iommu_view *v, iova_t at, iova_t last,
		   enum dma_access access, struct pieces *p)
{
	bool walked = false;
	int r = -EFAULT;

	do {
		const struct recall_window *w = recall_find(&v->recall, at);
		iova_t from = at;

		if (!w)
			w = tlb_big(&v->tlb, at);
		if (w)
			r = window_run(w, &at, last, access, p);
		/* Smaller leaves, too, may stand where a big one did. */
		if (!w || (r == -EFAULT && at == from)) {
			walked = true;
			w = walk(v, at);
			if (!w)
				return -EFAULT;
			r = window_run(w, &at, last, access, p);
		}
	} while (r == 0 && at - 1 != last);
	if (walked && r == 0)
		counter_add(&v->stats.misses, 1);
	return r;
}

/* A hold that has begun. */
struct begun {
	enum notice_news news;
	uint64_t use; /* if it is recalled */
};

/* Return: true with the hold. */
static bool begin(struct iommu_view *v, iova_t at, uint64_t len,
		  struct dma_hold *hold, struct begun *ret_b)
{
	const iova_t last = at + (len - 1);
	unsigned word = recall_in_page(at, len) ? recall_pick(&v->recall)
						: RECALL_WORDS;
	int number;

	*hold = (struct dma_hold){.dma = &v->dma, .first = at, .last = last};
	if (word < RECALL_WORDS) {
		hold->word = (uint8_t)word;
		recall_take(&v->recall, word);
		ret_b->news = hold_page(&v->holds, word, at, &ret_b->use);
		return true;
	}
	number = hold_begin(&v->holds, at, last, &ret_b->news);
	hold->cookie = (uint32_t)number;
	return number >= 0;
}

static void settle(struct iommu_view *v, const struct dma_hold *hold,
		   const struct begun *b)
{
	if (hold->word) {
		recall_settle(&v->recall, hold->word, b->use);
		return;
	}
	hold_settle(&v->holds, hold->cookie);
	counter_add(&v->stats.translations, 1);
}

static int view_iov(struct dma *dma, iova_t at, uint64_t len,
		    enum dma_access access, struct iovec *iov, unsigned max,
		    struct dma_hold *hold)
{
	struct iommu_view *v = to_view(dma);
	struct pieces p = {.iov = iov, .max = max};
	struct begun b;
	int r;

	if (!begin(v, at, len, hold, &b)) {
		*hold = (struct dma_hold){0};
		return 0;
	}
	view_hear(v, b.news);
	r = look_up(v, at, at + (len - 1), access, &p);
	if (r == 0) {
		settle(v, hold, &b);
		return (int)p.n;
	}
	if (hold->word)
		recall_in_vain(&v->recall);
	dma_done(hold);
	*hold = (struct dma_hold){0};
	return r == -E2BIG ? r : 0;
}

static void view_release(struct dma *dma, struct dma_hold *hold)
{
	struct iommu_view *v = to_view(dma);

	if (hold->word)
		hold_care(&v->holds);
	else
		hold_end(&v->holds, hold->cookie);
}

static const struct dma_ops view_ops = {
	.translate = view_translate,
	.iov = view_iov,
	.extent = view_extent,
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
	tlb_init(&v->tlb, &v->recall, ep->iommu->shift);
	hold_table_init(&v->holds, &v->recall, &ep->iommu->gate);
	return v;
}

void view_free(struct iommu_view *v)
{
	hold_table_fini(&v->holds);
	(void)munmap(v, sizeof(*v));
}

void view_add_stats(const struct iommu_view *v, struct iommu_stats *s)
{
	/* They go on while we read. */
	uint64_t uses = counter_get(&v->recall.uses);
	uint64_t vain = min_u64(counter_get(&v->recall.vain), uses);
	uint64_t all = counter_get(&v->stats.translations) +
		       (uses - vain) / RECALL_USE;
	uint64_t misses = min_u64(counter_get(&v->stats.misses), all);

	s->translations += all;
	s->cache_hits += all - misses;
	s->cache_misses += misses;
	s->walks += counter_get(&v->stats.walks);
	s->faults += counter_get(&v->stats.faults);
}
