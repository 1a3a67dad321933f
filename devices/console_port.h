/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * console_port.h - one port of a virtio-console: a pair of queues and the
 * byte stream behind it.  For devices/console.c only.   [virtio 1.2, 5.3.6]
 *
 * Threads: as the device's; the stream's functions take its lock.
 */
#ifndef MOAT_DEVICES_CONSOLE_PORT_H
#define MOAT_DEVICES_CONSOLE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/stream.h"
#include "devices/console_wire.h"
#include "virtio/device.h"

struct con_port;

/* The host's end has closed it.  Under the device's lock. */
typedef void (*con_port_closed_fn)(struct con_port *p);

struct con_port {
	struct virtio_dev *dev;
	unsigned index;
	unsigned rxq, txq; /* numbers of its queues; rx is to the driver */
	const char *name;  /* NULL: none */
	bool console;
	struct stream_end stream;
	con_port_closed_fn closed;

	bool host_open;
	bool added;	 /* the driver has been told that there is one */
	bool ready;	 /* the driver has it and wants to hear of it */
	bool guest_open; /* somebody in the guest takes its input */
	unsigned unsaid; /* control messages that are due, a bit for each */
	bool refused;	 /* somebody has input for which there was no room */
	/*
	 * Output.  Bytes are copied out of the guest's memory first and then
	 * sent, so that a slow reader holds nothing of the guest's.  A chain
	 * is used up when its last byte is in @buf.
	 */
	struct vq_chain *tx; /* partly copied; NULL: none */
	size_t at, end;	     /* of buf, not yet sent */
	uint8_t buf[4096];
};

/* The queue to the driver of port @index. */
static inline unsigned con_port_rx(unsigned index)
{
	return index ? CON_QUEUE_RX_PORT(index) : CON_QUEUE_RX;
}

/* @p: zeroed */
void con_port_init(struct con_port *p, struct virtio_dev *d, unsigned index,
		   con_port_closed_fn closed);

/* Its queue @qi has new buffers. */
void con_port_kick(struct con_port *p, unsigned qi);

/* The driver opened or closed it. */
void con_port_guest_open(struct con_port *p, bool open);

/* Forget the chain it has; for reset. */
void con_port_drop(struct con_port *p);

#endif
