/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * watchdog.h - the i6300ESB's watchdog, which stock kernels drive: two timers
 * in a row that a guest has to restart before both have run out.
 * [Intel 6300ESB I/O Controller Hub Datasheet, 16]
 *
 * Its registers are in two places: 16 bytes of memory, the region here, and
 * two fields of PCI configuration space, which whoever has that passes on.
 * The first timer's interrupt is not there: nobody uses it.
 *
 * Threads: under the lock given to watchdog_init(), which is the region's and
 * the timer's.
 */
#ifndef MOAT_DEVICES_WATCHDOG_H
#define MOAT_DEVICES_WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"
#include "core/loop.h"

struct err;
struct machine_events;

#define WATCHDOG_SIZE 16

/* Configuration, 16 bits. */
#define WATCHDOG_CONFIG_FAST	  0x0004 /* microseconds, not milliseconds */
#define WATCHDOG_CONFIG_NO_REBOOT 0x0020

/* Lock, 8 bits. */
#define WATCHDOG_LOCK_LOCKED  0x01 /* until reset; so are the others then */
#define WATCHDOG_LOCK_ENABLE  0x02
#define WATCHDOG_LOCK_FREERUN 0x04 /* of the first timer alone, for ever */

enum watchdog_stage { WATCHDOG_RESTS, WATCHDOG_FIRST, WATCHDOG_SECOND };

struct watchdog {
	struct bus_region region;
	struct machine_events *events;
	struct loop_timer timer;
	uint32_t preload[2]; /* ticks; 20 bits */
	uint16_t config;
	uint8_t lock;
	unsigned unlocked; /* words of the magic so far; 2: the next is taken */
	enum watchdog_stage stage;
	bool timed_out; /* survives a reset */
};

/*
 * watchdog_init - a watchdog that rests.
 * @events: unfed() comes from the loop, @lock held
 *
 * Return: 0; -errno with a sentence.
 */
int watchdog_init(struct watchdog *w, struct loop *loop, pthread_mutex_t *lock,
		  struct machine_events *events, struct err *err);
/* Accepts a zeroed one.  Takes no lock; nobody holds the one that it has. */
void watchdog_fini(struct watchdog *w);

/* The machine starts once more. */
void watchdog_reset(struct watchdog *w);

/* The two fields of configuration space were written. */
void watchdog_set_config(struct watchdog *w, uint16_t val);
void watchdog_set_lock(struct watchdog *w, uint8_t val);

#endif
