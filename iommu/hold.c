/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The protocol.  Steps marked S are sequentially consistent, or as good as
 * that by what notice.c does: all of them have one order that every thread
 * agrees on.
 *
 *	user (one per table)			writer (one per IOMMU)
 *
 *	U1    store first, last			W1    take away: clear entries,
 *	U2 S  state = walking			      set the endpoint's domain
 *	U3 S  load the notice's number;		      or the bypass switch,
 *	      if it is new, forget		      raise the generation if
 *	U4    load domain, generation,		      nodes were taken out
 *	      entries: translate		W2 S  post a notice
 *	U5    state = settled			W3 S  scan: load state
 *	    ... access memory ...		W4    load first, last, state
 *	U6    state = free			W5    overlap: wait for the end
 *	U7    load care				W6 S  nodes were taken out: scan
 *						      again, wait while walking
 *						W7    free nodes, domain
 *
 * A page can be held by a word (core/recall.h): its address, the state and a
 * count of uses are one, so U1 and U2 are one store and W4 loads nothing.  A
 * user that remembers the table loads one entry as U4.
 *
 * No access slips through.  Either U2 comes before W3: then the writer sees
 * the hold and waits.  Or W3 comes before U2, so W2 before U3: then the user
 * hears the notice, forgets what it remembers, and sees what W1 stored before
 * the notice, so it finds nothing (or the new translation).
 *
 * No node is freed under a reader.  A reader touches nodes only while it walks
 * (U2 to U5; U5 is a release, so its loads are done), and gets at one through
 * an entry that W1 clears or through a memory of it that it drops when the
 * generation has moved.  If it got at the node, it had not heard the notice in
 * U3, so W6 sees the walk.  The range of the hold says nothing here: where
 * paths are compressed a reader looks into a node to learn that it does not
 * span the address.  The same scan with all ranges (W3 to W5) precedes the end
 * of a domain.
 *
 * The range that W4 reads belongs to the hold that W3 saw.  A slot may end and
 * begin again meanwhile.  U1's stores are releases, so a writer whose acquire
 * in W4 met the next hold's range also meets the end of the earlier one: its
 * second load of state differs, the hold that W3 saw is over, and the next
 * one came after W3.
 *
 * No wake-up is lost.  Before a waiter sleeps it raises care, has a barrier put
 * into every thread, and looks at the state once more.  A user whose U7 came
 * before that barrier has its U6 visible after it; one whose U7 comes later
 * sees care, and takes the gate's lock to wake the waiter.  Where the system
 * has no such barrier, care is never 0, and the user makes its own.  Without
 * waiters a user takes no lock.  W6 does not sleep, so U5 wakes nobody.
 *
 * chunks[] and top (of slots, and of words) only grow, and they grow before U2
 * in the same order, so a scan that misses a slot comes before that slot's U2.
 *
 * iommu/model/ has the protocol for a model checker.
 */
#include "iommu/hold.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/cpu.h"
#include "core/recall.h"

/* Most holds that are met at all are a copy or a failing lookup: they end
 * sooner than a thread falls asleep. */
#define SPINS 256

/* One rule for both kinds of state. */
static_assert((int)HOLD_SETTLED == RECALL_HELD &&
		      (int)HOLD_WALKING == RECALL_WALK &&
		      HOLD_USE == RECALL_USE_SHIFT,
	      "state_over()");

#define USE BIT_ULL(HOLD_USE) /* one more use of the slot */

int hold_gate_init(struct hold_gate *g)
{
	int r;

	g->able = notice_able();
	atomic_init(&g->care, g->able ? 0 : HOLD_BARRIER);
	atomic_init(&g->stopped, false);
	r = pthread_mutex_init(&g->lock, NULL);
	if (r)
		return -r;
	r = pthread_cond_init(&g->ended, NULL);
	if (r)
		pthread_mutex_destroy(&g->lock);
	return -r;
}

void hold_gate_fini(struct hold_gate *g)
{
	pthread_cond_destroy(&g->ended);
	pthread_mutex_destroy(&g->lock);
}

static void gate_wake(struct hold_gate *g)
{
	pthread_mutex_lock(&g->lock);
	pthread_cond_broadcast(&g->ended);
	pthread_mutex_unlock(&g->lock);
}

void hold_gate_stop(struct hold_gate *g, bool stop)
{
	atomic_store(&g->stopped, stop);
	gate_wake(g);
}

bool hold_gate_stopped(const struct hold_gate *g)
{
	return atomic_load(&g->stopped);
}

