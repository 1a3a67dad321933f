/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A wrong description is refused, for the reason in "reason=", and the guest
 * goes on: the disk outside the IOMMU still reads.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"

static struct iommu iommu;
static struct blk blk;
static uint8_t data[SECTOR];

/* "reason=a-range-ends" is the beginning of "a range ends before ..." */
static bool is_expected(const char *reason)
{
	const char *wanted;

	CHECK(has_word("reason=", &wanted));
	for (; *wanted && *wanted != ' '; wanted++, reason++)
		if (*reason != (*wanted == '-' ? ' ' : *wanted))
			return false;
	return true;
}

/* Before anything is mapped: is the structure where it can be? */
static enum topo_result check_structure(void)
{
	uint8_t devfn = pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_IOMMU), 0);
	struct topo_structure s;
	uint8_t config[256];
	enum topo_result r;
	uint64_t size;
	uint32_t len;

	pci_snapshot(devfn, config);
	r = topo_find_structure(config, TOPO_CFG_DEVICE, &s);
	if (r != TOPO_OK)
		return r;
	return topo_usable_length(&s, pci_bar(devfn, s.bar, &size) ? size : 0,
				  &len);
}

void guest(void)
{
	enum topo_result r = check_structure();

	if (r == TOPO_OK)
		r = iommu_read_topology(&iommu);

	CHECK(r != TOPO_OK);
	if (!is_expected(topo_reason(r)))
		fail("refused because %s", topo_reason(r));
	CHECK_EQ(iommu.topology.n, 0);
	blk_open(&blk, 0, 0);
	CHECK_EQ(blk_read(&blk, 4, (uintptr_t)data, SECTOR), BLK_OK);
	CHECK(blk_is_sector(data, 4));
}
