/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/vhost_user/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "devices/vhost_user/wire.h"

#define PAGE UINT64_C(4096)

/*
 * In this order, each from a page of its own: descriptors, available ring,
 * used ring, a table for each head, the front of each head.
 */
static uint64_t desc_bytes(uint16_t size)
{
	return align_up(size * sizeof(struct vq_desc_wire), PAGE);
}

static uint64_t avail_bytes(uint16_t size)
{
	return align_up(VQ_RING_ENTRIES + (size + 1u) * sizeof(le16_t), PAGE);
}

static uint64_t used_bytes(uint16_t size)
{
	return align_up(VQ_RING_ENTRIES +
				size * sizeof(struct vq_used_elem_wire) +
				sizeof(le16_t),
			PAGE);
}

#define TABLE_BYTES (VHU_PIECES_MAX * sizeof(struct vq_desc_wire))

static gpa_t avail_at(const struct vhu_ring *r)
{
	return r->at + desc_bytes(r->size);
}

static gpa_t avail_entry_at(const struct vhu_ring *r, unsigned i)
{
	return avail_at(r) + VQ_RING_ENTRIES + i * sizeof(le16_t);
}

static gpa_t used_event_at(const struct vhu_ring *r)
{
	return avail_entry_at(r, r->size);
}

static gpa_t used_at(const struct vhu_ring *r)
{
	return avail_at(r) + avail_bytes(r->size);
}

static gpa_t used_entry_at(const struct vhu_ring *r, unsigned i)
{
	return used_at(r) + VQ_RING_ENTRIES +
	       i * sizeof(struct vq_used_elem_wire);
}

static gpa_t avail_event_at(const struct vhu_ring *r)
{
	return used_entry_at(r, r->size);
}

static gpa_t table_at(const struct vhu_ring *r, unsigned head)
{
	return used_at(r) + used_bytes(r->size) + head * TABLE_BYTES;
}

static gpa_t front_at(const struct vhu_ring *r, unsigned head)
{
	return table_at(r, r->size) + head * VHU_FRONT_MAX;
}

uint64_t vhu_ring_bytes(uint16_t size)
{
	return desc_bytes(size) + avail_bytes(size) + used_bytes(size) +
	       size * TABLE_BYTES + align_up(size * VHU_FRONT_MAX, PAGE);
}

/* The server's name for a place in our memory. */
static uint64_t user_addr(const struct vhu_ring *r, gpa_t at)
{
	return (uintptr_t)r->mem->slots[0].host + (at - r->mem->slots[0].base);
}

/*
 * Our own words: the place is in the memory, or vhu_ring_init() would have
 * failed.
 */
static void put(struct vhu_ring *r, gpa_t at, const void *src, size_t len)
{
	int e = gmem_write(r->mem, at, src, len);

	assert(e == 0);
	(void)e;
}

static void store16(struct vhu_ring *r, gpa_t at, uint16_t val)
{
	int e = gmem_store16_release(r->mem, at, val);

	assert(e == 0);
	(void)e;
}

static uint16_t load16(const struct vhu_ring *r, gpa_t at)
{
	uint16_t val = 0;
	int e = gmem_load16_acquire(r->mem, at, &val);

	assert(e == 0);
	(void)e;
	return val;
}

int vhu_ring_init(struct vhu_ring *r, struct gmem *mem, gpa_t at, uint16_t size)
{
	*r = (struct vhu_ring){
		.mem = mem,
		.at = at,
		.size = size,
		.kick_fd = -1,
		.call_fd = -1,
	};
	assert(is_pow2(size) && gmem_has(mem, at, vhu_ring_bytes(size)));
	r->slots = calloc(size, sizeof(*r->slots));
	r->iov = calloc(VHU_PIECES_MAX, sizeof(*r->iov));
	r->table = calloc(VHU_PIECES_MAX, sizeof(*r->table));
	if (!r->slots || !r->iov || !r->table)
		return -ENOMEM;
	r->kick_fd = eventfd_new();
	if (r->kick_fd < 0)
		return r->kick_fd;
	r->call_fd = eventfd_new();
	return r->call_fd < 0 ? r->call_fd : 0;
}

void vhu_ring_fini(struct vhu_ring *r)
{
	if (!r->mem)
		return;
	if (r->kick_fd >= 0)
		close(r->kick_fd);
	if (r->call_fd >= 0)
		close(r->call_fd);
	free(r->slots);
	free(r->iov);
	free(r->table);
	*r = (struct vhu_ring){.kick_fd = -1, .call_fd = -1};
}

void vhu_ring_addr(const struct vhu_ring *r, struct vhu_vring_addr_wire *a)
{
	*a = (struct vhu_vring_addr_wire){
		.desc = user_addr(r, r->at),
		.avail = user_addr(r, avail_at(r)),
		.used = user_addr(r, used_at(r)),
	};
}

/*
 * Out.
 */

static void slot_restore(struct vhu_slot *s)
{
	struct vq_chain *c = s->chain;

	vq_end_holds(c);
	c->in = s->in;
	c->out = s->out;
	c->written = s->written;
}

/* Return: count of pieces that it is: 1, or 0 without one. */
static unsigned put_front(struct vhu_ring *r, struct vq_chain *c,
			  const void *front, size_t len)
{
	const gpa_t at = front_at(r, c->head);
	int e;

	if (len == 0)
		return 0;
	assert(len <= VHU_FRONT_MAX);
	e = vq_skip_read(c, len);
	assert(e == 0);
	(void)e;
	put(r, at, front, len);
	r->iov[0].iov_base =
		r->mem->slots[0].host + (at - r->mem->slots[0].base);
	r->iov[0].iov_len = len;
	return 1;
}

