/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * notice.h - how the user of a view learns that translations are gone.
 *
 * The writer posts notices to all that it concerns, fences them, and then
 * settles each: afterwards everything that the user may still do with the old
 * translations is visible as a hold, and what it looks up from now on is new.  A user that translates without pause
 * answers notices as it goes and never needs a memory barrier; a user that is
 * silent is made to use barriers until it is busy again.   (notice.c)
 *
 * Threads: one user; one writer at a time.
 */
#ifndef MOAT_IOMMU_NOTICE_H
#define MOAT_IOMMU_NOTICE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/dma.h"
#include "core/recall.h"

/* Holds with a barrier after which a user goes on without. */
#define NOTICE_PATIENCE 1024

struct notice {
	/* Borrowed.  @heard: the last notice the user has heard; 0 while
	 * barriers are due.  @posted: the last one there is.  None has the
	 * number 0. */
	struct recall *recall;

	/* The user's. */
	uint64_t acted;		   /* the last notice */
	unsigned barriers;	   /* since they are due */
	_Atomic uint64_t answered; /* the last notice, for the writer */

	/* The writer's, but for @quick. */
	/* Number of the last one after which nothing is as it was. */
	alignas(CPU_LINE) _Atomic uint64_t upheaval;
	/* The user does without barriers: set by it, taken back by the
	 * writer. */
	_Atomic bool quick;
	bool able; /* the system has notice_barrier() */
};

/*
 * notice_able - whether this process can do without barriers in its users;
 * asked before they start.
 */
bool notice_able(void);

/* A barrier in every thread of this process; needs notice_able(). */
void notice_barrier(void);

/* @r: zeroed; @able: notice_able() said so */
void notice_init(struct notice *n, struct recall *r, bool able);

/*
 * notice_none - the user has stored that it holds a range.  True if it may use
 * what it remembers and look up the rest; else notice_hear() is due.
 */
static inline bool notice_none(const struct notice *n)
{
	/* The compiler keeps the order; the processor need not. */
	atomic_signal_fence(memory_order_seq_cst);
	return atomic_load_explicit(&n->recall->posted, memory_order_acquire) ==
	       n->recall->heard;
}

/* Whether the user stores that it holds a range with a barrier. */
static inline bool notice_barrier_due(const struct notice *n)
{
	return n->recall->heard == 0;
}

enum notice_news {
	NOTICE_NONE,
	NOTICE_CHANGE,	 /* entries are gone, perhaps tables */
	NOTICE_UPHEAVAL, /* another domain, or another kind of translation */
};

/*
 * notice_hear - the user has stored that it holds a range, with a barrier if
 * one was due.
 */
enum notice_news notice_hear(struct notice *n);

/*
 * After taking away; several may be posted, to several users, before they are
 * fenced and settled.
 */
static inline void notice_post(struct notice *n, bool upheaval)
{
	uint64_t number =
		atomic_load_explicit(&n->recall->posted, memory_order_relaxed) +
		1;

	if (upheaval)
		atomic_store_explicit(&n->upheaval, number,
				      memory_order_relaxed);
	/* Release: what was taken away is, and the upheaval is known. */
	atomic_store_explicit(&n->recall->posted, number, memory_order_release);
}

static inline void notice_fence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

/* Until a user that does without barriers has answered, or uses them. */
void notice_press(struct notice *n);

static inline void notice_settle(struct notice *n)
{
	if (atomic_load_explicit(&n->quick, memory_order_seq_cst))
		notice_press(n);
}

#endif
