/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A device's message-signalled interrupt reaches the processor it names.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/pci.h"

#define VECTOR 0x51

static struct blk blk;
static uint8_t data[SECTOR];

static bool requested(void *arg)
{
	return apic_requested(*(uint8_t *)arg);
}

void guest(void)
{
	uint8_t vector = VECTOR;

	apic_enable();
	vdev_open(&blk.v,
		  pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_BLK), 0));
	vdev_negotiate(&blk.v, F_ACCESS_PLATFORM);
	msix_enable(&blk.v, VECTOR);
	vdev_queue(&blk.v, 0, &blk.ring, 0, 0);
	vdev_ready(&blk.v);
	CHECK(!apic_requested(VECTOR));
	CHECK_EQ(blk_read(&blk, 5, (uintptr_t)data, SECTOR), BLK_OK);
	CHECK(blk_is_sector(data, 5));
	if (!wait_for(requested, &vector))
		fail("no interrupt came");
	CHECK(!apic_requested(VECTOR + 1));
}
