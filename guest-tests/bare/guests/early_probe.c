/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The early probe of the 2020 patch, step by step: no reset, no status, the
 * first word of the features, 32-bit reads.  The device answers as it would a
 * kernel with that patch, any number of times and to accesses of any width;
 * what it tells of ends inside the capability's length, and the real driver
 * finds it as if nobody had been there.
 *
 * Words: "endpoint=none" if the device is expected to have no description.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"
#include "guest-tests/bare/lib/ways.h"

#define CAP_VENDOR 0x09
#define ITEM_PCI   1

/* Nothing of the capability but bar and offset is looked at. */
static volatile uint8_t *find(uint8_t devfn, uint8_t cfg_type)
{
	uint8_t pos = (uint8_t)pci_read(devfn, 0x34, 1);

	for (; pos; pos = (uint8_t)pci_read(devfn, pos + 1u, 1)) {
		uint32_t bar = pci_read(devfn, pos + 4u, 1);

		if (pci_read(devfn, pos, 1) != CAP_VENDOR ||
		    pci_read(devfn, pos + 3u, 1) != cfg_type || bar > 5)
			continue;
		pci_write(devfn, PCI_COMMAND, 2,
			  pci_read(devfn, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY);
		return map_device(pci_bar(devfn, bar, NULL) +
					  pci_read(devfn, pos + 8u, 4),
				  PAGE);
	}
	fail("no structure of type %u", (uint64_t)cfg_type);
}

static uint32_t word(const volatile uint8_t *config, uint32_t at)
{
	return (uint32_t)mmio_read(config + at, 4);
}

/* The endpoint id of @rid; 0 if there is none. */
static uint32_t look_up(const volatile uint8_t *config, uint16_t rid)
{
	uint32_t offset = word(config, 36), n = word(config, 40);
	uint32_t length = word(config, 44);

	if (!offset || !n || !length)
		return 0;
	for (; n--; offset += length) {
		uint32_t item[4] = {0};
		uint32_t first, last;

		for (unsigned w = 0; w < 4 && 4 * w < length; w++)
			item[w] = word(config, offset + 4 * w);
		first = item[1] & 0xffff;
		last = item[1] >> 16;
		if (item[0] == ITEM_PCI && first <= rid && rid <= last)
			return rid - first + item[2];
	}
	return 0;
}

static uint32_t probe(uint8_t devfn, uint16_t rid)
{
	volatile uint8_t *common = find(devfn, TOPO_CFG_COMMON);

	mmio_write(common + C_DEVICE_FEATURE_SELECT, 4, 0);
	if (!(mmio_read(common + C_DEVICE_FEATURE, 4) >> 6 & 1))
		return 0;
	return look_up(find(devfn, TOPO_CFG_DEVICE), rid);
}

static struct iommu iommu;
static struct ways ways;
static uint8_t first[TOPO_BYTES_MAX], again[TOPO_BYTES_MAX];

/* Still without a reset, and in every width. */
static void read_in_all_ways(struct vdev *v)
{
	uint64_t generation = mmio_read(v->common + C_GENERATION, 1);

	ways_find(&ways, v);
	way_read(&ways, 0, first);
	for (unsigned n = 0; n < 2 * WAYS; n++) {
		way_read(&ways, n % WAYS, again);
		if (memcmp(first, again, v->device_len) != 0)
			fail("%s: other bytes than before", way_name(n % WAYS));
	}
	CHECK_EQ(mmio_read(v->common + C_GENERATION, 1), generation);
	CHECK_EQ(vdev_status(v), 0);
}

/* That guest does not look at the length: the device has to be right. */
static void check_end(const struct vdev *v)
{
	uint32_t offset = word(v->device, 36), n = word(v->device, 40);
	uint32_t length = word(v->device, 44);

	CHECK(v->device_len >= 48);
	CHECK(offset + (uint64_t)n * length <= v->device_len);
	CHECK(length % 4 == 0 && length >= 12);
}

void guest(void)
{
	uint8_t devfn = pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_IOMMU), 0);
	uint8_t disk = pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_BLK), 0);
	uint32_t wanted = word_is("endpoint=", "none") ? 0 : disk;

	for (unsigned n = 0; n < 3; n++)
		CHECK_EQ(probe(devfn, disk), wanted);
	/* A function that is not there is in no range, nor is the IOMMU. */
	CHECK_EQ(probe(devfn, PCI_DEVFN(30)), 0);
	CHECK_EQ(probe(devfn, devfn), 0);
	vdev_open(&iommu.v, devfn);
	read_in_all_ways(&iommu.v);
	if (wanted)
		check_end(&iommu.v);
	CHECK_EQ(probe(devfn, disk), wanted);
	(void)iommu_read_topology(&iommu);
	iommu_start(&iommu);
	CHECK_EQ(iommu_attach(&iommu, 1, disk, 0), IOMMU_OK);
}
