/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * viommu_faults.h - faults between the thread that met them and the loop that
 * sends them.
 *
 * The sink is called with a device's lock held, so it only keeps the fault,
 * under a lock of its own that is a leaf.  The store is small and there is a
 * limit per second; what does not fit is dropped and counted.
 *
 * Threads: the sink from any; take from the watch's function; the rest from
 * any.
 */
#ifndef MOAT_IOMMU_VIOMMU_FAULTS_H
#define MOAT_IOMMU_VIOMMU_FAULTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/loop.h"
#include "iommu/iommu.h"

#define VIOMMU_FAULTS_KEPT 64

struct viommu_faults {
	struct iommu_fault_sink sink;
	pthread_mutex_t lock; /* a leaf */
	struct iommu_fault kept[VIOMMU_FAULTS_KEPT];
	unsigned first, n;
	uint64_t second; /* of the clock, in which @count faults came */
	unsigned count;
	uint64_t dropped;
	int fd; /* eventfd: something is kept; -1 before init */
	struct loop_watch watch;
};

/*
 * viommu_faults_init - @fn runs on @loop under @lock when there is something to
 * take.
 * @loop: NULL: nobody is called
 *
 * Return: 0 or -errno (nothing to fini then).
 */
int viommu_faults_init(struct viommu_faults *f, struct loop *loop,
		       loop_watch_fn fn, pthread_mutex_t *lock);
void viommu_faults_fini(struct viommu_faults *f);

/* The oldest fault.  Return: false if there is none. */
bool viommu_faults_take(struct viommu_faults *f, struct iommu_fault *ret_f);
/* Forgets what is kept. */
void viommu_faults_clear(struct viommu_faults *f);
uint64_t viommu_faults_dropped(struct viommu_faults *f);

#endif
