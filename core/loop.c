/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"

#define BATCH 32

/* What is watched besides slots: the wake-up descriptor. */
#define WAKE_ID UINT64_MAX

/*
 * A batch of events may hold one for a watch that is gone by the time its
 * turn comes, its memory freed.  So the kernel is given no pointer but an id:
 * index of a slot, and how often the slot has been reused.
 */
struct slot {
	struct loop_watch *w; /* NULL: free */
	uint32_t events;      /* wanted; 0: paused */
	uint32_t generation;
	unsigned next_free;
};

#define NO_SLOT UINT32_MAX

struct loop {
	int epoll_fd, wake_fd;
	/* A leaf, except that it may be taken under a watch's lock. */
	pthread_mutex_t lock;
	pthread_cond_t unpinned;
	struct slot *slots;
	unsigned nslots, free_slot;
	bool running, stop;
	pthread_t thread; /* that runs it */
	/* The loop looks at a watch outside of the lock; see loop_barrier(). */
	bool pinned;
	uint64_t unpins; /* how many times it has stopped doing so */
};

int loop_new(struct loop **ret_loop, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = WAKE_ID};
	struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_errno(err, ENOMEM, "cannot make an event loop");
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->unpinned, NULL);
	l->free_slot = NO_SLOT;
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
		if (l->slots[i].w)
			l->slots[i].w->loop = NULL;
	}
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	pthread_cond_destroy(&l->unpinned);
	pthread_mutex_destroy(&l->lock);
	free(l->slots);
	free(l);
}

/*
 * Slots.
 */

static uint64_t id_of(const struct loop *l, unsigned i)
{
	return (uint64_t)l->slots[i].generation << 32 | i;
}

/* The slot an event is for, or NULL if its watch is gone. */
static struct slot *slot_of_locked(struct loop *l, uint64_t id)
{
	const uint32_t i = (uint32_t)id;

	if (i >= l->nslots || !l->slots[i].w || id_of(l, i) != id)
		return NULL;
	return &l->slots[i];
}

