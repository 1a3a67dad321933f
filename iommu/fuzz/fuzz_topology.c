/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What can be made of a topology: every list that the functions let grow
 * passes the check, and a careful parser finds in the configuration space
 * exactly what was put in.
 *
 * The input is a list of 9-byte steps: kind, place (4), endpoint (4).
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/le.h"
#include "iommu/viommu_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define STEP	   9
#define ADDED_MAX  512
#define KIND_FORM  1
#define KIND_PLACE 2

struct added {
	bool mmio;
	uint16_t segment;
	uint64_t place;
	uint32_t endpoint;
};

static struct added added[ADDED_MAX];
static unsigned nadded;

/* Small numbers, so that runs and collisions happen. */
static struct added read_step(const uint8_t *step)
{
	uint32_t place = le32_load(step + 1);

	return (struct added){
		.mmio = step[0] & KIND_PLACE,
		.segment = place >> 16 & 1,
		.place = place & 0x1ff,
		.endpoint = le32_load(step + 5) & 0xff0003ff,
	};
}

static int add(struct iommu_topology *t, const struct added *a)
{
	if (a->mmio)
		return iommu_topology_add_mmio(t, a->place, a->endpoint, NULL);
	return iommu_topology_add_pci(t, a->segment, (uint16_t)a->place,
				      a->endpoint, NULL);
}

/* The guest's side: the endpoint at a place, as the 2020 patch finds it. */
static bool find(const uint8_t *config, size_t size, size_t at,
		 const struct added *a, uint32_t *ret_endpoint)
{
	uint64_t offset = le32_load(config + at);
	uint64_t count = le32_load(config + at + 4);
	uint64_t stride = le32_load(config + at + 8);

	assert(offset >= at + 12 && offset % 8 == 0);
	assert(count > 0 && stride == 16 && offset + count * stride <= size);
	assert(size <= VIOMMU_CONFIG_MAX);
	for (uint64_t n = 0; n < count; n++) {
		const uint8_t *item = config + offset + n * stride;
		uint16_t first = le16_load(item + 4),
			 last = le16_load(item + 6);

		if (le16_load(item) == 1 && !a->mmio &&
		    le16_load(item + 2) == a->segment && first <= a->place &&
		    a->place <= last) {
			*ret_endpoint = (uint32_t)(a->place - first) +
					le32_load(item + 8);
			return true;
		}
		if (le16_load(item) == 2 && a->mmio &&
		    le64_load(item + 8) == a->place) {
			*ret_endpoint = le32_load(item + 4);
			return true;
		}
	}
	return false;
}

static void check(const struct viommu_config *c, size_t at)
{
	size_t size = viommu_config_size(c);
	uint8_t *config = calloc(1, size);

	assert(config);
	viommu_config_fill(config, c);
	for (unsigned n = 0; n < nadded; n++) {
		uint32_t endpoint;

		assert(find(config, size, at, &added[n], &endpoint));
		assert(endpoint == added[n].endpoint);
	}
	free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct iommu_config ic = {
		.page_size_mask = ~UINT64_C(0xfff),
		.input_last = UINT64_MAX,
		.domain_last = UINT32_MAX,
	};
	struct iommu_topology t;
	struct viommu_config c = {.topology = &t, .form = IOMMU_TOPOLOGY_V2};

	iommu_topology_init(&t);
	if (iommu_new(&c.iommu, &ic, NULL))
		return 0;
	nadded = 0;
	for (; len >= STEP && nadded < ADDED_MAX; data += STEP, len -= STEP) {
		struct added a = read_step(data);

		if (data[0] & KIND_FORM)
			c.form = IOMMU_TOPOLOGY_NATIVE;
		if (add(&t, &a) == 0)
			added[nadded++] = a;
	}
	if (nadded > 0) {
		assert(iommu_topology_check(&t, NULL) == 0);
		check(&c, c.form == IOMMU_TOPOLOGY_V2
				  ? VIOMMU_CONFIG_TOPO_V2
				  : VIOMMU_CONFIG_TOPO_NATIVE);
	}
	iommu_free(c.iommu);
	iommu_topology_fini(&t);
	return 0;
}
