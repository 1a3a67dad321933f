/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ways.h - all ways to read a device's own structure: in memory, by accesses
 * of each size, and through the window in configuration space.
 * [virtio 1.2, 4.1.4.9]
 */
#ifndef MOAT_BARE_WAYS_H
#define MOAT_BARE_WAYS_H

#include "guest-tests/topology/topology.h"
#include "virtio.h"

#define WAYS 7

struct ways {
	const struct vdev *v;
	struct topo_structure structure, window;
};

/* @v is open, and stays so. */
void ways_find(struct ways *w, const struct vdev *v);

/* For messages. */
const char *way_name(unsigned way);

/*
 * way_read - read the whole structure in way @way, 0 to WAYS - 1.
 * @dst: gets @w->v->device_len bytes
 */
void way_read(const struct ways *w, unsigned way, uint8_t *dst);

#endif
