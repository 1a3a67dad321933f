/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/viommu_config.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/le.h"

static_assert(VIOMMU_CONFIG_ITEMS + IOMMU_TOPOLOGY_ITEMS_MAX *
					    IOMMU_TOPOLOGY_STRIDE <=
		      VIOMMU_CONFIG_MAX,
	      "the array ends inside what drivers map");
static_assert(VIOMMU_CONFIG_ITEMS % 8 == 0, "items are 8-aligned");

/* Size without items. */
#define RATIFIED_SIZE 48

static bool has_topology(const struct viommu_config *config)
{
	return config->form != IOMMU_TOPOLOGY_NONE;
}

/* A described endpoint that answers NOENT makes the kernel warn. */
static int check_endpoints(const struct viommu_config *config, struct err *err)
{
	const struct iommu_topology *t = config->topology;

	for (size_t n = 0; n < t->n; n++) {
		uint64_t last = iommu_item_last_endpoint(&t->items[n]);

		for (uint64_t id = t->items[n].endpoint; id <= last; id++) {
			const struct iommu_resv_region *resv;
			unsigned nresv;

			if (iommu_resv_regions(config->iommu, (uint32_t)id,
					       &resv, &nresv) != IOMMU_OK)
				return err_set(err, EINVAL,
					       "endpoint %" PRIu64
					       " is in the topology but not "
					       "in the IOMMU",
					       id);
		}
	}
	return 0;
}

int viommu_config_check(const struct viommu_config *config, struct err *err)
{
	unsigned nresv = iommu_resv_most(config->iommu);
	int r;

	if (nresv > VIOMMU_RESV_MAX)
		return err_set(err, EINVAL, "%u reserved regions, at most %d",
			       nresv, VIOMMU_RESV_MAX);
	if (!has_topology(config))
		return 0;
	r = iommu_topology_check(config->topology, err);
	return r ? r : check_endpoints(config, err);
}

uint64_t viommu_config_features(const struct viommu_config *config)
{
	/* Bit 6 is BYPASS_CONFIG or, in the form v2, the 2020 topology bit. */
	uint64_t features =
		BIT_ULL(VIOMMU_F_INPUT_RANGE) | BIT_ULL(VIOMMU_F_DOMAIN_RANGE) |
		BIT_ULL(VIOMMU_F_MAP_UNMAP) | BIT_ULL(VIOMMU_F_PROBE) |
		BIT_ULL(VIOMMU_F_MMIO) | BIT_ULL(VIOMMU_F_BYPASS_CONFIG);

	if (config->form == IOMMU_TOPOLOGY_NATIVE)
		features |= BIT_ULL(VIOMMU_F_TOPOLOGY);
	return features;
}

size_t viommu_config_size(const struct viommu_config *config)
{
	if (!has_topology(config))
		return RATIFIED_SIZE;
	return VIOMMU_CONFIG_ITEMS +
	       config->topology->n * IOMMU_TOPOLOGY_STRIDE;
}

static void fill_topology(uint8_t *dst, size_t at,
			  const struct iommu_topology *t)
{
	le32_store(dst + at, VIOMMU_CONFIG_ITEMS);
	le32_store(dst + at + 4, (uint32_t)t->n);
	le32_store(dst + at + 8, IOMMU_TOPOLOGY_STRIDE);
	iommu_topology_encode(t, dst + VIOMMU_CONFIG_ITEMS);
}

void viommu_config_fill(uint8_t *dst, const struct viommu_config *config)
{
	const struct iommu_config *c = iommu_get_config(config->iommu);

	le64_store(dst, c->page_size_mask);
	le64_store(dst + 8, c->input_first);
	le64_store(dst + 16, c->input_last);
	le32_store(dst + 24, c->domain_first);
	le32_store(dst + 28, c->domain_last);
	le32_store(dst + 32, VIOMMU_PROBE_SIZE);
	switch (config->form) {
	case IOMMU_TOPOLOGY_V2:
		fill_topology(dst, VIOMMU_CONFIG_TOPO_V2, config->topology);
		return;
	case IOMMU_TOPOLOGY_NATIVE:
		fill_topology(dst, VIOMMU_CONFIG_TOPO_NATIVE, config->topology);
		break;
	case IOMMU_TOPOLOGY_NONE:
		break;
	}
	dst[VIOMMU_CONFIG_BYPASS] = iommu_bypass(config->iommu);
}
