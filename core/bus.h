/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bus.h - who answers at an address: MMIO and port I/O.
 *
 * A machine has one bus for each space.  Regions never overlap.  Addresses
 * nobody claims read as all ones and swallow writes; so do accesses that run
 * past their region's end or have a size other than 1, 2, 4, 8.
 *
 * Threads: any.  The bus's own lock covers the lookup only; the handler runs
 * under the region's @lock.  A handler may attach and detach regions, its own
 * included.  After bus_detach() a handler that another vCPU had already found
 * may still run once; regions live as long as the machine.
 */
#ifndef MOAT_CORE_BUS_H
#define MOAT_CORE_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct bus_region;

struct bus_ops {
	/* @off + @size <= region size, @size in {1, 2, 4, 8}. */
	uint64_t (*read)(struct bus_region *r, uint64_t off, unsigned size);
	void (*write)(struct bus_region *r, uint64_t off, unsigned size,
		      uint64_t val);
};

/* Embedded in the device that answers. */
struct bus_region {
	const struct bus_ops *ops;
	const char *name;
	uint64_t base, size;
	pthread_mutex_t *lock; /* taken around each call; NULL: none */
	bool attached;	       /* the bus's */
};

#define BUS_REGIONS_MAX 256

struct bus {
	pthread_rwlock_t lock;
	unsigned n;
	struct bus_region *regions[BUS_REGIONS_MAX]; /* by base */
};

void bus_init(struct bus *b);
/* Forgets what is still attached, without a look at it: it may be gone. */
void bus_fini(struct bus *b);

/*
 * bus_attach - let @r answer [base, base + size).
 *
 * Return: 0; -EEXIST if it overlaps another region; -EINVAL if it is empty,
 * wraps, or is attached already; -ENOSPC.
 */
int bus_attach(struct bus *b, struct bus_region *r);

/* Does nothing if @r is not attached. */
void bus_detach(struct bus *b, struct bus_region *r);

/* Return: the value, all ones of @size bytes if nobody answers. */
uint64_t bus_read(struct bus *b, uint64_t addr, unsigned size);

/* Return: false if nobody answered. */
bool bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t val);

/*
 * A doorbell: a write to @addr signals @fd without leaving the kernel
 * (KVM's ioeventfd).  vmm/ supplies the ops; a test's fake calls straight
 * through.  The same address stays attached to the bus as a region, for what
 * gets past: bytes the sink could not take, or a write during a move.
 *
 * Threads: any.
 */
struct doorbell_sink;

struct doorbell_ops {
	/* Any width, any value.  Return: 0 or -errno. */
	int (*attach)(struct doorbell_sink *s, uint64_t addr, int fd);
	void (*detach)(struct doorbell_sink *s, uint64_t addr, int fd);
};

struct doorbell_sink {
	const struct doorbell_ops *ops;
};

#endif
