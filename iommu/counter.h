/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * counter.h - a number that one thread at a time changes and any may read.
 *
 * A reader sees some value that it has had; nothing else is ordered by it.
 */
#ifndef MOAT_IOMMU_COUNTER_H
#define MOAT_IOMMU_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t counter_get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/* Modulo 2^64, so -@n takes away.  Caller holds what keeps others from
 * changing it. */
static inline void counter_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, counter_get(c) + n, memory_order_relaxed);
}

#endif