void hold_table_init(struct hold_table *t, struct recall *r,
		     struct hold_gate *gate)
{
	t->gate = gate;
	t->recall = r;
	r->care = &gate->care;
	r->taken = BIT_ULL(RECALL_BULK + 1) - 1;
	atomic_init(&r->top, RECALL_BULK + 1);
	notice_init(&t->notice, r, gate->able);
	t->hint = 0;
	for (unsigned i = 0; i < HOLD_CHUNKS_MAX; i++)
		atomic_init(&t->chunks[i], NULL);
}

static struct hold_chunk *chunk_at(const struct hold_table *t, unsigned i)
{
	return atomic_load_explicit(&t->chunks[i], memory_order_seq_cst);
}

void hold_table_fini(struct hold_table *t)
{
	for (unsigned i = 0; i < HOLD_CHUNKS_MAX && chunk_at(t, i); i++)
		free(chunk_at(t, i));
}

static struct hold_chunk *chunk_new(struct hold_table *t, unsigned i)
{
	struct hold_chunk *c = calloc(1, sizeof(*c));

	if (c) {
		c->free = ~UINT64_C(0);
		atomic_store_explicit(&t->chunks[i], c, memory_order_seq_cst);
	}
	return c;
}

/* The user's own last store. */
static uint64_t slot_own(const struct hold_slot *s)
{
	return atomic_load_explicit(&s->state, memory_order_relaxed);
}

static uint64_t slot_state(const struct hold_slot *s)
{
	return atomic_load_explicit(&s->state, memory_order_seq_cst);
}

/* U1 and U2. */
static void slot_begin(struct hold_slot *s, iova_t first, iova_t last,
		       uint64_t use, bool barrier)
{
	atomic_store_explicit(&s->first, first, memory_order_release);
	atomic_store_explicit(&s->last, last, memory_order_release);
	if (barrier)
		atomic_store_explicit(&s->state, use | HOLD_WALKING,
				      memory_order_seq_cst);
	else
		atomic_store_explicit(&s->state, use | HOLD_WALKING,
				      memory_order_release);
}

static int slot_take(struct hold_table *t, iova_t first, iova_t last,
		     bool barrier)
{
	for (unsigned i = t->hint; i < HOLD_CHUNKS_MAX; i++) {
		struct hold_chunk *c = chunk_at(t, i);
		unsigned n;

		if (!c) {
			c = chunk_new(t, i);
			if (!c)
				return -ENOMEM;
		}
		if (c->free == 0)
			continue;
		t->hint = i;
		n = (unsigned)__builtin_ctzll(c->free);
		c->free &= c->free - 1;
		if (n >= atomic_load_explicit(&c->top, memory_order_relaxed))
			atomic_store_explicit(&c->top, n + 1,
					      memory_order_seq_cst);
		slot_begin(&c->slots[n], first, last,
			   slot_own(&c->slots[n]) + USE, barrier);
		return (int)(i * HOLD_CHUNK + n);
	}
	return -ENOMEM;
}

/* U3.  The hold has been stored. */
static enum notice_news hear(struct hold_table *t)
{
	return notice_none(&t->notice) ? NOTICE_NONE : notice_hear(&t->notice);
}

int hold_begin(struct hold_table *t, iova_t first, iova_t last,
	       enum notice_news *ret_news)
{
	int number = slot_take(t, first, last, notice_barrier_due(&t->notice));

	*ret_news = number >= 0 ? hear(t) : NOTICE_NONE;
	return number;
}

enum notice_news hold_page(struct hold_table *t, unsigned word, iova_t at,
			   uint64_t *ret_use)
{
	struct recall *r = t->recall;
	uint64_t use = recall_use(r, at);

	*ret_use = use;
	if (notice_barrier_due(&t->notice))
		atomic_store_explicit(&r->held[word], use,
				      memory_order_seq_cst);
	else
		(void)recall_hold(r, word, use);
	return hear(t);
}

static struct hold_slot *slot_at(struct hold_table *t, unsigned number)
{
	return &chunk_at(t, number / HOLD_CHUNK)->slots[number % HOLD_CHUNK];
}

void hold_settle(struct hold_table *t, unsigned number)
{
	struct hold_slot *s = slot_at(t, number);
	uint64_t state = slot_own(s);

	assert((state & HOLD_PHASE) == HOLD_WALKING);
	atomic_store_explicit(&s->state, (state & ~HOLD_PHASE) | HOLD_SETTLED,
			      memory_order_release);
}

