/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/tests/abi.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include "core/bits.h"

#define BLK(m) ABI_OFFSET(struct virtio_blk_config, m)
#define CON(m) ABI_OFFSET(struct virtio_console_config, m)

const struct abi_item abi_linux[] = {
	{"id block", VIRTIO_ID_BLOCK},
	{"id console", VIRTIO_ID_CONSOLE},
	{"id rng", VIRTIO_ID_RNG},

	{"F_SEG_MAX", VIRTIO_BLK_F_SEG_MAX},
	{"F_RO", VIRTIO_BLK_F_RO},
	{"F_BLK_SIZE", VIRTIO_BLK_F_BLK_SIZE},
	{"F_FLUSH", VIRTIO_BLK_F_FLUSH},
	{"F_TOPOLOGY", VIRTIO_BLK_F_TOPOLOGY},
	{"F_DISCARD", VIRTIO_BLK_F_DISCARD},
	{"F_WRITE_ZEROES", VIRTIO_BLK_F_WRITE_ZEROES},
	{"T_IN", VIRTIO_BLK_T_IN},
	{"T_OUT", VIRTIO_BLK_T_OUT},
	{"T_FLUSH", VIRTIO_BLK_T_FLUSH},
	{"T_GET_ID", VIRTIO_BLK_T_GET_ID},
	{"T_DISCARD", VIRTIO_BLK_T_DISCARD},
	{"T_WRITE_ZEROES", VIRTIO_BLK_T_WRITE_ZEROES},
	{"S_OK", VIRTIO_BLK_S_OK},
	{"S_IOERR", VIRTIO_BLK_S_IOERR},
	{"S_UNSUPP", VIRTIO_BLK_S_UNSUPP},
	{"ID_LEN", VIRTIO_BLK_ID_BYTES},
	{"UNMAP", VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP},

	{"sizeof header", sizeof(struct virtio_blk_outhdr)},
	ABI_OFFSET(struct virtio_blk_outhdr, type),
	ABI_OFFSET(struct virtio_blk_outhdr, sector),
	{"sizeof range", sizeof(struct virtio_blk_discard_write_zeroes)},
	{"range sector",
	 offsetof(struct virtio_blk_discard_write_zeroes, sector)},
	{"range n",
	 offsetof(struct virtio_blk_discard_write_zeroes, num_sectors)},
	{"range flags",
	 offsetof(struct virtio_blk_discard_write_zeroes, flags)},

	BLK(capacity),
	BLK(size_max),
	BLK(seg_max),
	BLK(blk_size),
	BLK(physical_block_exp),
	BLK(alignment_offset),
	BLK(min_io_size),
	BLK(opt_io_size),
	{"writeback", offsetof(struct virtio_blk_config, wce)},
	BLK(num_queues),
	BLK(max_discard_sectors),
	BLK(max_discard_seg),
	BLK(discard_sector_alignment),
	BLK(max_write_zeroes_sectors),
	BLK(max_write_zeroes_seg),
	BLK(write_zeroes_may_unmap),

	{"F_SIZE", VIRTIO_CONSOLE_F_SIZE},
	{"sizeof console", sizeof(struct virtio_console_config)},
	CON(cols),
	CON(rows),
	{"max_nr_ports", offsetof(struct virtio_console_config, max_nr_ports)},
	CON(emerg_wr),
	{"F_MULTIPORT", VIRTIO_CONSOLE_F_MULTIPORT},
	{"sizeof control", sizeof(struct virtio_console_control)},
	{"control event", offsetof(struct virtio_console_control, event)},
	{"control value", offsetof(struct virtio_console_control, value)},
	{"DEVICE_READY", VIRTIO_CONSOLE_DEVICE_READY},
	{"DEVICE_ADD", VIRTIO_CONSOLE_PORT_ADD},
	{"PORT_READY", VIRTIO_CONSOLE_PORT_READY},
	{"CONSOLE_PORT", VIRTIO_CONSOLE_CONSOLE_PORT},
	{"RESIZE", VIRTIO_CONSOLE_RESIZE},
	{"PORT_OPEN", VIRTIO_CONSOLE_PORT_OPEN},
	{"PORT_NAME", VIRTIO_CONSOLE_PORT_NAME},
};
const size_t abi_nlinux = ARRAY_SIZE(abi_linux);
