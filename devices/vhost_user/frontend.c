/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Requests on their way out and back, and the end of a server.  How it is set
 * up is in session.c.
 */
#include "devices/vhost_user/frontend.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"

#define NS_PER_MS UINT64_C(1000000)

static struct vhu_queue *queue_of_calls(struct loop_watch *w)
{
	return container_of(w, struct vhu_queue, calls);
}

void vhu_init(struct vhu *u, struct virtio_dev *d, const struct vhu_ops *ops)
{
	*u = (struct vhu){
		.ops = ops,
		.d = d,
		.patience_ms = VHU_PATIENCE_MS,
	};
	vhu_redial_init(&u->redial);
}

unsigned vhu_inflight(const struct vhu *u)
{
	unsigned n = 0;

	for (unsigned i = 0; u->session && i < u->session->nqueues; i++)
		n += u->session->queues[i].ring.inflight;
	return n;
}

void vhu_kick_all(struct vhu *u)
{
	for (unsigned i = 0; i < u->d->nvqs; i++)
		if (u->d->vqs[i].running)
			vq_kick_later(&u->d->vqs[i]);
}

/*
 * The end of a server.
 */

static void end_refused(struct vhu *u, struct vq *q, struct vq_chain *c,
			int error)
{
	u->ops->refuse(u, c, error);
	q->stats.errors++;
	vq_push(q, c);
}

/* What the server had of queue @qi: for the next one, or for nobody, as in a
 * reset. */
static void abandon(struct vhu *u, struct vhu_session *s, unsigned qi)
{
	struct vq *q = &u->d->vqs[qi];
	struct vq_chain *c;

	while ((c = vhu_ring_abandon(&s->queues[qi].ring))) {
		if (u->redial.waits && u->d->running && !q->resetting)
			list_append(&u->parked[qi], &c->node);
		else
			end_refused(u, q, c, -ENOTCONN);
		virtio_inflight_end(u->d);
	}
	vq_signal(q);
}

static void unwatch(struct vhu_session *s)
{
	loop_watch_del(&s->hangup);
	loop_watch_del(&s->talk.back);
	for (unsigned i = 0; i < s->nqueues; i++)
		loop_watch_del(&s->queues[i].calls);
}

/*
 * It reaches the guest's memory until it is gone, and the device's reset and
 * the IOMMU's UNMAP wait for what it has: so it ends before its requests do.
 * Threads: the loop, so that no watch of the session is being served.
 */
static void give_up(struct vhu *u, const char *why, bool for_good)
{
	struct vhu_session *s = u->session;

	if (!s)
		return;
	u->session = NULL;
	loop_timer_cancel(&u->patience);
	unwatch(s);
	vhu_link_fini(&s->link);
	if (for_good)
		vhu_redial_end(&u->redial);
	else
		vhu_redial_begin(&u->redial);
	u->ops->lost(u, why);
	for (unsigned i = 0; i < s->nqueues; i++)
		abandon(u, s, i);
	vhu_session_free(s);
	/* What was held back waits for nobody any more. */
	if (!u->redial.waits)
		vhu_kick_all(u);
}

/* In a reset: a push is a drop. */
static void drop_parked(struct vhu *u, unsigned qi)
{
	struct list *l = &u->parked[qi];

	while (!list_empty(l)) {
		struct vq_chain *c =
			container_of(l->next, struct vq_chain, node);

		list_remove(&c->node);
		vq_push(&u->d->vqs[qi], c);
	}
}

/* Is queue @qi reset, and does that wait for the server? */
static bool is_owed(const struct vhu *u, unsigned qi)
{
	return u->d->vqs[qi].resetting &&
	       u->session->queues[qi].ring.inflight > 0;
}

/* Does anybody wait until the server finishes what it has? */
static bool is_waited_for(const struct vhu *u)
{
	bool queue = false;

	for (unsigned i = 0; u->session && i < u->session->nqueues; i++)
		queue = queue || is_owed(u, i);
	return queue ||
	       (vhu_inflight(u) > 0 && (u->d->stopping || u->d->paused));
}

