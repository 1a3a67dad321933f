/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * own_loops.h - event loops of one device, a thread each.
 *
 * Threads: the main thread.
 */
#ifndef MOAT_VMM_MACHINE_OWN_LOOPS_H
#define MOAT_VMM_MACHINE_OWN_LOOPS_H

#include <pthread.h>

struct err;
struct loop;

struct own_loops {
	struct loop **loops; /* @n of them; NULL: none */
	pthread_t *threads;
	unsigned n, running;
};

int own_loops_init(struct own_loops *o, unsigned n, struct err *err);
/* Nobody runs them.  Accepts a zeroed or half-built one. */
void own_loops_fini(struct own_loops *o);
/* Threads called @name.  After a failure some may run: own_loops_stop(). */
int own_loops_start(struct own_loops *o, const char *name, struct err *err);
void own_loops_stop(struct own_loops *o);

#endif
