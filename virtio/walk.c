/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/queue_priv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/bits.h"
#include "virtio/device.h"
#include "virtio/wire.h"

/*
 * An indirect table is read in pieces of this many entries: one access for
 * what Linux makes, and little on the stack.
 */
#define WINDOW 16

/* A descriptor in host order: the only copy, everything is decided from it. */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

/* Where descriptors are: the queue's own table, or an indirect one. */
struct table {
	struct dma *dma;
	iova_t at;
	unsigned n;
	unsigned step;	       /* entries to read at once, <= WINDOW */
	unsigned first, count; /* window holds [first, first + count) */
	struct vq_desc_wire window[WINDOW];
};

struct walk {
	struct vq *q;
	struct vq_chain *c;
	struct table table;
	bool in_indirect;
	bool writable;	/* a device-writable descriptor was seen */
	unsigned ndesc; /* buffers so far, empty ones included */
	uint64_t total; /* bytes */
	const char *why;
};

static int bad(struct walk *w, const char *why)
{
	w->why = why;
	return -EPROTO;
}

static void table_set(struct table *t, iova_t at, unsigned n, unsigned step)
{
	t->at = at;
	t->n = n;
	t->step = step;
	t->count = 0;
}

/* @i < t->n; the table does not wrap (checked when it was set). */
static int table_get(struct table *t, unsigned i, struct desc *ret_desc)
{
	if (i - t->first >= t->count) {
		unsigned n = t->n - i < t->step ? t->n - i : t->step;
		int r = dma_read(t->dma, t->at + i * sizeof(t->window[0]),
				 t->window, n * sizeof(t->window[0]));

		if (r)
			return r;
		t->first = i;
		t->count = n;
	}

	const struct vq_desc_wire *wire = &t->window[i - t->first];

	*ret_desc = (struct desc){
		.addr = le64_get(wire->addr),
		.len = le32_get(wire->len),
		.flags = le16_get(wire->flags),
		.next = le16_get(wire->next),
	};
	return 0;
}

static bool wraps(uint64_t at, uint64_t len)
{
	uint64_t last;

	return len && __builtin_add_overflow(at, len - 1, &last);
}

/*
 * The chain goes on in an indirect table.  It may follow ordinary
 * descriptors, and the flag WRITE says nothing.
 * [virtio 1.2, 2.7.5.3.2]
 */
static int enter_indirect(struct walk *w, const struct desc *d)
{
	if (!w->q->indirect)
		return bad(w, "indirect table not negotiated");
	if (w->in_indirect)
		return bad(w, "indirect table in an indirect table");
	if (d->flags & VQ_DESC_F_NEXT)
		return bad(w, "indirect table with a next descriptor");
	if (d->len == 0 || d->len % sizeof(struct vq_desc_wire))
		return bad(w, "indirect table of a broken length");
	/* Longer than a ring that the driver has made shorter it may be: Linux
	 * looks at what the device can take.   [virtio 1.2, 2.7.5.3.1] */
	if (d->len / sizeof(struct vq_desc_wire) > w->q->size_max)
		return bad(w, "indirect table longer than the queue");
	if (wraps(d->addr, d->len))
		return bad(w, "indirect table past the end of memory");

	w->in_indirect = true;
	table_set(&w->table, d->addr,
		  d->len / (unsigned)sizeof(struct vq_desc_wire), WINDOW);
	return 0;
}

static int append_seg(struct vq_chain *c, iova_t at, uint32_t len)
{
	if (c->nsegs == c->segs_cap) {
		unsigned cap = c->segs_cap ? 2 * c->segs_cap : 8;
		struct vq_seg *segs = realloc(c->segs, cap * sizeof(*segs));

		if (!segs)
			return -ENOMEM;
		c->segs = segs;
		c->segs_cap = cap;
	}
	c->segs[c->nsegs++] = (struct vq_seg){.at = at, .len = len};
	return 0;
}

static int add_buffer(struct walk *w, const struct desc *d)
{
	struct vq_chain *c = w->c;
	bool writable = d->flags & VQ_DESC_F_WRITE;

	/* Bounds the walk: a loop has no end.   [virtio 1.2, 2.7.5.3.1] */
	if (++w->ndesc > w->q->size_max)
		return bad(w, "chain longer than the queue");
	/* [virtio 1.2, 2.7.4.2] */
	if (w->writable && !writable)
		return bad(w, "readable descriptor after a writable one");
	if (wraps(d->addr, d->len))
		return bad(w, "buffer past the end of memory");
	/* used.len has 32 bits.   [virtio 1.2, 2.7.5.2] */
	w->total += d->len;
	if (w->total > UINT32_MAX)
		return bad(w, "chain of 4 GiB or more");
	w->writable = writable;

	/* Empty buffers count above and are then forgotten, so that cursors
	 * never stand on one. */
	if (d->len == 0)
		return 0;
	if (writable) {
		c->out.left += d->len;
	} else {
		c->in.left += d->len;
		c->nreadable++;
	}
	return append_seg(c, d->addr, d->len);
}

static int walk_chain(struct walk *w, unsigned i)
{
	for (;;) {
		struct desc d;
		int r = table_get(&w->table, i, &d);

		if (r) {
			w->why = "descriptor not reachable";
			return r;
		}
		if (d.flags & VQ_DESC_F_INDIRECT) {
			r = enter_indirect(w, &d);
			i = 0;
		} else {
			r = add_buffer(w, &d);
			if (!r && !(d.flags & VQ_DESC_F_NEXT))
				return 0;
			i = d.next;
		}
		if (r)
			return r;
		if (i >= w->table.n)
			return bad(w, "next descriptor outside the table");
	}
}

int vq_chain_walk(struct vq_chain *c, uint16_t head,
		  const struct vq_desc_wire *first, const char **ret_why)
{
	struct vq *q = c->vq;
	struct walk w = {.q = q, .c = c, .table.dma = q->dma};

	c->head = head;
	c->nsegs = c->nreadable = 0;
	c->in = c->out = (struct vq_cursor){0};
	c->written = c->tail = 0;

	w.why = "out of memory";
	table_set(&w.table, q->desc, q->size, 1);
	if (first) {
		w.table.window[0] = *first;
		w.table.first = head;
		w.table.count = 1;
	}

	int r = walk_chain(&w, head);

	if (r) {
		*ret_why = w.why;
		return r;
	}
	c->in.end = c->nreadable;
	c->out.seg = c->nreadable;
	c->out.end = c->nsegs;
	c->readable = c->in.left;
	c->writable = c->out.left;
	return 0;
}
