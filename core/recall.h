/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * recall.h - the short way of a DMA view: pages translated not long ago.
 *
 * A device asks for the same pages again and again.  For those, a translation
 * is a comparison, and its hold a store; this header is that way, inlined into
 * dma_iov() and its kin.  Whoever translates (iommu/) fills the pages, takes
 * them back, and looks at the hold: iommu/notice.c, iommu/hold.c and
 * iommu/tlb.c say how and why it is enough.
 *
 * Threads: the view's user; @page and @uses are read by others, @posted and
 * @care are written by them.
 */
#ifndef MOAT_CORE_RECALL_H
#define MOAT_CORE_RECALL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/cpu.h"

#define RECALL_PAGE_SHIFT 12
#define RECALL_PAGE_SIZE  (UINT64_C(1) << RECALL_PAGE_SHIFT)
#define RECALL_PAGE_MASK  (RECALL_PAGE_SIZE - 1)

/* Memory is used for what is remembered only. */
#define RECALL_PAGES 4096

/*
 * The tag: address, age, and as lowest two bits the permitted enum dma_access.
 * A page of another age counts as forgotten.
 */
struct recall_page {
	uint64_t tag;
	uint64_t to_host; /* host address less IOVA, modulo 2^64 */
};

/* The lowest two bits of tags; and of @page: held while it is looked up, or
 * held. */
#define RECALL_ACCESS UINT64_C(3)
#define RECALL_WALK   UINT64_C(1)
#define RECALL_HELD   UINT64_C(2)
/* One more use, in @page. */
#define RECALL_USE_SHIFT 2

struct recall {
	/* The page that is held, a count of uses, RECALL_HELD; or 0. */
	_Atomic uint64_t page;
	_Atomic uint64_t uses; /* so far, those in vain included */
	_Atomic uint64_t vain;
	uint64_t heard; /* number of the last notice heard; or 0 */
	uint64_t age;	/* of pages that count */
	/* Not 0: the end of a hold has to go the long way. */
	const _Atomic unsigned *care;

	alignas(CPU_LINE) _Atomic uint64_t posted; /* last notice's number */

	alignas(CPU_LINE) struct recall_page pages[RECALL_PAGES];
};

/* The place for the page that @at is in. */
static inline unsigned recall_place(uint64_t at)
{
	return (unsigned)(at >> RECALL_PAGE_SHIFT) % RECALL_PAGES;
}

/* True if the buffer is not empty and lies in one page. */
static inline bool recall_in_page(uint64_t at, uint64_t len)
{
	return len - 1 < RECALL_PAGE_SIZE - (at & RECALL_PAGE_MASK);
}

/* Whether @p is the page that @at is in and permits @access. */
static inline bool recall_matches(const struct recall *r,
				  const struct recall_page *p, uint64_t at,
				  unsigned access)
{
	return (p->tag | (access ^ RECALL_ACCESS)) ==
	       ((at & ~RECALL_PAGE_MASK) | r->age | RECALL_ACCESS);
}

/*
 * recall_find - host memory behind a buffer.
 * @access: enum dma_access
 *
 * Return: true if it is in a page that is remembered, and no page is held, and
 * the user may do without barriers.
 */
static inline bool recall_find(const struct recall *r, uint64_t at,
			       uint64_t len, unsigned access,
			       struct iovec *ret_iov)
{
	const struct recall_page *p = &r->pages[recall_place(at)];

	if (!recall_in_page(at, len) || !recall_matches(r, p, at, access) ||
	    r->heard == 0 ||
	    atomic_load_explicit(&r->page, memory_order_relaxed) != 0)
		return false;
	*ret_iov = (struct iovec){(void *)(uintptr_t)(at + p->to_host), len};
	return true;
}

/*
 * recall_hold - hold the page that @at is in, which recall_find() has found.
 * @how: RECALL_HELD; RECALL_WALK if it is yet to be looked up, until
 * recall_walked()
 *
 * Return: true if it is as it was remembered; else there is news, and the hold
 * is to be ended unused.
 */
static inline bool recall_hold(struct recall *r, uint64_t at, uint64_t how)
{
	uint64_t use = atomic_load_explicit(&r->uses, memory_order_relaxed) + 1;

	atomic_store_explicit(&r->uses, use, memory_order_relaxed);
	atomic_store_explicit(
		&r->page,
		(at & ~RECALL_PAGE_MASK) |
			(use << RECALL_USE_SHIFT & RECALL_PAGE_MASK) | how,
		memory_order_release);
	/* The compiler keeps the order; the processor need not. */
	atomic_signal_fence(memory_order_seq_cst);
	return atomic_load_explicit(&r->posted, memory_order_acquire) ==
	       r->heard;
}

static inline void recall_walked(struct recall *r)
{
	uint64_t page = atomic_load_explicit(&r->page, memory_order_relaxed);

	/* Release: what was looked up has been loaded. */
	atomic_store_explicit(&r->page, page ^ (RECALL_WALK | RECALL_HELD),
			      memory_order_release);
}

/*
 * recall_end - the end of the hold.
 * recall_in_vain - counts one that was ended unused.
 *
 * recall_end() returns true; false if somebody may have to be woken.
 */
static inline bool recall_end(struct recall *r)
{
	/* Release: the access is over before the hold is. */
	atomic_store_explicit(&r->page, 0, memory_order_release);
	/* After that, for the compiler. */
	atomic_signal_fence(memory_order_seq_cst);
	return atomic_load_explicit(r->care, memory_order_relaxed) == 0;
}

static inline void recall_in_vain(struct recall *r)
{
	uint64_t n = atomic_load_explicit(&r->vain, memory_order_relaxed);

	atomic_store_explicit(&r->vain, n + 1, memory_order_relaxed);
}

#endif
