/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * cmos.h - MC146818 clock and its memory: ports 0x70 and 0x71.
 *
 * Reads the host's UTC time; writes of the time move an offset only.  No
 * alarm, no periodic interrupt; "update in progress" always reads 0.
 */
#ifndef MOAT_DEVICES_CMOS_H
#define MOAT_DEVICES_CMOS_H

#include <pthread.h>
#include <stdint.h>

#include "core/bus.h"

struct cmos {
	struct bus_region region; /* base 0x70, size 2 */
	pthread_mutex_t lock;
	uint8_t index;
	uint8_t bytes[128];
	int64_t offset_s; /* guest time minus host time */
};

void cmos_init(struct cmos *c);
void cmos_fini(struct cmos *c);

#endif
