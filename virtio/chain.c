/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Chains: their pool, and the cursors that move through their two halves.
 */
#include "virtio/queue_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "virtio/device.h"

struct vq_chain *vq_chain_get(struct vq *q)
{
	if (!list_empty(&q->pool)) {
		struct list *node = q->pool.next;

		list_remove(node);
		return container_of(node, struct vq_chain, node);
	}

	struct vq_chain *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->vq = q;
	list_init(&c->node);
	c->next_made = q->made;
	q->made = c;
	return c;
}

void vq_chain_put(struct vq_chain *c)
{
	vq_end_holds(c);
	/* The device may have left it on a list of its own. */
	list_remove(&c->node);
	/* Newest first: its memory is still in the processor's cache. */
	list_insert(&c->vq->pool, &c->node);
}

void vq_chain_free_all(struct vq *q)
{
	while (q->made) {
		struct vq_chain *c = q->made;

		q->made = c->next_made;
		vq_end_holds(c);
		free(c->holds);
		free(c->segs);
		free(c);
	}
	list_init(&q->pool);
	list_init(&q->deferred);
}

static bool stale(const struct vq_chain *c)
{
	return c->epoch != c->vq->epoch;
}

static struct dma *dma_of(const struct vq_chain *c)
{
	return c->vq->dma;
}

/* The next up to @want bytes that lie in one segment.  cur->left > 0. */
static struct vq_seg cursor_peek(const struct vq_chain *c,
				 const struct vq_cursor *cur, uint64_t want)
{
	assert(cur->seg < cur->end && cur->left);

	const struct vq_seg *seg = &c->segs[cur->seg];
	uint64_t len = min_u64(min_u64(want, cur->left), seg->len - cur->off);

	return (struct vq_seg){seg->at + cur->off, (uint32_t)len};
}

/* @len as from cursor_peek(), or less. */
static void cursor_advance(const struct vq_chain *c, struct vq_cursor *cur,
			   uint32_t len)
{
	cur->off += len;
	cur->left -= len;
	if (cur->off == c->segs[cur->seg].len) {
		cur->seg++;
		cur->off = 0;
	}
}

static void cursor_skip(const struct vq_chain *c, struct vq_cursor *cur,
			uint64_t len)
{
	while (len) {
		uint32_t n = cursor_peek(c, cur, len).len;

		cursor_advance(c, cur, n);
		len -= n;
	}
}

static int skip(const struct vq_chain *c, struct vq_cursor *cur, uint64_t len)
{
	if (len > cur->left)
		return -ENODATA;
	cursor_skip(c, cur, len);
	return 0;
}

int vq_skip_read(struct vq_chain *c, uint64_t len)
{
	return skip(c, &c->in, len);
}

int vq_skip_write(struct vq_chain *c, uint64_t len)
{
	return skip(c, &c->out, len);
}

int vq_read(struct vq_chain *c, void *dst, size_t len)
{
	struct vq_cursor cur = c->in;
	uint8_t *to = dst;

	if (stale(c))
		return -EFAULT;
	if (len > cur.left)
		return -ENODATA;
	while (len) {
		struct vq_seg piece = cursor_peek(c, &cur, len);
		int r = dma_read(dma_of(c), piece.at, to, piece.len);

		if (r)
			return r;
		cursor_advance(c, &cur, piece.len);
		to += piece.len;
		len -= piece.len;
	}
	c->in = cur;
	return 0;
}

/* Moves @cur, which may be any copy of c->out. */
static int write_at(struct vq_chain *c, struct vq_cursor *cur, const void *src,
		    size_t len)
{
	const uint8_t *from = src;

	while (len) {
		struct vq_seg piece = cursor_peek(c, cur, len);
		int r = dma_write(dma_of(c), piece.at, from, piece.len);

		if (r)
			return r;
		cursor_advance(c, cur, piece.len);
		from += piece.len;
		len -= piece.len;
	}
	return 0;
}

