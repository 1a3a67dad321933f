/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What somebody outside may see: endpoints and mappings as they are.
 */
#include <errno.h>

#include "iommu/endpoint.h"
#include "iommu/iommu.h"
#include "iommu/private.h"

/* Caller holds i->op. */
static void state_locked(const struct iommu_endpoint *ep,
			 struct iommu_endpoint_state *ret_s)
{
	const struct iommu_domain *d = endpoint_domain(ep);
	struct iommu_stats sum = {0};

	endpoint_add_stats(ep, &sum);
	*ret_s = (struct iommu_endpoint_state){
		.id = ep->id,
		.attached = d,
		.bypass = d ? d->bypass : iommu_bypass(ep->iommu),
		.domain = d ? d->id : 0,
		.mappings = d ? d->mappings : 0,
		.mapped_bytes = d ? d->bytes : 0,
		.translations = sum.translations,
		.cache_hits = sum.cache_hits,
		.cache_misses = sum.cache_misses,
		.walks = sum.walks,
		.faults = sum.faults,
	};
}

bool iommu_endpoint_state(struct iommu *i, size_t n,
			  struct iommu_endpoint_state *ret_s)
{
	if (n >= i->neps)
		return false;
	iommu_lock(i);
	state_locked(i->eps[n], ret_s);
	iommu_unlock(i);
	return true;
}

static uint32_t map_flags(unsigned perms)
{
	return (perms & PT_READ ? IOMMU_MAP_READ : 0) |
	       (perms & PT_WRITE ? IOMMU_MAP_WRITE : 0) |
	       (perms & PT_MMIO ? IOMMU_MAP_MMIO : 0);
}

/* Caller holds i->op. */
static unsigned mappings_locked(const struct gmem *mem, const struct pgtable *t,
				iova_t from, struct iommu_mapping *ret_m,
				unsigned max)
{
	struct pt_mapping m;
	unsigned n = 0;

	while (n < max && pgtable_next(t, from, &m)) {
		ret_m[n++] = (struct iommu_mapping){
			.first = m.first,
			.last = m.last,
			.phys = iommu_phys(mem, m.phys, m.perms),
			.flags = map_flags(m.perms),
		};
		from = m.last + 1;
		if (from == 0)
			break;
	}
	return n;
}

int iommu_mappings(struct iommu *i, uint32_t endpoint, iova_t from,
		   struct iommu_mapping *ret_m, unsigned max)
{
	const struct iommu_endpoint *ep = iommu_endpoint_find(i, endpoint);
	const struct iommu_domain *d;
	unsigned n = 0;

	if (!ep)
		return -ENOENT;
	iommu_lock(i);
	d = endpoint_domain(ep);
	if (d)
		n = mappings_locked(i->config.mem, &d->table, from, ret_m, max);
	iommu_unlock(i);
	return (int)n;
}
