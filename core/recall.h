/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * recall.h - the short way of a DMA view: tables that it found not long ago.
 *
 * A device asks for the same parts of its address space again and again.  For
 * those, a translation is to find the table once more, to load one entry of
 * it, and to hold the page by two stores; this header is that way, inlined
 * into dma_iov() and its kin.  An entry is loaded for each use, so it is never
 * stale; the table behind it is dropped when the user hears that tables are
 * gone.  Whoever translates (iommu/) fills the windows, takes them back, and
 * looks at the hold: iommu/notice.c, iommu/hold.c and iommu/tlb.c say how and
 * why it is enough.
 *
 * Threads: the view's user; @held and @uses are read by others, @posted and
 * @care are written by them.
 */
#ifndef MOAT_CORE_RECALL_H
#define MOAT_CORE_RECALL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/cpu.h"

#define RECALL_PAGE_SHIFT 12
#define RECALL_PAGE_SIZE  (UINT64_C(1) << RECALL_PAGE_SHIFT)
#define RECALL_PAGE_MASK  (RECALL_PAGE_SIZE - 1)

/*
 * An entry: an address, aligned to a page, and flags.  The short way takes
 * leaves whose address is the host's.
 */
#define RECALL_TYPE    UINT64_C(0x03)
#define RECALL_LEAF    UINT64_C(0x01)
#define RECALL_ALLOWED 2 /* shift of enum dma_access */
#define RECALL_HOST    UINT64_C(0x20)

/* Memory is used for what is remembered only. */
#define RECALL_WINDOWS 4096

/* Part of the address space, and the table that shows it. */
struct recall_window {
	uint64_t tag; /* number of the window, and age; 0: none */
	const _Atomic uint64_t *entries;
	_Atomic uint64_t own; /* the entry where there is no table */
	uint16_t mask;	      /* of an entry's number */
	uint8_t shift;	      /* log2 of what an entry spans */
};

/* Numbers have no more bits; the age stands above. */
#define RECALL_AGE (UINT64_C(1) << 43)

/* So many pages at a time are held by a word each. */
enum recall_word {
	RECALL_INSTANT, /* a copy or a ring access, over before the next one */
	RECALL_BULK,	/* this one and all after it: until dma_done() */
	RECALL_WORDS = 64,
};

/* The lowest two bits of a word: held while it is looked up, or held. */
#define RECALL_WALK UINT64_C(1)
#define RECALL_HELD UINT64_C(2)
/* One more use, in a word, and in @uses and @vain. */
#define RECALL_USE_SHIFT 2
#define RECALL_USE	 (UINT64_C(1) << RECALL_USE_SHIFT)

struct recall {
	/* The page that is held, a count of uses, RECALL_HELD; or 0. */
	_Atomic uint64_t held[RECALL_WORDS];
	_Atomic unsigned top; /* words from here on were never held */
	/* A bit for each that is held; those up to RECALL_BULK are set. */
	uint64_t taken;
	/* So far, by steps of RECALL_USE; those in vain are in both. */
	_Atomic uint64_t uses, vain;
	uint64_t heard; /* number of the last notice heard; or 0 */
	uint64_t age;	/* of windows that count */
	unsigned shift; /* log2 of a window's span */
	/* Not 0: the end of a hold has to go the long way. */
	const _Atomic unsigned *care;

	alignas(CPU_LINE) _Atomic uint64_t posted; /* last notice's number */

	alignas(CPU_LINE) struct recall_window windows[RECALL_WINDOWS];
};

/* True if the buffer is not empty and lies in one page. */
static inline bool recall_in_page(uint64_t at, uint64_t len)
{
	return len - 1 < RECALL_PAGE_SIZE - (at & RECALL_PAGE_MASK);
}

/* The place for the window that @at is in, and the tag that it then has. */
static inline unsigned recall_place(const struct recall *r, uint64_t at)
{
	return (unsigned)(at >> r->shift) % RECALL_WINDOWS;
}

static inline uint64_t recall_tag(const struct recall *r, uint64_t at)
{
	return (at >> r->shift) | r->age;
}

/* Return: the window that @at is in; NULL if it is not remembered. */
static inline const struct recall_window *recall_find(const struct recall *r,
						      uint64_t at)
{
	const struct recall_window *w = &r->windows[recall_place(r, at)];

	return w->tag == recall_tag(r, at) ? w : NULL;
}

