/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "blk.h"

#include "bare.h"
#include "pci.h"

void blk_open(struct blk *b, unsigned nth, uint64_t offset)
{
	vdev_open(&b->v,
		  pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE(VIRTIO_BLK), nth));
	b->offset = offset;
	vdev_negotiate(&b->v, F_ACCESS_PLATFORM);
	vdev_queue(&b->v, 0, &b->ring, offset, 0xffff);
	vdev_ready(&b->v);
}

void blk_start(struct blk *b, uint32_t type, uint64_t sector, uint64_t at,
	       uint32_t len)
{
	uint64_t request = (uintptr_t)&b->request + b->offset;
	const struct piece pieces[] = {
		{request, sizeof(b->request.header), false},
		{at, len, type == BLK_IN},
		{request + offsetof(__typeof__(b->request), status), 1, true},
	};

	b->request.header = (struct blk_header){type, 0, sector};
	*(volatile uint8_t *)&b->request.status = BLK_SILENT;
	ring_add(&b->ring, pieces, ARRAY_SIZE(pieces));
	ring_kick(&b->ring);
}

uint8_t blk_finish(struct blk *b)
{
	ring_take(&b->ring, NULL);
	return *(volatile uint8_t *)&b->request.status;
}

uint8_t blk_read(struct blk *b, uint64_t sector, uint64_t at, uint32_t len)
{
	blk_start(b, BLK_IN, sector, at, len);
	return blk_finish(b);
}

uint8_t blk_write(struct blk *b, uint64_t sector, uint64_t at, uint32_t len)
{
	blk_start(b, BLK_OUT, sector, at, len);
	return blk_finish(b);
}

bool blk_is_sector(const uint8_t *data, uint64_t sector)
{
	char text[SECTOR] = "sector ";
	char digits[20];
	unsigned n = 7, k = 0;

	do {
		digits[k++] = (char)('0' + sector % 10);
		sector /= 10;
	} while (sector);
	while (k)
		text[n++] = digits[--k];
	memset(text + n, ' ', SECTOR - 1 - n);
	text[SECTOR - 1] = '\n';
	return memcmp(data, text, SECTOR) == 0;
}
