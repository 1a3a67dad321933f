/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fake_dma.h - a translated view whose mappings a test makes by hand.
 *
 * Pages of 4 KiB; each page is a slice of its own, so what is contiguous for
 * the guest is in pieces for the host.  Counts holds, refuses accesses
 * without permission, and fails on demand.
 *
 * Threads: any.
 */
#ifndef MOAT_CORE_TESTS_FAKE_DMA_H
#define MOAT_CORE_TESTS_FAKE_DMA_H

#include <pthread.h>
#include <stdint.h>

#include "core/dma.h"

#define FAKE_DMA_PAGE	   4096u
#define FAKE_DMA_PAGES_MAX 1024

struct fake_dma_page {
	iova_t iova;
	gpa_t gpa;
	unsigned access; /* mask of enum dma_access */
};

struct fake_dma {
	struct dma dma;
	pthread_mutex_t lock;
	unsigned npages;
	struct fake_dma_page pages[FAKE_DMA_PAGES_MAX];
	/* The n-th translation from now faults; 0: none. */
	unsigned fault_in;
	/* What has happened so far. */
	unsigned translations, faults;
	iova_t fault_at; /* of the last fault */
	unsigned holds;	 /* begun and not ended */
};

void fake_dma_init(struct fake_dma *f, struct gmem *mem);
/* Asserts that no hold is left. */
void fake_dma_fini(struct fake_dma *f);

/*
 * fake_dma_map - let [iova, iova + len) be [gpa, gpa + len).
 * fake_dma_scatter - the same memory with its pages in reverse order: the
 * first page of the IOVA range is the last one of the memory.
 *
 * Page-aligned all; asserted.  Unmapping tells the listener, and waits for no
 * hold.
 */
void fake_dma_map(struct fake_dma *f, iova_t iova, gpa_t gpa, uint64_t len,
		  unsigned access);
void fake_dma_scatter(struct fake_dma *f, iova_t iova, gpa_t gpa, uint64_t len,
		      unsigned access);
void fake_dma_unmap(struct fake_dma *f, iova_t iova, uint64_t len);

/* Where the byte at @iova is; asserts that it is mapped. */
gpa_t fake_dma_gpa(struct fake_dma *f, iova_t iova);

unsigned fake_dma_holds(struct fake_dma *f);
unsigned fake_dma_faults(struct fake_dma *f);

#endif
