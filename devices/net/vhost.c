/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/vhost.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "devices/net/vhost_priv.h"

/*
 * A tap that goes wakes who waits for frames alone, and that is the kernel
 * now: so it is looked for.
 */
#define LOOK_PERIOD_NS UINT64_C(1000000000)

static struct vhost_group *group_of(const struct vhost_queue *q)
{
	return &q->vhost->groups[q->index / q->vhost->per_group];
}

static struct vhost_queue *queue_of(struct net_vhost *v, unsigned qi)
{
	return &v->queues[qi];
}

/*
 * Giving and taking back.
 */

static size_t desc_len(const struct vq *vq)
{
	return vq->size * sizeof(struct vq_desc_wire);
}

/* With the words for event indices, which every ring has room for. */
static size_t avail_len(const struct vq *vq)
{
	return VQ_RING_ENTRIES + (vq->size + 1u) * sizeof(le16_t);
}

static size_t used_len(const struct vq *vq)
{
	return VQ_RING_ENTRIES + vq->size * sizeof(struct vq_used_elem_wire) +
	       sizeof(le16_t);
}

/* A server looks at the ring when it begins, and then does not ask.  Of what it
 * writes it reads something, too, or wants to be able to. */
static int give_ring(struct iotlb *t, const struct vq *vq)
{
	int r = iotlb_give(t, vq->desc, desc_len(vq), DMA_READ);

	if (r == 0)
		r = iotlb_give(t, vq->avail, avail_len(vq), DMA_READ);
	return r < 0 ? r
		     : iotlb_give(t, vq->used, used_len(vq),
				  DMA_READ | DMA_WRITE);
}

/* Return: 0; -EFAULT if a part of it is no RAM, or in two pieces. */
static int host_ring(const struct gmem *mem, const struct vq *vq,
		     struct vhost_ring *r)
{
	const void *desc = gmem_host(mem, vq->desc, desc_len(vq));
	const void *avail = gmem_host(mem, vq->avail, avail_len(vq));
	const void *used = gmem_host(mem, vq->used, used_len(vq));

	r->desc = (uintptr_t)desc;
	r->avail = (uintptr_t)avail;
	r->used = (uintptr_t)used;
	return desc && avail && used ? 0 : -EFAULT;
}

static int set_ring(struct vhost_queue *q)
{
	const struct net_vhost *v = q->vhost;
	const struct vq *vq = vhost_vq(q);
	struct vhost_ring ring = {
		.size = vq->size,
		.base = (uint16_t)q->base,
		.desc = vq->desc,
		.avail = vq->avail,
		.used = vq->used,
		.kick_fd = vq->kick_fd,
		.call_fd = q->irq.fd,
		.error_fd = q->trouble_fd,
		.backend_fd = v->net->backend->fds[q->index / 2],
	};
	int r = v->translated ? 0 : host_ring(v->dma->mem, vq, &ring);

	if (r == 0)
		r = v->server->ops->set_ring(v->server, q->index, &ring);
	if (r == 0 && v->translated)
		r = give_ring(&group_of(q)->iotlb, vq);
	return r;
}

/* For the first queue of a group: what all have in common. */
static int begin_group(struct vhost_group *g)
{
	struct net_vhost *v = g->vhost;

	if (g->served > 0)
		return 0;
	if (v->translated) {
		iotlb_begin(&g->iotlb, g->renewing);
		g->renewing = false;
		/* Perhaps it was in trouble. */
		loop_watch_set(&g->misses, EPOLLIN);
	}
	return v->server->ops->begin(v->server, (unsigned)(g - v->groups),
				     v->net->dev.driver_features);
}

static void end_group(struct vhost_group *g)
{
	if (g->served == 0 && g->vhost->translated)
		iotlb_end(&g->iotlb);
}

static int serve(struct vhost_queue *q)
{
	struct vhost_server *s = q->vhost->server;
	int r = q->base < 0 ? q->base : begin_group(group_of(q));

	if (r == 0)
		r = set_ring(q);
	return r < 0 ? r : s->ops->serve(s, q->index);
}

static bool may_serve(const struct net_vhost *v, unsigned qi)
{
	const struct net *n = v->net;
	const struct vq *vq = &n->dev.vqs[qi];

	return qi / 2 < n->active && n->link && n->dev.running &&
	       !n->dev.paused && vq->running && !vq->resetting;
}

