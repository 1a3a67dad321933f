/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * loop_priv.h - what the files of the loop share: loop.c (watches, running),
 * and loop_ring.c or loop_noring.c (how it waits with an io_uring).
 *
 * The running thread looks at slots without a lock: it pins them first, and
 * what was deleted before is waited for by loop_barrier().  Slots never move.
 */
#ifndef MOAT_CORE_LOOP_PRIV_H
#define MOAT_CORE_LOOP_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/loop.h"

struct loop_ring;

#define LOOP_CHUNK  32u	 /* slots */
#define LOOP_CHUNKS 640u /* more than a vsock has connections */
#define LOOP_NONE   UINT32_MAX

/*
 * A batch of events may hold one for a watch that is gone by the time its
 * turn comes, its memory freed.  So the kernel is given no pointer but an id:
 * index of a slot, and how often the slot has been reused.
 */
struct loop_slot {
	_Atomic(struct loop_watch *) w;	 /* NULL: free */
	_Atomic(pthread_mutex_t *) lock; /* its; read before it is taken */
	_Atomic uint32_t events;	 /* wanted; 0: paused */
	_Atomic uint32_t generation;
	unsigned next_free;
	bool rung;  /* the ring polls it, not epoll */
	bool dirty; /* in the list of those that changed */
	unsigned next_dirty;
	/* loop_ring.c's; of the thread that runs the loop, if one does: */
	bool polled; /* by @poll_id, for @poll_events, for a watch of */
	bool again;  /* poll anew: an event was not delivered */
	uint32_t poll_events, poll_generation;
	uint32_t polls; /* so far; each has an id of its own */
	uint64_t poll_id;
	unsigned next_ended;
};

struct loop {
	int epoll_fd, wake_fd;
	/* A leaf, except that it may be taken under a watch's lock. */
	pthread_mutex_t lock;
	pthread_cond_t unpinned;
	_Atomic(struct loop_slot *) chunks[LOOP_CHUNKS];
	_Atomic unsigned nslots;
	unsigned free_slot;
	_Atomic bool running, stop;
	_Atomic(pthread_t) thread; /* that runs it, or ran it last */
	/* Odd: the loop looks at watches; see loop_barrier(). */
	_Atomic uint64_t pins;
	_Atomic unsigned barriers; /* that wait for it to change */

	/* The running thread's. */
	pthread_mutex_t *held;	    /* lock of the last event's watch or user */
	struct loop_io_user *batch; /* batch_done() is due, under @held */

	struct loop_ring *ring; /* NULL: epoll alone */
};

uint64_t loop_id(const struct loop *l, unsigned i);
/* Any index below nslots. */
struct loop_slot *loop_slot(const struct loop *l, unsigned i);

/* Hold @lock from now on, and no other; NULL: none. */
void loop_hold(struct loop *l, pthread_mutex_t *lock);
/* Call the watch with this id, if it wants these events. */
void loop_dispatch(struct loop *l, uint64_t id, uint32_t events);
/* What epoll has, without waiting longer than so many ms (-1: for ever). */
void loop_epoll(struct loop *l, int timeout_ms);
void loop_pin(struct loop *l);
void loop_unpin(struct loop *l);

static inline bool loop_stopping(const struct loop *l)
{
	return atomic_load_explicit(&l->stop, memory_order_relaxed);
}

/* On the thread that runs it. */
static inline bool loop_is_mine(struct loop *l)
{
	return atomic_load(&l->running) &&
	       pthread_equal(atomic_load(&l->thread), pthread_self());
}

/*
 * The ring.  Without one (no liburing, a kernel before 5.13, not permitted)
 * loop_ring_new() leaves l->ring NULL, and nothing else here is called.
 * Return: 0, -ENOMEM.
 */
int loop_ring_new(struct loop *l);
void loop_ring_free(struct loop_ring *r);
/* Wait for something, and dispatch it. */
void loop_ring_round(struct loop *l);
/* Let go of the files of watches with @often: on the thread that runs the
 * loop, because what it has begun ends at once for it alone. */
void loop_ring_rest(struct loop_ring *r);
/* Slot @i, with @rung, has come, gone, or changed; the loop's lock is held. */
void loop_ring_changed(struct loop_ring *r, unsigned i);

#endif
