/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * device.h - a disk on an engine of the caller's choice; for tests, and for
 * comparing engines.
 */
#ifndef MOAT_DEVICES_BLK_DEVICE_H
#define MOAT_DEVICES_BLK_DEVICE_H

#include "devices/blk.h"
#include "devices/blk/engine.h"

/* As blk_new(); @new_engine NULL: the best that works. */
int blk_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	       const struct blk_config *config, blk_engine_new_fn new_engine,
	       struct err *err);

#endif
