/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire.h - what virtio-blk and its driver say to each other.
 * [virtio 1.2, 5.2]
 */
#ifndef MOAT_DEVICES_BLK_WIRE_H
#define MOAT_DEVICES_BLK_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/le.h"

#define BLK_SECTOR 512u /* bytes; the unit of every number below */

#define BLK_F_SIZE_MAX	   1
#define BLK_F_SEG_MAX	   2
#define BLK_F_RO	   5
#define BLK_F_BLK_SIZE	   6
#define BLK_F_FLUSH	   9
#define BLK_F_TOPOLOGY	   10
#define BLK_F_CONFIG_WCE   11
#define BLK_F_MQ	   12
#define BLK_F_DISCARD	   13
#define BLK_F_WRITE_ZEROES 14

#define BLK_T_IN	   0
#define BLK_T_OUT	   1
#define BLK_T_FLUSH	   4
#define BLK_T_GET_ID	   8
#define BLK_T_DISCARD	   11
#define BLK_T_WRITE_ZEROES 13

#define BLK_S_OK     0
#define BLK_S_IOERR  1
#define BLK_S_UNSUPP 2

#define BLK_ID_LEN 20

/* In front of every request.   [5.2.6] */
struct blk_header_wire {
	le32_t type;
	le32_t reserved;
	le64_t sector;
};
static_assert(sizeof(struct blk_header_wire) == 16, "[virtio 1.2, 5.2.6]");

/* One range to discard or to clear. */
struct blk_range_wire {
	le64_t sector;
	le32_t nsectors;
	le32_t flags;
};
static_assert(sizeof(struct blk_range_wire) == 16, "[virtio 1.2, 5.2.6]");

#define BLK_RANGE_UNMAP 0x1

struct blk_config_wire {
	le64_t capacity; /* sectors */
	le32_t size_max;
	le32_t seg_max;
	le16_t cylinders;
	uint8_t heads;
	uint8_t sectors;
	le32_t blk_size; /* bytes; logical */
	/* TOPOLOGY; sizes in logical blocks */
	uint8_t physical_block_exp;
	uint8_t alignment_offset;
	le16_t min_io_size;
	le32_t opt_io_size;
	uint8_t writeback;
	uint8_t unused0;
	le16_t num_queues;
	le32_t max_discard_sectors;
	le32_t max_discard_seg;
	le32_t discard_sector_alignment;
	le32_t max_write_zeroes_sectors;
	le32_t max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap;
	uint8_t unused1[3];
	le32_t max_secure_erase_sectors;
	le32_t max_secure_erase_seg;
	le32_t secure_erase_sector_alignment;
};
static_assert(sizeof(struct blk_config_wire) == 72, "[virtio 1.2, 5.2.4]");
static_assert(offsetof(struct blk_config_wire, max_discard_sectors) == 36,
	      "[virtio 1.2, 5.2.4]");

#endif