static int slots_grow_locked(struct loop *l)
{
	const unsigned n = l->nslots ? l->nslots * 2 : 16;
	struct slot *slots = reallocarray(l->slots, n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (unsigned i = l->nslots; i < n; i++) {
		slots[i] = (struct slot){.next_free = l->free_slot};
		l->free_slot = i;
	}
	l->slots = slots;
	l->nslots = n;
	return 0;
}

static void slot_free_locked(struct loop *l, unsigned i)
{
	struct slot *s = &l->slots[i];

	s->w = NULL;
	s->generation++;
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
	const uint32_t events = l->slots[i].events;

	return (struct epoll_event){
		.events = events ? events : EPOLLONESHOT,
		.data.u64 = id_of(l, i),
	};
}

static int watch_add_locked(struct loop *l, struct loop_watch *w, int fd,
			    uint32_t events)
{
	struct epoll_event ev;
	unsigned i;
	int r;

	if (l->free_slot == NO_SLOT) {
		r = slots_grow_locked(l);
		if (r < 0)
			return r;
	}
	i = l->free_slot;
	l->slots[i].events = events;
	ev = event_for(l, i);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	l->free_slot = l->slots[i].next_free;
	l->slots[i].w = w;
	w->loop = l;
	w->slot = i;
	w->fd = fd;
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
	int r;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->slots[w->slot].events = events;
	ev = event_for(l, w->slot);
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
static uint32_t wanted_locked(struct loop *l, const struct epoll_event *ev,
			      struct loop_watch **ret_w)
{
	const struct slot *s = slot_of_locked(l, ev->data.u64);

	if (!s || s->events == 0)
		return 0;
	*ret_w = s->w;
	return ev->events & (s->events | EPOLLHUP | EPOLLERR);
}

static void unpin_locked(struct loop *l)
{
	l->pinned = false;
	l->unpins++;
	pthread_cond_broadcast(&l->unpinned);
}

/*
 * Locks nest watch, then loop: loop_watch_del() comes with the watch's held.
 * So the loop's is dropped while the watch's is taken, and the watch looked
 * up again after that.
 */
static void dispatch(struct loop *l, const struct epoll_event *ev)
{
	struct loop_watch *w = NULL;
	pthread_mutex_t *lock;
	loop_watch_fn fn = NULL;
	uint32_t events;

	pthread_mutex_lock(&l->lock);
	if (wanted_locked(l, ev, &w) == 0) {
		pthread_mutex_unlock(&l->lock);
		return;
	}
	lock = w->lock;
	l->pinned = true;
	pthread_mutex_unlock(&l->lock);

	if (lock)
		pthread_mutex_lock(lock);
	pthread_mutex_lock(&l->lock);
	events = wanted_locked(l, ev, &w);
	if (events)
		fn = w->fn;
	pthread_mutex_unlock(&l->lock);
	if (fn)
		fn(w, events); /* @w may be gone now */
	if (lock)
		pthread_mutex_unlock(lock);

	pthread_mutex_lock(&l->lock);
	unpin_locked(l);
	pthread_mutex_unlock(&l->lock);
}

/* Begins a run; false if there is a stop to obey. */
static bool go_on(struct loop *l)
{
	bool stop;

	pthread_mutex_lock(&l->lock);
	stop = l->stop;
	l->running = !stop;
	l->thread = pthread_self();
	if (stop) {
		l->stop = false;
		(void)eventfd_clear(l->wake_fd);
	}
	pthread_mutex_unlock(&l->lock);
	return !stop;
}

void loop_run(struct loop *l)
{
	struct epoll_event evs[BATCH];
	int n = 0, i = 0;

	while (go_on(l)) {
		/* What a stop leaves undone is reported again: epoll is
		 * level-triggered. */
		if (i == n) {
			n = epoll_wait(l->epoll_fd, evs, BATCH, -1);
			assert(n >= 0 || errno == EINTR);
			i = 0;
			if (n < 0)
				n = 0;
		} else if (evs[i].data.u64 == WAKE_ID) {
			i++;
		} else {
			dispatch(l, &evs[i++]);
		}
	}
}

void loop_stop(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	eventfd_signal(l->wake_fd);
	pthread_mutex_unlock(&l->lock);
}

void loop_barrier(struct loop *l)
{
	uint64_t seen;

	pthread_mutex_lock(&l->lock);
	if (!(l->running && pthread_equal(l->thread, pthread_self()))) {
		seen = l->unpins;
		while (l->pinned && l->unpins == seen)
			pthread_cond_wait(&l->unpinned, &l->lock);
	}
	pthread_mutex_unlock(&l->lock);
}

/*
 * Timers.
 */

static struct loop_timer *to_timer(struct loop_watch *w)
{
	return container_of(w, struct loop_timer, watch);
}

/* Setting or cancelling a timer takes an expiry back that nobody has read:
 * then there is nothing to read here. */
static void timer_expired(struct loop_watch *w, uint32_t events)
{
	struct loop_timer *t = to_timer(w);
	uint64_t expiries;

	(void)events;
	if (read(w->fd, &expiries, sizeof(expiries)) == sizeof(expiries))
		t->fn(t);
}

int loop_timer_add(struct loop *l, struct loop_timer *t)
{
	AUTO_CLOSE int fd = -1;
	int r;

	assert(t->fn);
	if (t->watch.loop)
		return -EEXIST;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	t->watch = (struct loop_watch){.fn = timer_expired, .lock = t->lock};
	r = loop_watch_add(l, &t->watch, fd, EPOLLIN);
	if (r < 0) {
		t->watch = (struct loop_watch){0};
		return r;
	}
	(void)take_fd(&fd);
	return 0;
}

static void timer_arm(struct loop_timer *t, uint64_t sec, uint64_t nsec)
{
	const struct itimerspec its = {
		.it_value = {.tv_sec = (time_t)sec, .tv_nsec = (long)nsec},
	};
	int r;

	if (!t->watch.loop)
		return;
	r = timerfd_settime(t->watch.fd, 0, &its, NULL);
	assert(r == 0);
	(void)r;
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ns)
{
	/* All zeros would disarm it. */
	delay_ns = max_u64(delay_ns, 1);
	timer_arm(t, delay_ns / 1000000000, delay_ns % 1000000000);
}

void loop_timer_cancel(struct loop_timer *t)
{
	timer_arm(t, 0, 0);
}

void loop_timer_del(struct loop_timer *t)
{
	const int fd = t->watch.fd;

	/* Also when the loop went first and took its watches off. */
	if (!t->watch.fn)
		return;
	loop_watch_del(&t->watch);
	t->watch = (struct loop_watch){0};
	close(fd);
}
