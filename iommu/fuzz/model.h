/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * model.h - what an IOMMU has to answer: lists, searched from end to end.
 *
 * Slow and obvious.  It knows the endpoints 1 to 3 of viommu_rig.h, and no
 * limit of table bytes.
 *
 * Threads: one.
 */
#ifndef MOAT_IOMMU_FUZZ_MODEL_H
#define MOAT_IOMMU_FUZZ_MODEL_H

#include <stdbool.h>

#include "iommu/tests/rig.h"

#define MODEL_DOMAINS  8 /* that can be there at once */
#define MODEL_MAPPINGS 64

struct model_mapping {
	uint32_t domain;
	iova_t first, last;
	gpa_t phys;
	uint32_t flags;
};

struct model {
	struct iommu_config config; /* max_domains and max_mappings are set */
	/* Regions of endpoint @n, those of the config included. */
	const struct iommu_resv_region *resv[RIG_ENDPOINTS + 1];
	unsigned nresv[RIG_ENDPOINTS + 1];
	bool bypass;
	/* Where an endpoint is. */
	bool attached[RIG_ENDPOINTS + 1];
	bool is_bypass[RIG_ENDPOINTS + 1];
	uint32_t domain[RIG_ENDPOINTS + 1];
	struct model_mapping mappings[MODEL_MAPPINGS];
	unsigned nmappings;
};

enum iommu_status model_attach(struct model *m, uint32_t domain, uint32_t ep,
			       uint32_t flags);
enum iommu_status model_detach(struct model *m, uint32_t domain, uint32_t ep);
enum iommu_status model_map(struct model *m, uint32_t domain, iova_t first,
			    iova_t last, gpa_t phys, uint32_t flags);
enum iommu_status model_unmap(struct model *m, uint32_t domain, iova_t first,
			      iova_t last);
void model_reset(struct model *m);

/* Where one byte is.  Return: false if @ep may not get at it. */
bool model_translate(const struct model *m, unsigned ep, iova_t at,
		     enum dma_access access, gpa_t *ret_phys);

#endif
