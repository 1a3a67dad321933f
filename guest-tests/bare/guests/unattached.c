/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A disk that nobody attached reaches nothing from power-on, also before the
 * IOMMU has a driver; whether the description tells of it ("disk=hidden") or
 * not.
 *
 * Words: "disk=hidden"; "reaches=all" for the control, with bypass=on, that
 * shows what else would have happened.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"

static struct iommu iommu;
static struct blk blk;
static uint8_t data[PAGE] __attribute__((aligned(4096)));

static bool is_broken(void *arg)
{
	return vdev_status(arg) & STATUS_NEEDS_RESET;
}

static void expect_nothing(void)
{
	for (unsigned n = 0; n < sizeof(data); n++)
		CHECK_EQ(data[n], 0x5a);
	CHECK(!ring_has_used(&blk.ring));
	CHECK_EQ(blk.request.status, BLK_SILENT);
}

void guest(void)
{
	uint8_t devfn = pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_BLK), 0);
	struct iommu_fault f;
	uint32_t id;

	memset(data, 0x5a, sizeof(data));
	if (word_is("reaches=", "all")) {
		blk_open(&blk, 0, 0);
		CHECK_EQ(blk_read(&blk, 5, (uintptr_t)data, SECTOR), BLK_OK);
		CHECK(blk_is_sector(data, 5));
		return;
	}
	/* It does not reach its own rings, and says so. */
	blk_open(&blk, 0, 0);
	blk_start(&blk, BLK_IN, 0, (uintptr_t)data, SECTOR);
	if (!wait_for(is_broken, &blk.v))
		fail("the disk does not say that it is lost");
	expect_nothing();

	iommu_open(&iommu);
	CHECK_EQ(topo_endpoint_of_pci(&iommu.topology, 0, devfn, &id),
		 !word_is("disk=", "hidden"));
	blk_open(&blk, 0, 0);
	blk_start(&blk, BLK_IN, 0, (uintptr_t)data, SECTOR);
	iommu_take_fault(&iommu, &f);
	CHECK_EQ(f.reason, FAULT_DOMAIN);
	CHECK_EQ(f.endpoint, devfn);
	expect_nothing();
}
