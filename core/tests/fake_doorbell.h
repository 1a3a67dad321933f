/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fake_doorbell.h - a doorbell sink that a test rings by hand.
 *
 * Threads: any.
 */
#ifndef MOAT_CORE_TESTS_FAKE_DOORBELL_H
#define MOAT_CORE_TESTS_FAKE_DOORBELL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"

#define FAKE_DOORBELLS_MAX 128

struct fake_doorbell {
	struct doorbell_sink sink;
	pthread_mutex_t lock;
	/* What attach() returns, 0 or -errno; set it at any time. */
	int attach_error;
	unsigned n;
	struct {
		uint64_t addr;
		int fd;
	} bells[FAKE_DOORBELLS_MAX];
	unsigned attaches, detaches;
};

void fake_doorbell_init(struct fake_doorbell *f);
/* Asserts that everything has been detached. */
void fake_doorbell_fini(struct fake_doorbell *f);

/* Doorbells attached now. */
unsigned fake_doorbell_count(struct fake_doorbell *f);
/* The descriptor behind @addr, -1 if there is none. */
int fake_doorbell_fd(struct fake_doorbell *f, uint64_t addr);

/*
 * fake_doorbell_ring - the guest's write to @addr, as KVM handles it: signals
 * the descriptor attached there.
 *
 * Return: false if none is; the write goes to the bus then.
 */
bool fake_doorbell_ring(struct fake_doorbell *f, uint64_t addr);

/*
 * fake_doorbell_write - fake_doorbell_ring(), else bus_write().
 *
 * Return: false if nobody took it.
 */
bool fake_doorbell_write(struct fake_doorbell *f, struct bus *bus,
			 uint64_t addr, unsigned size, uint64_t val);

#endif
