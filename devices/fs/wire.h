/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire.h - virtio-fs, and what of FUSE is looked at here.
 * [virtio 1.2, 5.11]
 */
#ifndef MOAT_DEVICES_FS_WIRE_H
#define MOAT_DEVICES_FS_WIRE_H

#include <assert.h>

#include "core/le.h"

#define FS_QUEUE_HIPRIO	 0
#define FS_QUEUE_REQUEST 1

#define FS_TAG_LEN 36

struct fs_config_wire {
	uint8_t tag[FS_TAG_LEN]; /* padded with zeros, not ended by one */
	le32_t num_request_queues;
};
static_assert(sizeof(struct fs_config_wire) == 40, "[virtio 1.2, 5.11.4]");

/* FUSE has the byte order of the machine; a virtio device's is little. */
struct fuse_in_header_wire {
	le32_t len;
	le32_t opcode;
	le64_t unique;
	le64_t nodeid;
	le32_t uid, gid, pid;
	le32_t padding;
};
static_assert(sizeof(struct fuse_in_header_wire) == 40, "linux/fuse.h");

/* Requests that open a file or a folder. */
#define FUSE_OP_OPEN	14
#define FUSE_OP_OPENDIR 27

struct fuse_open_in_wire {
	le32_t flags; /* of open(2) */
	le32_t open_flags;
};
static_assert(sizeof(struct fuse_open_in_wire) == 8, "linux/fuse.h");

#define FUSE_O_NOATIME 01000000u /* where x86 has it */

struct fuse_out_header_wire {
	le32_t len;
	le32_t error; /* a negative errno value */
	le64_t unique;
};
static_assert(sizeof(struct fuse_out_header_wire) == 16, "linux/fuse.h");

#endif
