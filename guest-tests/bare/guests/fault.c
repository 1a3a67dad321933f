/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * An access outside what is mapped, or other than it is mapped for, is
 * reported with its address and moves no byte; neither into memory nor, the
 * disk being writable, out of it.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"

#define DOMAIN	 1
#define OFFSET	 (UINT64_C(1) << 40)
#define MAPPED	 UINT64_C(0x5000)
#define WRITABLE UINT64_C(0x9000)

static struct iommu iommu;
static struct blk blk;
static uint8_t data[3 * PAGE] __attribute__((aligned(4096)));
static uint32_t endpoint;

static void expect_fault(uint64_t at, uint32_t access)
{
	struct iommu_fault f;

	iommu_take_fault(&iommu, &f);
	CHECK_EQ(f.reason, FAULT_MAPPING);
	CHECK_EQ(f.flags, access | FAULT_ADDRESS);
	CHECK_EQ(f.endpoint, endpoint);
	CHECK_EQ(f.address, at);
}

/* The page in the middle of data. */
static void map(uint64_t at, uint32_t access)
{
	CHECK_EQ(iommu_map(&iommu, DOMAIN, at, at + PAGE - 1,
			   (uintptr_t)data + PAGE, access),
		 IOMMU_OK);
}

static void expect_untouched(void)
{
	for (unsigned n = 0; n < sizeof(data); n++)
		CHECK_EQ(data[n], 0x5a);
}

void guest(void)
{
	uint8_t devfn = pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_BLK), 0);

	iommu_open(&iommu);
	endpoint = iommu_endpoint(&iommu, devfn);
	CHECK_EQ(iommu_attach(&iommu, DOMAIN, endpoint, 0), IOMMU_OK);
	iommu_map_memory(&iommu, DOMAIN, &blk, sizeof(blk), OFFSET,
			 MAP_READ | MAP_WRITE);
	map(MAPPED, MAP_READ);
	memset(data, 0x5a, sizeof(data));
	blk_open(&blk, 0, OFFSET);
	/* The page before, the page behind, one that may only be read. */
	CHECK_EQ(blk_read(&blk, 0, MAPPED - SECTOR, SECTOR), BLK_IOERR);
	expect_fault(MAPPED - SECTOR, FAULT_WRITE);
	CHECK_EQ(blk_read(&blk, 0, MAPPED + PAGE, SECTOR), BLK_IOERR);
	expect_fault(MAPPED + PAGE, FAULT_WRITE);
	CHECK_EQ(blk_read(&blk, 0, MAPPED, SECTOR), BLK_IOERR);
	expect_fault(MAPPED, FAULT_WRITE);
	expect_untouched();
	/* Its physical address is no address of the device's. */
	CHECK_EQ(blk_read(&blk, 0, (uintptr_t)data, SECTOR), BLK_IOERR);
	expect_fault((uintptr_t)data, FAULT_WRITE);
	expect_untouched();

	/* Out of memory: from the page behind, and from one that may only be
	 * written. */
	CHECK_EQ(blk_write(&blk, 0, MAPPED + PAGE, SECTOR), BLK_IOERR);
	expect_fault(MAPPED + PAGE, FAULT_READ);
	map(WRITABLE, MAP_WRITE);
	CHECK_EQ(blk_write(&blk, 0, WRITABLE, SECTOR), BLK_IOERR);
	expect_fault(WRITABLE, FAULT_READ);
	CHECK_EQ(blk_read(&blk, 0, WRITABLE, SECTOR), BLK_OK);
	CHECK(blk_is_sector(data + PAGE, 0));
}
