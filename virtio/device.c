/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The life of a device: birth, trouble, reset, pause.  Negotiation is in
 * status.c, configuration space in config.c, queue registers in registers.c.
 */
#include "virtio/device.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"

static uint64_t offered_features(const struct virtio_dev_ops *ops,
				 const struct virtio_dev_env *env,
				 uint64_t features)
{
	features |= BIT_ULL(VIRTIO_F_VERSION_1) |
		    BIT_ULL(VIRTIO_F_INDIRECT_DESC) |
		    BIT_ULL(VIRTIO_F_EVENT_IDX);
	if (env->access_platform)
		features |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	if (ops->queue_stop)
		features |= BIT_ULL(VIRTIO_F_RING_RESET);
	return features;
}

static int make_config(struct virtio_dev *d, size_t len)
{
	/* One byte at least, so that NULL means failure alone. */
	d->config = calloc(1, len + 1);
	d->config_wmask = calloc(1, len + 1);
	d->config_len = len;
	return d->config && d->config_wmask ? 0 : -ENOMEM;
}

/* A queue has broken the device: what it must not do itself. */
static void on_trouble(struct loop_timer *t);

/* Locks that nobody would contend for are none. */
static int make_locks(struct virtio_dev *d)
{
	if (!d->ops->queue_locks || d->nvqs < 2 || !d->loop)
		return 0;
	d->queue_locks = true;
	for (unsigned i = 0; i < d->nvqs; i++)
		d->vqs[i].lock = &d->vqs[i].own_lock;
	d->trouble.fn = on_trouble;
	d->trouble.lock = &d->lock;
	return loop_timer_add(d->loop, &d->trouble);
}

static int make_queues(struct virtio_dev *d, const uint16_t *sizes, unsigned n,
		       const struct virtio_queue_env *envs)
{
	assert(n <= VIRTIO_QUEUES_MAX);
	d->vqs = aligned_alloc(CPU_LINE, (n + 1) * sizeof(*d->vqs));
	if (!d->vqs)
		return -ENOMEM;
	memset(d->vqs, 0, (n + 1) * sizeof(*d->vqs));
	for (unsigned i = 0; i < n; i++) {
		int r = vq_init(&d->vqs[i], d, i, sizes[i]);

		if (envs)
			d->vqs[i].loop = envs[i].loop;
		if (envs && envs[i].dma)
			d->vqs[i].dma = envs[i].dma;
		d->nvqs++;
		if (r)
			return r;
	}
	return envs ? make_locks(d) : 0;
}

int virtio_dev_init(struct virtio_dev *d, const struct virtio_dev_ops *ops,
		    const struct virtio_dev_env *env, uint64_t features,
		    const uint16_t *queue_sizes, unsigned nvqs,
		    size_t config_len, struct err *err)
{
	d->ops = ops;
	d->transport = NULL;
	d->dma = env->dma;
	d->loop = env->loop;
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)pthread_cond_init(&d->idle, NULL);
	(void)snprintf(d->name, sizeof(d->name), "%s", env->name);
	d->log = (struct guest_log){.name = d->name};

	d->status = d->generation = 0;
	d->config_seen = true;
	d->running = d->stopping = d->paused = false;
	d->insist_platform = env->access_platform;
	d->inflight = 0;
	d->offered = offered_features(ops, env, features);
	d->driver_features = 0;

	d->vqs = NULL;
	d->nvqs = 0;
	d->queue_locks = false;
	d->trouble = (struct loop_timer){0};

	int r = make_config(d, config_len);

	if (!r)
		r = make_queues(d, queue_sizes, nvqs, env->queues);
	if (r) {
		virtio_dev_fini(d);
		return err_errno(err, -r, "%s: cannot make the device",
				 env->name);
	}
	return 0;
}