void hold_care(struct hold_table *t)
{
	/* U6 before what follows. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&t->gate->care, memory_order_relaxed) >=
	    HOLD_WAITER)
		gate_wake(t->gate);
}

void hold_end(struct hold_table *t, unsigned number)
{
	unsigned i = number / HOLD_CHUNK;
	struct hold_slot *s = slot_at(t, number);
	uint64_t state = slot_own(s);

	assert((state & HOLD_PHASE) != HOLD_FREE);
	atomic_store_explicit(&s->state, state & ~HOLD_PHASE,
			      memory_order_release);
	chunk_at(t, i)->free |= BIT_ULL(number % HOLD_CHUNK);
	if (i < t->hint)
		t->hint = i;
	/* After that, for the compiler; the top says why that is enough. */
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&t->gate->care, memory_order_relaxed) != 0)
		hold_care(t);
}

/* Whether the hold that was seen in @state is over. */
static bool state_over(const _Atomic uint64_t *s, uint64_t state)
{
	uint64_t now = atomic_load_explicit(s, memory_order_seq_cst);

	return (now & HOLD_PHASE) == HOLD_FREE ||
	       (now & ~HOLD_PHASE) != (state & ~HOLD_PHASE);
}

static bool wait_for_end(struct hold_gate *g, const _Atomic uint64_t *s,
			 uint64_t state)
{
	bool ended;

	for (unsigned i = 0; i < SPINS; i++) {
		if (state_over(s, state))
			return true;
		cpu_relax();
	}
	pthread_mutex_lock(&g->lock);
	atomic_fetch_add_explicit(&g->care, HOLD_WAITER, memory_order_seq_cst);
	if (g->able)
		notice_barrier();
	while (!(ended = state_over(s, state)) && !hold_gate_stopped(g))
		pthread_cond_wait(&g->ended, &g->lock);
	atomic_fetch_sub_explicit(&g->care, HOLD_WAITER, memory_order_seq_cst);
	pthread_mutex_unlock(&g->lock);
	return ended;
}

static bool overlaps(iova_t first, iova_t last, const struct range *r,
		     unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (first <= r[i].last && r[i].first <= last)
			return true;
	return false;
}

/* W3 to W5 for one slot. */
static bool slot_wait(struct hold_gate *g, const struct hold_slot *s,
		      const struct range *r, unsigned n)
{
	uint64_t state = slot_state(s);
	iova_t held_first, held_last;

	if ((state & HOLD_PHASE) == HOLD_FREE)
		return true;
	held_first = atomic_load_explicit(&s->first, memory_order_acquire);
	held_last = atomic_load_explicit(&s->last, memory_order_acquire);
	if (state_over(&s->state, state))
		return true;
	if (!overlaps(held_first, held_last, r, n))
		return true;
	return wait_for_end(g, &s->state, state);
}

/* The same for a page that is held by a word. */
bool hold_wait_word(const struct hold_table *t, unsigned word,
		    const struct range *r, unsigned n)
{
	const _Atomic uint64_t *held = &t->recall->held[word];
	uint64_t state = atomic_load_explicit(held, memory_order_seq_cst);
	iova_t page = align_down(state, RECALL_PAGE_SIZE);

	if (state == 0 || !overlaps(page, page | RECALL_PAGE_MASK, r, n))
		return true;
	return wait_for_end(t->gate, held, state);
}

/* Slots of chunk @c that may be in use. */
static unsigned chunk_top(const struct hold_chunk *c)
{
	return atomic_load_explicit(&c->top, memory_order_seq_cst);
}

bool hold_wait_slots(struct hold_table *t, const struct range *r, unsigned n)
{
	for (unsigned i = 0; i < HOLD_CHUNKS_MAX && chunk_at(t, i); i++) {
		struct hold_chunk *c = chunk_at(t, i);
		unsigned top = chunk_top(c);

		for (unsigned k = 0; k < top; k++)
			if (!slot_wait(t->gate, &c->slots[k], r, n))
				return false;
	}
	return true;
}

/* The lookup may be on a thread that does not run now. */
static void wait_walk(const _Atomic uint64_t *s)
{
	uint64_t state = atomic_load_explicit(s, memory_order_seq_cst);

	if ((state & HOLD_PHASE) != HOLD_WALKING)
		return;
	for (unsigned i = 0;
	     atomic_load_explicit(s, memory_order_seq_cst) == state; i++) {
		if (i < SPINS)
			cpu_relax();
		else
			(void)sched_yield();
	}
}

void hold_wait_walks(struct hold_table *t)
{
	const unsigned words = hold_words(t);

	for (unsigned w = 0; w < words; w++)
		wait_walk(&t->recall->held[w]);
	for (unsigned i = 0; i < HOLD_CHUNKS_MAX && chunk_at(t, i); i++) {
		struct hold_chunk *c = chunk_at(t, i);
		unsigned top = chunk_top(c);

		for (unsigned n = 0; n < top; n++)
			wait_walk(&c->slots[n].state);
	}
}
