/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A device whose BAR has moved works at its new place, and is gone from the
 * old one.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/pci.h"

/* Free in every machine: the 32-bit window, from its other end. */
#define NEW_PLACE UINT64_C(0xe0000000)

static struct blk blk;
static uint8_t data[SECTOR];

static void move(uint8_t devfn, uint64_t at)
{
	uint32_t command = pci_read(devfn, PCI_COMMAND, 2);

	pci_write(devfn, PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
	pci_write(devfn, PCI_BAR0, 4, (uint32_t)at);
	pci_write(devfn, PCI_BAR0 + 4, 4, (uint32_t)(at >> 32));
	pci_write(devfn, PCI_COMMAND, 2, command);
}

static void expect_read(uint64_t sector)
{
	CHECK_EQ(blk_read(&blk, sector, (uintptr_t)data, SECTOR), BLK_OK);
	CHECK(blk_is_sector(data, sector));
}

void guest(void)
{
	uint64_t old, delta;

	blk_open(&blk, 0, 0);
	expect_read(1);
	old = pci_bar(blk.v.devfn, 0, NULL);
	move(blk.v.devfn, NEW_PLACE);
	CHECK_EQ(pci_bar(blk.v.devfn, 0, NULL), NEW_PLACE);
	CHECK_EQ(mmio_read(blk.v.common + C_STATUS, 1), 0xff);
	/* The same driver goes on, its rings as they were. */
	delta = NEW_PLACE - old;
	blk.v.common += delta;
	blk.ring.doorbell += delta;
	CHECK_EQ(vdev_status(&blk.v) & STATUS_DRIVER_OK, STATUS_DRIVER_OK);
	expect_read(2);
	blk.v.notify += delta;
	move(blk.v.devfn, old);
	blk_open(&blk, 0, 0);
	expect_read(3);
}
