/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * private.h - struct iommu, for the files that share it.
 */
#ifndef MOAT_IOMMU_PRIVATE_H
#define MOAT_IOMMU_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/list.h"
#include "iommu/domain.h"
#include "iommu/hold.h"
#include "iommu/iommu.h"
#include "iommu/pgtable.h"
#include "iommu/resv.h"
#include "iommu/run.h"

/* Written under the op lock, read by anyone. */
struct op_stats {
	_Atomic uint64_t attaches, detaches, maps, unmaps, rejected;
	_Atomic uint64_t mappings, mapped_bytes, domains;
};

/* What has been taken away, and whose users are still to be waited for. */
struct owed {
	unsigned n;
	bool broken; /* a wait was broken */
	struct iommu_domain *domains[IOMMU_RUN_MAX];
	struct range ranges[IOMMU_RUN_MAX];
};

struct iommu {
	struct iommu_config config; /* limits filled in; resv: see below */
	struct resv_set resv;	    /* of every endpoint */
	unsigned shift;		    /* log2 of the granule */

	/*
	 * One operation at a time, its wait for holds included.  A thread
	 * that finishes I/O, translates, reports a fault or reads counters
	 * never takes it; one that lists mappings does.
	 */
	pthread_mutex_t op;
	struct hold_gate gate;

	struct iommu_endpoint **eps; /* by id; complete before the guest runs */
	size_t neps, eps_cap;
	struct domain_set domains;
	struct pt_pool pool;
	struct op_stats stats;
	struct owed owed; /* nothing, between operations */

	/* What a broken wait left behind: no reader may be known to be gone
	 * from it. */
	struct list dead_domains;
	struct pt_node *dead_nodes;

	_Atomic bool bypass;
	_Atomic(struct iommu_fault_sink *) sink;
};

/* Return: NULL if there is no such endpoint. */
struct iommu_endpoint *iommu_endpoint_find(const struct iommu *i, uint32_t id);

/* Frees what broken waits left behind: no reader is in it any more. */
void iommu_dead_free(struct iommu *i);

void iommu_lock(struct iommu *i);
void iommu_unlock(struct iommu *i);

/* The guest's address for what a leaf leads to.  (iommu/pgtable.h) */
static inline gpa_t iommu_phys(const struct gmem *mem, gpa_t target,
			       unsigned perms)
{
	return perms & PT_HOST ? gmem_at(mem, (const void *)(uintptr_t)target)
			       : target;
}

/* Hands @f to the sink, if there is one. */
void iommu_report(const struct iommu *i, const struct iommu_fault *f);

#endif
