/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The rings of a split virtqueue.   [virtio 1.2, 2.7]
 *
 *	avail:	flags  idx  ring[size]      used_event	 the driver's
 *	used:	flags  idx  elem[size]      avail_event  ours
 *
 * Barriers.  Each index is published with release and read with acquire:
 * whoever sees the index sees what it covers.  That is not enough for the two
 * questions "does the other side want to be told?", where each side writes
 * one word and then reads another:
 *
 *	device: used.idx = n;     fence; read used_event or avail.flags
 *	driver: used_event = m;   fence; read used.idx
 *
 *	device: avail_event = n;  fence; read avail.idx     (or used.flags)
 *	driver: avail.idx = m;    fence; read avail_event
 *
 * Without the fences (store before load, so sequentially consistent) both
 * could read the old value, and neither would tell the other.
 */
#include "virtio/queue.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "virtio/chain.h"
#include "virtio/device.h"
#include "virtio/wire.h"

#define NO_BUDGET UINT_MAX

static iova_t avail_flags_at(const struct vq *q)
{
	return q->avail;
}

static iova_t avail_idx_at(const struct vq *q)
{
	return q->avail + VQ_RING_IDX;
}

static iova_t avail_entry_at(const struct vq *q, unsigned i)
{
	return q->avail + VQ_RING_ENTRIES + i * sizeof(le16_t);
}

static iova_t used_event_at(const struct vq *q)
{
	return avail_entry_at(q, q->size);
}

static iova_t used_flags_at(const struct vq *q)
{
	return q->used;
}

static iova_t used_idx_at(const struct vq *q)
{
	return q->used + VQ_RING_IDX;
}

static iova_t used_entry_at(const struct vq *q, unsigned i)
{
	return q->used + VQ_RING_ENTRIES + i * sizeof(struct vq_used_elem_wire);
}

static iova_t avail_event_at(const struct vq *q)
{
	return used_entry_at(q, q->size);
}

/* The entry that a free-running index names. */
static unsigned slot(const struct vq *q, uint16_t idx)
{
	return idx & (q->size - 1u);
}

static void full_fence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

/* May the rings be touched? */
static bool live(const struct vq *q)
{
	return q->running && !q->resetting && q->dev->running;
}

static int broken(struct vq *q, int err, const char *why)
{
	virtio_broken(q->dev, "queue %u: %s", q->index, why);
	return err;
}

/* One of the ring's own words could not be read or written. */
static int lost_ring(struct vq *q, int err)
{
	return broken(q, err, "ring not reachable");
}

/*
 * Available side.
 */

/* Return: 1 if there are buffers, 0, -errno. */
static int avail_load(struct vq *q)
{
	uint16_t idx;
	int r = dma_load16_acquire(q->dev->dma, avail_idx_at(q), &idx);

	if (r)
		return lost_ring(q, r);
	/* More than the ring can hold.  Both sides wrap at 2^16. */
	if ((uint16_t)(idx - q->next_avail) > q->size)
		return broken(q, -EPROTO, "available index jumps");
	q->avail_idx = idx;
	return idx != q->next_avail;
}

/* Have the driver kick at its next buffer. */
static int arm(struct vq *q)
{
	int r;

	if (q->event_idx) {
		r = dma_store16_release(q->dev->dma, avail_event_at(q),
					q->next_avail);
		q->armed = q->next_avail;
		q->armed_valid = true;
	} else {
		r = dma_store16_release(q->dev->dma, used_flags_at(q), 0);
	}
	if (r)
		return lost_ring(q, r);
	/* Pairs with the driver's, between its idx and our word. */
	full_fence();
	return 0;
}

/*
 * Return: 1 if there are buffers; 0 if not, and then the driver will kick
 * unless kicks are off; -errno.
 */
static int avail_more(struct vq *q)
{
	if (q->avail_idx != q->next_avail)
		return 1;

	int r = avail_load(q);

	if (r || q->kicks_are_off || !q->event_idx)
		return r;
	/* Armed for this very index before: a buffer since then was kicked. */
	if (q->armed_valid && q->armed == q->next_avail)
		return 0;
	r = arm(q);
	return r ? r : avail_load(q);
}

