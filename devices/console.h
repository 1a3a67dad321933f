/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * console.h - virtio-console: one console, or several ports.
 * [virtio 1.2, 5.3]
 *
 * With several ports each is a byte stream of its own.  A port with a name is
 * a character device for programs (Linux: /dev/vportNpM, the name in
 * /sys/class/virtio-ports), a console is one for the kernel (/dev/hvcN).
 */
#ifndef MOAT_DEVICES_CONSOLE_H
#define MOAT_DEVICES_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/stream.h"
#include "virtio/device.h"

#define CON_PORTS_MAX	  16
#define CON_PORT_NAME_MAX 64 /* bytes */

struct con_port_config {
	const char *name; /* outlives the device; NULL: none */
	bool console;
	/* Little is ever sent to the guest: it makes few buffers for it, each a
	 * page, and behind an IOMMU a mapping. */
	bool terse;
};

/* One port, a console. */
int con_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    struct err *err);

/*
 * con_new_ports - @nports of them, 1 to CON_PORTS_MAX.  A driver without
 * MULTIPORT sees the first one alone.
 *
 * Return: 0; -ENOMEM, -errno.
 */
int con_new_ports(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		  const struct con_port_config *ports, unsigned nports,
		  struct err *err);

/*
 * con_stream, con_port_stream - the device's end of a port's byte stream;
 * join it before the guest runs.
 *
 * Input is refused as long as nobody in the guest has the port open.  Closing
 * the stream is final: readers in the guest see the end of file once they
 * have all bytes, writers that nobody listens.
 */
struct stream_end *con_stream(struct virtio_dev *d);
struct stream_end *con_port_stream(struct virtio_dev *d, unsigned index);

/* Window size in characters; 0 x 0: unknown.  Takes the device's lock. */
void con_resize(struct virtio_dev *d, uint16_t cols, uint16_t rows);

#endif
