/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Reading the description as the review of the 2020 patch asks: reset,
 * ACKNOWLEDGE, DRIVER, read, reset; any number of times before the real
 * driver, in accesses of any width and through the window in configuration
 * space.  The bytes are always the same, whatever was written over them, and
 * so is config_generation.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/ways.h"

static struct iommu iommu;
static struct ways ways;
static uint8_t first[TOPO_BYTES_MAX], again[TOPO_BYTES_MAX];

static void probe(struct vdev *v, unsigned way)
{
	vdev_reset(v);
	vdev_add_status(v, STATUS_ACKNOWLEDGE);
	vdev_add_status(v, STATUS_DRIVER);
	way_read(&ways, way, again);
	vdev_reset(v);
}

static void compare(const struct vdev *v, unsigned way)
{
	if (memcmp(first, again, v->device_len) != 0)
		fail("%s: other bytes than before", way_name(way));
}

/* No field takes all ones: bypass, the one that may be written, is 0 or 1. */
static void write_all(const struct vdev *v)
{
	for (uint32_t at = 0; at < v->device_len; at += 4)
		mmio_write(v->device + at, 4, UINT32_MAX);
}

void guest(void)
{
	struct vdev *v = &iommu.v;
	uint64_t generation;

	CHECK_EQ(iommu_read_topology(&iommu), TOPO_OK);
	ways_find(&ways, v);
	generation = mmio_read(v->common + C_GENERATION, 1);
	probe(v, 0);
	memcpy(first, again, v->device_len);
	for (unsigned n = 0; n < 3 * WAYS; n++) {
		memset(again, 0x5a, sizeof(again));
		probe(v, n % WAYS);
		compare(v, n % WAYS);
	}
	write_all(v);
	for (unsigned n = 0; n < 5; n++)
		CHECK_EQ(iommu_read_topology(&iommu), TOPO_OK);
	iommu_start(&iommu);
	CHECK_EQ(iommu_attach(&iommu, 1, iommu.topology.items[0].endpoint, 0),
		 IOMMU_OK);
	write_all(v);
	/* The driver that runs sees what the probes saw. */
	for (unsigned way = 0; way < WAYS; way++) {
		way_read(&ways, way, again);
		compare(v, way);
	}
	CHECK_EQ(mmio_read(v->common + C_GENERATION, 1), generation);
}
