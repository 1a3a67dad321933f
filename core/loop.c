/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/loop_priv.h"

#define BATCH 32

/* What is watched besides slots: the wake-up descriptor. */
#define WAKE_ID UINT64_MAX

int loop_new(struct loop **ret_loop, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = WAKE_ID};
	struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_errno(err, ENOMEM, "cannot make an event loop");
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->unpinned, NULL);
	l->free_slot = LOOP_NONE;
	l->wake_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		goto fail;
	l->wake_fd = eventfd_new();
	if (l->wake_fd < 0) {
		errno = -l->wake_fd;
		goto fail;
	}
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev) < 0)
		goto fail;
	r = loop_ring_new(l);
	if (r < 0) {
		errno = -r;
		goto fail;
	}
	*ret_loop = l;
	return 0;
fail:
	r = errno;
	loop_free(l);
	return err_errno(err, r, "cannot make an event loop");
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	assert(!l->running);
	for (unsigned i = 0; i < l->nslots; i++) {
		struct loop_watch *w = loop_slot(l, i)->w;

		if (w)
			w->loop = NULL;
	}
	loop_ring_free(l->ring);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	pthread_cond_destroy(&l->unpinned);
	pthread_mutex_destroy(&l->lock);
	for (unsigned i = 0; i < LOOP_CHUNKS; i++)
		free(l->chunks[i]);
	free(l);
}

/*
 * Slots.
 */

struct loop_slot *loop_slot(const struct loop *l, unsigned i)
{
	/* Acquire: pairs with slots_grow_locked(). */
	return atomic_load_explicit(&l->chunks[i / LOOP_CHUNK],
				    memory_order_acquire) +
	       i % LOOP_CHUNK;
}

uint64_t loop_id(const struct loop *l, unsigned i)
{
	return (uint64_t)atomic_load(&loop_slot(l, i)->generation) << 32 | i;
}

static int slots_grow_locked(struct loop *l)
{
	const unsigned n = l->nslots;
	struct loop_slot *chunk;

	if (n == LOOP_CHUNK * LOOP_CHUNKS)
		return -ENOMEM;
	chunk = calloc(LOOP_CHUNK, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	for (unsigned i = 0; i < LOOP_CHUNK; i++) {
		chunk[i].next_free = l->free_slot;
		l->free_slot = n + i;
	}
	atomic_store_explicit(&l->chunks[n / LOOP_CHUNK], chunk,
			      memory_order_release);
	atomic_store(&l->nslots, n + LOOP_CHUNK);
	return 0;
}

static void slot_free_locked(struct loop *l, unsigned i)
{
	struct loop_slot *s = loop_slot(l, i);

	/* Before loop_barrier() looks whether the loop is pinned. */
	atomic_store(&s->w, NULL);
	atomic_fetch_add(&s->generation, 1);
	s->next_free = l->free_slot;
	l->free_slot = i;
}

/*
 * Watches.
 */

/*
 * epoll reports EPOLLHUP and EPOLLERR whether asked for or not, and a paused
 * watch on a closed pipe would spin.  With EPOLLONESHOT they come once, and
 * are dropped then.
 */
static struct epoll_event event_for(const struct loop *l, unsigned i)
{
	const uint32_t events = loop_slot(l, i)->events & ~(uint32_t)EPOLLET;

	return (struct epoll_event){
		.events = events ? events : EPOLLONESHOT,
		.data.u64 = loop_id(l, i),
	};
}

/* As epoll says it: the ring would say nothing. */
static int may_be_polled(const struct loop *l, int fd)
{
	struct epoll_event none = {.events = EPOLLONESHOT};

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &none) < 0)
		return -errno;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	return 0;
}

