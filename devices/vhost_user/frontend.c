/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Requests on their way out and back, and the end of a server.  How it is set
 * up is in setup.c.
 */
#include "devices/vhost_user/frontend.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "core/bits.h"
#include "core/fd.h"
#include "devices/vhost_user/private.h"

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
		.link.fd = -1,
		.shadow.fd = -1,
		.patience_ms = VHU_PATIENCE_MS,
	};
}

static unsigned inflight(const struct vhu *u)
{
	unsigned n = 0;

	for (unsigned i = 0; u->queues && i < u->d->nvqs; i++)
		n += u->queues[i].ring.inflight;
	return n;
}

/*
 * The end of a server.
 */

static void end_refused(struct vhu *u, struct vq *q, struct vq_chain *c,
			int error)
{
	u->ops->refuse(u, c, error);
	vq_push(q, c);
}

static void refuse_flying(struct vhu *u, unsigned qi)
{
	struct vq *q = &u->d->vqs[qi];
	struct vq_chain *c;

	while ((c = vhu_ring_abandon(&u->queues[qi].ring))) {
		end_refused(u, q, c, -ENOTCONN);
		virtio_inflight_end(u->d);
	}
	vq_signal(q);
}

/*
 * It reaches the guest's memory until it is gone, and the device's reset and
 * the IOMMU's UNMAP wait for what it has: so it ends before its requests do.
 */
static void give_up(struct vhu *u, const char *why)
{
	if (!u->connected)
		return;
	u->connected = false;
	loop_timer_cancel(&u->patience);
	loop_watch_del(&u->hangup);
	for (unsigned i = 0; i < u->d->nvqs; i++)
		loop_watch_del(&u->queues[i].calls);
	vhu_link_fini(&u->link);
	u->ops->lost(u, why);
	for (unsigned i = 0; i < u->d->nvqs; i++)
		refuse_flying(u, i);
}

static void on_hangup(struct loop_watch *w, uint32_t events)
{
	struct vhu *u = container_of(w, struct vhu, hangup);
	char byte;
	/* Nobody asked it anything. */
	const bool spoke = recv(u->link.fd, &byte, 1, MSG_DONTWAIT) > 0;

	(void)events;
	give_up(u, spoke ? "spoke out of turn" : "hung up");
}

static void on_patience(struct loop_timer *t)
{
	struct vhu *u = container_of(t, struct vhu, patience);

	if (inflight(u) > 0 && (u->d->stopping || u->d->paused))
		give_up(u, "does not finish its requests");
}

/*
 * Out.
 */

static void begin(struct vhu *u, struct vq *q, struct vhu_ring *r,
		  struct vq_chain *c)
{
	int error = u->connected ? vhu_ring_add(r, c) : -ENOTCONN;

	if (error < 0)
		end_refused(u, q, c, error);
	else
		virtio_inflight_begin(u->d);
}

void vhu_kick(struct vhu *u, unsigned qi)
{
	struct vhu_ring *r = u->queues ? &u->queues[qi].ring : NULL;
	struct vq *q = &u->d->vqs[qi];
	struct vq_chain *c;

	vq_kicks_off(q);
	do {
		while (vq_pop(q, &c) == 1)
			begin(u, q, r, c);
	} while (vq_kicks_on(q));
	if (u->connected)
		vhu_ring_publish(r);
	vq_signal(q);
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
	}
	return n == 0;
}

static void on_call(struct loop_watch *w, uint32_t events)
{
	struct vhu_queue *vq = queue_of_calls(w);
	struct vhu *u = vq->vhu;
	struct vhu_ring *r = &vq->ring;
	struct vq *q = &u->d->vqs[vq - u->queues];

	(void)events;
	(void)eventfd_clear(r->call_fd);
	if (!take_used(u, q, r)) {
		give_up(u, "broke its ring");
		return;
	}
	/* Other devices are waiting, too: the rest in the next round. */
	if (vhu_ring_arm(r))
		eventfd_signal(r->call_fd);
	if (inflight(u) == 0)
		loop_timer_cancel(&u->patience);
	vq_signal(q);
}

/*
 * Waiting for it.
 */

static void wait_patiently(struct vhu *u)
{
	if (u->connected && inflight(u) > 0)
		loop_timer_set(&u->patience, u->patience_ms * NS_PER_MS);
}

void vhu_stop(struct vhu *u)
{
	wait_patiently(u);
}

void vhu_pausing(struct vhu *u)
{
	wait_patiently(u);
}

static int listen_locked(struct vhu *u)
{
	struct virtio_dev *d = u->d;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < d->nvqs; i++) {
		struct vhu_queue *q = &u->queues[i];

		q->calls.fn = on_call;
		q->calls.lock = &d->lock;
		r = loop_watch_add(d->loop, &q->calls, q->ring.call_fd,
				   EPOLLIN);
	}
	u->hangup.fn = on_hangup;
	u->hangup.lock = &d->lock;
	u->patience.fn = on_patience;
	u->patience.lock = &d->lock;
	if (r == 0)
		r = loop_timer_add(d->loop, &u->patience);
	if (r == 0)
		r = loop_watch_add(d->loop, &u->hangup, u->link.fd,
				   EPOLLIN | EPOLLRDHUP);
	u->connected = r == 0;
	return r;
}

/* With the lock: a server that hangs up at once is heard by a loop that runs
 * already, and there is something to give up only when all of this is done. */
int vhu_listen(struct vhu *u)
{
	int r;

	pthread_mutex_lock(&u->d->lock);
	r = listen_locked(u);
	pthread_mutex_unlock(&u->d->lock);
	return r;
}
