/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * domain.h - an address space and the endpoints in it.
 *
 * A domain exists as long as an endpoint is attached to it.
 * [virtio 1.2, 5.13.6.3, 5.13.6.4]
 *
 * Threads: changed under the IOMMU's op lock only.  Translating threads read
 * id, bypass (constant) and table (iommu/pgtable.h) inside a hold.
 */
#ifndef MOAT_IOMMU_DOMAIN_H
#define MOAT_IOMMU_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/list.h"
#include "iommu/pgtable.h"

#define DOMAIN_BUCKETS 64

struct iommu_domain {
	struct list node;      /* in a bucket, or among the dead */
	struct list endpoints; /* struct iommu_endpoint's node */
	uint32_t id;
	bool bypass; /* identity, no mappings */
	uint64_t mappings;
	struct pgtable table;
	uint64_t bytes; /* mapped, modulo 2^64 */
};

struct domain_set {
	struct list buckets[DOMAIN_BUCKETS];
	uint32_t n;
};

void domain_set_init(struct domain_set *s);

/* Return: the domain, or NULL. */
struct iommu_domain *domain_find(const struct domain_set *s, uint32_t id);

/* A domain without endpoints, in the set.  Return: NULL without memory. */
struct iommu_domain *domain_new(struct domain_set *s, uint32_t id, bool bypass,
				unsigned shift, struct pt_pool *pool);
/* Out of the set; nothing finds it any more. */
void domain_remove(struct domain_set *s, struct iommu_domain *d);
/* Out of the set already, and no reader left. */
void domain_free(struct iommu_domain *d);

#endif