static int watch_add_locked(struct loop *l, struct loop_watch *w, int fd,
			    uint32_t events)
{
	struct epoll_event ev;
	struct loop_slot *s;
	unsigned i;
	int r;

	if (l->free_slot == LOOP_NONE) {
		r = slots_grow_locked(l);
		if (r < 0)
			return r;
	}
	i = l->free_slot;
	s = loop_slot(l, i);
	s->events = events;
	s->rung = l->ring && (events & EPOLLET || w->often);
	ev = event_for(l, i);
	if (!s->rung && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	r = s->rung && w->often ? may_be_polled(l, fd) : 0;
	if (r < 0)
		return r;
	l->free_slot = s->next_free;
	atomic_store(&s->lock, w->lock);
	w->loop = l;
	w->slot = i;
	w->fd = fd;
	atomic_store(&s->w, w);
	if (s->rung)
		loop_ring_changed(l->ring, i);
	return 0;
}

int loop_watch_add(struct loop *l, struct loop_watch *w, int fd,
		   uint32_t events)
{
	int r;

	assert(w->fn);
	if (w->loop)
		return -EEXIST;
	pthread_mutex_lock(&l->lock);
	r = watch_add_locked(l, w, fd, events);
	pthread_mutex_unlock(&l->lock);
	return r;
}

void loop_watch_set(struct loop_watch *w, uint32_t events)
{
	struct loop *l = w->loop;
	struct epoll_event ev;
	struct loop_slot *s;
	int r = 0;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	s = loop_slot(l, w->slot);
	assert(!(s->events & EPOLLET));
	s->events = events;
	ev = event_for(l, w->slot);
	if (s->rung)
		loop_ring_changed(l->ring, w->slot);
	else
		r = epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
	pthread_mutex_unlock(&l->lock);
	assert(r == 0);
	(void)r;
}

void loop_watch_del(struct loop_watch *w)
{
	struct loop *l = w->loop;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	if (loop_slot(l, w->slot)->rung)
		loop_ring_changed(l->ring, w->slot);
	else
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	slot_free_locked(l, w->slot);
	w->loop = NULL;
	w->fd = -1;
	pthread_mutex_unlock(&l->lock);
}

/*
 * Running.
 */

/* What of an event its watch still wants; 0 if nothing, or no watch. */
static uint32_t wanted(struct loop *l, uint64_t id, uint32_t events,
		       struct loop_watch **ret_w)
{
	const uint32_t i = (uint32_t)id;
	struct loop_slot *s;
	uint32_t wish;

	if (i >= l->nslots)
		return 0;
	s = loop_slot(l, i);
	*ret_w = atomic_load(&s->w);
	wish = s->events;
	if (!*ret_w || loop_id(l, i) != id || wish == 0)
		return 0;
	return events & (wish | EPOLLHUP | EPOLLERR);
}

static void end_batch(struct loop *l)
{
	struct loop_io_user *u = l->batch;

	l->batch = NULL;
	if (u)
		u->batch_done(u);
}

/*
 * A lock is kept from one event to the next, so that a batch of one device
 * takes it once; nothing is kept while the loop waits.
 */
void loop_hold(struct loop *l, pthread_mutex_t *lock)
{
	if (l->held == lock)
		return;
	end_batch(l);
	if (l->held)
		pthread_mutex_unlock(l->held);
	l->held = lock;
	if (lock)
		pthread_mutex_lock(lock);
}

/*
 * Locks nest watch, then loop: loop_watch_del() comes with the watch's held.
 * So the watch is looked up without, and again once its own is taken.
 */
void loop_dispatch(struct loop *l, uint64_t id, uint32_t events)
{
	struct loop_watch *w;

	if (wanted(l, id, events, &w) == 0)
		return;
	loop_hold(l, atomic_load(&loop_slot(l, (uint32_t)id)->lock));
	events = wanted(l, id, events, &w);
	if (events == 0)
		return;
	/* Without a ring; with one nobody needs the count. */
	if (loop_slot(l, w->slot)->events & EPOLLET && !l->ring)
		(void)eventfd_clear(w->fd);
	w->fn(w, events); /* @w may be gone now */
}

void loop_pin(struct loop *l)
{
	/* Before any slot is looked at. */
	atomic_fetch_add(&l->pins, 1);
}

void loop_unpin(struct loop *l)
{
	loop_hold(l, NULL);
	atomic_fetch_add(&l->pins, 1);
	if (atomic_load(&l->barriers) == 0)
		return;
	pthread_mutex_lock(&l->lock);
	pthread_cond_broadcast(&l->unpinned);
	pthread_mutex_unlock(&l->lock);
}

/* What a stop leaves undone is reported again: epoll is level-triggered. */
void loop_epoll(struct loop *l, int timeout_ms)
{
	struct epoll_event evs[BATCH];
	int n = epoll_wait(l->epoll_fd, evs, BATCH, timeout_ms);

	assert(n >= 0 || errno == EINTR);
	loop_pin(l);
	for (int i = 0; i < n && !loop_stopping(l); i++) {
		if (evs[i].data.u64 != WAKE_ID)
			loop_dispatch(l, evs[i].data.u64, evs[i].events);
		else
			(void)eventfd_clear(l->wake_fd);
	}
	loop_unpin(l);
}

void loop_run(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	atomic_store(&l->thread, pthread_self());
	atomic_store(&l->running, true);
	pthread_mutex_unlock(&l->lock);

	while (!loop_stopping(l)) {
		if (l->ring)
			loop_ring_round(l);
		else
			loop_epoll(l, -1);
	}
	if (l->ring)
		loop_ring_rest(l->ring);

	pthread_mutex_lock(&l->lock);
	atomic_store(&l->stop, false);
	atomic_store(&l->running, false);
	(void)eventfd_clear(l->wake_fd);
	pthread_mutex_unlock(&l->lock);
}

void loop_poll(struct loop *l)
{
	eventfd_signal(l->wake_fd); /* so that nobody waits */
	if (l->ring)
		loop_ring_round(l);
	else
		loop_epoll(l, -1);
}

void loop_stop(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	atomic_store(&l->stop, true);
	eventfd_signal(l->wake_fd);
	pthread_mutex_unlock(&l->lock);
}

/*
 * Either the loop's next look at a slot sees what was deleted, or its pin is
 * seen here; either this is counted in @barriers when it unpins, or the pin
 * has changed already.
 */
void loop_barrier(struct loop *l)
{
	uint64_t seen;

	if (loop_is_mine(l))
		return;
	pthread_mutex_lock(&l->lock);
	atomic_fetch_add(&l->barriers, 1);
	seen = atomic_load(&l->pins);
	while (seen % 2 == 1 && atomic_load(&l->pins) == seen)
		pthread_cond_wait(&l->unpinned, &l->lock);
	atomic_fetch_sub(&l->barriers, 1);
	pthread_mutex_unlock(&l->lock);
}
