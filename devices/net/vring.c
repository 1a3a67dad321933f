/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/vring.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "core/bits.h"
#include "devices/vhost_user/wire.h"
#include "virtio/wire.h"

/* Descriptors, available ring, used ring, buffers: each from a page on. */
#define PAGE	 4096u
#define AVAIL_AT PAGE
#define USED_AT	 (2 * PAGE)
#define BUFS_AT	 (3 * PAGE)

static_assert(NET_VRING_SIZE * sizeof(struct vq_desc_wire) <= PAGE, "");
static_assert(VQ_RING_ENTRIES +
			      NET_VRING_SIZE *
				      sizeof(struct vq_used_elem_wire) +
			      sizeof(le16_t) <=
		      PAGE,
	      "");

static unsigned slot(uint16_t index)
{
	return index & (NET_VRING_SIZE - 1u);
}

static gpa_t buf_at(const struct net_vring *r, unsigned buf)
{
	return r->at + BUFS_AT + buf * NET_VRING_BUF;
}

/* The other side's name for a place in our memory. */
static uint64_t user_addr(const struct net_vring *r, gpa_t at)
{
	return (uintptr_t)r->mem->slots[0].host + (at - r->mem->slots[0].base);
}

/*
 * Places of our own: they are in the memory.
 */

static void get(const struct net_vring *r, gpa_t at, void *dst, size_t len)
{
	int e = gmem_read(r->mem, at, dst, len);

	assert(e == 0);
	(void)e;
}

static void put(const struct net_vring *r, gpa_t at, const void *src,
		size_t len)
{
	int e = gmem_write(r->mem, at, src, len);

	assert(e == 0);
	(void)e;
}

static void store16(const struct net_vring *r, gpa_t at, uint16_t val)
{
	int e = gmem_store16_release(r->mem, at, val);

	assert(e == 0);
	(void)e;
}

static uint16_t load16(const struct net_vring *r, gpa_t at)
{
	uint16_t val = 0;
	int e = gmem_load16_acquire(r->mem, at, &val);

	assert(e == 0);
	(void)e;
	return val;
}

uint64_t net_vring_bytes(void)
{
	return BUFS_AT + NET_VRING_SIZE * NET_VRING_BUF;
}

void net_vring_begin(struct net_vring *r, struct gmem *mem, gpa_t at, bool in)
{
	static const uint8_t nothing[PAGE];

	*r = (struct net_vring){.mem = mem, .at = at, .in = in};
	assert(gmem_has(mem, at, net_vring_bytes()));
	for (gpa_t page = 0; page < BUFS_AT; page += PAGE)
		put(r, at + page, nothing, sizeof(nothing));
	for (unsigned i = NET_VRING_SIZE; i-- > 0;)
		r->free[r->nfree++] = (uint16_t)i;
	for (unsigned buf; in && net_vring_find(r, &buf);)
		net_vring_give(r, buf, NET_VRING_BUF);
}

void net_vring_addr(const struct net_vring *r, struct vhu_vring_addr_wire *a)
{
	*a = (struct vhu_vring_addr_wire){
		.desc = user_addr(r, r->at),
		.avail = user_addr(r, r->at + AVAIL_AT),
		.used = user_addr(r, r->at + USED_AT),
	};
}

int net_vring_take(struct net_vring *r, unsigned *ret_buf, uint32_t *ret_len)
{
	const uint16_t idx = load16(r, r->at + USED_AT + VQ_RING_IDX);
	struct vq_used_elem_wire elem;
	uint32_t buf, len;

	if (idx == r->last_used)
		return 0;
	if ((uint16_t)(idx - r->last_used) > NET_VRING_SIZE - r->nfree)
		return -EPROTO;
	get(r,
	    r->at + USED_AT + VQ_RING_ENTRIES +
		    slot(r->last_used) * sizeof(elem),
	    &elem, sizeof(elem));
	buf = le32_get(elem.id);
	len = le32_get(elem.len);
	if (buf >= NET_VRING_SIZE || !r->given[buf] || len > NET_VRING_BUF)
		return -EPROTO;
	r->given[buf] = false;
	r->free[r->nfree++] = (uint16_t)buf;
	r->last_used++;
	*ret_buf = buf;
	*ret_len = len;
	return 1;
}

bool net_vring_find(struct net_vring *r, unsigned *ret_buf)
{
	if (r->nfree == 0)
		return false;
	*ret_buf = r->free[r->nfree - 1];
	return true;
}

/* The last one found or taken: those are given first. */
void net_vring_give(struct net_vring *r, unsigned buf, uint32_t len)
{
	const struct vq_desc_wire d = {
		.addr = le64_put(user_addr(r, buf_at(r, buf))),
		.len = le32_put(len),
		.flags = le16_put(r->in ? VQ_DESC_F_WRITE : 0),
	};
	const le16_t entry = le16_put((uint16_t)buf);

	assert(r->nfree > 0 && r->free[r->nfree - 1] == buf);
	r->nfree--;
	r->given[buf] = true;
	put(r, r->at + buf * sizeof(d), &d, sizeof(d));
	put(r,
	    r->at + AVAIL_AT + VQ_RING_ENTRIES +
		    slot(r->next_avail) * sizeof(entry),
	    &entry, sizeof(entry));
	r->next_avail++;
	store16(r, r->at + AVAIL_AT + VQ_RING_IDX, r->next_avail);
}

bool net_vring_wants_kick(const struct net_vring *r)
{
	/* Pairs with the other side's, between its flags and its last look at
	 * our index. */
	atomic_thread_fence(memory_order_seq_cst);
	return !(load16(r, r->at + USED_AT) & VQ_USED_F_NO_NOTIFY);
}

bool net_vring_arm(struct net_vring *r, bool on)
{
	store16(r, r->at + AVAIL_AT, on ? 0 : VQ_AVAIL_F_NO_INTERRUPT);
	/* Pairs with the other side's, between its index and our flags. */
	atomic_thread_fence(memory_order_seq_cst);
	return load16(r, r->at + USED_AT + VQ_RING_IDX) != r->last_used;
}

void net_vring_read(const struct net_vring *r, unsigned buf, size_t at,
		    void *dst, size_t len)
{
	assert(at + len <= NET_VRING_BUF);
	get(r, buf_at(r, buf) + at, dst, len);
}

void net_vring_write(struct net_vring *r, unsigned buf, size_t at,
		     const void *src, size_t len)
{
	assert(at + len <= NET_VRING_BUF);
	put(r, buf_at(r, buf) + at, src, len);
}