static void interrupt(struct vhost_queue *q)
{
	struct virtio_transport *t = q->vhost->net->dev.transport;

	q->owed = false;
	vhost_vq(q)->stats.interrupts++;
	if (t)
		t->ops->queue_interrupt(t, q->index);
}

/* While the server's calls reach the guest by themselves we do not listen. */
static void on_routed(struct irq_source *s, bool straight)
{
	struct vhost_queue *q = container_of(s, struct vhost_queue, irq);

	loop_watch_set(&q->call, straight ? 0 : EPOLLIN);
}

static void lend(struct vhost_queue *q)
{
	struct virtio_transport *t = q->vhost->net->dev.transport;

	if (t && t->ops->queue_lend)
		t->ops->queue_lend(t, q->index, &q->irq);
}

/* Without a transport, it has been given back. */
static void take_back(struct vhost_queue *q)
{
	struct virtio_transport *t = q->vhost->net->dev.transport;

	if (t && t->ops->queue_lend)
		t->ops->queue_take_back(t, q->index);
}

void net_vhost_serve(struct net_vhost *v, unsigned qi)
{
	struct vhost_queue *q = queue_of(v, qi);
	struct virtio_dev *d = &v->net->dev;
	int r;

	if (v->abandoned || q->state != VHOST_OURS || !may_serve(v, qi))
		return;
	r = serve(q);
	if (r < 0)
		end_group(group_of(q));
	/* It is dead: the link goes down when the loop hears of that. */
	if (r == -EPIPE)
		return;
	if (r < 0) {
		virtio_broken(d, "queue %u: %s does not begin: error %d", qi,
			      v->server->name, -r);
		return;
	}
	vq_unwatch(vhost_vq(q));
	q->lent = true;
	lend(q);
	q->state = VHOST_SERVED;
	group_of(q)->served++;
	if (v->served++ == 0) {
		virtio_inflight_begin(d);
		loop_timer_set(&v->look, LOOK_PERIOD_NS);
	}
	/* What was rung on the way here. */
	eventfd_signal_shared(vhost_vq(q)->kick_fd);
	if (q->owed)
		interrupt(q);
}

void net_vhost_serve_all(struct net_vhost *v)
{
	for (unsigned qi = 0; qi < v->nqueues; qi++)
		net_vhost_serve(v, qi);
}

/* @base: where it has ended; -errno */
static void ended(struct vhost_queue *q, int base)
{
	struct net_vhost *v = q->vhost;

	q->base = q->forgotten ? 0 : base;
	q->forgotten = false;
	/* What it has called for by now is delivered, or on_call() owes it. */
	take_back(q);
	if (q->state == VHOST_ENDING)
		vq_let_go(vhost_vq(q));
	q->state = VHOST_OURS;
	group_of(q)->served--;
	end_group(group_of(q));
	if (--v->served == 0)
		virtio_inflight_end(&v->net->dev);
}

void net_vhost_end(struct net_vhost *v, unsigned qi)
{
	struct vhost_queue *q = queue_of(v, qi);
	uint16_t base;
	int r;

	if (q->state != VHOST_SERVED)
		return;
	r = v->server->ops->end(v->server, qi, &base);
	if (r == -EINPROGRESS) {
		q->state = VHOST_ENDING;
		vq_keep(vhost_vq(q));
		return;
	}
	ended(q, r < 0 ? r : base);
}

void net_vhost_end_from(struct net_vhost *v, unsigned qi)
{
	for (; qi < v->nqueues; qi++)
		net_vhost_end(v, qi);
}

void net_vhost_forget(struct net_vhost *v, unsigned qi)
{
	struct vhost_queue *q = queue_of(v, qi);

	q->forgotten = q->state == VHOST_ENDING;
	q->base = 0;
	q->lent = q->owed = false;
	group_of(q)->renewals = 0;
	group_of(q)->renewing = false;
}

/* A server that has gone cannot say where it stopped: what is not used is lost,
 * as frames are. */
static void go_on(struct vhost_queue *q)
{
	struct vq *vq = vhost_vq(q);
	uint16_t base = (uint16_t)q->base;

	if (!q->lent || !vq->running)
		return;
	q->lent = false;
	if (q->base < 0 &&
	    dma_load16_acquire(q->vhost->dma, vq->used + VQ_RING_IDX, &base)) {
		virtio_broken(&q->vhost->net->dev,
			      "queue %u: the used ring at %#llx is not "
			      "reachable",
			      q->index, (unsigned long long)vq->used);
		return;
	}
	(void)vq_go_on(vq, base);
}

