/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * moat itself, through the call that its devices make: host iovecs of a
 * buffer, and the end of the hold.
 */
#include <stdlib.h>

#include "core/bits.h"
#include "iommu/bench/subject.h"
#include "iommu/iommu.h"

#define DOMAIN 1

struct moat {
	struct subject base;
	struct iommu *i;
	struct dma *dma[BENCH_USERS];
};

static struct moat *to_moat(struct subject *s)
{
	return container_of(s, struct moat, base);
}

static void moat_destroy(struct subject *s)
{
	iommu_free(to_moat(s)->i);
	free(to_moat(s));
}

static int moat_fill(struct moat *m, struct gmem *mem, bool forgetful)
{
	const struct iommu_config config = {
		.mem = mem,
		.page_size_mask = ~(BENCH_PAGE - 1),
		.input_last = ~UINT64_C(0),
		.domain_last = UINT32_MAX,
		.max_mappings = UINT64_C(1) << 23,
		.forgetful = forgetful,
	};

	if (iommu_new(&m->i, &config, NULL))
		return -1;
	for (unsigned u = 0; u < BENCH_USERS; u++) {
		struct iommu_endpoint *ep;

		if (iommu_endpoint_add(m->i, u, &ep, NULL) ||
		    iommu_endpoint_view(ep, &m->dma[u]) ||
		    iommu_attach(m->i, DOMAIN, u, false) != IOMMU_OK)
			return -1;
	}
	return 0;
}

static struct subject *create(struct gmem *mem, const struct subject_ops *ops,
			      bool forgetful)
{
	struct moat *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->base.ops = ops;
	if (moat_fill(m, mem, forgetful) == 0)
		return &m->base;
	moat_destroy(&m->base);
	return NULL;
}

static struct subject *moat_create(struct gmem *mem)
{
	return create(mem, &subject_moat, false);
}

static struct subject *generation_create(struct gmem *mem)
{
	return create(mem, &subject_generation, true);
}

static int moat_map(struct subject *s, iova_t first, iova_t last, gpa_t phys)
{
	return iommu_map(to_moat(s)->i, DOMAIN, first, last, phys,
			 IOMMU_MAP_READ | IOMMU_MAP_WRITE) == IOMMU_OK
		       ? 0
		       : -1;
}

static int moat_unmap(struct subject *s, iova_t first, iova_t last)
{
	return iommu_unmap(to_moat(s)->i, DOMAIN, first, last) == IOMMU_OK ? 0
									   : -1;
}

static int moat_slices(struct subject *s, unsigned user, iova_t at,
		       uint64_t len, struct dma_slice *slices, unsigned max)
{
	struct dma *d = to_moat(s)->dma[user];
	struct dma_hold hold = {.dma = d, .first = at, .last = at + (len - 1)};
	int n = d->ops->translate(d, at, len, DMA_READ, slices, max, &hold);

	if (n >= 0)
		dma_done(&hold);
	return n < 0 ? -1 : n;
}

static uint64_t moat_run(struct subject *s, unsigned user, const iova_t *at,
			 size_t n, uint64_t len)
{
	struct dma *d = to_moat(s)->dma[user];
	struct iovec iov[BENCH_SLICES];
	struct dma_hold hold; /* in a queue's element, for a device */
	uint64_t sum = 1;

	for (size_t k = 0; k < n; k++) {
		int pieces = dma_iov(d, DMA_READ, at[k], len, iov, BENCH_SLICES,
				     &hold);

		if (pieces <= 0)
			return 0;
		sum += (uintptr_t)iov[pieces - 1].iov_base;
		dma_done(&hold);
	}
	return sum;
}

const struct subject_ops subject_moat = {
	.name = "moat",
	.create = moat_create,
	.destroy = moat_destroy,
	.map = moat_map,
	.unmap = moat_unmap,
	.slices = moat_slices,
	.run = moat_run,
};

const struct subject_ops subject_generation = {
	.name = "generation",
	.create = generation_create,
	.destroy = moat_destroy,
	.map = moat_map,
	.unmap = moat_unmap,
	.slices = moat_slices,
	.run = moat_run,
};
