/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/viommu_faults.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "iommu/virtio_iommu.h"

static uint64_t now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

/* Caller holds f->lock. */
static bool within_rate(struct viommu_faults *f)
{
	uint64_t second = now_s();

	if (second != f->second) {
		f->second = second;
		f->count = 0;
	}
	if (f->count == VIOMMU_FAULTS_PER_SECOND)
		return false;
	f->count++;
	return true;
}

static void keep(struct iommu_fault_sink *s, const struct iommu_fault *fault)
{
	struct viommu_faults *f = container_of(s, struct viommu_faults, sink);
	bool first = false;

	pthread_mutex_lock(&f->lock);
	if (f->n == VIOMMU_FAULTS_KEPT || !within_rate(f)) {
		f->dropped++;
	} else {
		f->kept[(f->first + f->n) % VIOMMU_FAULTS_KEPT] = *fault;
		first = f->n++ == 0;
	}
	pthread_mutex_unlock(&f->lock);
	if (first)
		eventfd_signal(f->fd);
}

int viommu_faults_init(struct viommu_faults *f, struct loop *loop,
		       loop_watch_fn fn, pthread_mutex_t *lock)
{
	int r;

	*f = (struct viommu_faults){.sink = {keep}, .fd = -1};
	f->fd = eventfd_new();
	if (f->fd < 0)
		return f->fd;
	f->watch.fn = fn;
	f->watch.lock = lock;
	r = -pthread_mutex_init(&f->lock, NULL);
	if (!r && loop) {
		r = loop_watch_add(loop, &f->watch, f->fd, EPOLLIN);
		if (r)
			pthread_mutex_destroy(&f->lock);
	}
	if (r)
		close(f->fd);
	return r;
}

void viommu_faults_fini(struct viommu_faults *f)
{
	struct loop *loop = f->watch.loop;

	loop_watch_del(&f->watch);
	if (loop)
		loop_barrier(loop);
	pthread_mutex_destroy(&f->lock);
	close(f->fd);
}

bool viommu_faults_take(struct viommu_faults *f, struct iommu_fault *ret_f)
{
	bool any;

	pthread_mutex_lock(&f->lock);
	any = f->n > 0;
	if (any) {
		*ret_f = f->kept[f->first];
		f->first = (f->first + 1) % VIOMMU_FAULTS_KEPT;
		f->n--;
	}
	pthread_mutex_unlock(&f->lock);
	return any;
}

void viommu_faults_clear(struct viommu_faults *f)
{
	pthread_mutex_lock(&f->lock);
	f->n = 0;
	pthread_mutex_unlock(&f->lock);
}

uint64_t viommu_faults_dropped(struct viommu_faults *f)
{
	uint64_t dropped;

	pthread_mutex_lock(&f->lock);
	dropped = f->dropped;
	pthread_mutex_unlock(&f->lock);
	return dropped;
}
