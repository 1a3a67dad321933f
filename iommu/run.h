/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * run.h - many MAPs and UNMAPs in one pass.
 *
 * Drivers collect UNMAPs and send hundreds at once.  To tell and to wait for
 * every user of a domain costs far more than to take an entry out of a table,
 * so it is done once for all.
 */
#ifndef MOAT_IOMMU_RUN_H
#define MOAT_IOMMU_RUN_H

#include "iommu/request.h"

/* What is waited for at once. */
#define IOMMU_RUN_MAX 256

/*
 * iommu_run - carry out @n requests in their order; each gets its status.
 * @r: MAPs and UNMAPs that were parsed to be run
 *
 * As iommu_map() and iommu_unmap() one after the other, except that accesses
 * under translations that are gone are waited for at the end, together: a MAP
 * behind an UNMAP is in the table before.  If that wait is broken, every UNMAP
 * that would have been OK is DEVERR.
 *
 * Threads: an operation; see iommu/iommu.h.
 */
void iommu_run(struct iommu *i, struct iommu_request *r, unsigned n);

#endif
