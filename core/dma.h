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
#include "core/range.h"
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
	/* What holds, RECALL_BULK or after it: then only @dma is filled, too.
	 * 0: no word. */
	uint8_t word;
};

/* translate() is asked for no more slices than this. */
#define DMA_IOV_MAX 128

/* A run of guest-physical memory. */
struct dma_slice {
	gpa_t at;
	uint64_t len;
};

/* Host memory that is in one piece, and what a device may do with it. */
struct dma_extent {
	iova_t first, last;
	void *host;	 /* behind @first */
	unsigned access; /* mask of enum dma_access */
};

/*
 * Of a device that keeps translations for itself, as the host's kernel does
 * for vhost.  Set in its view before the guest runs.
 */
struct dma_listener {
	/*
	 * The @n ranges are not translated as before.  When this returns, the
	 * device has forgotten them, and no access by them is under way: an
	 * UNMAP completes after it.
	 *
	 * A device that is a process of its own may have been given up instead:
	 * it did not answer in time, and then did not end in time.  What it has
	 * mapped is out of our hands.
	 *
	 * If a stop of the machine breaks the wait for a hold, this is called
	 * at once, and what was found under that hold may still come after it:
	 * the UNMAP has failed then, and the device is reset before it runs
	 * again.
	 *
	 * Threads: any; not under the device's lock, nor may it wait for that.
	 */
	void (*gone)(struct dma_listener *l, const struct range *r, unsigned n);
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
	 * by a word: it has ended and somebody may have to be woken.
	 */
	void (*release)(struct dma *d, struct dma_hold *hold);
	/*
	 * May be NULL: translate() does it.  Host memory behind a range, as
	 * for translate(), in the cases that a device meets most.
	 *
	 * Return: count of iovecs, and @hold has begun; 0 if this is no such
	 * case (nothing is held, no fault reported); -E2BIG.
	 */
	int (*iov)(struct dma *d, iova_t at, uint64_t len,
		   enum dma_access access, struct iovec *iov, unsigned max,
		   struct dma_hold *hold);
	/* dma_extent() */
	int (*extent)(struct dma *d, iova_t at, enum dma_access access,
		      struct dma_extent *ret_e, struct dma_hold *hold);
};

