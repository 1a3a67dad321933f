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
#include "devices/net/device.h"
#include "devices/net/iotlb.h"
#include "devices/net/vhost_kernel.h"

/*
 * A tap that goes wakes who waits for frames alone, and that is the kernel
 * now: so it is looked for.
 */
#define LOOK_PERIOD_NS UINT64_C(1000000000)

/* Of the driver's features those that say how rings are read. */
#define RING_FEATURES (VHOST_FEATURES | VHOST_FEATURES_IOMMU)

struct vhost_queue {
	struct net_vhost *vhost;
	unsigned index; /* of the device's */
	struct loop_watch call, trouble;
	struct irq_source irq; /* what the kernel calls by */
	int trouble_fd;
	bool served;
	bool owed; /* an interrupt that came when it was not */
	int base;  /* where the kernel is to go on; -errno: nobody knows */
};

struct vhost_pair {
	struct net_vhost *vhost;
	int fd;
	unsigned served; /* queues */
	struct loop_watch misses;
	struct iotlb iotlb;
	struct vhost_queue queues[2];
};

struct net_vhost {
	struct vhost_kernel *kernel;
	struct net *net;
	struct dma *dma;
	struct dma_listener listener;
	struct loop_timer look; /* whether the tap is still there */
	bool translated;	/* behind an IOMMU */
	bool abandoned;
	unsigned served; /* queues */
	unsigned npairs;
	struct vhost_pair pairs[];
};

static struct vhost_pair *pair_of(struct net_vhost *v, unsigned qi)
{
	return &v->pairs[qi / 2];
}

static struct vhost_queue *queue_of(struct net_vhost *v, unsigned qi)
{
	return &pair_of(v, qi)->queues[qi % 2];
}