int vq_write(struct vq_chain *c, const void *src, size_t len)
{
	struct vq_cursor cur = c->out;

	if (stale(c))
		return -EFAULT;
	if (len > cur.left)
		return -ENODATA;

	int r = write_at(c, &cur, src, len);

	if (r)
		return r;
	c->out = cur;
	c->written += len;
	return 0;
}

int vq_write_tail(struct vq_chain *c, const void *src, size_t len)
{
	struct vq_cursor cur = c->out;

	if (stale(c))
		return -EFAULT;
	if (len > cur.left)
		return -ENODATA;
	cursor_skip(c, &cur, cur.left - len);

	int r = write_at(c, &cur, src, len);

	if (r)
		return r;
	c->out.left -= len;
	c->tail += len;
	return 0;
}

int vq_write_zero(struct vq_chain *c, uint64_t len)
{
	static const uint8_t zeros[4096];
	struct vq_cursor cur = c->out;

	if (stale(c))
		return -EFAULT;
	len = min_u64(len, cur.left);
	for (uint64_t done = 0; done < len;) {
		uint64_t n = min_u64(len - done, sizeof(zeros));
		int r = write_at(c, &cur, zeros, n);

		if (r)
			return r;
		done += n;
	}
	c->out = cur;
	c->written += len;
	return 0;
}

/* A zeroed hold that stays the chain's. */
static struct dma_hold *hold_next(struct vq_chain *c)
{
	if (c->nholds == c->holds_cap) {
		unsigned cap = c->holds_cap ? 2 * c->holds_cap : 8;
		struct dma_hold *holds =
			realloc(c->holds, cap * sizeof(*holds));

		if (!holds)
			return NULL;
		c->holds = holds;
		c->holds_cap = cap;
	}
	c->holds[c->nholds] = (struct dma_hold){0};
	return &c->holds[c->nholds];
}

/*
 * One piece, shortened until it fits: a segment may lie in more pieces of
 * host memory than there is room for.  One byte always fits.
 */
static int iov_piece(struct vq_chain *c, enum dma_access access,
		     struct vq_seg *piece, struct iovec *iov, unsigned max)
{
	struct dma_hold *hold = hold_next(c);
	int r;

	if (!hold)
		return -ENOMEM;
	while ((r = dma_iov(dma_of(c), access, piece->at, piece->len, iov, max,
			    hold)) == -E2BIG &&
	       piece->len > 1)
		piece->len /= 2;
	if (r > 0)
		c->nholds++;
	return r;
}

static void holds_end_from(struct vq_chain *c, unsigned n)
{
	while (c->nholds > n)
		dma_done(&c->holds[--c->nholds]);
}

static int iov_at(struct vq_chain *c, struct vq_cursor *cursor,
		  enum dma_access access, uint64_t len, struct iovec *iov,
		  unsigned max, uint64_t *ret_len)
{
	struct vq_cursor cur = *cursor;
	unsigned nholds = c->nholds, n = 0;
	uint64_t covered = 0;

	if (stale(c))
		return -EFAULT;
	if (len > cur.left)
		return -ENODATA;
	while (covered < len && n < max) {
		struct vq_seg piece = cursor_peek(c, &cur, len - covered);
		int r = iov_piece(c, access, &piece, iov + n, max - n);

		if (r < 0) {
			holds_end_from(c, nholds);
			return r;
		}
		cursor_advance(c, &cur, piece.len);
		covered += piece.len;
		n += (unsigned)r;
	}
	*cursor = cur;
	*ret_len = covered;
	return (int)n;
}

int vq_iov_read(struct vq_chain *c, uint64_t len, struct iovec *iov,
		unsigned max, uint64_t *ret_len)
{
	return iov_at(c, &c->in, DMA_READ, len, iov, max, ret_len);
}

int vq_iov_write(struct vq_chain *c, uint64_t len, struct iovec *iov,
		 unsigned max, uint64_t *ret_len)
{
	uint64_t covered;
	int r = iov_at(c, &c->out, DMA_WRITE, len, iov, max, &covered);

	if (r >= 0) {
		c->written += covered;
		*ret_len = covered;
	}
	return r;
}

void vq_end_holds(struct vq_chain *c)
{
	holds_end_from(c, 0);
}
