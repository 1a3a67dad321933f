/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/dma.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "core/bits.h"

/* Large and written before it is read. */
#define UNINITIALIZED __attribute__((uninitialized))

/* Pieces of one copy's step; a longer range takes several steps. */
#define COPY_PIECES 16

void dma_init(struct dma *d, struct gmem *mem)
{
	*d = (struct dma){.mem = mem};
}

/* len >= 1. */
static bool range_wraps(iova_t at, uint64_t len)
{
	iova_t last;

	return __builtin_add_overflow(at, len - 1, &last);
}

static uint64_t slices_len(const struct dma_slice *slices, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += slices[i].len;
	return sum;
}

/*
 * Ask the translator; it must cover the range, or the devices above would
 * take less for all of it.
 */
static int translate(struct dma *d, iova_t at, uint64_t len,
		     enum dma_access access, struct dma_slice *slices,
		     unsigned max, struct dma_hold *hold)
{
	int n;

	if (range_wraps(at, len))
		return -EFAULT;
	*hold = (struct dma_hold){.dma = d, .first = at, .last = at + len - 1};
	n = d->ops->translate(d, at, len, access, slices, max, hold);
	if (n < 0) {
		*hold = (struct dma_hold){0};
		return n;
	}
	assert(n > 0 && (unsigned)n <= max);
	assert(slices_len(slices, (unsigned)n) == len);
	return n;
}

/* Host bytes on the other side of a copy; one of the two is set. */
struct copy {
	uint8_t *dst;
	const uint8_t *src;
};

static void copy_pieces(const struct iovec *iov, unsigned n, struct copy *c)
{
	for (unsigned i = 0; i < n; i++) {
		if (c->dst) {
			gmem_iov_read(&iov[i], c->dst);
			c->dst += iov[i].iov_len;
		} else {
			gmem_iov_write(&iov[i], c->src);
			c->src += iov[i].iov_len;
		}
	}
}

static int copy_translated(struct dma *d, iova_t at, uint64_t len,
			   enum dma_access access, struct copy c)
{
	UNINITIALIZED struct iovec iov[COPY_PIECES];
	struct dma_hold hold;

	if (len > 0 && range_wraps(at, len))
		return -EFAULT;
	while (len > 0) {
		uint64_t step = len;
		int n = dma_iov_translate(d, access, at, step, iov, COPY_PIECES,
					  &hold);

		while (n == -E2BIG && step > 1) {
			step /= 2;
			n = dma_iov_translate(d, access, at, step, iov,
					      COPY_PIECES, &hold);
		}
		if (n < 0)
			return -EFAULT;
		copy_pieces(iov, (unsigned)n, &c);
		dma_done(&hold);
		at += step;
		len -= step;
	}
	return 0;
}

int dma_read(struct dma *d, iova_t at, void *dst, size_t len)
{
	struct iovec iov;

	if (dma_recall(d, RECALL_INSTANT, DMA_READ, at, len, &iov)) {
		gmem_iov_read(&iov, dst);
		dma_recall_end(d, RECALL_INSTANT);
		return 0;
	}
	if (!d->ops)
		return gmem_read(d->mem, at, dst, len);
	return copy_translated(d, at, len, DMA_READ, (struct copy){.dst = dst});
}

int dma_write(struct dma *d, iova_t at, const void *src, size_t len)
{
	struct iovec iov;

	if (dma_recall(d, RECALL_INSTANT, DMA_WRITE, at, len, &iov)) {
		gmem_iov_write(&iov, src);
		dma_recall_end(d, RECALL_INSTANT);
		return 0;
	}
	if (!d->ops)
		return gmem_write(d->mem, at, src, len);
	return copy_translated(d, at, len, DMA_WRITE,
			       (struct copy){.src = src});
}

/* Items from @page on, as long as they are in it. */
static unsigned read_items(const struct iovec *page, uint64_t table,
			   const uint16_t *numbers, unsigned n, size_t size,
			   uint8_t *dst)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		/* From the page's beginning; one in front of it wraps. */
		const uint64_t off = table + numbers[i] * size;
		struct iovec item = {.iov_len = size};

		if (off > page->iov_len - size)
			break;
		item.iov_base = (uint8_t *)page->iov_base + off;
		gmem_iov_read(&item, dst + i * size);
	}
	return i;
}