static struct vq *vq_of(const struct vhost_queue *q)
{
	return &q->vhost->net->dev.vqs[q->index];
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

/* The kernel looks at the ring when it begins, and then does not ask. */
static int give_ring(struct iotlb *t, const struct vq *vq)
{
	int r = iotlb_give(t, vq->desc, desc_len(vq), DMA_READ);

	if (r == 0)
		r = iotlb_give(t, vq->avail, avail_len(vq), DMA_READ);
	return r < 0 ? r : iotlb_give(t, vq->used, used_len(vq), DMA_WRITE);
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

static int set_ring(struct vhost_pair *p, struct vhost_queue *q)
{
	const struct net_vhost *v = p->vhost;
	const struct vq *vq = vq_of(q);
	struct vhost_ring ring = {
		.index = q->index % 2,
		.size = vq->size,
		.base = (uint16_t)q->base,
		.desc = vq->desc,
		.avail = vq->avail,
		.used = vq->used,
		.kick_fd = vq->kick_fd,
		.call_fd = q->irq.fd,
		.error_fd = q->trouble_fd,
	};
	int r = v->translated ? 0 : host_ring(v->dma->mem, vq, &ring);

	if (r == 0)
		r = vhost_set_ring(v->kernel, p->fd, &ring);
	if (r == 0 && v->translated)
		r = give_ring(&p->iotlb, vq);
	return r;
}

/* For the first queue of a pair: what both have in common. */
static int begin_pair(struct vhost_pair *p)
{
	struct net_vhost *v = p->vhost;

	if (p->served > 0)
		return 0;
	if (v->translated) {
		iotlb_begin(&p->iotlb);
		/* Perhaps it was in trouble. */
		loop_watch_set(&p->misses, EPOLLIN);
	}
	return vhost_set_features(v->kernel, p->fd,
				  v->net->dev.driver_features & RING_FEATURES);
}

static void end_pair(struct vhost_pair *p)
{
	if (p->served == 0 && p->vhost->translated)
		iotlb_end(&p->iotlb);
}

static int serve(struct vhost_pair *p, struct vhost_queue *q)
{
	struct net_vhost *v = p->vhost;
	int r = q->base < 0 ? q->base : begin_pair(p);

	if (r == 0)
		r = set_ring(p, q);
	if (r == 0)
		r = vhost_serve(v->kernel, p->fd, q->index % 2,
				v->net->backend->fds[q->index / 2]);
	return r;
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
	vq_of(q)->stats.interrupts++;
	if (t)
		t->ops->queue_interrupt(t, q->index);
}

/* While the kernel's calls reach the guest by themselves we do not listen. */
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
	struct vhost_pair *p = pair_of(v, qi);
	struct vhost_queue *q = queue_of(v, qi);
	struct virtio_dev *d = &v->net->dev;
	int r;

	if (v->abandoned || q->served || !may_serve(v, qi))
		return;
	r = serve(p, q);
	if (r < 0) {
		end_pair(p);
		virtio_broken(d, "queue %u: vhost-net does not begin: error %d",
			      qi, -r);
		return;
	}
	vq_unwatch(vq_of(q));
	lend(q);
	q->served = true;
	p->served++;
	if (v->served++ == 0) {
		virtio_inflight_begin(d);
		loop_timer_set(&v->look, LOOK_PERIOD_NS);
	}
	/* What was rung on the way here. */
	eventfd_signal(vq_of(q)->kick_fd);
	if (q->owed)
		interrupt(q);
}

void net_vhost_serve_all(struct net_vhost *v)
{
	for (unsigned qi = 0; qi < 2 * v->npairs; qi++)
		net_vhost_serve(v, qi);
}

void net_vhost_end(struct net_vhost *v, unsigned qi)
{
	struct vhost_pair *p = pair_of(v, qi);
	struct vhost_queue *q = queue_of(v, qi);
	uint16_t base;
	int r;

	if (!q->served)
		return;
	r = vhost_end(v->kernel, p->fd, qi % 2, &base);
	q->base = r < 0 ? r : base;
	/* What it has called for by now is delivered, or on_call() owes it. */
	take_back(q);
	q->served = false;
	p->served--;
	end_pair(p);
	if (--v->served == 0)
		virtio_inflight_end(&v->net->dev);
}

void net_vhost_end_from(struct net_vhost *v, unsigned qi)
{
	for (; qi < 2 * v->npairs; qi++)
		net_vhost_end(v, qi);
}

void net_vhost_forget(struct net_vhost *v, unsigned qi)
{
	queue_of(v, qi)->base = 0;
	queue_of(v, qi)->owed = false;
}

void net_vhost_abandon(struct net_vhost *v)
{
	if (v->abandoned)
		return;
	v->abandoned = true;
	for (unsigned qi = 0; qi < 2 * v->npairs; qi++) {
		struct vhost_queue *q = queue_of(v, qi);
		bool served = q->served;

		net_vhost_end(v, qi);
		if (served && q->base >= 0)
			(void)vq_go_on(vq_of(q), (uint16_t)q->base);
	}
}

/*
 * What the kernel says.
 */

static void on_call(struct loop_watch *w, uint32_t events)
{
	struct vhost_queue *q = container_of(w, struct vhost_queue, call);

	(void)events;
	if (!eventfd_clear(q->irq.fd))
		return;
	if (q->served)
		interrupt(q);
	else
		q->owed = true;
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
	if (!q->served)
		return;
	if (tap_is_gone(n, q->index / 2))
		net_lost(n, EPIPE);
	else
		virtio_broken(&n->dev, "queue %u: vhost-net cannot read it",
			      q->index);
}

static void kick_pair(struct vhost_pair *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->queues); i++)
		eventfd_signal(vq_of(&p->queues[i])->kick_fd);
}

static void begin_again(struct vhost_pair *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->queues); i++)
		net_vhost_end(p->vhost, p->queues[i].index);
	for (unsigned i = 0; i < ARRAY_SIZE(p->queues); i++)
		net_vhost_serve(p->vhost, p->queues[i].index);
}

static void on_miss(struct loop_watch *w, uint32_t events)
{
	struct vhost_pair *p = container_of(w, struct vhost_pair, misses);
	struct virtio_dev *d = &p->vhost->net->dev;
	iova_t at = 0;
	int r = iotlb_answer(&p->iotlb, &at);

	(void)events;
	if (r > 0)
		kick_pair(p);
	if (r == -EFAULT && p->served > 0)
		virtio_broken(d, "queues %u and %u: %#llx is not reachable",
			      p->queues[0].index, p->queues[1].index,
			      (unsigned long long)at);
	if (r < 0 && r != -EFAULT) {
		loop_watch_set(w, 0);
		virtio_broken(d, "vhost-net's IOTLB fails: error %d", -r);
	}
	if (p->served > 0 && iotlb_littered(&p->iotlb))
		begin_again(p);
}

