/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A disk is found in the description, attached, and read through addresses
 * that only the IOMMU knows: first page, one in the middle and the topmost of
 * 64 bits; and over two pages that do not follow each other in memory.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"

#define DOMAIN 7
/* Far from any memory, so that an untranslated access shows. */
#define OFFSET (UINT64_C(1) << 40)

static struct iommu iommu;
static struct blk blk;
static uint8_t data[3 * PAGE] __attribute__((aligned(4096)));

static void map_page(uint64_t iova, const uint8_t *page)
{
	CHECK_EQ(iommu_map(&iommu, DOMAIN, iova, iova + PAGE - 1,
			   (uintptr_t)page, MAP_WRITE),
		 IOMMU_OK);
}

static void read_at(uint64_t iova, uint64_t sector)
{
	map_page(iova, data);
	memset(data, 0, sizeof(data));
	CHECK_EQ(blk_read(&blk, sector, iova + SECTOR, 2 * SECTOR), BLK_OK);
	CHECK(blk_is_sector(data + SECTOR, sector));
	CHECK(blk_is_sector(data + 2 * SECTOR, sector + 1));
	CHECK_EQ(data[SECTOR - 1], 0);
	CHECK_EQ(data[3 * SECTOR], 0);
}

/* The second page is in front of the first, with one between them. */
static void read_over_two_pages(uint64_t iova, uint64_t sector)
{
	const uint8_t *first = data + 2 * PAGE, *second = data;

	map_page(iova, first);
	map_page(iova + PAGE, second);
	memset(data, 0, sizeof(data));
	CHECK_EQ(blk_read(&blk, sector, iova + PAGE - SECTOR, 2 * SECTOR),
		 BLK_OK);
	CHECK(blk_is_sector(first + PAGE - SECTOR, sector));
	CHECK(blk_is_sector(second, sector + 1));
	for (unsigned n = SECTOR; n < 3 * PAGE - SECTOR; n++)
		CHECK_EQ(data[n], 0);
}

void guest(void)
{
	uint8_t devfn = pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_BLK), 0);

	iommu_open(&iommu);
	CHECK_EQ(iommu_attach(&iommu, DOMAIN, iommu_endpoint(&iommu, devfn), 0),
		 IOMMU_OK);
	iommu_map_memory(&iommu, DOMAIN, &blk, sizeof(blk), OFFSET,
			 MAP_READ | MAP_WRITE);
	blk_open(&blk, 0, OFFSET);
	read_at(0, 0);
	read_at(UINT64_C(0x123456789000), 3);
	read_at(UINT64_MAX - PAGE + 1, 100);
	read_over_two_pages(UINT64_C(0x40000000), 200);
}