unsigned dma_read_near(struct dma *d, iova_t table, const uint16_t *numbers,
		       unsigned n, size_t size, void *dst)
{
	struct iovec page;
	iova_t at;

	if (n == 0 || size > DMA_NEAR)
		return 0;
	at = align_down(table + numbers[0] * size, DMA_NEAR);
	if (!d->ops)
		return gmem_iov(d->mem, at, DMA_NEAR, &page, 1) == 1
			       ? read_items(&page, table - at, numbers, n, size,
					    dst)
			       : 0;
	if (!dma_recall(d, RECALL_INSTANT, DMA_READ, at, DMA_NEAR, &page))
		return 0;
	n = read_items(&page, table - at, numbers, n, size, dst);
	dma_recall_end(d, RECALL_INSTANT);
	return n;
}

int dma_load16_acquire(struct dma *d, iova_t at, uint16_t *ret_val)
{
	struct dma_hold hold;
	struct iovec iov;

	if (!d->ops)
		return gmem_load16_acquire(d->mem, at, ret_val);
	if (!is_aligned(at, sizeof(*ret_val)))
		return -EINVAL;
	if (dma_recall(d, RECALL_INSTANT, DMA_READ, at, sizeof(*ret_val),
		       &iov)) {
		*ret_val = gmem_iov_load16_acquire(&iov);
		dma_recall_end(d, RECALL_INSTANT);
		return 0;
	}
	if (dma_iov_translate(d, DMA_READ, at, sizeof(*ret_val), &iov, 1,
			      &hold) < 0)
		return -EFAULT;
	*ret_val = gmem_iov_load16_acquire(&iov);
	dma_done(&hold);
	return 0;
}

int dma_store16_release(struct dma *d, iova_t at, uint16_t val)
{
	struct dma_hold hold;
	struct iovec iov;

	if (!d->ops)
		return gmem_store16_release(d->mem, at, val);
	if (!is_aligned(at, sizeof(val)))
		return -EINVAL;
	if (dma_recall(d, RECALL_INSTANT, DMA_WRITE, at, sizeof(val), &iov)) {
		gmem_iov_store16_release(&iov, val);
		dma_recall_end(d, RECALL_INSTANT);
		return 0;
	}
	if (dma_iov_translate(d, DMA_WRITE, at, sizeof(val), &iov, 1, &hold) <
	    0)
		return -EFAULT;
	gmem_iov_store16_release(&iov, val);
	dma_done(&hold);
	return 0;
}

static int iov_of_slices(const struct gmem *m, const struct dma_slice *s,
			 unsigned n, struct iovec *iov, unsigned max)
{
	unsigned used = 0;

	for (unsigned i = 0; i < n; i++) {
		int r = gmem_iov(m, s[i].at, s[i].len, iov + used, max - used);

		if (r < 0)
			return r;
		used += (unsigned)r;
	}
	return (int)used;
}

/* By slices: what the translator's own way to iovecs does not do. */
static int iov_by_slices(struct dma *d, enum dma_access access, iova_t at,
			 uint64_t len, struct iovec *iov, unsigned max,
			 struct dma_hold *hold)
{
	/* The translator fills what counts. */
	UNINITIALIZED struct dma_slice slices[DMA_IOV_MAX];
	int n = translate(d, at, len, access, slices,
			  max < DMA_IOV_MAX ? max : DMA_IOV_MAX, hold);

	if (n < 0)
		return n;
	n = iov_of_slices(d->mem, slices, (unsigned)n, iov, max);
	if (n < 0)
		dma_done(hold);
	return n;
}

int dma_iov_translate(struct dma *d, enum dma_access access, iova_t at,
		      uint64_t len, struct iovec *iov, unsigned max,
		      struct dma_hold *hold)
{
	*hold = (struct dma_hold){0};
	if (len == 0)
		return 0;
	if (!d->ops)
		return gmem_iov(d->mem, at, len, iov, max);
	if (max == 0)
		return -E2BIG;
	if (range_wraps(at, len))
		return -EFAULT;
	if (d->ops->iov) {
		int n = d->ops->iov(d, at, len, access, iov, max, hold);

		if (n != 0)
			return n;
	}
	return iov_by_slices(d, access, at, len, iov, max, hold);
}
