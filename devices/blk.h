/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk.h - virtio-blk on a raw file or block device.   [virtio 1.2, 5.2]
 */
#ifndef MOAT_DEVICES_BLK_H
#define MOAT_DEVICES_BLK_H

#include <stdbool.h>

#include "virtio/device.h"

struct blk_config {
	const char *path; /* raw image or block device; never probed */
	/* Somebody has said that it is raw: no warning if it looks otherwise */
	bool raw_for_sure;
	bool readonly;
	bool no_indirect; /* do not offer VIRTIO_F_INDIRECT_DESC */
	/* GET_ID text, at most 20 bytes; NULL: the path's tail */
	const char *id;
	unsigned queues;    /* 1 to BLK_QUEUES_MAX; 0: one */
	bool direct;	    /* past the host's page cache */
	uint64_t bps, iops; /* limits, a second; 0: none (blk/limit.h) */
};

#define BLK_QUEUES_MAX VIRTIO_QUEUES_MAX

/*
 * blk_new - open the image and make the device.
 *
 * Return: 0; -errno with a sentence that names the file: cannot be opened,
 * neither file nor block device, empty or not whole sectors, held by another
 * moat (advisory lock, exclusive for writers), no direct I/O there.
 */
int blk_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    const struct blk_config *config, struct err *err);

#endif