bool net_vhost_has(const struct net_vhost *v, unsigned qi)
{
	return v->queues[qi].state != VHOST_OURS;
}

void net_vhost_abandon(struct net_vhost *v)
{
	if (v->abandoned)
		return;
	v->abandoned = true;
	for (unsigned qi = 0; qi < v->nqueues; qi++) {
		struct vhost_queue *q = queue_of(v, qi);

		net_vhost_end(v, qi);
		if (q->state == VHOST_OURS)
			go_on(q);
	}
	for (unsigned i = 0; i < v->ngroups; i++)
		loop_watch_set(&v->groups[i].misses, 0);
}

/*
 * What the server says.
 */

static void on_call(struct loop_watch *w, uint32_t events)
{
	struct vhost_queue *q = container_of(w, struct vhost_queue, call);

	(void)events;
	if (!eventfd_clear_shared(q->irq.fd))
		return;
	if (q->state == VHOST_OURS)
		q->owed = true;
	else
		interrupt(q);
}

static bool tap_is_gone(const struct net *n, unsigned pair)
{
	struct pollfd p = {.fd = n->backend->fds[pair]};

	return poll(&p, 1, 0) == 1 && p.revents & (POLLERR | POLLHUP);
}

static void on_look(struct loop_timer *t)
{
	struct net_vhost *v = container_of(t, struct net_vhost, look);

	if (v->served == 0)
		return;
	for (unsigned i = 0; i < v->ngroups; i++)
		v->groups[i].renewals = 0;
	if (tap_is_gone(v->net, 0))
		net_lost(v->net, EPIPE);
	else
		loop_timer_set(t, LOOK_PERIOD_NS);
}

/* The ring or a buffer is not as it should be, or the tap has gone. */
static void on_trouble(struct loop_watch *w, uint32_t events)
{
	struct vhost_queue *q = container_of(w, struct vhost_queue, trouble);
	struct net *n = q->vhost->net;

	(void)events;
	if (q->state == VHOST_OURS)
		return;
	if (tap_is_gone(n, q->index / 2))
		net_lost(n, EPIPE);
	else
		virtio_broken(&n->dev, "queue %u: %s cannot read it", q->index,
			      q->vhost->server->name);
}

/* Of a queue that was ending. */
static void on_ended(struct vhost_server_listener *l, unsigned qi, int base)
{
	struct net_vhost *v = container_of(l, struct net_vhost, ended);
	struct vhost_queue *q = queue_of(v, qi);

	if (q->state != VHOST_ENDING)
		return;
	ended(q, base);
	if (v->abandoned)
		go_on(q);
	else
		/* It may have been wanted again meanwhile. */
		net_vhost_serve(v, qi);
}

/*
 * Birth and end.
 */

static int open_queue(struct vhost_queue *q)
{
	q->irq.fd = eventfd_new();
	q->trouble_fd = eventfd_new();
	return q->irq.fd < 0 ? q->irq.fd : q->trouble_fd;
}

static struct net_vhost *alloc(struct vhost_server *server,
			       const struct virtio_dev_env *env)
{
	struct net_vhost *v =
		calloc(1, sizeof(*v) + server->nqueues * sizeof(v->queues[0]));

	if (!v)
		return NULL;
	v->groups = calloc(server->ngroups, sizeof(v->groups[0]));
	if (!v->groups) {
		free(v);
		return NULL;
	}
	v->server = server;
	v->again_fd = -1;
	v->ended.ended = on_ended;
	v->dma = env->dma;
	v->listener.gone = vhost_on_gone;
	v->translated = env->access_platform;
	v->nqueues = server->nqueues;
	v->ngroups = server->ngroups;
	v->per_group = v->nqueues / v->ngroups;
	for (unsigned i = 0; i < v->ngroups; i++) {
		v->groups[i].vhost = v;
		v->groups[i].first = i * v->per_group;
		iotlb_init(&v->groups[i].iotlb, server, i, v->dma);
	}
	for (unsigned qi = 0; qi < v->nqueues; qi++) {
		struct vhost_queue *q = queue_of(v, qi);

		q->vhost = v;
		q->irq.fd = q->trouble_fd = -1;
		q->irq.routed = on_routed;
		q->index = qi;
	}
	return v;
}

