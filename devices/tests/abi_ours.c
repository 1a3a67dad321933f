/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/tests/abi.h"

#include "core/bits.h"
#include "devices/blk/wire.h"
#include "devices/console_wire.h"
#include "virtio/wire.h"

#define BLK(m) ABI_OFFSET(struct blk_config_wire, m)
#define CON(m) ABI_OFFSET(struct con_config_wire, m)

const struct abi_item abi_ours[] = {
	{"id block", VIRTIO_ID_BLOCK},
	{"id console", VIRTIO_ID_CONSOLE},
	{"id rng", VIRTIO_ID_RNG},

	{"F_SEG_MAX", BLK_F_SEG_MAX},
	{"F_RO", BLK_F_RO},
	{"F_BLK_SIZE", BLK_F_BLK_SIZE},
	{"F_FLUSH", BLK_F_FLUSH},
	{"F_TOPOLOGY", BLK_F_TOPOLOGY},
	{"F_DISCARD", BLK_F_DISCARD},
	{"F_WRITE_ZEROES", BLK_F_WRITE_ZEROES},
	{"T_IN", BLK_T_IN},
	{"T_OUT", BLK_T_OUT},
	{"T_FLUSH", BLK_T_FLUSH},
	{"T_GET_ID", BLK_T_GET_ID},
	{"T_DISCARD", BLK_T_DISCARD},
	{"T_WRITE_ZEROES", BLK_T_WRITE_ZEROES},
	{"S_OK", BLK_S_OK},
	{"S_IOERR", BLK_S_IOERR},
	{"S_UNSUPP", BLK_S_UNSUPP},
	{"ID_LEN", BLK_ID_LEN},
	{"UNMAP", BLK_RANGE_UNMAP},

	{"sizeof header", sizeof(struct blk_header_wire)},
	ABI_OFFSET(struct blk_header_wire, type),
	ABI_OFFSET(struct blk_header_wire, sector),
	{"sizeof range", sizeof(struct blk_range_wire)},
	{"range sector", offsetof(struct blk_range_wire, sector)},
	{"range n", offsetof(struct blk_range_wire, nsectors)},
	{"range flags", offsetof(struct blk_range_wire, flags)},

	BLK(capacity),
	BLK(size_max),
	BLK(seg_max),
	BLK(blk_size),
	BLK(physical_block_exp),
	BLK(alignment_offset),
	BLK(min_io_size),
	BLK(opt_io_size),
	{"writeback", offsetof(struct blk_config_wire, writeback)},
	BLK(num_queues),
	BLK(max_discard_sectors),
	BLK(max_discard_seg),
	BLK(discard_sector_alignment),
	BLK(max_write_zeroes_sectors),
	BLK(max_write_zeroes_seg),
	BLK(write_zeroes_may_unmap),

	{"F_SIZE", CON_F_SIZE},
	{"sizeof console", sizeof(struct con_config_wire)},
	CON(cols),
	CON(rows),
	{"max_nr_ports", offsetof(struct con_config_wire, max_nr_ports)},
	CON(emerg_wr),
	{"F_MULTIPORT", CON_F_MULTIPORT},
	{"sizeof control", sizeof(struct con_control_wire)},
	{"control event", offsetof(struct con_control_wire, event)},
	{"control value", offsetof(struct con_control_wire, value)},
	{"DEVICE_READY", CON_DEVICE_READY},
	{"DEVICE_ADD", CON_DEVICE_ADD},
	{"PORT_READY", CON_PORT_READY},
	{"CONSOLE_PORT", CON_CONSOLE_PORT},
	{"RESIZE", CON_RESIZE},
	{"PORT_OPEN", CON_PORT_OPEN},
	{"PORT_NAME", CON_PORT_NAME},
};
const size_t abi_nours = ARRAY_SIZE(abi_ours);
