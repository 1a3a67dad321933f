/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/dma.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "core/bits.h"

/* Large and written before it is read. */
#define UNINITIALIZED __attribute__((uninitialized))

/* Slices of one copy's step; a longer range takes several steps. */
#define COPY_SLICES 16

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

/* All slices are checked before the first byte moves. */
static int copy_slices(struct gmem *m, const struct dma_slice *s, unsigned n,
		       struct copy *c)
{
	for (unsigned i = 0; i < n; i++) {
		if (!gmem_has(m, s[i].at, s[i].len))
			return -EFAULT;
	}
	for (unsigned i = 0; i < n; i++) {
		int r;

		if (c->dst) {
			r = gmem_read(m, s[i].at, c->dst, s[i].len);
			c->dst += s[i].len;
		} else {
			r = gmem_write(m, s[i].at, c->src, s[i].len);
			c->src += s[i].len;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_translated(struct dma *d, iova_t at, uint64_t len,
			   enum dma_access access, struct copy c)
{
	UNINITIALIZED struct dma_slice slices[COPY_SLICES];
	struct dma_hold hold;

	if (len > 0 && range_wraps(at, len))
		return -EFAULT;
	while (len > 0) {
		uint64_t step = len;
		int n = translate(d, at, step, access, slices, COPY_SLICES,
				  &hold);

		while (n == -E2BIG && step > 1) {
			step /= 2;
			n = translate(d, at, step, access, slices, COPY_SLICES,
				      &hold);
		}
		if (n < 0)
			return -EFAULT;
		n = copy_slices(d->mem, slices, (unsigned)n, &c);
		dma_done(&hold);
		if (n < 0)
			return n;
		at += step;
		len -= step;
	}
	return 0;
}

int dma_read(struct dma *d, iova_t at, void *dst, size_t len)
{
	struct dma_hold hold;
	struct iovec iov;

	if (dma_iov_recall(d, DMA_READ, at, len, &iov, &hold)) {
		gmem_iov_read(&iov, dst);
		dma_done(&hold);
		return 0;
	}
	if (!d->ops)
		return gmem_read(d->mem, at, dst, len);
	return copy_translated(d, at, len, DMA_READ, (struct copy){.dst = dst});
}

int dma_write(struct dma *d, iova_t at, const void *src, size_t len)
{
	struct dma_hold hold;
	struct iovec iov;

	if (dma_iov_recall(d, DMA_WRITE, at, len, &iov, &hold)) {
		gmem_iov_write(&iov, src);
		dma_done(&hold);
		return 0;
	}
	if (!d->ops)
		return gmem_write(d->mem, at, src, len);
	return copy_translated(d, at, len, DMA_WRITE,
			       (struct copy){.src = src});
}

int dma_load16_acquire(struct dma *d, iova_t at, uint16_t *ret_val)
{
	struct dma_slice s;
	struct dma_hold hold;
	struct iovec iov;
	int r;

	if (!d->ops)
		return gmem_load16_acquire(d->mem, at, ret_val);
	if (!is_aligned(at, sizeof(*ret_val)))
		return -EINVAL;
	if (dma_iov_recall(d, DMA_READ, at, sizeof(*ret_val), &iov, &hold)) {
		*ret_val = gmem_iov_load16_acquire(&iov);
		dma_done(&hold);
		return 0;
	}
	if (translate(d, at, sizeof(*ret_val), DMA_READ, &s, 1, &hold) < 0)
		return -EFAULT;
	r = gmem_load16_acquire(d->mem, s.at, ret_val);
	dma_done(&hold);
	return r;
}

int dma_store16_release(struct dma *d, iova_t at, uint16_t val)
{
	struct dma_slice s;
	struct dma_hold hold;
	struct iovec iov;
	int r;

	if (!d->ops)
		return gmem_store16_release(d->mem, at, val);
	if (!is_aligned(at, sizeof(val)))
		return -EINVAL;
	if (dma_iov_recall(d, DMA_WRITE, at, sizeof(val), &iov, &hold)) {
		gmem_iov_store16_release(&iov, val);
		dma_done(&hold);
		return 0;
	}
	if (translate(d, at, sizeof(val), DMA_WRITE, &s, 1, &hold) < 0)
		return -EFAULT;
	r = gmem_store16_release(d->mem, s.at, val);
	dma_done(&hold);
	return r;
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

int dma_iov_bulk(struct dma *d, enum dma_access access, iova_t at, uint64_t len,
		 struct iovec *iov, unsigned max, struct dma_hold *hold)
{
	/* The translator fills what counts. */
	UNINITIALIZED struct dma_slice slices[DMA_IOV_MAX];
	int n;

	*hold = (struct dma_hold){0};
	if (len == 0)
		return 0;
	if (!d->ops)
		return gmem_iov(d->mem, at, len, iov, max);
	if (max == 0)
		return -E2BIG;
	n = translate(d, at, len, access, slices,
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
	if (d->ops && d->ops->lookup && max > 0 && recall_in_page(at, len) &&
	    d->ops->lookup(d, at, len, access, iov, hold))
		return 1;
	return dma_iov_bulk(d, access, at, len, iov, max, hold);
}
