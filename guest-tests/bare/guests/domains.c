/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Two disks, each in a domain of its own: one address is another page for
 * each, what is unmapped for one stays for the other, and neither reaches
 * what only the other has.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"

#define DISKS  2
#define OFFSET (UINT64_C(1) << 40)
#define MAPPED UINT64_C(0x5000)

static struct iommu iommu;
static struct blk blks[DISKS];
static uint8_t data[DISKS][PAGE] __attribute__((aligned(4096)));
static uint32_t ids[DISKS];

static void open(unsigned n)
{
	uint32_t domain = n + 1;

	ids[n] = iommu_endpoint(&iommu, pci_find(VIRTIO_VENDOR,
						 VIRTIO_DEVICE(VIRTIO_BLK), n));
	CHECK_EQ(iommu_attach(&iommu, domain, ids[n], 0), IOMMU_OK);
	iommu_map_memory(&iommu, domain, &blks[n], sizeof(blks[n]), OFFSET,
			 MAP_READ | MAP_WRITE);
	CHECK_EQ(iommu_map(&iommu, domain, MAPPED, MAPPED + PAGE - 1,
			   (uintptr_t)data[n], MAP_WRITE),
		 IOMMU_OK);
	blk_open(&blks[n], n, OFFSET);
}

static void expect_read(unsigned n, uint64_t sector)
{
	memset(data, 0x5a, sizeof(data));
	CHECK_EQ(blk_read(&blks[n], sector, MAPPED, SECTOR), BLK_OK);
	CHECK(blk_is_sector(data[n], sector));
	for (unsigned i = 0; i < PAGE; i++)
		CHECK_EQ(data[!n][i], 0x5a);
}

static void expect_fault(unsigned n, uint64_t at)
{
	struct iommu_fault f;

	CHECK_EQ(blk_read(&blks[n], 7, at, SECTOR), BLK_IOERR);
	iommu_take_fault(&iommu, &f);
	CHECK_EQ(f.reason, FAULT_MAPPING);
	CHECK_EQ(f.endpoint, ids[n]);
	CHECK_EQ(f.address, at);
}

void guest(void)
{
	iommu_open(&iommu);
	for (unsigned n = 0; n < DISKS; n++)
		open(n);
	expect_read(0, 3);
	expect_read(1, 4);
	for (unsigned n = 0; n < DISKS; n++)
		expect_fault(n, (uintptr_t)&blks[!n].ring + OFFSET);
	CHECK_EQ(iommu_unmap(&iommu, 1, MAPPED, MAPPED + PAGE - 1), IOMMU_OK);
	expect_fault(0, MAPPED);
	expect_read(1, 5);
	CHECK_EQ(iommu_detach(&iommu, 1, ids[0]), IOMMU_OK);
	expect_read(1, 6);
}