/* Behind @front pieces.  Return: count of pieces, -errno. */
static int translate(struct vhu_ring *r, struct vq_chain *c, unsigned front,
		     unsigned *ret_readable)
{
	const uint64_t in = c->in.left, out = c->out.left;
	uint64_t got = 0;
	int nin, nout;

	nin = vq_iov_read(c, in, r->iov + front, VHU_PIECES_MAX - front, &got);
	if (nin < 0)
		return nin;
	if (in > 0 && got < in)
		return -E2BIG;
	nin += (int)front;
	nout = vq_iov_write(c, out, r->iov + nin,
			    VHU_PIECES_MAX - (unsigned)nin, &got);
	if (nout < 0)
		return nout;
	if (out > 0 && got < out)
		return -E2BIG;
	*ret_readable = (unsigned)nin;
	return nin + nout;
}

static void write_table(struct vhu_ring *r, uint16_t head, unsigned n,
			unsigned readable)
{
	for (unsigned i = 0; i < n; i++) {
		uint16_t flags =
			(uint16_t)((i >= readable ? VQ_DESC_F_WRITE : 0) |
				   (i + 1 < n ? VQ_DESC_F_NEXT : 0));

		/* A piece is part of a buffer, so 32 bits are enough. */
		r->table[i] = (struct vq_desc_wire){
			.addr = le64_put((uintptr_t)r->iov[i].iov_base),
			.len = le32_put((uint32_t)r->iov[i].iov_len),
			.flags = le16_put(flags),
			.next = le16_put((uint16_t)(i + 1)),
		};
	}
	put(r, table_at(r, head), r->table, n * sizeof(*r->table));
}

static void offer(struct vhu_ring *r, uint16_t head, unsigned n)
{
	const struct vq_desc_wire d = {
		.addr = le64_put(user_addr(r, table_at(r, head))),
		.len = le32_put(n * (uint32_t)sizeof(d)),
		.flags = le16_put(VQ_DESC_F_INDIRECT),
	};
	const le16_t entry = le16_put(head);

	put(r, r->at + head * sizeof(d), &d, sizeof(d));
	put(r, avail_entry_at(r, r->next_avail & (r->size - 1u)), &entry,
	    sizeof(entry));
	r->next_avail++;
}

int vhu_ring_add(struct vhu_ring *r, struct vq_chain *c, const void *front,
		 size_t len)
{
	struct vhu_slot *s = &r->slots[c->head];
	unsigned readable;
	int n;

	assert(c->head < r->size && !s->chain);
	*s = (struct vhu_slot){
		.chain = c,
		.in = c->in,
		.out = c->out,
		.written = c->written,
	};
	n = translate(r, c, put_front(r, c, front, len), &readable);
	/* No table is empty. */
	if (n == 0)
		n = -EINVAL;
	if (n < 0) {
		slot_restore(s);
		s->chain = NULL;
		return n;
	}
	write_table(r, c->head, (unsigned)n, readable);
	offer(r, c->head, (unsigned)n);
	r->inflight++;
	return 0;
}

/* Is @event in [old, now)?  All three wrap.   [virtio 1.2, 2.7.7.2] */
static bool went_past(uint16_t event, uint16_t old, uint16_t now)
{
	return (uint16_t)(event - old) < (uint16_t)(now - old);
}

void vhu_ring_publish(struct vhu_ring *r)
{
	const uint16_t old = r->kicked;
	bool wanted;

	if (old == r->next_avail)
		return;
	r->kicked = r->next_avail;
	store16(r, avail_at(r) + VQ_RING_IDX, r->next_avail);
	/* Pairs with the server's, between its avail_event (or flags) and its
	 * last look at our index. */
	atomic_thread_fence(memory_order_seq_cst);
	if (r->event_idx)
		wanted = went_past(load16(r, avail_event_at(r)), old,
				   r->next_avail);
	else
		wanted = !(load16(r, used_at(r)) & VQ_USED_F_NO_NOTIFY);
	if (wanted)
		eventfd_signal_shared(r->kick_fd);
}

/*
 * Back.
 */

int vhu_ring_take(struct vhu_ring *r, struct vq_chain **ret_c)
{
	const uint16_t idx = load16(r, used_at(r) + VQ_RING_IDX);
	struct vq_used_elem_wire elem;
	struct vq_chain *c;
	uint32_t head, len;
	int e;

	if (idx == r->last_used)
		return 0;
	if ((uint16_t)(idx - r->last_used) > r->inflight)
		return -EPROTO;
	e = gmem_read(r->mem, used_entry_at(r, r->last_used & (r->size - 1u)),
		      &elem, sizeof(elem));
	assert(e == 0);
	(void)e;
	head = le32_get(elem.id);
	len = le32_get(elem.len);
	if (head >= r->size || !r->slots[head].chain)
		return -EPROTO;
	c = r->slots[head].chain;
	if (len > r->slots[head].out.left)
		return -EPROTO;
	r->slots[head].chain = NULL;
	r->last_used++;
	r->inflight--;
	c->written = len;
	*ret_c = c;
	return 1;
}

bool vhu_ring_arm(struct vhu_ring *r)
{
	if (r->event_idx) {
		store16(r, used_event_at(r), r->last_used);
		/* Pairs with the server's, between its index and this. */
		atomic_thread_fence(memory_order_seq_cst);
	}
	return load16(r, used_at(r) + VQ_RING_IDX) != r->last_used;
}

struct vq_chain *vhu_ring_abandon(struct vhu_ring *r)
{
	for (unsigned i = 0; r->inflight > 0 && i < r->size; i++) {
		struct vq_chain *c = r->slots[i].chain;

		if (!c)
			continue;
		slot_restore(&r->slots[i]);
		r->slots[i].chain = NULL;
		r->inflight--;
		return c;
	}
	return NULL;
}
