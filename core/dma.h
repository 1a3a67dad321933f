/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dma.h - a device's own view of memory.
 *
 * A device holds a struct dma and nothing else, so it cannot forget to
 * translate.  Without an IOMMU the view is the identity (ops NULL); with one,
 * iommu/ supplies the ops, permissions included.
 *
 * A hold is one use of one IOVA range for one access.  It begins when the
 * range is translated and ends with the access; an UNMAP of an overlapping
 * range completes only after it.  Copies and ring accesses hold for their
 * instant inside these functions.  Bulk I/O holds from dma_iov() to
 * dma_done(), and only I/O that the host's kernel bounds may do so: never
 * wait for a person, a peer or the guest between the two.
 *
 * Threads: one struct dma belongs to one user (a device's lock, or a queue's
 * where queues run in parallel); different views run in parallel.
 */
#ifndef MOAT_CORE_DMA_H
#define MOAT_CORE_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/gmem.h"
#include "core/recall.h"

typedef uint64_t iova_t; /* address as the device puts it on its bus */

/* Seen from the device; the values are a mask. */
enum dma_access {
	DMA_READ = 1,  /* the device reads memory */
	DMA_WRITE = 2, /* the device writes memory */
};

struct dma;

/* Storage is the caller's, one for each range; zeroed means "holds nothing". */
struct dma_hold {
	struct dma *dma;    /* NULL: nothing to release */
	iova_t first, last; /* for the translator */
	uint32_t cookie;    /* the translator's */
	bool recalled;	    /* core/recall.h; then @dma only is filled */
};

/* dma_iov() looks at no more pieces than this, whatever its @max. */
#define DMA_IOV_MAX 128

/* A run of guest-physical memory. */
struct dma_slice {
	gpa_t at;
	uint64_t len;
};

struct dma_ops {
	/*
	 * Translate [at, at + len), len >= 1, no wrap past 2^64, @max >= 1
	 * (all checked by the caller), and begin @hold; all of it but the
	 * cookie has been filled in already.
	 *
	 * Return: count of slices, in order, covering all of it; -EFAULT if
	 * any byte is not reachable with @access (a fault has then been
	 * reported, nothing is held); -E2BIG if @max slices are too few
	 * (nothing is held).
	 */
	int (*translate)(struct dma *d, iova_t at, uint64_t len,
			 enum dma_access access, struct dma_slice *slices,
			 unsigned max, struct dma_hold *hold);
	/*
	 * End @hold; called once for each successful translate.  For a hold
	 * that was recalled: it has ended and somebody may have to be woken.
	 */
	void (*release)(struct dma *d, struct dma_hold *hold);
	/*
	 * May be NULL: translate() does it.  A buffer within a page that is
	 * not remembered: remember and recall it.
	 *
	 * Return: true with one iovec and a recalled hold; false if this is no
	 * common case (nothing is held, no fault reported).
	 */
	bool (*lookup)(struct dma *d, iova_t at, uint64_t len,
		       enum dma_access access, struct iovec *iov,
		       struct dma_hold *hold);
};

struct dma {
	const struct dma_ops *ops; /* NULL: identity */
	struct gmem *mem;	   /* borrowed */
	struct recall *recall;	   /* the translator's; may be NULL */
};

/* An identity view of @mem. */
void dma_init(struct dma *d, struct gmem *mem);

/*
 * dma_read, dma_write - copy; as gmem_read and gmem_write, on IOVAs.
 *
 * Return: 0 or -EFAULT.  After a failure part of the range may have been
 * moved if it crosses mappings; never a byte outside it.
 */
int dma_read(struct dma *d, iova_t at, void *dst, size_t len);
int dma_write(struct dma *d, iova_t at, const void *src, size_t len);

/* As gmem_load16_acquire() and gmem_store16_release(), on IOVAs.
 * Return: 0, -EFAULT, -EINVAL if unaligned. */
int dma_load16_acquire(struct dma *d, iova_t at, uint16_t *ret_val);
int dma_store16_release(struct dma *d, iova_t at, uint16_t val);

/*
 * dma_iov - host memory behind a range, for bulk I/O by a system call.
 * @hold: begun on success if the result is > 0; end it with dma_done()
 *
 * Return: count of iovecs (0 for @len 0, nothing held); -EFAULT; -E2BIG if
 * more than @max pieces, or DMA_IOV_MAX, are needed (take a shorter range).
 */
static inline int dma_iov(struct dma *d, enum dma_access access, iova_t at,
			  uint64_t len, struct iovec *iov, unsigned max,
			  struct dma_hold *hold);

/*
 * dma_iov_bulk - as dma_iov(), for I/O that lasts.  The short way has room for
 * one hold, which the rings need in the meantime; this takes none of it.
 */
int dma_iov_bulk(struct dma *d, enum dma_access access, iova_t at, uint64_t len,
		 struct iovec *iov, unsigned max, struct dma_hold *hold);

/* Ends @hold; does nothing on a zeroed one or the second time. */
static inline void dma_done(struct dma_hold *hold)
{
	struct dma *d = hold->dma;

	if (!d)
		return;
	if (!hold->recalled || !recall_end(d->recall))
		d->ops->release(d, hold);
	hold->dma = NULL;
}

/* The long way of dma_iov(). */
int dma_iov_translate(struct dma *d, enum dma_access access, iova_t at,
		      uint64_t len, struct iovec *iov, unsigned max,
		      struct dma_hold *hold);

/* The short way: true if it came to a result. */
static inline bool dma_iov_recall(struct dma *d, enum dma_access access,
				  iova_t at, uint64_t len, struct iovec *iov,
				  struct dma_hold *hold)
{
	if (!d->recall || !recall_find(d->recall, at, len, access, iov))
		return false;
	hold->dma = d;
	hold->recalled = true;
	if (recall_hold(d->recall, at, RECALL_HELD))
		return true;
	recall_in_vain(d->recall);
	dma_done(hold);
	return false;
}

static inline int dma_iov(struct dma *d, enum dma_access access, iova_t at,
			  uint64_t len, struct iovec *iov, unsigned max,
			  struct dma_hold *hold)
{
	if (max > 0 && dma_iov_recall(d, access, at, len, iov, hold))
		return 1;
	return dma_iov_translate(d, access, at, len, iov, max, hold);
}

#endif
