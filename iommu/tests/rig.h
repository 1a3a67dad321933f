/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * rig.h - an IOMMU with memory, endpoints and a sink, for the tests.
 *
 * RAM: 16 MiB at 0 and 2 MiB at 4 GiB.  Endpoints 1, 2, 3, each with a view.
 * Every page of RAM begins with its own address, so that a test sees where an
 * access went.
 */
#ifndef MOAT_IOMMU_TESTS_RIG_H
#define MOAT_IOMMU_TESTS_RIG_H

#include <stdatomic.h>

#include "core/bits.h"
#include "core/gmem.h"
#include "iommu/iommu.h"

#define PAGE UINT64_C(4096)
#define TOP  (~UINT64_C(0))
#define RW   (IOMMU_MAP_READ | IOMMU_MAP_WRITE)

#define RIG_RAM0_SIZE MIB(16)
#define RIG_RAM1_AT   GIB(4)
#define RIG_RAM1_SIZE MIB(2)
#define RIG_MSI_FIRST UINT64_C(0xfee00000)
#define RIG_MSI_LAST  UINT64_C(0xfeefffff)

#define RIG_ENDPOINTS 3

struct rig {
	struct gmem mem;
	struct iommu *i;
	struct dma *dma[RIG_ENDPOINTS + 1]; /* by endpoint id */
	struct iommu_endpoint *ep[RIG_ENDPOINTS + 1];
	struct iommu_fault_sink sink;
	_Atomic unsigned nfaults;
	struct iommu_fault fault; /* the last one */
};

/* 64-bit input range, all domain ids, 4 KiB, one MSI region, no bypass. */
struct iommu_config rig_config(void);
/* @config may be NULL: rig_config(). */
void rig_init(struct rig *r, const struct iommu_config *config);
void rig_fini(struct rig *r);

/* The page-aligned address that the page behind @at begins with; asserts that
 * it can be read. */
gpa_t rig_where(struct rig *r, unsigned ep, iova_t at);
/* True if one byte at @at can be read / written. */
bool rig_can(struct rig *r, unsigned ep, iova_t at, enum dma_access access);
/* Asserts that the access faults with @reason exactly at @at. */
void rig_expect_fault(struct rig *r, unsigned ep, iova_t from, uint64_t len,
		      enum dma_access access, enum iommu_fault_reason reason,
		      iova_t at);

#endif
