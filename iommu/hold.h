/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hold.h - who uses which addresses right now, and waiting for it to end.
 *
 * A user of a DMA view begins a hold before it looks anything up and ends it
 * when its access is over.  Whoever takes a translation away does so first and
 * then waits for the holds that overlap it.  hold.c explains why no access can
 * slip through.
 *
 * Threads: one user at a time per table (its view's lock) begins and ends;
 * hold_wait() from any other thread; a gate is shared by all tables of an
 * IOMMU.
 */
#ifndef MOAT_IOMMU_HOLD_H
#define MOAT_IOMMU_HOLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/dma.h"
#include "core/range.h"
#include "iommu/notice.h"

#define HOLD_CHUNK	64
#define HOLD_CHUNKS_MAX 1024
/* Holds of one table at a time, beside those by a word. */
#define HOLD_MAX (HOLD_CHUNK * HOLD_CHUNKS_MAX)

/* Where waiters sleep. */
struct hold_gate {
	/* What the end of a hold has to look at; mostly nothing. */
	_Atomic unsigned care; /* HOLD_BARRIER, and HOLD_WAITER for each */
	_Atomic bool stopped;
	bool able;	      /* notice_able() */
	pthread_mutex_t lock; /* a leaf: nothing is taken inside */
	pthread_cond_t ended;
};

#define HOLD_BARRIER 1u /* ends need one: !able */
#define HOLD_WAITER  2u

enum hold_phase {
	HOLD_FREE = 0,
	HOLD_WALKING = 1, /* looking translations up */
	HOLD_SETTLED = 2, /* using what was found */
};

struct hold_slot {
	_Atomic uint64_t
		state; /* count of uses << HOLD_USE | enum hold_phase */
	_Atomic iova_t first, last;
};

#define HOLD_USE   2
#define HOLD_PHASE UINT64_C(3)

struct hold_chunk {
	uint64_t free;	      /* a bit for each slot; the user's */
	_Atomic unsigned top; /* slots from here on were never used */
	struct hold_slot slots[HOLD_CHUNK];
};

/* Embedded in a view. */
struct hold_table {
	struct hold_gate *gate; /* borrowed */
	/* Borrowed; has holds of one page that need no slot. */
	struct recall *recall;
	struct notice notice;
	unsigned hint; /* no free slot in chunks before this */
	_Atomic(struct hold_chunk *) chunks[HOLD_CHUNKS_MAX];
};

/* Return: 0 or -errno. */
int hold_gate_init(struct hold_gate *g);
void hold_gate_fini(struct hold_gate *g);

/*
 * hold_gate_stop - while @stop is true nobody waits: hold_wait() returns
 * false instead, waits under way included.  Threads: any.
 */
void hold_gate_stop(struct hold_gate *g, bool stop);
bool hold_gate_stopped(const struct hold_gate *g);

/* @r: zeroed; for holds by a word */
void hold_table_init(struct hold_table *t, struct recall *r,
		     struct hold_gate *gate);
void hold_table_fini(struct hold_table *t);

/*
 * hold_begin - from now on [first, last] is in use, and its translation is
 * being looked up.  What is looked up after this call stays true until
 * hold_end().
 * @ret_news: what has happened to that which the user remembers
 * hold_settle - the lookup is over; no node of a table is touched any more.
 * hold_end - the access is over; with or without hold_settle() before.
 *
 * hold_begin() returns the hold's number; -ENOMEM past HOLD_MAX holds or
 * without memory.
 */
int hold_begin(struct hold_table *t, iova_t first, iova_t last,
	       enum notice_news *ret_news);
void hold_settle(struct hold_table *t, unsigned number);
void hold_end(struct hold_table *t, unsigned number);

/*
 * hold_page - the same for the page that @at is in, by a word, which is free;
 * recall_settle(@ret_use) and recall_end() go on.
 */
enum notice_news hold_page(struct hold_table *t, unsigned word, iova_t at,
			   uint64_t *ret_use);

/* After the end of a hold: wake who waits for it.  hold_end() does it. */
void hold_care(struct hold_table *t);

/*
 * hold_tell - translations have been taken away.
 * @upheaval: they are another domain's now, or there are none
 * notice_fence() - after all have been told.
 * hold_told - the user knows, or is about to find out before it uses one: what
 * it may still do is a hold that hold_wait() sees.
 */
static inline void hold_tell(struct hold_table *t, bool upheaval)
{
	notice_post(&t->notice, upheaval);
}

static inline void hold_told(struct hold_table *t)
{
	notice_settle(&t->notice);
}

/*
 * hold_wait - until each hold that now overlaps one of the @n ranges has ended.
 * Holds that begin after the call are not waited for.  hold_told() precedes.
 *
 * Return: true; false if the gate was stopped before that.
 */
static inline bool hold_wait(struct hold_table *t, const struct range *r,
			     unsigned n);

/*
 * hold_wait_walks - until each lookup that is now under way is over, whatever
 * its addresses.  That is soon: lookups wait for nothing.
 */
void hold_wait_walks(struct hold_table *t);

/* The long ways of hold_wait(): a page that is held by a word, and slots. */
bool hold_wait_word(const struct hold_table *t, unsigned word,
		    const struct range *r, unsigned n);
bool hold_wait_slots(struct hold_table *t, const struct range *r, unsigned n);

/* How many words may be held. */
static inline unsigned hold_words(const struct hold_table *t)
{
	return atomic_load_explicit(&t->recall->top, memory_order_seq_cst);
}

/* W3 for a word. */
static inline bool hold_word_free(const struct hold_table *t, unsigned word)
{
	return atomic_load_explicit(&t->recall->held[word],
				    memory_order_seq_cst) == 0;
}

static inline bool hold_wait(struct hold_table *t, const struct range *r,
			     unsigned n)
{
	const unsigned words = hold_words(t);

	for (unsigned w = 0; w < words; w++)
		if (!hold_word_free(t, w) && !hold_wait_word(t, w, r, n))
			return false;
	return !atomic_load_explicit(&t->chunks[0], memory_order_seq_cst) ||
	       hold_wait_slots(t, r, n);
}

#endif
