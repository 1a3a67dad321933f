/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/tests/vq_driver.h"

#include <assert.h>
#include <stdatomic.h>

#include "core/bits.h"
#include "virtio/device.h"

#define PAGE 4096u

/*
 * Memory.
 */

void vqd_read(struct vq_driver *v, iova_t at, void *dst, size_t len)
{
	int r = dma_read(v->cpu, at, dst, len);

	assert(r == 0);
	(void)r;
}

void vqd_write(struct vq_driver *v, iova_t at, const void *src, size_t len)
{
	int r = dma_write(v->cpu, at, src, len);

	assert(r == 0);
	(void)r;
}

static uint16_t load16(struct vq_driver *v, iova_t at)
{
	uint16_t val = 0;
	int r = dma_load16_acquire(v->cpu, at, &val);

	assert(r == 0);
	(void)r;
	return val;
}

static void store16(struct vq_driver *v, iova_t at, uint16_t val)
{
	int r = dma_store16_release(v->cpu, at, val);

	assert(r == 0);
	(void)r;
}

static void clear(struct vq_driver *v, iova_t at, uint64_t len)
{
	static const uint8_t zeros[PAGE];

	for (uint64_t off = 0; off < len; off += PAGE)
		vqd_write(v, at + off, zeros, min_u64(len - off, PAGE));
}

iova_t vqd_alloc(struct vq_driver *v, uint64_t len)
{
	iova_t at = v->heap;

	v->heap += align_up(len, 16);
	assert(v->heap - at >= len && v->heap <= v->heap_end);
	clear(v, at, len);
	return at;
}

iova_t vqd_put(struct vq_driver *v, const void *src, size_t len)
{
	iova_t at = vqd_alloc(v, len);

	vqd_write(v, at, src, len);
	return at;
}

/*
 * Negotiation and the ring's place.
 */

bool vqd_negotiate(struct virtio_dev *d, uint64_t features)
{
	const uint8_t found = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	virtio_set_status(d, 0);
	virtio_set_status(d, VIRTIO_STATUS_ACKNOWLEDGE);
	virtio_set_status(d, found);
	virtio_set_driver_features(d, 0, (uint32_t)features);
	virtio_set_driver_features(d, 1, (uint32_t)(features >> 32));
	virtio_set_status(d, found | VIRTIO_STATUS_FEATURES_OK);
	return d->status & VIRTIO_STATUS_FEATURES_OK;
}

bool vqd_driver_ok(struct virtio_dev *d)
{
	virtio_set_status(d, d->status | VIRTIO_STATUS_DRIVER_OK);
	return d->running;
}

void vqd_renew(struct vq_driver *v)
{
	uint64_t desc_len = sizeof(struct vq_desc_wire) * v->size;
	uint64_t avail_len = 4 + 2 * v->size + 2;
	uint64_t used_len = 4 + sizeof(struct vq_used_elem_wire) * v->size + 2;

	/* Page by page, so that a test can take one of them away. */
	v->avail = v->desc + align_up(desc_len, PAGE);
	v->used = v->avail + align_up(avail_len, PAGE);
	v->heap = v->used + align_up(used_len, PAGE);
	assert(v->heap <= v->heap_end);
	clear(v, v->desc, v->heap - v->desc);

	v->avail_idx = v->published = v->kick_base = v->last_used = 0;
	v->nfree = v->size;
	v->free_head = 0;
	for (unsigned i = 0; i < v->size; i++) {
		v->next[i] = (uint16_t)(i + 1);
		v->ndesc[i] = 0;
	}
}

void vqd_init(struct vq_driver *v, struct dma *cpu, iova_t base, uint64_t len,
	      uint16_t size)
{
	assert(is_aligned(base, PAGE) && is_pow2(size) && size <= VQD_SIZE_MAX);
	*v = (struct vq_driver){
		.cpu = cpu,
		.size = size,
		.desc = base,
		.heap_end = base + len,
	};
	vqd_renew(v);
}

void vqd_connect(struct vq_driver *v, struct virtio_dev *d, unsigned qi)
{
	struct vq *q = virtio_queue(d, qi);

	assert(q && virtio_queue_writable(d, q));
	q->size = v->size;
	q->desc = v->desc;
	q->avail = v->avail;
	q->used = v->used;
	virtio_queue_enable(d, q);
	v->event_idx = virtio_has(d, VIRTIO_F_EVENT_IDX);
}

/*
 * The rude driver.
 */

void vqd_set_table_desc(struct vq_driver *v, iova_t table, unsigned i,
			uint64_t at, uint32_t len, uint16_t flags,
			uint16_t next)
{
	struct vq_desc_wire d = {
		.addr = le64_put(at),
		.len = le32_put(len),
		.flags = le16_put(flags),
		.next = le16_put(next),
	};

	vqd_write(v, table + i * sizeof(d), &d, sizeof(d));
}

void vqd_set_desc(struct vq_driver *v, unsigned i, uint64_t at, uint32_t len,
		  uint16_t flags, uint16_t next)
{
	vqd_set_table_desc(v, v->desc, i, at, len, flags, next);
}

void vqd_set_avail_flags(struct vq_driver *v, uint16_t val)
{
	store16(v, v->avail, val);
}

void vqd_set_avail_slot(struct vq_driver *v, uint16_t slot, uint16_t head)
{
	store16(v, v->avail + 4 + 2 * (iova_t)(slot & (v->size - 1)), head);
}

void vqd_set_avail_idx(struct vq_driver *v, uint16_t val)
{
	store16(v, v->avail + 2, val);
}

void vqd_set_used_event(struct vq_driver *v, uint16_t val)
{
	store16(v, v->avail + 4 + 2 * (iova_t)v->size, val);
}