static void on_patience(struct loop_timer *t)
{
	struct vhu *u = container_of(t, struct vhu, patience);

	if (is_waited_for(u))
		give_up(u, "does not finish its requests", false);
}

/*
 * Out.
 */

static int add(struct vhu *u, struct vhu_ring *r, struct vq_chain *c)
{
	uint8_t front[VHU_FRONT_MAX];
	size_t len = 0;

	if (u->ops->front)
		len = u->ops->front(u, c, front);
	return vhu_ring_add(r, c, front, len);
}

static void begin(struct vhu *u, struct vq *q, struct vhu_ring *r,
		  struct vq_chain *c)
{
	int error;

	if (u->ops->answer && u->ops->answer(u, c)) {
		vq_push(q, c);
		return;
	}
	error = r ? add(u, r, c) : -ENOTCONN;
	if (error < 0)
		end_refused(u, q, c, error);
	else
		virtio_inflight_begin(u->d);
}

/* What an earlier server had goes first. */
static void begin_parked(struct vhu *u, struct vq *q, struct vhu_ring *r)
{
	struct list *l = u->parked ? &u->parked[q->index] : NULL;

	while (l && !list_empty(l)) {
		struct vq_chain *c =
			container_of(l->next, struct vq_chain, node);

		list_remove(&c->node);
		begin(u, q, r, c);
	}
}

/* Is it too early?  Then somebody kicks when it is not any more. */
static bool held_back(const struct vhu *u)
{
	const struct vhu_session *s = u->session;

	if (!s)
		return u->redial.waits;
	return s->talk.tell || s->talk.asked == VHU_TOLD_CONFIG;
}

void vhu_kick(struct vhu *u, unsigned qi)
{
	struct vhu_ring *r = u->session ? &u->session->queues[qi].ring : NULL;
	struct vq *q = &u->d->vqs[qi];
	struct vq_chain *c;

	vq_kicks_off(q);
	/* What has to wait stays in the guest's ring. */
	if (held_back(u))
		return;
	begin_parked(u, q, r);
	do {
		while (vq_pop(q, &c) == 1)
			begin(u, q, r, c);
	} while (vq_kicks_on(q));
	if (r)
		vhu_ring_publish(r);
	vq_signal(q);
}

void vhu_write_config(struct vhu *u, uint32_t offset, uint8_t val)
{
	u->written.any = true;
	u->written.offset = offset;
	u->written.val = val;
	if (!u->session)
		return;
	u->session->talk.tell = true;
	vhu_talk(u, u->session);
}

/*
 * Back.
 */

/* Return: false if the server broke the ring. */
static bool take_used(struct vhu *u, struct vq *q, struct vhu_ring *r)
{
	struct vq_chain *c;
	int n;

	/* Each was in flight, so there is an end. */
	while ((n = vhu_ring_take(r, &c)) == 1) {
		vq_push(q, c);
		virtio_inflight_end(u->d);
		vhu_redial_proven(&u->redial);
	}
	return n == 0;
}

static void on_call(struct loop_watch *w, uint32_t events)
{
	struct vhu_queue *vq = queue_of_calls(w);
	struct vhu *u = vq->vhu;
	struct vhu_ring *r = &vq->ring;
	struct vq *q = &u->d->vqs[vq - u->session->queues];

	(void)events;
	(void)eventfd_clear_shared(r->call_fd);
	if (!take_used(u, q, r)) {
		give_up(u, "broke its ring", true);
		return;
	}
	/* Other devices are waiting, too: the rest in the next round. */
	if (vhu_ring_arm(r))
		eventfd_signal_shared(r->call_fd);
	if (vhu_inflight(u) == 0)
		loop_timer_cancel(&u->patience);
	vq_signal(q);
}

/* What it did last is done: only what it did not say is done again. */
static void take_last(struct vhu *u)
{
	for (unsigned i = 0; i < u->session->nqueues; i++)
		(void)take_used(u, &u->d->vqs[i], &u->session->queues[i].ring);
}

