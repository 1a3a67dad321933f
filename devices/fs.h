/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fs.h - virtio-fs: a directory of the host, served by virtiofsd.
 * [virtio 1.2, 5.11]
 *
 * moat starts the server, confines it and ends it; or it is somebody else's,
 * and listens at a socket.  If it goes first, every request fails with ENOTCONN
 * from then on, and nobody waits.
 */
#ifndef MOAT_DEVICES_FS_H
#define MOAT_DEVICES_FS_H

#include <stdbool.h>

#include "virtio/device.h"

/* Bytes of a tag, which need no zero at the end. */
#define FS_TAG_MAX 36

struct fs_config {
	const char *tag;    /* what the guest mounts; 1 to FS_TAG_MAX bytes */
	const char *path;   /* a directory */
	const char *server; /* the program; NULL: the one that is installed */
	bool readonly;
	const char *socket;   /* of a server, in the place of these three */
	unsigned patience_ms; /* VHU_PATIENCE_MS is meant by 0 */
	bool plan;	      /* make the device only: nothing is started */
};

/*
 * fs_new - the device, and its server.  Wants env->loop.
 *
 * Return: 0; -errno with a sentence that names the directory or the socket.
 */
int fs_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	   const struct fs_config *config, struct err *err);

#endif