static void on_gone(struct dma_listener *l, const struct range *r, unsigned n)
{
	struct net_vhost *v = container_of(l, struct net_vhost, listener);

	for (unsigned i = 0; i < v->npairs; i++)
		iotlb_forget(&v->pairs[i].iotlb, r, n);
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

static int open_pair(struct net_vhost *v, struct vhost_pair *p, struct err *err)
{
	p->fd = vhost_open(v->kernel, v->dma->mem, v->translated, err);
	if (p->fd < 0)
		return p->fd;
	iotlb_init(&p->iotlb, v->kernel, p->fd, v->dma);
	for (unsigned i = 0; i < ARRAY_SIZE(p->queues); i++) {
		int r = open_queue(&p->queues[i]);

		if (r < 0)
			return err_errno(err, -r, "no eventfd");
	}
	return 0;
}

static struct net_vhost *alloc(struct vhost_kernel *kernel,
			       const struct virtio_dev_env *env, unsigned pairs)
{
	struct net_vhost *v =
		calloc(1, sizeof(*v) + pairs * sizeof(v->pairs[0]));

	if (!v)
		return NULL;
	v->kernel = kernel;
	v->dma = env->dma;
	v->listener.gone = on_gone;
	v->translated = env->access_platform;
	v->npairs = pairs;
	for (unsigned qi = 0; qi < 2 * pairs; qi++) {
		struct vhost_queue *q = queue_of(v, qi);

		pair_of(v, qi)->vhost = q->vhost = v;
		pair_of(v, qi)->fd = q->irq.fd = q->trouble_fd = -1;
		q->irq.routed = on_routed;
		q->index = qi;
	}
	return v;
}

int net_vhost_new(struct net_vhost **ret_v, struct vhost_kernel *kernel,
		  const struct virtio_dev_env *env, unsigned pairs,
		  struct err *err)
{
	struct net_vhost *v = alloc(kernel, env, pairs);
	int r = 0;

	if (!v)
		return err_set(err, ENOMEM, "out of memory");
	for (unsigned i = 0; r >= 0 && i < pairs; i++)
		r = open_pair(v, &v->pairs[i], err);
	if (r < 0) {
		net_vhost_free(v);
		return r;
	}
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

static int watch_pair(struct net_vhost *v, struct vhost_pair *p)
{
	int r = v->translated ? watch(v, &p->misses, on_miss, p->fd, EPOLLIN)
			      : 0;

	for (unsigned i = 0; r == 0 && i < ARRAY_SIZE(p->queues); i++) {
		struct vhost_queue *q = &p->queues[i];

		r = watch(v, &q->call, on_call, q->irq.fd, EPOLLIN);
		if (r == 0)
			r = watch(v, &q->trouble, on_trouble, q->trouble_fd,
				  EPOLLIN | EPOLLET);
	}
	return r;
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
	for (unsigned i = 0; r == 0 && i < v->npairs; i++)
		r = watch_pair(v, &v->pairs[i]);
	return r;
}

void net_vhost_detach(struct net_vhost *v)
{
	if (!v)
		return;
	if (v->dma->listener == &v->listener)
		v->dma->listener = NULL;
	loop_timer_del(&v->look);
	for (unsigned i = 0; i < v->npairs; i++)
		loop_watch_del(&v->pairs[i].misses);
	for (unsigned qi = 0; qi < 2 * v->npairs; qi++) {
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
	for (unsigned qi = 0; qi < 2 * v->npairs; qi++) {
		close_fd(queue_of(v, qi)->irq.fd);
		close_fd(queue_of(v, qi)->trouble_fd);
	}
	for (unsigned i = 0; i < v->npairs; i++)
		close_fd(v->pairs[i].fd);
	free(v);
}

unsigned net_vhost_stats(const struct net_vhost *v, struct virtio_stat *stats)
{
	uint64_t misses = 0, updates = 0, invalidations = 0;
	unsigned n = 0, straight = 0;

	for (unsigned i = 0; i < v->npairs; i++) {
		const struct vhost_pair *p = &v->pairs[i];
		const struct iotlb *t = &p->iotlb;

		straight += p->queues[0].irq.straight;
		straight += p->queues[1].irq.straight;

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