/* Return: 0, -errno with the device broken. */
static int take_head(struct vq *q, uint16_t *ret_head)
{
	uint16_t head;
	int r = dma_load16_acquire(
		q->dev->dma, avail_entry_at(q, slot(q, q->next_avail)), &head);

	if (r)
		return lost_ring(q, r);
	if (head >= q->size)
		return broken(q, -EPROTO, "head outside the table");
	if (q->busy[head])
		return broken(q, -EPROTO, "head is in flight already");
	*ret_head = head;
	return 0;
}

static int take_chain(struct vq *q, struct vq_chain **ret_c)
{
	const char *why;
	uint16_t head;
	int r = take_head(q, &head);

	if (r)
		return r;

	struct vq_chain *c = vq_chain_get(q);

	if (!c)
		return broken(q, -ENOMEM, "out of memory");
	r = vq_chain_walk(c, head, &why);
	if (r) {
		vq_chain_put(c);
		return broken(q, r, why);
	}
	c->epoch = q->epoch;
	q->busy[head] = 1;
	q->inflight++;
	q->next_avail++;
	*ret_c = c;
	return 1;
}

/* Has this kick had its share?  The rest gets another one. */
static bool spent(struct vq *q)
{
	if (q->budget)
		return false;
	vq_kick_later(q);
	return true;
}

int vq_pop(struct vq *q, struct vq_chain **ret_c)
{
	if (!live(q) || q->dev->paused)
		return 0;

	int r = avail_more(q);

	if (r <= 0)
		return r;
	if (spent(q))
		return 0;
	if (q->budget != NO_BUDGET)
		q->budget--;
	return take_chain(q, ret_c);
}

void vq_kicks_off(struct vq *q)
{
	if (!live(q) || q->dev->paused || q->kicks_are_off)
		return;
	q->kicks_are_off = true;
	/* With the event index it is enough to write no new avail_event. */
	if (q->event_idx)
		return;

	/* A hint to the driver; nothing is ordered by it. */
	int r = dma_store16_release(q->dev->dma, used_flags_at(q),
				    VQ_USED_F_NO_NOTIFY);

	if (r)
		(void)lost_ring(q, r);
}

bool vq_kicks_on(struct vq *q)
{
	if (!live(q) || q->dev->paused)
		return false;
	if (q->kicks_are_off) {
		q->kicks_are_off = false;
		if (!q->event_idx && arm(q))
			return false;
	}
	return avail_more(q) > 0 && !spent(q);
}

void vq_kick_later(struct vq *q)
{
	if (q->kick_watch.loop)
		eventfd_signal(q->kick_fd);
}

/*
 * Used side.
 */

static uint32_t used_len(const struct vq_chain *c)
{
	/* The tail counts if nothing in front of it is left out. */
	if (c->written + c->tail == c->writable)
		return (uint32_t)c->writable;
	return (uint32_t)c->written;
}

static int publish(struct vq *q, const struct vq_chain *c)
{
	struct vq_used_elem_wire elem = {
		.id = le32_put(c->head),
		.len = le32_put(used_len(c)),
	};
	struct dma *dma = q->dev->dma;
	int r = dma_write(dma, used_entry_at(q, slot(q, q->next_used)), &elem,
			  sizeof(elem));

	if (r)
		return r;
	q->next_used++;
	q->busy[c->head] = 0;
	if (q->unsignalled <= UINT16_MAX)
		q->unsignalled++;
	/* Release: the element, and what the device wrote into the buffers. */
	return dma_store16_release(dma, used_idx_at(q), q->next_used);
}

/* A reset of this queue alone ends when the device has no chain of it. */
static void reset_if_idle(struct vq *q)
{
	if (!q->resetting || q->inflight)
		return;
	vq_stop(q);
	vq_reset(q);
	q->renewed = true;
}

