/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * serial16550.h - 16550A UART with FIFOs.
 *
 * Eight byte-wide registers, as a bus region of port or memory space.
 * Transmitted bytes go to the stream; while the far end has no room THRE
 * stays clear, so a polling guest waits and nothing is lost.
 *
 * Threads: the region's lock is s->lock.
 */
#ifndef MOAT_DEVICES_SERIAL16550_H
#define MOAT_DEVICES_SERIAL16550_H

#include "core/bus.h"
#include "core/irq.h"
#include "core/stream.h"

struct serial;

/*
 * serial_new - @irq: borrowed, level as the UART drives it; NULL: polled only
 * Return: 0 or -ENOMEM.
 */
int serial_new(struct serial **ret_s, struct irq_line *irq);
void serial_free(struct serial *s);
void serial_reset(struct serial *s);

/* Size 8, base 0; the owner sets base and attaches it. */
struct bus_region *serial_region(struct serial *s);
struct stream_end *serial_stream(struct serial *s);

#endif