void virtio_dev_fini(struct virtio_dev *d)
{
	if (!d->ops)
		return;
	loop_timer_del(&d->trouble);
	for (unsigned i = 0; i < d->nvqs; i++) {
		struct loop *loop = d->vqs[i].loop;

		loop_watch_del(&d->vqs[i].kick_watch);
		/* It may wait for the lock, to find that the watch is gone. */
		if (loop && loop != d->loop)
			loop_barrier(loop);
	}
	if (d->loop)
		loop_barrier(d->loop);
	for (unsigned i = 0; i < d->nvqs; i++)
		vq_fini(&d->vqs[i]);
	free(d->vqs);
	free(d->config);
	free(d->config_wmask);
	(void)pthread_cond_destroy(&d->idle);
	(void)pthread_mutex_destroy(&d->lock);
	d->vqs = NULL;
	d->nvqs = 0;
	d->config = d->config_wmask = NULL;
	d->config_len = 0;
	d->ops = NULL;
}

void virtio_dev_free(struct virtio_dev *d)
{
	if (d)
		d->ops->free(d);
}

void virtio_lock_queue(struct vq *q)
{
	if (q->dev->queue_locks)
		pthread_mutex_lock(q->lock);
}

void virtio_unlock_queue(struct vq *q)
{
	if (q->dev->queue_locks)
		pthread_mutex_unlock(q->lock);
}

void virtio_lock_queues(struct virtio_dev *d)
{
	for (unsigned i = 0; i < d->nvqs; i++)
		virtio_lock_queue(&d->vqs[i]);
}

void virtio_unlock_queues(struct virtio_dev *d)
{
	for (unsigned i = d->nvqs; i > 0; i--)
		virtio_unlock_queue(&d->vqs[i - 1]);
}

void virtio_get_stats(struct virtio_dev *d, struct vq_stats *ret_s)
{
	struct vq_stats sum = {0};

	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < d->nvqs; i++) {
		const struct vq_stats *s = &d->vqs[i].stats;

		virtio_lock_queue(&d->vqs[i]);
		sum.requests += s->requests;
		sum.bytes_in += s->bytes_in;
		sum.bytes_out += s->bytes_out;
		sum.errors += s->errors;
		sum.kicks += s->kicks;
		sum.interrupts += s->interrupts;
		sum.full += s->full;
		sum.throttled += s->throttled;
		virtio_unlock_queue(&d->vqs[i]);
	}
	pthread_mutex_unlock(&d->lock);
	*ret_s = sum;
}

unsigned virtio_get_own_stats(struct virtio_dev *d, struct virtio_stat *stats)
{
	unsigned n;

	if (!d->ops->stats)
		return 0;
	pthread_mutex_lock(&d->lock);
	n = d->ops->stats(d, stats);
	pthread_mutex_unlock(&d->lock);
	assert(n <= VIRTIO_STATS_MAX);
	return n;
}

void virtio_attach(struct virtio_dev *d, struct virtio_transport *t)
{
	virtio_lock_queues(d);
	d->transport = t;
	virtio_unlock_queues(d);
}

/* All locks are held. */
static void needs_reset(struct virtio_dev *d)
{
	d->running = false;
	if (d->ops->halted)
		d->ops->halted(d);
	if (d->status & VIRTIO_STATUS_NEEDS_RESET)
		return;
	d->status |= VIRTIO_STATUS_NEEDS_RESET;
	/* Only a driver that runs is told.   [virtio 1.2, 2.1.2] */
	if (d->status & VIRTIO_STATUS_DRIVER_OK && d->transport)
		d->transport->ops->config_interrupt(d->transport);
}

void virtio_broken(struct virtio_dev *d, const char *why, ...)
{
	char msg[160];
	va_list ap;

	va_start(ap, why);
	(void)vsnprintf(msg, sizeof(msg), why, ap);
	va_end(ap);
	guest_warn(&d->log, "%s; needs reset", msg);
	needs_reset(d);
}