static void on_socket(struct loop_watch *w, uint32_t events)
{
	struct vhu_session *s = container_of(w, struct vhu_session, hangup);
	struct vhu *u = s->queues[0].vhu;
	const char *why = vhu_talk_hear(u, s);

	(void)events;
	if (why == VHU_HUNG_UP)
		take_last(u);
	if (why)
		give_up(u, why, why != VHU_HUNG_UP);
}

/*
 * Waiting for it.
 */

static void wait_patiently(struct vhu *u)
{
	if (vhu_inflight(u) > 0)
		loop_timer_set(&u->patience, u->patience_ms * NS_PER_MS);
}

void vhu_stop(struct vhu *u)
{
	for (unsigned i = 0; u->parked && i < u->d->nvqs; i++)
		drop_parked(u, i);
	wait_patiently(u);
}

void vhu_queue_stop(struct vhu *u, unsigned qi)
{
	if (u->parked)
		drop_parked(u, qi);
	wait_patiently(u);
}

void vhu_pausing(struct vhu *u)
{
	wait_patiently(u);
}

/*
 * The beginning.
 */

static int listen_locked(struct vhu *u, struct vhu_session *s)
{
	struct virtio_dev *d = u->d;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < s->nqueues; i++) {
		struct vhu_queue *q = &s->queues[i];

		q->vhu = u;
		q->calls.fn = on_call;
		q->calls.lock = &d->lock;
		r = loop_watch_add(d->loop, &q->calls, q->ring.call_fd,
				   EPOLLIN);
	}
	u->patience.fn = on_patience;
	u->patience.lock = &d->lock;
	if (r == 0 && !u->patience.watch.loop)
		r = loop_timer_add(d->loop, &u->patience);
	if (r == 0)
		r = vhu_talk_listen(u, s);
	s->hangup.fn = on_socket;
	s->hangup.lock = &d->lock;
	if (r == 0)
		r = loop_watch_add(d->loop, &s->hangup, s->link.fd,
				   EPOLLIN | EPOLLRDHUP);
	return r;
}

/* The one before knew what the driver had configured. */
static void greet_next(struct vhu *u)
{
	u->ops->found(u);
	if (u->written.any)
		vhu_write_config(u, u->written.offset, u->written.val);
}

/* With the lock: a server that hangs up at once is heard by a loop that runs
 * already, and there is something to give up only when all of this is done. */
int vhu_adopt(struct vhu *u, struct vhu_session *s)
{
	int r;

	pthread_mutex_lock(&u->d->lock);
	assert(!u->session);
	r = listen_locked(u, s);
	if (r == 0) {
		u->session = s;
		if (vhu_redial_found(&u->redial))
			greet_next(u);
		vhu_kick_all(u);
	} else {
		unwatch(s);
	}
	pthread_mutex_unlock(&u->d->lock);
	/* No watch of it may be waiting for the lock when it is freed. */
	if (r < 0)
		loop_barrier(u->d->loop);
	return r;
}

int vhu_connect(struct vhu *u, int fd, const struct vhu_wants *wants,
		unsigned timeout_ms, struct err *err)
{
	struct vhu_session *s;
	int r = vhu_session_greet(&s, fd, wants, timeout_ms, err);

	if (r < 0)
		return r;
	r = vhu_session_join(s, u->d, err);
	if (r == 0) {
		r = vhu_adopt(u, s);
		if (r < 0)
			(void)err_errno(err, -r, "cannot be listened to");
	}
	if (r < 0)
		vhu_session_free(s);
	return r;
}

void vhu_fini(struct vhu *u)
{
	struct vhu_session *s;

	if (!u->d)
		return;
	vhu_redial_fini(u);
	s = u->session;
	if (s)
		unwatch(s);
	loop_timer_del(&u->patience);
	if (u->d->loop)
		loop_barrier(u->d->loop);
	vhu_session_free(s);
	free(u->parked);
	vhu_init(u, NULL, NULL);
}
