/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fake_vhost.h - vhost-net inside the test: what it has been told, in order,
 * and as much of what it then does as a test asks for.
 *
 * As strict as the kernel: rings change only while they are not served, and
 * behind an IOMMU a queue is not served before the translation of its used
 * ring is there.
 *
 * Threads: any.
 */
#ifndef MOAT_DEVICES_TESTS_FAKE_VHOST_H
#define MOAT_DEVICES_TESTS_FAKE_VHOST_H

#include <linux/vhost.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/dma.h"
#include "devices/net/vhost_kernel.h"

#define FV_PAIRS   8
#define FV_ENTRIES 256
#define FV_LOG	   512
#define FV_SLOTS   8

struct fv_ring {
	unsigned num, base;
	struct vhost_vring_addr addr;
	int kick, call, error;
	int backend; /* -1: not served */
};

struct fv_entry {
	iova_t first, last;
	uint64_t host;
	unsigned access;
};

/* A descriptor that was opened. */
struct fv_pair {
	int fd, other; /* the device's; the test's end */
	bool owned, has_iotlb;
	uint64_t features, backend_features;
	unsigned nregions;
	struct vhost_memory_region regions[FV_SLOTS];
	struct fv_ring rings[2];
	unsigned nentries;
	struct fv_entry entries[FV_ENTRIES];
	unsigned updates, invalidations;
	unsigned cleared; /* times that it was made to forget questions */
};

struct fv_event {
	unsigned pair;
	unsigned long request; /* 0: an INVALIDATE; 1: an UPDATE */
	unsigned index;
	int file; /* of SET_BACKEND */
};

#define FV_INVALIDATE 0
#define FV_UPDATE     1

struct fake_vhost {
	struct vhost_kernel kernel;
	pthread_mutex_t lock;
	/* Set before use: */
	uint64_t features, backend_features;
	int open_error, late; /* -errno */
	unsigned long refuse; /* this request, with EIO; 0: none */
	bool deaf, stubborn;  /* refuses to be told, and to forget */
	/* So far: */
	unsigned npairs;
	struct fv_pair pairs[FV_PAIRS];
	unsigned nevents;
	struct fv_event events[FV_LOG];
};

void fv_init(struct fake_vhost *v);
/* Its descriptors have been closed by who opened them. */
void fv_fini(struct fake_vhost *v);

/* Is ring @i of pair @p served?  Return: the backend; -1. */
int fv_backend(struct fake_vhost *v, unsigned p, unsigned i);
/* Where it would go on. */
void fv_set_base(struct fake_vhost *v, unsigned p, unsigned i, unsigned base);
unsigned fv_base(struct fake_vhost *v, unsigned p, unsigned i);

/* What it does by itself. */
void fv_call(struct fake_vhost *v, unsigned p, unsigned i);
void fv_fail(struct fake_vhost *v, unsigned p, unsigned i);
void fv_miss(struct fake_vhost *v, unsigned p, iova_t at, unsigned access);

/* Can it reach @at?  Return: the host's address; 0. */
uint64_t fv_reach(struct fake_vhost *v, unsigned p, iova_t at, unsigned access);
unsigned fv_updates(struct fake_vhost *v, unsigned p);
unsigned fv_cleared(struct fake_vhost *v, unsigned p);
unsigned fv_invalidations(struct fake_vhost *v, unsigned p);

/* Number of the last event of a kind; asserts that there is one. */
unsigned fv_last(struct fake_vhost *v, unsigned p, unsigned long request,
		 unsigned index);
/* How many there are. */
unsigned fv_count(struct fake_vhost *v, unsigned p, unsigned long request);

#endif
