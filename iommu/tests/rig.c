/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/tests/rig.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/bits.h"

static const struct iommu_resv_region msi = {IOMMU_RESV_MSI, RIG_MSI_FIRST,
					     RIG_MSI_LAST};

static void record(struct iommu_fault_sink *s, const struct iommu_fault *f)
{
	struct rig *r = container_of(s, struct rig, sink);

	r->fault = *f;
	atomic_fetch_add(&r->nfaults, 1);
}

struct iommu_config rig_config(void)
{
	return (struct iommu_config){
		.page_size_mask = ~(PAGE - 1),
		.input_last = TOP,
		.domain_last = UINT32_MAX,
		.resv = &msi,
		.nresv = 1,
	};
}

static void stamp(struct gmem *m, gpa_t at, uint64_t size)
{
	for (gpa_t p = at; p < at + size; p += PAGE) {
		int r = gmem_write(m, p, &p, sizeof(p));

		assert(r == 0);
	}
}

void rig_init(struct rig *r, const struct iommu_config *config)
{
	const struct gmem_slot layout[] = {
		{.base = 0, .size = RIG_RAM0_SIZE},
		{.base = RIG_RAM1_AT, .size = RIG_RAM1_SIZE},
	};
	struct iommu_config c = config ? *config : rig_config();
	int err;

	memset(r, 0, sizeof(*r));
	err = gmem_init(&r->mem, layout, ARRAY_SIZE(layout), NULL);
	assert(err == 0);
	stamp(&r->mem, 0, RIG_RAM0_SIZE);
	stamp(&r->mem, RIG_RAM1_AT, RIG_RAM1_SIZE);
	c.mem = &r->mem;
	err = iommu_new(&r->i, &c, NULL);
	assert(err == 0);
	r->sink.report = record;
	iommu_set_fault_sink(r->i, &r->sink);
	for (uint32_t id = RIG_ENDPOINTS; id > 0; id--) {
		err = iommu_endpoint_add(r->i, id, &r->ep[id], NULL);
		assert(err == 0);
		err = iommu_endpoint_view(r->ep[id], &r->dma[id]);
		assert(err == 0);
	}
}

void rig_fini(struct rig *r)
{
	iommu_free(r->i);
	gmem_fini(&r->mem);
}

gpa_t rig_where(struct rig *r, unsigned ep, iova_t at)
{
	gpa_t where;
	int err = dma_read(r->dma[ep], align_down(at, PAGE), &where,
			   sizeof(where));

	assert(err == 0);
	return where;
}

/* Without moving a byte. */
static int probe(struct rig *r, unsigned ep, iova_t at, uint64_t len,
		 enum dma_access access)
{
	struct iovec iov[DMA_IOV_MAX];
	struct dma_hold hold;
	int n = dma_iov(r->dma[ep], access, at, len, iov, DMA_IOV_MAX, &hold);

	dma_done(&hold);
	return n;
}

bool rig_can(struct rig *r, unsigned ep, iova_t at, enum dma_access access)
{
	return probe(r, ep, at, 1, access) == 1;
}

void rig_expect_fault(struct rig *r, unsigned ep, iova_t from, uint64_t len,
		      enum dma_access access, enum iommu_fault_reason reason,
		      iova_t at)
{
	unsigned before = r->nfaults;
	int err = probe(r, ep, from, len, access);

	assert(err == -EFAULT);
	assert(r->nfaults == before + 1);
	assert(r->fault.reason == reason);
	assert(r->fault.access == access);
	assert(r->fault.endpoint == ep);
	assert(r->fault.at == at);
}
