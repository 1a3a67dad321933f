/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vsock.h - virtio-vsock: sockets between guest and host without a network.
 * [virtio 1.2, 5.10]
 *
 * On the host they are unix sockets.  A guest's connection to port N of the
 * host (CID 2) goes to the socket at PATH_N.  A program of the host connects
 * to PATH and sends "CONNECT N\n"; when somebody in the guest has accepted it
 * gets "OK PORT\n", its own port as the guest sees it, and then talks to port
 * N of the guest.  If nobody listens there it reads the end of file instead.
 *
 * Byte streams only (no SOCK_SEQPACKET).
 */
#ifndef MOAT_DEVICES_VSOCK_H
#define MOAT_DEVICES_VSOCK_H

#include <stdint.h>

#include "virtio/device.h"

/* CIDs below are reserved, and the largest is "any".   [virtio 1.2, 5.10.4] */
#define VSOCK_CID_MIN 3
#define VSOCK_CID_MAX (UINT32_MAX - 1)

/* Bytes that a path may have: "_4294967295" has to fit behind it. */
#define VSOCK_PATH_MAX 96

struct vsock_config {
	uint32_t cid; /* of the guest */
	const char *path;
	bool plan; /* makes no socket */
};

/*
 * Return: 0; -EADDRINUSE, -EEXIST for the path; -ENOMEM, -errno; with a
 * sentence.
 */
int vsock_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	      const struct vsock_config *config, struct err *err);

#endif
