/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * console.h - virtio-console, one port.   [virtio 1.2, 5.3]
 */
#ifndef MOAT_DEVICES_CONSOLE_H
#define MOAT_DEVICES_CONSOLE_H

#include <stdint.h>

#include "core/stream.h"
#include "virtio/device.h"

int con_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    struct err *err);

/* The device's end of its byte stream; join it before the guest runs. */
struct stream_end *con_stream(struct virtio_dev *d);

/* Window size in characters; 0 x 0: unknown.  Takes the device's lock. */
void con_resize(struct virtio_dev *d, uint16_t cols, uint16_t rows);

#endif
