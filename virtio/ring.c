/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The rings of a split virtqueue.   [virtio 1.2, 2.7]
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
#include "virtio/queue_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "core/bits.h"
#include "core/fd.h"

/* The entry that a free-running index names. */
static unsigned slot(const struct vq *q, uint16_t idx)
{
	return idx & (q->size - 1u);
}

static void full_fence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

/*
 * With a lock of its own a queue must not touch the device: it stands still,
 * and the device's loop does the rest.
 */
static int broken(struct vq *q, int err, const char *why)
{
	struct virtio_dev *d = q->dev;

	if (!d->queue_locks) {
		virtio_broken(d, "queue %u: %s", q->index, why);
		return err;
	}
	guest_warn(&d->log, "queue %u: %s; needs reset", q->index, why);
	q->broken = true;
	loop_timer_set(&d->trouble, 0);
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
	int r = dma_load16_acquire(q->dma, vq_avail_idx_at(q), &idx);

	if (r)
		return lost_ring(q, r);
	/* More than the ring can hold.  Both sides wrap at 2^16. */
	if ((uint16_t)(idx - q->next_avail) > q->size)
		return broken(q, -EPROTO, "available index jumps");
	q->avail_idx = idx;
	if ((uint16_t)(idx - q->next_avail) == q->size)
		q->stats.full++;
	return idx != q->next_avail;
}

