/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vublk.h - virtio-blk that another process serves, by vhost-user-blk: one
 * that somebody has started, or qemu-storage-daemon, which knows formats.
 * [virtio 1.2, 5.2]
 *
 * What the device can, and its size, is the server's word; the driver's
 * choices reach it.  Requests pass through moat's own rings
 * (vhost_user/frontend.h), so the server sees none of the guest's addresses.
 *
 * A server of its own socket that goes away may come back
 * (vhost_user/redial.h): nothing fails within config->wait_ms.  One that moat
 * has started does not; then requests fail with an I/O error.
 */
#ifndef MOAT_DEVICES_VUBLK_H
#define MOAT_DEVICES_VUBLK_H

#include <stdbool.h>

#include "virtio/device.h"

#define VUBLK_ID_MAX 20 /* bytes */

/* How long requests wait for a server that went away. */
#define VUBLK_WAIT_MS 60000

struct vublk_config {
	const char *socket; /* where the server is; NULL: we start one */
	/* Without a socket: the image, its format as qemu-storage-daemon calls
	 * it, and whether it goes past the host's page cache. */
	const char *path, *format;
	bool direct;
	const char *program; /* NULL: the one that is installed */
	bool readonly;	     /* with a socket: the server has to say so, too */
	bool no_indirect;    /* do not offer VIRTIO_F_INDIRECT_DESC */
	const char
		*id; /* GET_ID text; NULL: the server's, or the path's tail */
	unsigned queues;      /* 1 to VIRTIO_QUEUES_MAX */
	bool fewer_queues;    /* ... or as many as the server has */
	unsigned wait_ms;     /* with a socket; 0: requests fail at once */
	unsigned patience_ms; /* VHU_PATIENCE_MS is meant by 0 */
	bool plan;	      /* make the device only: nothing is started */
};

/*
 * vublk_new - the device, and its server.  Wants env->loop.
 *
 * Return: 0; -errno with a sentence that names the image or the socket.
 */
int vublk_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	      const struct vublk_config *config, struct err *err);

#endif
