/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * rng.h - virtio-rng from getrandom(2).   [virtio 1.2, 5.4]
 */
#ifndef MOAT_DEVICES_RNG_H
#define MOAT_DEVICES_RNG_H

#include "virtio/device.h"

int rng_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    struct err *err);

#endif
