/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/tests/fake_dma.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "core/bits.h"

static struct fake_dma *to_fake(struct dma *d)
{
	return container_of(d, struct fake_dma, dma);
}

static struct fake_dma_page *find_locked(struct fake_dma *f, iova_t at)
{
	for (unsigned i = 0; i < f->npages; i++) {
		if (f->pages[i].iova == align_down(at, FAKE_DMA_PAGE))
			return &f->pages[i];
	}
	return NULL;
}

static int fault_locked(struct fake_dma *f, iova_t at)
{
	f->faults++;
	f->fault_at = at;
	return -EFAULT;
}

static int translate_locked(struct fake_dma *f, iova_t at, uint64_t len,
			    enum dma_access access, struct dma_slice *slices,
			    unsigned max)
{
	unsigned n = 0;

	f->translations++;
	if (f->fault_in > 0 && --f->fault_in == 0)
		return fault_locked(f, at);
	while (len > 0) {
		const struct fake_dma_page *p = find_locked(f, at);
		const uint64_t off = at & (FAKE_DMA_PAGE - 1);
		const uint64_t run = min_u64(len, FAKE_DMA_PAGE - off);

		if (!p || (p->access & access) != access)
			return fault_locked(f, at);
		if (n == max)
			return -E2BIG;
		slices[n++] = (struct dma_slice){p->gpa + off, run};
		at += run;
		len -= run;
	}
	f->holds++;
	return (int)n;
}

static int view_translate(struct dma *d, iova_t at, uint64_t len,
			  enum dma_access access, struct dma_slice *slices,
			  unsigned max, struct dma_hold *hold)
{
	struct fake_dma *f = to_fake(d);
	int r;

	assert(len > 0 && at + (len - 1) >= at);
	assert(hold->dma == d && hold->first == at &&
	       hold->last == at + (len - 1));
	hold->cookie = 0x5eed;
	pthread_mutex_lock(&f->lock);
	r = translate_locked(f, at, len, access, slices, max);
	pthread_mutex_unlock(&f->lock);
	return r;
}

static void view_release(struct dma *d, struct dma_hold *hold)
{
	struct fake_dma *f = to_fake(d);

	pthread_mutex_lock(&f->lock);
	assert(f->holds > 0 && hold->cookie == 0x5eed);
	f->holds--;
	pthread_mutex_unlock(&f->lock);
}

static int view_extent(struct dma *d, iova_t at, enum dma_access access,
		       struct dma_extent *ret_e, struct dma_hold *hold)
{
	struct fake_dma *f = to_fake(d);
	const struct fake_dma_page *p;
	int r = -EFAULT;

	pthread_mutex_lock(&f->lock);
	p = find_locked(f, at);
	if (p && p->access & access) {
		*ret_e = (struct dma_extent){
			.first = p->iova,
			.last = p->iova + (FAKE_DMA_PAGE - 1),
			.host = gmem_host(d->mem, p->gpa, FAKE_DMA_PAGE),
			.access = p->access,
		};
		*hold = (struct dma_hold){.dma = d, .cookie = 0x5eed};
		f->holds++;
		r = 0;
	}
	pthread_mutex_unlock(&f->lock);
	return r;
}

static const struct dma_ops view_ops = {
	.translate = view_translate,
	.extent = view_extent,
	.release = view_release,
};

void fake_dma_init(struct fake_dma *f, struct gmem *mem)
{
	*f = (struct fake_dma){.dma = {.ops = &view_ops, .mem = mem}};
	pthread_mutex_init(&f->lock, NULL);
}

void fake_dma_fini(struct fake_dma *f)
{
	assert(f->holds == 0);
	pthread_mutex_destroy(&f->lock);
}

static void map_page(struct fake_dma *f, iova_t iova, gpa_t gpa,
		     unsigned access)
{
	assert(is_aligned(iova | gpa, FAKE_DMA_PAGE));
	pthread_mutex_lock(&f->lock);
	assert(f->npages < FAKE_DMA_PAGES_MAX && !find_locked(f, iova));
	f->pages[f->npages++] = (struct fake_dma_page){iova, gpa, access};
	pthread_mutex_unlock(&f->lock);
}

void fake_dma_map(struct fake_dma *f, iova_t iova, gpa_t gpa, uint64_t len,
		  unsigned access)
{
	assert(is_aligned(len, FAKE_DMA_PAGE));
	for (uint64_t off = 0; off < len; off += FAKE_DMA_PAGE)
		map_page(f, iova + off, gpa + off, access);
}

void fake_dma_scatter(struct fake_dma *f, iova_t iova, gpa_t gpa, uint64_t len,
		      unsigned access)
{
	assert(is_aligned(len, FAKE_DMA_PAGE));
	for (uint64_t off = 0; off < len; off += FAKE_DMA_PAGE)
		map_page(f, iova + off, gpa + (len - FAKE_DMA_PAGE - off),
			 access);
}

void fake_dma_unmap(struct fake_dma *f, iova_t iova, uint64_t len)
{
	assert(is_aligned(iova | len, FAKE_DMA_PAGE));
	pthread_mutex_lock(&f->lock);
	for (uint64_t off = 0; off < len; off += FAKE_DMA_PAGE) {
		struct fake_dma_page *p = find_locked(f, iova + off);

		assert(p);
		*p = f->pages[--f->npages];
	}
	pthread_mutex_unlock(&f->lock);
	if (f->dma.listener) {
		const struct range r = {iova, iova + (len - 1)};

		f->dma.listener->gone(f->dma.listener, &r, 1);
	}
}

gpa_t fake_dma_gpa(struct fake_dma *f, iova_t iova)
{
	const struct fake_dma_page *p;
	gpa_t gpa;

	pthread_mutex_lock(&f->lock);
	p = find_locked(f, iova);
	assert(p);
	gpa = p->gpa + (iova & (FAKE_DMA_PAGE - 1));
	pthread_mutex_unlock(&f->lock);
	return gpa;
}

unsigned fake_dma_holds(struct fake_dma *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->holds;
	pthread_mutex_unlock(&f->lock);
	return n;
}

unsigned fake_dma_faults(struct fake_dma *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->faults;
	pthread_mutex_unlock(&f->lock);
	return n;
}