/* The device has it no more. */
static void give_back(struct vq *q, struct vq_chain *c)
{
	assert(q->inflight);
	vq_chain_put(c);
	q->inflight--;
	reset_if_idle(q);
}

void vq_push(struct vq *q, struct vq_chain *c)
{
	vq_end_holds(c);
	if (c->epoch != q->epoch || !live(q)) {
		give_back(q, c);
		return;
	}
	if (q->dev->paused) {
		list_remove(&c->node);
		list_append(&q->deferred, &c->node);
		return;
	}

	int r = publish(q, c);

	give_back(q, c);
	if (r)
		(void)lost_ring(q, r);
}

void vq_drop(struct vq *q, struct vq_chain *c)
{
	give_back(q, c);
}

/*
 * Is @event in [old, now), was it stepped over?  All three wrap at 2^16.
 * [virtio 1.2, 2.7.7.2]
 */
static bool went_past(uint16_t event, uint16_t old, uint16_t now)
{
	return (uint16_t)(event - old) < (uint16_t)(now - old);
}

/* Return: 1 if the driver wants an interrupt, 0, -errno. */
static int wanted(struct vq *q)
{
	uint16_t val;
	int r = dma_load16_acquire(
		q->dev->dma,
		q->event_idx ? used_event_at(q) : avail_flags_at(q), &val);

	if (r)
		return r;
	if (!q->event_idx)
		return !(val & VQ_AVAIL_F_NO_INTERRUPT);
	/* After so many pushes in one batch the old index says nothing. */
	if (q->unsignalled > UINT16_MAX)
		return 1;
	return went_past(val, q->signalled, q->next_used);
}

void vq_signal(struct vq *q)
{
	if (!live(q) || q->dev->paused || !q->unsignalled)
		return;

	/* Pairs with the driver's, between its used_event (or flags) and its
	 * last look at used.idx. */
	full_fence();

	int r = wanted(q);

	if (r < 0) {
		(void)lost_ring(q, r);
		return;
	}
	q->signalled = q->next_used;
	q->unsignalled = 0;

	struct virtio_transport *t = q->dev->transport;

	if (r && t)
		t->ops->queue_interrupt(t, q->index);
}

/*
 * Life.
 */

void vq_dispatch(struct vq *q)
{
	struct virtio_dev *d = q->dev;

	if (!live(q) || d->paused)
		return;
	q->budget = q->kick_watch.loop ? q->size : NO_BUDGET;
	d->ops->kick(d, q->index);
	q->budget = NO_BUDGET;
}

static void on_kick(struct loop_watch *w, uint32_t events)
{
	struct vq *q = container_of(w, struct vq, kick_watch);

	(void)events;
	(void)eventfd_clear(q->kick_fd);
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
	    region_check(q->avail, 2, used_event_at(q) + 2 - q->avail) ||
	    region_check(q->used, 4, avail_event_at(q) + 2 - q->used))
		return -EPROTO;
	return 0;
}

static int watch_kicks(struct vq *q)
{
	struct virtio_dev *d = q->dev;

	if (!d->loop || q->inline_kick)
		return 0;
	q->kick_watch.fn = on_kick;
	q->kick_watch.lock = &d->lock;
	return loop_watch_add(d->loop, &q->kick_watch, q->kick_fd, EPOLLIN);
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
	q->unsignalled = 0;
	q->armed_valid = false;
	memset(q->busy, 0, q->size_max);

	r = watch_kicks(q);
	if (r)
		return r;
	q->running = true;
	return 0;
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
	loop_watch_del(&q->kick_watch);
	drop_deferred(q);
}

void vq_begin_reset(struct vq *q)
{
	q->resetting = true;
	if (q->running)
		q->dev->ops->queue_stop(q->dev, q->index);
	drop_deferred(q);
	reset_if_idle(q);
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
		vq_push(q, deferred_first(q));
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
		.budget = NO_BUDGET,
		.kick_fd = -1,
	};
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
	if (q->kick_fd >= 0)
		close(q->kick_fd);
	*q = (struct vq){.kick_fd = -1};
}