/* The entry for @at.  Acquire: what it shows is complete. */
static inline uint64_t recall_entry(const struct recall_window *w, uint64_t at)
{
	return atomic_load_explicit(&w->entries[(at >> w->shift) & w->mask],
				    memory_order_acquire);
}

/* Whether the short way takes @entry; @access: enum dma_access */
static inline bool recall_permits(uint64_t entry, unsigned access)
{
	const uint64_t want =
		RECALL_LEAF | RECALL_HOST | (uint64_t)access << RECALL_ALLOWED;

	return (entry & (want | RECALL_TYPE)) == want;
}

/* Host memory behind @at, which @entry of @w is for. */
static inline uint64_t recall_host(const struct recall_window *w,
				   uint64_t entry, uint64_t at)
{
	return (entry & ~RECALL_PAGE_MASK) +
	       (at & ((UINT64_C(1) << w->shift) - 1));
}

/* True if nothing is held by the word. */
static inline bool recall_free(const struct recall *r, unsigned word)
{
	return atomic_load_explicit(&r->held[word], memory_order_relaxed) == 0;
}

/* The same, and the user does without barriers. */
static inline bool recall_ready(const struct recall *r, unsigned word)
{
	return r->heard != 0 && recall_free(r, word);
}

/*
 * recall_pick - a free word for bulk; RECALL_WORDS if there is none.
 * recall_take, recall_give - it is held, and is no more.
 *
 * The first one is told by itself: most users need no other.
 */
static inline unsigned recall_pick(struct recall *r)
{
	unsigned word;

	if (recall_free(r, RECALL_BULK))
		return RECALL_BULK;
	if (~r->taken == 0)
		return RECALL_WORDS;
	word = (unsigned)__builtin_ctzll(~r->taken);
	/* Before it is held: iommu/hold.c says why. */
	if (word >= atomic_load_explicit(&r->top, memory_order_relaxed))
		atomic_store_explicit(&r->top, word + 1, memory_order_seq_cst);
	return word;
}

static inline void recall_take(struct recall *r, unsigned word)
{
	if (word > RECALL_BULK)
		r->taken |= UINT64_C(1) << word;
}

static inline void recall_give(struct recall *r, unsigned word)
{
	if (word > RECALL_BULK)
		r->taken &= ~(UINT64_C(1) << word);
}

/* The next use of the page that @at is in, as a word while it is looked up. */
static inline uint64_t recall_use(struct recall *r, uint64_t at)
{
	uint64_t use = atomic_load_explicit(&r->uses, memory_order_relaxed) +
		       RECALL_USE;

	atomic_store_explicit(&r->uses, use, memory_order_relaxed);
	return (at & ~RECALL_PAGE_MASK) | (use & RECALL_PAGE_MASK) |
	       RECALL_WALK;
}

/*
 * recall_hold - hold a page, while it is looked up.
 * @use: recall_use()
 * recall_settle - it has been.
 *
 * recall_hold() returns true if tables are as they were remembered; else there
 * is news, and the hold is to be ended unused.
 */
static inline bool recall_hold(struct recall *r, unsigned word, uint64_t use)
{
	atomic_store_explicit(&r->held[word], use, memory_order_release);
	/* The compiler keeps the order; the processor need not. */
	atomic_signal_fence(memory_order_seq_cst);
	return atomic_load_explicit(&r->posted, memory_order_acquire) ==
	       r->heard;
}

static inline void recall_settle(struct recall *r, unsigned word, uint64_t use)
{
	/* Release: what was looked up has been loaded. */
	atomic_store_explicit(&r->held[word], use ^ (RECALL_WALK | RECALL_HELD),
			      memory_order_release);
}

/*
 * recall_end - the end of the hold.
 * recall_in_vain - counts one that was ended unused.
 *
 * recall_end() returns true; false if somebody may have to be woken.
 */
static inline bool recall_end(struct recall *r, unsigned word)
{
	/* Release: the access is over before the hold is. */
	atomic_store_explicit(&r->held[word], 0, memory_order_release);
	/* After that, for the compiler. */
	atomic_signal_fence(memory_order_seq_cst);
	return atomic_load_explicit(r->care, memory_order_relaxed) == 0;
}

static inline void recall_in_vain(struct recall *r)
{
	uint64_t n = atomic_load_explicit(&r->vain, memory_order_relaxed);

	atomic_store_explicit(&r->vain, n + RECALL_USE, memory_order_relaxed);
}

#endif
