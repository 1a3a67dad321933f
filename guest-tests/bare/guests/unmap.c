/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * After UNMAP, DETACH and a reset of the IOMMU the device reaches what it
 * reached before no more.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"

#define DOMAIN 1
#define OFFSET (UINT64_C(1) << 40)
#define MAPPED UINT64_C(0x5000)

static struct iommu iommu;
static struct blk blk;
static uint8_t data[PAGE] __attribute__((aligned(4096)));
static uint32_t endpoint;

static void attach(void)
{
	CHECK_EQ(iommu_attach(&iommu, DOMAIN, endpoint, 0), IOMMU_OK);
	iommu_map_memory(&iommu, DOMAIN, &blk, sizeof(blk), OFFSET,
			 MAP_READ | MAP_WRITE);
	CHECK_EQ(iommu_map(&iommu, DOMAIN, MAPPED, MAPPED + PAGE - 1,
			   (uintptr_t)data, MAP_WRITE),
		 IOMMU_OK);
}

static void expect_read(uint64_t sector)
{
	memset(data, 0, sizeof(data));
	CHECK_EQ(blk_read(&blk, sector, MAPPED, SECTOR), BLK_OK);
	CHECK(blk_is_sector(data, sector));
}

static void expect_untouched(void)
{
	for (unsigned n = 0; n < sizeof(data); n++)
		CHECK_EQ(data[n], 0x5a);
}

/* The rings are gone, too: nothing comes back but the report. */
static void expect_nothing(unsigned reason)
{
	struct iommu_fault f;

	memset(data, 0x5a, sizeof(data));
	blk_start(&blk, BLK_IN, 9, MAPPED, SECTOR);
	iommu_take_fault(&iommu, &f);
	CHECK_EQ(f.reason, reason);
	CHECK_EQ(f.endpoint, endpoint);
	CHECK(!ring_has_used(&blk.ring));
	CHECK_EQ(blk.request.status, BLK_SILENT);
	expect_untouched();
}

void guest(void)
{
	uint8_t devfn = pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_BLK), 0);
	struct iommu_fault f;

	iommu_open(&iommu);
	endpoint = iommu_endpoint(&iommu, devfn);
	attach();
	blk_open(&blk, 0, OFFSET);
	expect_read(1);

	CHECK_EQ(iommu_unmap(&iommu, DOMAIN, MAPPED, MAPPED + PAGE - 1),
		 IOMMU_OK);
	memset(data, 0x5a, sizeof(data));
	CHECK_EQ(blk_read(&blk, 1, MAPPED, SECTOR), BLK_IOERR);
	iommu_take_fault(&iommu, &f);
	CHECK_EQ(f.address, MAPPED);
	expect_untouched();

	CHECK_EQ(iommu_detach(&iommu, DOMAIN, endpoint), IOMMU_OK);
	expect_nothing(FAULT_DOMAIN);

	attach();
	blk_open(&blk, 0, OFFSET);
	expect_read(2);
	vdev_reset(&iommu.v);
	iommu_start(&iommu);
	expect_nothing(FAULT_DOMAIN);

	attach();
	blk_open(&blk, 0, OFFSET);
	expect_read(3);
}
