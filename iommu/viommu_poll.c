/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/viommu_poll.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "core/bits.h"
#include "core/cpu.h"
#include "core/err.h"
#include "virtio/device.h"

/* Looks at the ring for one at the clock: some hundred nanoseconds. */
#define LOOKS 16

/* Exits that pass at most before it is tried whether looking is worth it. */
#define SKIP_MAX 63

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A clock that differs a little between processors is no reason to think that
 * ages have passed. */
static uint64_t since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

enum found {
	FOUND_BUFFERS,
	FOUND_NOTHING, /* for the whole window */
	FOUND_LEAVE,
	FOUND_LATE, /* it was not running; there may be buffers, too */
};

static bool look(const struct vq_peek *peek)
{
	for (unsigned n = 0; n < LOOKS; n++) {
		if (vq_peek(peek))
			return true;
		cpu_relax();
	}
	return false;
}

static bool told_to_leave(const struct viommu_poll *p)
{
	return atomic_load_explicit(&p->leave, memory_order_relaxed) ||
	       p->ops->ended(p->d);
}

/* Without a lock.  *@ret_gap: between two looks, if FOUND_LATE. */
static enum found watch_ring(struct viommu_poll *p, const struct vq_peek *peek,
			     uint64_t *ret_gap)
{
	for (;;) {
		bool any = look(peek);
		uint64_t now = now_ns(), gap = since(p->looked_ns, now);

		p->looked_ns = now;
		if (gap > p->late_ns) {
			*ret_gap = gap;
			return FOUND_LATE;
		}
		if (any)
			return FOUND_BUFFERS;
		if (told_to_leave(p))
			return FOUND_LEAVE;
		if (since(p->used_ns, now) > p->window_ns)
			return FOUND_NOTHING;
	}
}

/* Caller holds d->lock.  Return: as ops->serve(). */
static int serve(struct viommu_poll *p)
{
	int n = p->ops->serve(p->d);

	p->looked_ns = now_ns();
	if (n <= 0)
		return n;
	p->stats.requests += (unsigned)n;
	p->used_ns = p->looked_ns;
	return n;
}

/*
 * Until it is time to go.  Caller holds d->lock, which is dropped.
 * Return: false if somebody else has the ring already.
 */
static bool own_ring(struct viommu_poll *p)
{
	uint64_t begin = now_ns(), gap;
	struct vq_peek peek;

	p->looked_ns = p->used_ns = begin;
	while (vq_peek_begin(p->q, &peek)) {
		enum found found;

		pthread_mutex_unlock(&p->d->lock);
		found = watch_ring(p, &peek, &gap);
		pthread_mutex_lock(&p->d->lock);
		if (found == FOUND_LATE) {
			p->stats.lates++;
			backoff_failed(&p->backoff, p->looked_ns, gap);
			return true;
		}
		if (found != FOUND_BUFFERS || told_to_leave(p))
			break;
		if (serve(p) == -EAGAIN)
			return false;
	}
	backoff_went_well(&p->backoff, since(begin, p->looked_ns));
	return true;
}

/* How often it comes: not, while nobody needs it. */
static void judge(struct viommu_poll *p, uint64_t served)
{
	if (served > 0)
		p->vain = 0;
	else if (p->vain < SKIP_MAX)
		p->vain = 2 * p->vain + 1;
	p->skip = p->vain;
}

/* Caller holds d->lock, which is dropped. */
static void take_turn(struct viommu_poll *p)
{
	uint64_t before = p->stats.requests, now;
	struct vq_peek peek;
	bool mine;

	p->state = VIOMMU_POLL_AWAY;
	now = now_ns();
	if (since(p->called_ns, now) > p->call_ns) {
		backoff_failed(&p->backoff, now, 0);
		p->stats.lates++;
		return;
	}
	if (p->ops->ended(p->d) || !vq_peek_begin(p->q, &peek))
		return;
	p->state = VIOMMU_POLL_OWNS;
	atomic_store(&p->leave, false);
	p->stats.turns++;
	virtio_inflight_begin(p->d);
	vq_kicks_off(p->q);
	vq_disarm(p->q);
	mine = own_ring(p);
	p->stats.ns += since(now, p->looked_ns);
	p->state = VIOMMU_POLL_AWAY;
	judge(p, p->stats.requests - before);
	/* Kicks go on, and then whatever came without one is served. */
	if (mine)
		(void)serve(p);
	virtio_inflight_end(p->d);
}

static void *poll_main(void *arg)
{
	struct viommu_poll *p = arg;

	pthread_mutex_lock(&p->d->lock);
	while (!p->ending) {
		if (p->state == VIOMMU_POLL_CALLED)
			take_turn(p);
		else
			(void)pthread_cond_wait(&p->call, &p->d->lock);
	}
	pthread_mutex_unlock(&p->d->lock);
	return NULL;
}

/* Signals belong to the threads of whoever embeds us. */
static int start_thread(struct viommu_poll *p)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&p->thread, NULL, poll_main, p);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	p->started = r == 0;
	return r;
}

int viommu_poll_init(struct viommu_poll *p, struct virtio_dev *d, struct vq *q,
		     const struct viommu_poll_ops *ops,
		     const struct viommu_poll_times *times, struct err *err)
{
	char name[sizeof(d->name)];
	int r;

	*p = (struct viommu_poll){
		.ops = ops,
		.d = d,
		.q = q,
		.window_ns = times->window_us * UINT64_C(1000),
		.late_ns = times->late_us * UINT64_C(1000),
		.call_ns = times->call_us * UINT64_C(1000),
	};
	if (!times->window_us)
		return 0;
	(void)pthread_cond_init(&p->call, NULL);
	r = start_thread(p);
	if (r) {
		(void)pthread_cond_destroy(&p->call);
		return err_errno(err, r, "%s: cannot start a thread that polls",
				 d->name);
	}
	(void)snprintf(name, sizeof(name), "%.10s-poll", d->name);
	(void)pthread_setname_np(p->thread, name);
	return 0;
}

void viommu_poll_fini(struct viommu_poll *p)
{
	if (!p->started)
		return;
	pthread_mutex_lock(&p->d->lock);
	p->ending = true;
	atomic_store(&p->leave, true);
	(void)pthread_cond_signal(&p->call);
	pthread_mutex_unlock(&p->d->lock);
	pthread_join(p->thread, NULL);
	(void)pthread_cond_destroy(&p->call);
	pthread_mutex_lock(&p->d->lock);
	p->started = false;
	pthread_mutex_unlock(&p->d->lock);
}

void viommu_poll_call(struct viommu_poll *p)
{
	uint64_t now;

	if (!p->started || p->state != VIOMMU_POLL_AWAY)
		return;
	if (p->skip > 0) {
		p->skip--;
		return;
	}
	now = now_ns();
	if (!backoff_over(&p->backoff, now))
		return;
	p->state = VIOMMU_POLL_CALLED;
	p->called_ns = now;
	(void)pthread_cond_signal(&p->call);
}

void viommu_poll_leave(struct viommu_poll *p)
{
	atomic_store(&p->leave, true);
}