int net_vhost_new(struct net_vhost **ret_v, struct vhost_server *server,
		  const struct virtio_dev_env *env, struct err *err)
{
	struct net_vhost *v = alloc(server, env);
	int r;

	if (!v) {
		if (server->ops->free)
			server->ops->free(server);
		return err_set(err, ENOMEM, "out of memory");
	}
	r = v->again_fd = eventfd_new();
	for (unsigned qi = 0; r >= 0 && qi < v->nqueues; qi++)
		r = open_queue(queue_of(v, qi));
	if (r < 0) {
		net_vhost_free(v);
		return err_errno(err, -r, "no eventfd");
	}
	server->listener = &v->ended;
	*ret_v = v;
	return 0;
}

static int watch(struct net_vhost *v, struct loop_watch *w, loop_watch_fn fn,
		 int fd, uint32_t events)
{
	w->fn = fn;
	w->lock = &v->net->dev.lock;
	return loop_watch_add(v->net->dev.loop, w, fd, events);
}

static int watch_group(struct net_vhost *v, struct vhost_group *g)
{
	const struct vhost_server_ops *ops = v->server->ops;
	const unsigned i = (unsigned)(g - v->groups);

	return v->translated ? watch(v, &g->misses, vhost_on_miss,
				     ops->miss_fd(v->server, i), EPOLLIN)
			     : 0;
}

static int watch_queue(struct net_vhost *v, struct vhost_queue *q)
{
	int r = watch(v, &q->call, on_call, q->irq.fd, EPOLLIN);

	return r < 0 ? r
		     : watch(v, &q->trouble, on_trouble, q->trouble_fd,
			     EPOLLIN | EPOLLET);
}

int net_vhost_attach(struct net_vhost *v, struct net *n)
{
	int r = 0;

	v->net = n;
	if (v->translated)
		v->dma->listener = &v->listener;
	v->look.fn = on_look;
	v->look.lock = &n->dev.lock;
	r = loop_timer_add(n->dev.loop, &v->look);
	if (r == 0)
		r = watch(v, &v->again, vhost_on_again, v->again_fd,
			  EPOLLIN | EPOLLET);
	for (unsigned i = 0; r == 0 && i < v->ngroups; i++)
		r = watch_group(v, &v->groups[i]);
	for (unsigned qi = 0; r == 0 && qi < v->nqueues; qi++)
		r = watch_queue(v, queue_of(v, qi));
	return r;
}

void net_vhost_detach(struct net_vhost *v)
{
	if (!v)
		return;
	if (v->dma->listener == &v->listener)
		v->dma->listener = NULL;
	loop_timer_del(&v->look);
	loop_watch_del(&v->again);
	for (unsigned i = 0; i < v->ngroups; i++)
		loop_watch_del(&v->groups[i].misses);
	for (unsigned qi = 0; qi < v->nqueues; qi++) {
		loop_watch_del(&queue_of(v, qi)->call);
		loop_watch_del(&queue_of(v, qi)->trouble);
	}
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void net_vhost_free(struct net_vhost *v)
{
	if (!v)
		return;
	net_vhost_detach(v);
	for (unsigned qi = 0; qi < v->nqueues; qi++) {
		close_fd(queue_of(v, qi)->irq.fd);
		close_fd(queue_of(v, qi)->trouble_fd);
	}
	close_fd(v->again_fd);
	if (v->server->ops->free)
		v->server->ops->free(v->server);
	free(v->groups);
	free(v);
}

const char *net_vhost_mover(const struct net_vhost *v)
{
	return v->server->name;
}

unsigned net_vhost_stats(const struct net_vhost *v, struct virtio_stat *stats)
{
	uint64_t misses = 0, updates = 0, invalidations = 0;
	unsigned n = 0, straight = 0;

	for (unsigned qi = 0; qi < v->nqueues; qi++)
		straight += v->queues[qi].irq.straight;
	for (unsigned i = 0; i < v->ngroups; i++) {
		const struct iotlb *t = &v->groups[i].iotlb;

		misses += t->misses;
		updates += t->updates;
		invalidations += atomic_load_explicit(&t->invalidations,
						      memory_order_relaxed);
	}
	stats[n++] = (struct virtio_stat){"vhost_queues", v->served};
	stats[n++] = (struct virtio_stat){"vhost_interrupts", straight};
	if (!v->translated)
		return n;
	stats[n++] = (struct virtio_stat){"iotlb_misses", misses};
	stats[n++] = (struct virtio_stat){"iotlb_updates", updates};
	stats[n++] = (struct virtio_stat){"iotlb_invalidations", invalidations};
	return n;
}
