/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * console_wire.h - virtio-console's configuration and control messages.
 * [virtio 1.2, 5.3]
 */
#ifndef MOAT_DEVICES_CONSOLE_WIRE_H
#define MOAT_DEVICES_CONSOLE_WIRE_H

#include <assert.h>

#include "core/le.h"

#define CON_F_SIZE	0
#define CON_F_MULTIPORT 1

#define CON_QUEUE_RX	     0 /* to the driver */
#define CON_QUEUE_TX	     1
#define CON_QUEUE_CONTROL_RX 2
#define CON_QUEUE_CONTROL_TX 3
/* Of port 1 and up. */
#define CON_QUEUE_RX_PORT(n) (2 * (n) + 2)

struct con_config_wire {
	le16_t cols;
	le16_t rows;
	le32_t max_nr_ports; /* MULTIPORT */
	le32_t emerg_wr;     /* EMERG_WRITE */
};
static_assert(sizeof(struct con_config_wire) == 12, "[virtio 1.2, 5.3.4]");

/* A name or a size may stand behind it. */
struct con_control_wire {
	le32_t id; /* of the port */
	le16_t event;
	le16_t value;
};
static_assert(sizeof(struct con_control_wire) == 8, "[virtio 1.2, 5.3.6.2]");

#define CON_DEVICE_READY 0
#define CON_DEVICE_ADD	 1
#define CON_PORT_REMOVE	 2
#define CON_PORT_READY	 3
#define CON_CONSOLE_PORT 4
#define CON_RESIZE	 5
#define CON_PORT_OPEN	 6
#define CON_PORT_NAME	 7

struct con_size_wire {
	le16_t cols;
	le16_t rows;
};
static_assert(sizeof(struct con_size_wire) == 4, "[virtio 1.2, 5.3.6.2]");

#endif
