/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * served.h - a disk on a server that is there already; for tests.
 */
#ifndef MOAT_DEVICES_BLK_SERVED_H
#define MOAT_DEVICES_BLK_SERVED_H

#include "devices/vublk.h"

/* The device on the server at @fd, which is taken in any case. */
int vublk_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		 const struct vublk_config *config, int fd, unsigned timeout_ms,
		 struct err *err);

#endif
