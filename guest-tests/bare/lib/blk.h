/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk.h - a disk.   [virtio 1.2, 5.2]
 *
 * The disks of the tests have in sector N the text "sector N", blanks up to
 * 511 bytes, and a newline.
 */
#ifndef MOAT_BARE_BLK_H
#define MOAT_BARE_BLK_H

#include "virtio.h"

#define SECTOR	   512u
#define BLK_IN	   0u
#define BLK_OUT	   1u
#define BLK_OK	   0u
#define BLK_IOERR  1u
#define BLK_SILENT 0xeeu /* what is there before the device writes */

struct blk_header {
	uint32_t type, reserved;
	uint64_t sector;
};

struct blk {
	struct vdev v;
	struct ring ring;
	struct {
		struct blk_header header;
		uint8_t status;
	} request __attribute__((aligned(4096)));
	uint64_t offset; /* of its own addresses, for the device */
};

/* The @nth disk, running; its ring and request are at their address plus
 * @offset for it. */
void blk_open(struct blk *b, unsigned nth, uint64_t offset);

/* Start a transfer; @at is the device's address. */
void blk_start(struct blk *b, uint32_t type, uint64_t sector, uint64_t at,
	       uint32_t len);
/* Wait for it.  Return: its status. */
uint8_t blk_finish(struct blk *b);
uint8_t blk_read(struct blk *b, uint64_t sector, uint64_t at, uint32_t len);
uint8_t blk_write(struct blk *b, uint64_t sector, uint64_t at, uint32_t len);

/* Is @data what sector @sector of a test disk has? */
bool blk_is_sector(const uint8_t *data, uint64_t sector);

#endif