/* Unless it has been reset since. */
static void on_trouble(struct loop_timer *t)
{
	struct virtio_dev *d = container_of(t, struct virtio_dev, trouble);
	bool broken = false;

	virtio_lock_queues(d);
	for (unsigned i = 0; i < d->nvqs; i++)
		broken = broken || d->vqs[i].broken;
	if (broken && !d->stopping)
		needs_reset(d);
	virtio_unlock_queues(d);
}

void virtio_inflight_begin(struct virtio_dev *d)
{
	d->inflight++;
}

void virtio_inflight_end(struct virtio_dev *d)
{
	assert(d->inflight);
	if (--d->inflight == 0)
		(void)pthread_cond_broadcast(&d->idle);
}

static void wait_idle(struct virtio_dev *d)
{
	(void)pthread_cond_wait(&d->idle, &d->lock);
}

unsigned virtio_flight(struct virtio_dev *d)
{
	unsigned n = d->inflight;

	for (unsigned i = 0; i < d->nvqs; i++) {
		virtio_lock_queue(&d->vqs[i]);
		n += d->vqs[i].flight;
		virtio_unlock_queue(&d->vqs[i]);
	}
	return n;
}

/*
 * Until something of @q comes back.  Caller holds d->lock, which a loop may
 * need before it can bring it: with a lock of its own the queue's is enough.
 */
static void wait_queue(struct virtio_dev *d, struct vq *q)
{
	if (!d->queue_locks) {
		(void)pthread_cond_wait(&q->idle, q->lock);
		return;
	}
	pthread_mutex_unlock(&d->lock);
	(void)pthread_cond_wait(&q->idle, q->lock);
	pthread_mutex_unlock(q->lock);
	pthread_mutex_lock(&d->lock);
}

/*
 * Wait if something is in flight, until less of it may be.  Caller holds
 * d->lock, which is dropped.  False: nothing was.
 */
static bool wait_flight(struct virtio_dev *d)
{
	if (d->inflight) {
		wait_idle(d);
		return true;
	}
	for (unsigned i = 0; i < d->nvqs; i++) {
		struct vq *q = &d->vqs[i];

		virtio_lock_queue(q);
		if (q->flight) {
			wait_queue(d, q);
			return true;
		}
		virtio_unlock_queue(q);
	}
	return false;
}

static void reset_registers(struct virtio_dev *d)
{
	virtio_lock_queues(d);
	for (unsigned i = 0; i < d->nvqs; i++) {
		vq_stop(&d->vqs[i]);
		vq_reset(&d->vqs[i]);
		d->vqs[i].broken = false;
	}
	virtio_unlock_queues(d);
	d->driver_features = 0;
	d->status = 0;
	guest_log_rearm(&d->log);
	if (d->transport)
		d->transport->ops->reset_done(d->transport);
}

void virtio_reset(struct virtio_dev *d)
{
	if (d->stopping) {
		/* Another thread is at it; its end is ours. */
		while (d->stopping)
			wait_idle(d);
		return;
	}
	virtio_lock_queues(d);
	d->stopping = true;
	d->running = false;
	d->ops->stop(d);
	virtio_unlock_queues(d);
	while (wait_flight(d))
		;
	reset_registers(d);
	d->stopping = false;
	(void)pthread_cond_broadcast(&d->idle);
}

static void resume(struct virtio_dev *d)
{
	/* A thread that waits for the pause to be complete. */
	(void)pthread_cond_broadcast(&d->idle);
	for (unsigned i = 0; i < d->nvqs; i++)
		(void)pthread_cond_broadcast(&d->vqs[i].idle);
	for (unsigned i = 0; i < d->nvqs; i++)
		vq_resume(&d->vqs[i]);
}

void virtio_pause(struct virtio_dev *d, bool pause)
{
	virtio_lock_queues(d);

	bool was = d->paused;

	d->paused = pause;
	if (was && !pause)
		resume(d);
	virtio_unlock_queues(d);
	if (!pause)
		return;
	if (d->ops->pausing && virtio_flight(d))
		d->ops->pausing(d);
	while (d->paused && wait_flight(d))
		;
}
