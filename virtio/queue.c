/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The life of a queue: set up, run, kicked, reset, paused.
 */
#include "virtio/queue_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"

void vq_dispatch(struct vq *q)
{
	struct virtio_dev *d = q->dev;

	if (!vq_live(q) || d->paused)
		return;
	q->stats.kicks++;
	q->budget = q->kick_watch.loop ? q->size : VQ_NO_BUDGET;
	d->ops->kick(d, q->index);
	q->budget = VQ_NO_BUDGET;
	vq_look_no_further(q);
}

static void on_kick(struct loop_watch *w, uint32_t events)
{
	struct vq *q = container_of(w, struct vq, kick_watch);

	(void)events;
	vq_dispatch(q);
}

static int region_check(iova_t at, uint64_t align, uint64_t size)
{
	iova_t last;

	if (!is_aligned(at, align) ||
	    __builtin_add_overflow(at, size - 1, &last))
		return -EPROTO;
	return 0;
}

int vq_check(const struct vq *q)
{
	uint64_t n = q->size;

	if (!is_pow2(n) || n > q->size_max)
		return -EPROTO;
	/* Alignments and sizes: [virtio 1.2, 2.7].  The event words count,
	 * negotiated or not. */
	if (region_check(q->desc, 16, n * sizeof(struct vq_desc_wire)) ||
	    region_check(q->avail, 2, vq_used_event_at(q) + 2 - q->avail) ||
	    region_check(q->used, 4, vq_avail_event_at(q) + 2 - q->used))
		return -EPROTO;
	return 0;
}

static int watch_kicks(struct vq *q)
{
	if (!q->loop || q->inline_kick)
		return 0;
	q->kick_watch.fn = on_kick;
	q->kick_watch.lock = q->lock;
	return loop_watch_add(q->loop, &q->kick_watch, q->kick_fd,
			      EPOLLIN | EPOLLET);
}

int vq_start(struct vq *q)
{
	int r = vq_check(q);

	if (r)
		return r;
	q->indirect = virtio_has(q->dev, VIRTIO_F_INDIRECT_DESC);
	q->event_idx = virtio_has(q->dev, VIRTIO_F_EVENT_IDX);
	q->kicks_are_off = false;
	q->next_avail = q->next_used = q->avail_idx = q->signalled = 0;
	q->unsignalled = q->nstaged = 0;
	q->hidden = false;
	q->armed_valid = false;
	memset(q->busy, 0, q->size_max);

	r = watch_kicks(q);
	if (r)
		return r;
	q->running = true;
	return 0;
}

void vq_unwatch(struct vq *q)
{
	loop_watch_del(&q->kick_watch);
}

int vq_go_on(struct vq *q, uint16_t next)
{
	int r = watch_kicks(q);

	q->next_avail = q->avail_idx = next;
	q->next_used = q->signalled = next;
	q->armed_valid = false;
	vq_kick_later(q);
	return r;
}

static struct vq_chain *deferred_first(struct vq *q)
{
	return container_of(q->deferred.next, struct vq_chain, node);
}

static void drop_deferred(struct vq *q)
{
	while (!list_empty(&q->deferred))
		vq_drop(q, deferred_first(q));
}

void vq_stop(struct vq *q)
{
	q->running = q->resetting = false;
	q->epoch++;
	vq_look_no_further(q);
	loop_watch_del(&q->kick_watch);
	drop_deferred(q);
}

/* A reset of this queue alone ends when the device has no chain of it. */
void vq_reset_if_idle(struct vq *q)
{
	if (!q->resetting || q->inflight)
		return;
	vq_stop(q);
	vq_reset(q);
	q->renewed = true;
}

void vq_keep(struct vq *q)
{
	q->inflight++;
}

void vq_let_go(struct vq *q)
{
	assert(q->inflight);
	q->inflight--;
	vq_reset_if_idle(q);
}

void vq_begin_reset(struct vq *q)
{
	q->resetting = true;
	if (q->running)
		q->dev->ops->queue_stop(q->dev, q->index);
	drop_deferred(q);
	vq_reset_if_idle(q);
}

void vq_flight_begin(struct vq *q)
{
	q->flight++;
}

void vq_flight_end(struct vq *q)
{
	assert(q->flight);
	if (--q->flight == 0)
		(void)pthread_cond_broadcast(&q->idle);
}

void vq_reset(struct vq *q)
{
	q->size = q->size_max;
	q->enabled = q->resetting = q->renewed = false;
	q->desc = q->avail = q->used = 0;
}

void vq_resume(struct vq *q)
{
	/* Serving another queue may have dropped the lock: paused again? */
	while (!list_empty(&q->deferred) && !q->dev->paused)
		vq_push_more(q, deferred_first(q));
	vq_signal(q);
	if (q->kick_watch.loop)
		vq_kick_later(q);
	else
		vq_dispatch(q);
}

int vq_init(struct vq *q, struct virtio_dev *d, unsigned index,
	    uint16_t size_max)
{
	assert(is_pow2(size_max) && size_max <= VQ_SIZE_MAX);
	*q = (struct vq){
		.dev = d,
		.index = index,
		.size_max = size_max,
		.loop = d->loop,
		.dma = d->dma,
		.lock = &d->lock,
		.budget = VQ_NO_BUDGET,
		.kick_fd = -1,
	};
	(void)pthread_mutex_init(&q->own_lock, NULL);
	(void)pthread_cond_init(&q->idle, NULL);
	list_init(&q->pool);
	list_init(&q->deferred);
	vq_reset(q);

	q->busy = calloc(size_max, 1);
	if (!q->busy)
		return -ENOMEM;

	int fd = eventfd_new();

	if (fd < 0)
		return fd;
	q->kick_fd = fd;
	return 0;
}

void vq_fini(struct vq *q)
{
	if (!q->dev)
		return;
	loop_watch_del(&q->kick_watch);
	vq_chain_free_all(q);
	free(q->busy);
	(void)pthread_cond_destroy(&q->idle);
	(void)pthread_mutex_destroy(&q->own_lock);
	if (q->kick_fd >= 0)
		close(q->kick_fd);
	*q = (struct vq){.kick_fd = -1};
}