void vqd_offer(struct vq_driver *v, uint16_t head)
{
	vqd_set_avail_slot(v, v->avail_idx, head);
	v->avail_idx++;
	vqd_publish(v);
}

uint16_t vqd_used_flags(struct vq_driver *v)
{
	return load16(v, v->used);
}

uint16_t vqd_used_idx(struct vq_driver *v)
{
	return load16(v, v->used + 2);
}

uint16_t vqd_avail_event(struct vq_driver *v)
{
	return load16(v, v->used + 4 +
				 sizeof(struct vq_used_elem_wire) *
					 (iova_t)v->size);
}

/*
 * The polite one.
 */

static uint16_t take_desc(struct vq_driver *v)
{
	uint16_t i = v->free_head;

	assert(v->nfree > 0);
	v->free_head = v->next[i];
	v->nfree--;
	return i;
}

static uint16_t stage_head(struct vq_driver *v, uint16_t head, unsigned n)
{
	v->ndesc[head] = (uint16_t)n;
	vqd_set_avail_slot(v, v->avail_idx, head);
	v->avail_idx++;
	return head;
}

static uint16_t buf_flags(const struct vqd_buf *b, bool last)
{
	return (uint16_t)((b->write ? VQ_DESC_F_WRITE : 0) |
			  (last ? 0 : VQ_DESC_F_NEXT));
}

uint16_t vqd_stage(struct vq_driver *v, const struct vqd_buf *bufs, unsigned n)
{
	uint16_t head = v->free_head;

	assert(n >= 1 && n <= v->nfree);
	for (unsigned i = 0; i < n; i++) {
		uint16_t at = take_desc(v);

		/* next[] still links the free list in chain order. */
		vqd_set_desc(v, at, bufs[i].at, bufs[i].len,
			     buf_flags(&bufs[i], i == n - 1), v->free_head);
	}
	return stage_head(v, head, n);
}

uint16_t vqd_stage_indirect(struct vq_driver *v, iova_t table,
			    const struct vqd_buf *bufs, unsigned n)
{
	uint16_t head = take_desc(v);

	for (unsigned i = 0; i < n; i++)
		vqd_set_table_desc(v, table, i, bufs[i].at, bufs[i].len,
				   buf_flags(&bufs[i], i == n - 1),
				   (uint16_t)(i + 1));
	vqd_set_desc(v, head, table, n * (uint32_t)sizeof(struct vq_desc_wire),
		     VQ_DESC_F_INDIRECT, 0);
	return stage_head(v, head, 1);
}

void vqd_publish(struct vq_driver *v)
{
	v->published = v->avail_idx;
	vqd_set_avail_idx(v, v->avail_idx);
}

uint16_t vqd_add(struct vq_driver *v, const struct vqd_buf *bufs, unsigned n)
{
	uint16_t head = vqd_stage(v, bufs, n);

	vqd_publish(v);
	return head;
}

uint16_t vqd_add_indirect(struct vq_driver *v, const struct vqd_buf *bufs,
			  unsigned n)
{
	iova_t table = vqd_alloc(v, n * sizeof(struct vq_desc_wire));
	uint16_t head = vqd_stage_indirect(v, table, bufs, n);

	vqd_publish(v);
	return head;
}

bool vqd_wants_kick(struct vq_driver *v)
{
	uint16_t old = v->kick_base, now = v->published;

	v->kick_base = now;
	/* Pairs with the device's, between avail_event (or used.flags) and
	 * its last look at avail.idx. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!v->event_idx)
		return now != old && !(vqd_used_flags(v) & VQ_USED_F_NO_NOTIFY);
	/* Is the event in [old, now)?  Modulo 2^16. */
	return (uint16_t)(vqd_avail_event(v) - old) < (uint16_t)(now - old);
}

static void free_chain(struct vq_driver *v, uint16_t head)
{
	uint16_t last = head;

	assert(head < v->size && v->ndesc[head]);
	for (unsigned i = 1; i < v->ndesc[head]; i++)
		last = v->next[last];
	v->nfree = (uint16_t)(v->nfree + v->ndesc[head]);
	v->ndesc[head] = 0;
	v->next[last] = v->free_head;
	v->free_head = head;
}

bool vqd_get_used(struct vq_driver *v, uint32_t *ret_head, uint32_t *ret_len)
{
	struct vq_used_elem_wire elem;

	if (vqd_used_idx(v) == v->last_used)
		return false;
	vqd_read(v,
		 v->used + 4 +
			 sizeof(elem) * (iova_t)(v->last_used & (v->size - 1)),
		 &elem, sizeof(elem));
	v->last_used++;

	uint32_t head = le32_get(elem.id);

	/* Chains of vqd_offer() are not ours to free. */
	if (head < v->size && v->ndesc[head])
		free_chain(v, (uint16_t)head);
	*ret_head = head;
	*ret_len = le32_get(elem.len);
	return true;
}

void vqd_interrupts_off(struct vq_driver *v)
{
	/* An event half a ring of indices away, as Linux does. */
	if (v->event_idx)
		vqd_set_used_event(v, (uint16_t)(v->last_used + 0x8000));
	else
		vqd_set_avail_flags(v, VQ_AVAIL_F_NO_INTERRUPT);
}

bool vqd_interrupts_at(struct vq_driver *v, uint16_t n)
{
	if (v->event_idx)
		vqd_set_used_event(v, (uint16_t)(v->last_used + n - 1));
	else
		vqd_set_avail_flags(v, 0);
	/* Pairs with the device's, between used.idx and these words. */
	atomic_thread_fence(memory_order_seq_cst);
	return (uint16_t)(vqd_used_idx(v) - v->last_used) >= n;
}

bool vqd_interrupts_on(struct vq_driver *v)
{
	return vqd_interrupts_at(v, 1);
}