struct dma {
	const struct dma_ops *ops;     /* NULL: identity */
	struct gmem *mem;	       /* borrowed */
	struct recall *recall;	       /* the translator's; may be NULL */
	struct dma_listener *listener; /* borrowed; NULL: none */
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

/* The page in which dma_read_near() reads. */
#define DMA_NEAR RECALL_PAGE_SIZE

/*
 * dma_read_near - copies of items of a table, for the price of one access.
 * @numbers: which, @n of them; the table does not wrap
 * @size: of an item
 * @dst: they are put here one after the other
 *
 * Return: how many have been read: the first ones, as far as they lie in the
 * same page, and 0 if that page would take longer.  The others are still to be
 * read, by dma_read().
 */
unsigned dma_read_near(struct dma *d, iova_t table, const uint16_t *numbers,
		       unsigned n, size_t size, void *dst);

/* As gmem_load16_acquire() and gmem_store16_release(), on IOVAs.
 * Return: 0, -EFAULT, -EINVAL if unaligned. */
int dma_load16_acquire(struct dma *d, iova_t at, uint16_t *ret_val);
int dma_store16_release(struct dma *d, iova_t at, uint16_t val);

/*
 * dma_iov - host memory behind a range, for bulk I/O by a system call.
 * @hold: begun on success if the result is > 0; end it with dma_done()
 *
 * Return: count of iovecs (0 for @len 0, nothing held); -EFAULT; -E2BIG if
 * more than @max pieces are needed, or sometimes if it is more than
 * DMA_IOV_MAX (take a shorter range).
 */
static inline int dma_iov(struct dma *d, enum dma_access access, iova_t at,
			  uint64_t len, struct iovec *iov, unsigned max,
			  struct dma_hold *hold);

/*
 * dma_extent - what is around @at, for who keeps it longer than a hold lasts.
 * @hold: begun on success.  Who takes it away waits for that, and only then
 * tells the listener.
 *
 * The view translates (ops is not NULL).
 *
 * Return: 0; -EFAULT if @at is not reachable with @access, which is no fault
 * yet: none is reported; -ENOMEM.
 */
static inline int dma_extent(struct dma *d, iova_t at, enum dma_access access,
			     struct dma_extent *ret_e, struct dma_hold *hold)
{
	return d->ops->extent(d, at, access, ret_e, hold);
}

/* Ends @hold; does nothing on a zeroed one or the second time. */
static inline void dma_done(struct dma_hold *hold)
{
	struct dma *d = hold->dma;

	if (!d)
		return;
	/* Most users hold one thing at a time: by a word at a known place. */
	if (hold->word == RECALL_BULK) {
		if (!recall_end(d->recall, RECALL_BULK))
			d->ops->release(d, hold);
	} else {
		if (hold->word)
			recall_give(d->recall, hold->word);
		if (!hold->word || !recall_end(d->recall, hold->word))
			d->ops->release(d, hold);
	}
	hold->dma = NULL;
}

/* The long way of dma_iov(). */
int dma_iov_translate(struct dma *d, enum dma_access access, iova_t at,
		      uint64_t len, struct iovec *iov, unsigned max,
		      struct dma_hold *hold);

/* The end of a hold by a word, one in vain too. */
static inline void dma_recall_end(struct dma *d, unsigned word)
{
	/* Any word will do: it has ended. */
	struct dma_hold hold = {.dma = d, .word = RECALL_BULK};

	if (!recall_end(d->recall, word))
		d->ops->release(d, &hold);
}

/*
 * The short way: true with the memory behind a buffer in one page, which
 * @word then holds.
 */
static inline bool dma_recall(struct dma *d, unsigned word,
			      enum dma_access access, iova_t at, uint64_t len,
			      struct iovec *ret_iov)
{
	struct recall *r = d->recall;
	const struct recall_window *w;
	uint64_t use;

	if (!r || !recall_ready(r, word) || !recall_in_page(at, len))
		return false;
	w = recall_find(r, at);
	if (!w)
		return false;
	use = recall_use(r, at);
	if (recall_hold(r, word, use)) {
		uint64_t entry = recall_entry(w, at);

		if (recall_permits(entry, access)) {
			recall_settle(r, word, use);
			*ret_iov = (struct iovec){
				(void *)(uintptr_t)recall_host(w, entry, at),
				len,
			};
			return true;
		}
	}
	recall_in_vain(r);
	dma_recall_end(d, word);
	return false;
}

/* The same, as a hold until dma_done(). */
static inline bool dma_recall_bulk(struct dma *d, unsigned word,
				   enum dma_access access, iova_t at,
				   uint64_t len, struct iovec *ret_iov,
				   struct dma_hold *hold)
{
	if (!dma_recall(d, word, access, at, len, ret_iov))
		return false;
	recall_take(d->recall, word);
	hold->dma = d;
	hold->word = (uint8_t)word;
	return true;
}

static inline int dma_iov(struct dma *d, enum dma_access access, iova_t at,
			  uint64_t len, struct iovec *iov, unsigned max,
			  struct dma_hold *hold)
{
	unsigned other;

	if (max == 0 || !d->recall)
		return dma_iov_translate(d, access, at, len, iov, max, hold);
	if (dma_recall_bulk(d, RECALL_BULK, access, at, len, iov, hold))
		return 1;
	if (recall_free(d->recall, RECALL_BULK))
		return dma_iov_translate(d, access, at, len, iov, max, hold);
	other = recall_pick(d->recall);
	if (other < RECALL_WORDS &&
	    dma_recall_bulk(d, other, access, at, len, iov, hold))
		return 1;
	return dma_iov_translate(d, access, at, len, iov, max, hold);
}

#endif
