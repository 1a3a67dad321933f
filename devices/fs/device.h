/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * device.h - the fs device with a server that is there already; for tests.
 */
#ifndef MOAT_DEVICES_FS_DEVICE_H
#define MOAT_DEVICES_FS_DEVICE_H

#include "devices/fs.h"

/*
 * fs_new_on - the device on the server at @fd, which is taken in any case.
 */
int fs_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	      const struct fs_config *config, int fd, unsigned timeout_ms,
	      struct err *err);

#endif
