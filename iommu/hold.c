/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The protocol.  Every step marked S is a sequentially consistent access, so
 * all of them have one order that every thread agrees on.
 *
 *	user (one per table)			writer (one per IOMMU)
 *
 *	U1    store first, last			W1 S  take away: clear entries,
 *	U2 S  state = walking			      set the endpoint's domain
 *	U3 S  load domain, generation,		      or the bypass switch
 *	      entries: translate		W2 S  raise the generation if
 *	U4    state = settled			      nodes were taken out
 *	    ... access memory ...		W3 S  scan: load state
 *	U5 S  state = free			W4    load first, last, state
 *	U6 S  load waiters			W5    overlap: wait for the end
 *						W6 S  nodes were taken out: scan
 *						      again, wait while walking
 *						W7    free nodes, domain
 *
 * No access slips through.  U2 and U3 against W1 and W3: either U2 comes
 * before W3, then the writer sees the hold and waits; or W3 comes before U2,
 * then W1 came before U3 and the user finds nothing (or the new translation).
 *
 * No node is freed under a reader.  A reader touches nodes only while it walks
 * (U2 to U4; U4 is a release, so its loads are done), and gets at one through
 * an entry that W1 clears or through a memory of it that it drops when the
 * generation has moved.  If it got at the node, U3 came before W1 or W2, so
 * W6 sees the walk.  The range of the hold says nothing here: where paths are
 * compressed a reader looks into a node to learn that it does not span the
 * address.  The same scan with all ranges (W3 to W5) precedes the end of a
 * domain.
 *
 * The range that W4 reads belongs to the hold that W3 saw.  A slot may end and
 * begin again meanwhile.  U1's stores are releases, so a writer whose acquire
 * in W4 met the next hold's range also meets the end of the earlier one: its
 * second load of state differs, the hold that W3 saw is over, and the next
 * one came after W3.
 *
 * No wake-up is lost.  U5 and U6 against the waiter's "raise waiters, load
 * state" in wait_for_end(): either the user sees the waiter and takes the
 * gate's lock to wake it, or the waiter sees that the hold has ended.  Without
 * waiters a user takes no lock.  W6 does not sleep, so U4 wakes nobody.
 *
 * chunks[] and top only grow, and they grow before U2 in the same order, so a
 * scan that misses a slot comes before that slot's U2.
 */
#include "iommu/hold.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "core/bits.h"

/* Most holds that are met at all are a copy or a failing lookup: they end
 * sooner than a thread falls asleep. */
#define SPINS 256

#define PHASE UINT64_C(3)
#define USE   UINT64_C(4) /* one more use of the slot */

int hold_gate_init(struct hold_gate *g)
{
	int r;

	atomic_init(&g->waiters, 0);
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

void hold_table_init(struct hold_table *t, struct hold_gate *gate)
{
	t->gate = gate;
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

static void slot_begin(struct hold_slot *s, iova_t first, iova_t last)
{
	uint64_t use = slot_own(s) + USE;

	atomic_store_explicit(&s->first, first, memory_order_release);
	atomic_store_explicit(&s->last, last, memory_order_release);
	atomic_store_explicit(&s->state, use | HOLD_WALKING,
			      memory_order_seq_cst);
}

int hold_begin(struct hold_table *t, iova_t first, iova_t last)
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
		slot_begin(&c->slots[n], first, last);
		return (int)(i * HOLD_CHUNK + n);
	}
	return -ENOMEM;
}

static struct hold_slot *slot_at(struct hold_table *t, unsigned number)
{
	return &chunk_at(t, number / HOLD_CHUNK)->slots[number % HOLD_CHUNK];
}

void hold_settle(struct hold_table *t, unsigned number)
{
	struct hold_slot *s = slot_at(t, number);
	uint64_t state = slot_own(s);

	assert((state & PHASE) == HOLD_WALKING);
	atomic_store_explicit(&s->state, (state & ~PHASE) | HOLD_SETTLED,
			      memory_order_release);
}

void hold_end(struct hold_table *t, unsigned number)
{
	unsigned i = number / HOLD_CHUNK;
	struct hold_slot *s = slot_at(t, number);
	uint64_t state = slot_own(s);

	assert((state & PHASE) != HOLD_FREE);
	atomic_store_explicit(&s->state, state & ~PHASE, memory_order_seq_cst);
	chunk_at(t, i)->free |= BIT_ULL(number % HOLD_CHUNK);
	if (i < t->hint)
		t->hint = i;
	if (atomic_load_explicit(&t->gate->waiters, memory_order_seq_cst) > 0)
		gate_wake(t->gate);
}

/* Whether the hold that was seen in @state is over. */
static bool slot_ended(const struct hold_slot *s, uint64_t state)
{
	uint64_t now = slot_state(s);

	return (now & PHASE) == HOLD_FREE || (now & ~PHASE) != (state & ~PHASE);
}

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static bool wait_for_end(struct hold_gate *g, const struct hold_slot *s,
			 uint64_t state)
{
	bool ended;

	for (unsigned i = 0; i < SPINS; i++) {
		if (slot_ended(s, state))
			return true;
		relax();
	}
	pthread_mutex_lock(&g->lock);
	atomic_fetch_add_explicit(&g->waiters, 1, memory_order_seq_cst);
	while (!(ended = slot_ended(s, state)) && !hold_gate_stopped(g))
		pthread_cond_wait(&g->ended, &g->lock);
	atomic_fetch_sub_explicit(&g->waiters, 1, memory_order_seq_cst);
	pthread_mutex_unlock(&g->lock);
	return ended;
}

/* W3 to W5 for one slot. */
static bool slot_wait(struct hold_gate *g, const struct hold_slot *s,
		      iova_t first, iova_t last)
{
	uint64_t state = slot_state(s);
	iova_t held_first, held_last;

	if ((state & PHASE) == HOLD_FREE)
		return true;
	held_first = atomic_load_explicit(&s->first, memory_order_acquire);
	held_last = atomic_load_explicit(&s->last, memory_order_acquire);
	if (slot_ended(s, state))
		return true;
	if (held_first > last || first > held_last)
		return true;
	return wait_for_end(g, s, state);
}

/* Slots of chunk @c that may be in use. */
static unsigned chunk_top(const struct hold_chunk *c)
{
	return atomic_load_explicit(&c->top, memory_order_seq_cst);
}

bool hold_wait(struct hold_table *t, iova_t first, iova_t last)
{
	for (unsigned i = 0; i < HOLD_CHUNKS_MAX && chunk_at(t, i); i++) {
		struct hold_chunk *c = chunk_at(t, i);
		unsigned top = chunk_top(c);

		for (unsigned n = 0; n < top; n++)
			if (!slot_wait(t->gate, &c->slots[n], first, last))
				return false;
	}
	return true;
}

/* The lookup seen in @state may be on a thread that does not run now. */
static void wait_walk(const struct hold_slot *s, uint64_t state)
{
	for (unsigned i = 0; slot_state(s) == state; i++) {
		if (i < SPINS)
			relax();
		else
			(void)sched_yield();
	}
}

void hold_wait_walks(struct hold_table *t)
{
	for (unsigned i = 0; i < HOLD_CHUNKS_MAX && chunk_at(t, i); i++) {
		struct hold_chunk *c = chunk_at(t, i);
		unsigned top = chunk_top(c);

		for (unsigned n = 0; n < top; n++) {
			uint64_t state = slot_state(&c->slots[n]);

			if ((state & PHASE) == HOLD_WALKING)
				wait_walk(&c->slots[n], state);
		}
	}
}
