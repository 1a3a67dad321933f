/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * resv.h - sets of reserved regions.   [virtio 1.2, 5.13.6.8.1]
 *
 * The IOMMU has one set for all its endpoints; an endpoint with regions of its
 * own has a larger one that contains both.  Constant once the guest runs.
 */
#ifndef MOAT_IOMMU_RESV_H
#define MOAT_IOMMU_RESV_H

#include <stdbool.h>

#include "iommu/iommu.h"

struct resv_set {
	struct iommu_resv_region *at; /* owned; NULL: none */
	unsigned n;
};

/*
 * resv_init - the regions of @base, which may be NULL, and @n more; an MSI
 * region among these takes the place of the one in @base.
 *
 * Return: 0; -EINVAL for a region that ends before it begins, two that
 * overlap or two of MSI; -ENOMEM; with a sentence, @s untouched.
 */
int resv_init(struct resv_set *s, const struct resv_set *base,
	      const struct iommu_resv_region *more, unsigned n,
	      struct err *err);
/* Accepts a zeroed object. */
void resv_fini(struct resv_set *s);

/* True if a region overlaps the range; @ret_at: first byte of it. */
bool resv_first(const struct resv_set *s, iova_t first, iova_t last,
		iova_t *ret_at);

#endif
