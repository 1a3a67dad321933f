/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * endpoint.h - one device's identity, and the views its users hold.
 *
 * Threads: endpoints are changed under the IOMMU's op lock.
 */
#ifndef MOAT_IOMMU_ENDPOINT_H
#define MOAT_IOMMU_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/dma.h"
#include "core/list.h"
#include "core/range.h"
#include "iommu/iommu.h"
#include "iommu/resv.h"

struct iommu_domain;
struct iommu_view;

struct iommu_endpoint {
	struct iommu *iommu;
	uint32_t id;
	struct resv_set resv;
	_Atomic(struct iommu_domain *) domain; /* NULL: not attached */
	struct list node;		       /* in domain->endpoints */
	_Atomic(struct iommu_view *) views;    /* only grows */
};

struct iommu_endpoint *endpoint_new(struct iommu *i, uint32_t id);
void endpoint_free(struct iommu_endpoint *ep);

/* The op lock's holder reads what only it writes. */
struct iommu_domain *endpoint_domain(const struct iommu_endpoint *ep);
/* @d may be NULL; step W1 of hold.c's protocol. */
void endpoint_set_domain(struct iommu_endpoint *ep, struct iommu_domain *d);

/*
 * On every view, after something has been taken away: hold_tell(); when all
 * have been told and notice_fence() is behind, hold_told() and hold_wait();
 * then hold_wait_walks(), if nodes are to be freed.
 */
void endpoint_tell(const struct iommu_endpoint *ep, bool upheaval);
bool endpoint_drain(const struct iommu_endpoint *ep, const struct range *r,
		    unsigned n);
void endpoint_wait_walks(const struct iommu_endpoint *ep);

/* Adds the views' counters. */
void endpoint_add_stats(const struct iommu_endpoint *ep, struct iommu_stats *s);

#endif