/* Have the driver kick at its next buffer. */
static int arm(struct vq *q)
{
	int r;

	if (q->event_idx) {
		r = dma_store16_release(q->dma, vq_avail_event_at(q),
					q->next_avail);
		q->armed = q->next_avail;
		q->armed_valid = true;
	} else {
		r = dma_store16_release(q->dma, vq_used_flags_at(q), 0);
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

/*
 * How many entries of the available ring are read at once.  They are the
 * device's until their chains are used, so a kick reads ahead; other pops do
 * not come in numbers.  What is read lies in one page: either all of it is
 * reachable or its first entry is not.
 */
static unsigned entries_at_once(const struct vq *q, unsigned from)
{
	const iova_t at = vq_avail_entry_at(q, from);
	const uint64_t in_page = DMA_NEAR - at % DMA_NEAR;
	uint64_t n = (uint16_t)(q->avail_idx - q->next_avail);

	if (q->budget == VQ_NO_BUDGET)
		return 1;
	n = min_u64(n, VQ_BATCH);
	n = min_u64(n, q->size - from);
	return (unsigned)min_u64(n, in_page / sizeof(le16_t));
}

/* avail_idx, whose acquire precedes, covers what is read. */
static int look_ahead(struct vq *q)
{
	struct vq_ahead *a = &q->ahead;
	const unsigned from = slot(q, q->next_avail);
	const unsigned n = entries_at_once(q, from);
	le16_t entries[VQ_BATCH];
	unsigned good = 0;
	int r = dma_read(q->dma, vq_avail_entry_at(q, from), entries,
			 n * sizeof(entries[0]));

	if (r)
		return lost_ring(q, r);
	for (unsigned i = 0; i < n; i++)
		a->heads[i] = le16_get(entries[i]);
	while (good < n && a->heads[good] < q->size)
		good++;
	a->at = 0;
	a->n = n;
	a->ndescs = n > 1 ? dma_read_near(q->dma, q->desc, a->heads, good,
					  sizeof(a->descs[0]), a->descs)
			  : 0;
	return 0;
}

/*
 * @ret_first: the descriptor if it has been read; else NULL
 *
 * Return: 0, -errno with the device broken.
 */
static int take_head(struct vq *q, uint16_t *ret_head,
		     const struct vq_desc_wire **ret_first)
{
	struct vq_ahead *a = &q->ahead;
	uint16_t head;
	int r = a->at < a->n ? 0 : look_ahead(q);

	if (r)
		return r;
	head = a->heads[a->at];
	if (head >= q->size)
		return broken(q, -EPROTO, "head outside the table");
	if (q->busy[head])
		return broken(q, -EPROTO, "head is in flight already");
	*ret_head = head;
	*ret_first = a->at < a->ndescs ? &a->descs[a->at] : NULL;
	a->at++;
	return 0;
}

static int take_chain(struct vq *q, struct vq_chain **ret_c)
{
	const struct vq_desc_wire *first;
	const char *why;
	uint16_t head;
	int r = take_head(q, &head, &first);

	if (r)
		return r;

	struct vq_chain *c = vq_chain_get(q);

	if (!c)
		return broken(q, -ENOMEM, "out of memory");
	r = vq_chain_walk(c, head, first, &why);
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
	if (!vq_live(q) || q->dev->paused)
		return 0;

	int r = avail_more(q);

	if (r <= 0)
		return r;
	if (spent(q))
		return 0;
	if (q->budget != VQ_NO_BUDGET)
		q->budget--;
	return take_chain(q, ret_c);
}

void vq_kicks_off(struct vq *q)
{
	if (!vq_live(q) || q->dev->paused || q->kicks_are_off)
		return;
	q->kicks_are_off = true;
	/* With the event index it is enough to write no new avail_event. */
	if (q->event_idx)
		return;

	/* A hint to the driver; nothing is ordered by it. */
	int r = dma_store16_release(q->dma, vq_used_flags_at(q),
				    VQ_USED_F_NO_NOTIFY);

	if (r)
		(void)lost_ring(q, r);
}

bool vq_kicks_on(struct vq *q)
{
	if (!vq_live(q) || q->dev->paused)
		return false;
	if (q->kicks_are_off) {
		q->kicks_are_off = false;
		if (!q->event_idx && arm(q))
			return false;
	}
	return avail_more(q) > 0 && !spent(q);
}

void vq_disarm(struct vq *q)
{
	if (!vq_live(q) || q->dev->paused || !q->event_idx || !q->armed_valid ||
	    q->armed != q->next_avail)
		return;

	/* The farthest that an index can be from the next one. */
	int r = dma_store16_release(q->dma, vq_avail_event_at(q),
				    (uint16_t)(q->next_avail - 1));

	q->armed_valid = false;
	if (r)
		(void)lost_ring(q, r);
}

bool vq_peek_begin(const struct vq *q, struct vq_peek *ret_p)
{
	if (!vq_live(q) || q->dev->paused)
		return false;
	*ret_p = (struct vq_peek){
		.dma = q->dma,
		.at = vq_avail_idx_at(q),
		.next = q->next_avail,
	};
	return true;
}

bool vq_peek(const struct vq_peek *p)
{
	uint16_t idx;

	return dma_load16_acquire(p->dma, p->at, &idx) || idx != p->next;
}

void vq_kick_later(struct vq *q)
{
	if (q->kick_watch.loop)
		eventfd_signal_shared(q->kick_fd);
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

/* Staged heads are busy, so there are never more than the ring has room for. */
static void stage(struct vq *q, const struct vq_chain *c)
{
	q->staged[q->nstaged++] = (struct vq_used_elem_wire){
		.id = le32_put(c->head),
		.len = le32_put(used_len(c)),
	};
	q->stats.requests++;
	q->stats.bytes_in += used_len(c);
	q->stats.bytes_out += c->readable - c->in.left;
	if (q->unsignalled <= UINT16_MAX)
		q->unsignalled++;
}

/* What is staged goes into the ring, behind the index that the driver sees. */
static int write_staged(struct vq *q)
{
	unsigned done = 0;

	while (done < q->nstaged) {
		const unsigned to = slot(q, q->next_used);
		const unsigned n =
			(unsigned)min_u64(q->nstaged - done, q->size - to);
		int r = dma_write(q->dma, vq_used_entry_at(q, to),
				  &q->staged[done], n * sizeof(q->staged[0]));

		if (r)
			return r;
		q->next_used = (uint16_t)(q->next_used + n);
		done += n;
	}
	for (unsigned i = 0; i < q->nstaged; i++)
		q->busy[le32_get(q->staged[i].id)] = 0;
	q->nstaged = 0;
	q->hidden = true;
	return 0;
}

/* The driver sees all that was pushed. */
static int publish(struct vq *q)
{
	int r = write_staged(q);

	if (r)
		return r;
	q->hidden = false;
	/* Release: the elements, and what the device wrote into the buffers. */
	return dma_store16_release(q->dma, vq_used_idx_at(q), q->next_used);
}

/* The device has it no more. */
static void give_back(struct vq *q, struct vq_chain *c)
{
	assert(q->inflight);
	vq_chain_put(c);
	q->inflight--;
	vq_reset_if_idle(q);
}

static void push(struct vq *q, struct vq_chain *c, bool more)
{
	int r = 0;

	vq_end_holds(c);
	if (c->epoch != q->epoch || !vq_live(q)) {
		give_back(q, c);
		return;
	}
	if (q->dev->paused) {
		list_remove(&c->node);
		list_append(&q->deferred, &c->node);
		return;
	}
	stage(q, c);
	if (!more)
		r = publish(q);
	else if (q->nstaged == VQ_BATCH)
		r = write_staged(q);
	give_back(q, c);
	if (r)
		(void)lost_ring(q, r);
}

void vq_push(struct vq *q, struct vq_chain *c)
{
	push(q, c, false);
}

void vq_push_more(struct vq *q, struct vq_chain *c)
{
	push(q, c, true);
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
	int r = dma_load16_acquire(q->dma,
				   q->event_idx ? vq_used_event_at(q)
						: vq_avail_flags_at(q),
				   &val);

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
	if (!vq_live(q) || q->dev->paused || !q->unsignalled)
		return;

	int r = q->nstaged || q->hidden ? publish(q) : 0;

	/* Pairs with the driver's, between its used_event (or flags) and its
	 * last look at used.idx. */
	full_fence();
	if (r == 0)
		r = wanted(q);
	if (r < 0) {
		(void)lost_ring(q, r);
		return;
	}
	q->signalled = q->next_used;
	q->unsignalled = 0;

	struct virtio_transport *t = q->dev->transport;

	if (!r || !t)
		return;
	q->stats.interrupts++;
	t->ops->queue_interrupt(t, q->index);
}
