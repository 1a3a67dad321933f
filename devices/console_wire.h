/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * console_wire.h - virtio-console's configuration.   [virtio 1.2, 5.3]
 */
#ifndef MOAT_DEVICES_CONSOLE_WIRE_H
#define MOAT_DEVICES_CONSOLE_WIRE_H

#include <assert.h>

#include "core/le.h"

#define CON_F_SIZE 0

#define CON_QUEUE_RX 0 /* to the driver */
#define CON_QUEUE_TX 1

struct con_config_wire {
	le16_t cols;
	le16_t rows;
	le32_t max_nr_ports; /* MULTIPORT */
	le32_t emerg_wr;     /* EMERG_WRITE */
};
static_assert(sizeof(struct con_config_wire) == 12, "[virtio 1.2, 5.3.4]");

#endif
