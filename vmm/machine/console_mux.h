/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * console_mux.h - two console devices, one terminal.
 *
 * Output of either goes to the front; input goes to the device that spoke
 * last.  Locks nothing: see core/stream.h for who may call whom.
 */
#ifndef MOAT_VMM_MACHINE_CONSOLE_MUX_H
#define MOAT_VMM_MACHINE_CONSOLE_MUX_H

#include <stdatomic.h>

#include "core/stream.h"

#define CONSOLE_MUX_DEVICES 2

struct console_mux;

struct console_mux_back {
	struct stream_end end; /* joined with a device's */
	struct console_mux *mux;
	unsigned index;
	atomic_bool refused; /* the front took too little from it */
};

struct console_mux {
	struct stream_end front; /* joined with the terminal's */
	struct console_mux_back backs[CONSOLE_MUX_DEVICES];
	atomic_uint last;
};

void console_mux_init(struct console_mux *x);

/* Join device @index's stream.  Before the guest runs. */
void console_mux_join(struct console_mux *x, unsigned index,
		      struct stream_end *device);

#endif
