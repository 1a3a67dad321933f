/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/endpoint.h"

#include <errno.h>
#include <stdlib.h>

#include "iommu/private.h"
#include "iommu/view.h"

int iommu_endpoint_view(struct iommu_endpoint *ep, struct dma **ret_dma)
{
	struct iommu_view *v = view_new(ep);

	if (!v)
		return -ENOMEM;
	iommu_lock(ep->iommu);
	v->next = atomic_load_explicit(&ep->views, memory_order_relaxed);
	atomic_store_explicit(&ep->views, v, memory_order_release);
	iommu_unlock(ep->iommu);
	*ret_dma = &v->dma;
	return 0;
}

int iommu_endpoint_reserve(struct iommu_endpoint *ep,
			   const struct iommu_resv_region *resv, unsigned n,
			   struct err *err)
{
	/* Those of the IOMMU are shared by all endpoints that have no other. */
	return n ? resv_init(&ep->resv, &ep->iommu->resv, resv, n, err) : 0;
}

struct iommu_endpoint *endpoint_new(struct iommu *i, uint32_t id)
{
	struct iommu_endpoint *ep = calloc(1, sizeof(*ep));

	if (!ep)
		return NULL;
	ep->iommu = i;
	ep->id = id;
	ep->resv = i->resv;
	list_init(&ep->node);
	atomic_init(&ep->domain, NULL);
	atomic_init(&ep->views, NULL);
	return ep;
}

/* Pairs with the release in iommu_endpoint_view(). */
static struct iommu_view *first_view(const struct iommu_endpoint *ep)
{
	return atomic_load_explicit(&ep->views, memory_order_acquire);
}

void endpoint_free(struct iommu_endpoint *ep)
{
	struct iommu_view *v = first_view(ep);

	while (v) {
		struct iommu_view *next = v->next;

		view_free(v);
		v = next;
	}
	if (ep->resv.at != ep->iommu->resv.at)
		resv_fini(&ep->resv);
	free(ep);
}

struct iommu_domain *endpoint_domain(const struct iommu_endpoint *ep)
{
	return atomic_load_explicit(&ep->domain, memory_order_relaxed);
}

void endpoint_set_domain(struct iommu_endpoint *ep, struct iommu_domain *d)
{
	list_remove(&ep->node);
	if (d)
		list_append(&d->endpoints, &ep->node);
	atomic_store_explicit(&ep->domain, d, memory_order_seq_cst);
}

void endpoint_tell(const struct iommu_endpoint *ep, bool upheaval)
{
	for (struct iommu_view *v = first_view(ep); v; v = v->next)
		hold_tell(&v->holds, upheaval);
}

bool endpoint_drain(const struct iommu_endpoint *ep, const struct range *r,
		    unsigned n)
{
	bool drained = true;

	for (struct iommu_view *v = first_view(ep); v; v = v->next) {
		struct dma_listener *l = v->dma.listener;

		hold_told(&v->holds);
		drained = hold_wait(&v->holds, r, n) && drained;
		/* What was found under those holds has been passed on. */
		if (l)
			l->gone(l, r, n);
	}
	return drained;
}

void endpoint_wait_walks(const struct iommu_endpoint *ep)
{
	for (struct iommu_view *v = first_view(ep); v; v = v->next)
		hold_wait_walks(&v->holds);
}

void endpoint_add_stats(const struct iommu_endpoint *ep, struct iommu_stats *s)
{
	for (struct iommu_view *v = first_view(ep); v; v = v->next)
		view_add_stats(v, s);
}
