/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * subject.h - a way to store mappings, as iommu-bench sees it.
 *
 * Each subject has one domain that all its users translate through.
 *
 * Threads: map and unmap from one thread; each user from one thread, beside
 * it.
 */
#ifndef MOAT_IOMMU_BENCH_SUBJECT_H
#define MOAT_IOMMU_BENCH_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dma.h"

#define BENCH_PAGE  UINT64_C(4096)
#define BENCH_USERS 2

/* Slices a call has room for; more than any buffer here needs. */
#define BENCH_SLICES 32

struct subject {
	const struct subject_ops *ops;
};

struct subject_ops {
	const char *name;
	bool fill_in_order; /* any other order would take too long */
	/* Return: the subject, without mappings; NULL without memory. */
	struct subject *(*create)(struct gmem *mem);
	void (*destroy)(struct subject *s);
	/* One MAP, one UNMAP of whole pages, for reading and writing.
	 * Return: 0, or -1 if refused. */
	int (*map)(struct subject *s, iova_t first, iova_t last, gpa_t phys);
	int (*unmap)(struct subject *s, iova_t first, iova_t last);
	/* The slices of one buffer.  Return: their count, or -1. */
	int (*slices)(struct subject *s, unsigned user, iova_t at, uint64_t len,
		      struct dma_slice *slices, unsigned max);
	/*
	 * What is timed: translate @n buffers of @len bytes as a device would,
	 * access included, memory not touched.  Return: a number that depends
	 * on all results; 0 if any failed.
	 */
	uint64_t (*run)(struct subject *s, unsigned user, const iova_t *at,
			size_t n, uint64_t len);
};

extern const struct subject_ops subject_moat;
/* moat, but an UNMAP makes every user forget all, as a generation for the
 * whole domain does. */
extern const struct subject_ops subject_generation;
extern const struct subject_ops subject_gtree;
extern const struct subject_ops subject_sorted;

/* Adds a piece to @slices, joined to the last one if it goes on there.
 * Return: 0, or -1 without room. */
static inline int bench_slice(struct dma_slice *slices, unsigned *n,
			      unsigned max, gpa_t at, uint64_t len)
{
	if (*n > 0 && slices[*n - 1].at + slices[*n - 1].len == at) {
		slices[*n - 1].len += len;
		return 0;
	}
	if (*n == max)
		return -1;
	slices[(*n)++] = (struct dma_slice){.at = at, .len = len};
	return 0;
}

#endif
