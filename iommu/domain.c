/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/domain.h"

#include <stdlib.h>

static struct iommu_domain *to_domain(struct list *node)
{
	return container_of(node, struct iommu_domain, node);
}

void domain_set_init(struct domain_set *s)
{
	s->n = 0;
	for (unsigned i = 0; i < DOMAIN_BUCKETS; i++)
		list_init(&s->buckets[i]);
}

struct iommu_domain *domain_find(const struct domain_set *s, uint32_t id)
{
	const struct list *bucket = &s->buckets[id % DOMAIN_BUCKETS];

	list_for_each (pos, bucket)
		if (to_domain(pos)->id == id)
			return to_domain(pos);
	return NULL;
}

struct iommu_domain *domain_new(struct domain_set *s, uint32_t id, bool bypass,
				unsigned shift, struct pt_pool *pool)
{
	struct iommu_domain *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->id = id;
	d->bypass = bypass;
	list_init(&d->endpoints);
	pgtable_init(&d->table, shift, pool);
	list_append(&s->buckets[id % DOMAIN_BUCKETS], &d->node);
	s->n++;
	return d;
}

void domain_remove(struct domain_set *s, struct iommu_domain *d)
{
	list_remove(&d->node);
	s->n--;
}

void domain_free(struct iommu_domain *d)
{
	pgtable_fini(&d->table);
	free(d);
}
