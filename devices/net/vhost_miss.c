/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Translations that a server asks for, and those that are taken away.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "core/bits.h"
#include "core/fd.h"
#include "devices/net/vhost_priv.h"

/* A driver that gives buffers which are not mapped is found out at the second
 * look, so a server that needs more asks for what no driver has given. */
#define RENEWALS_MAX 16

static void kick_group(struct vhost_group *g)
{
	struct net_vhost *v = g->vhost;

	for (unsigned i = 0; i < v->per_group; i++)
		eventfd_signal_shared(
			vhost_vq(&v->queues[g->first + i])->kick_fd);
}

static void begin_again(struct vhost_group *g)
{
	struct net_vhost *v = g->vhost;

	for (unsigned i = 0; i < v->per_group; i++)
		net_vhost_end(v, g->first + i);
	for (unsigned i = 0; i < v->per_group; i++)
		net_vhost_serve(v, g->first + i);
}

static void cut_off(struct vhost_server *s)
{
	s->ops->cut_off(s, "asks for memory that is not mapped");
}

static bool is_served(const struct vhost_group *g)
{
	for (unsigned i = 0; i < g->vhost->per_group; i++) {
		if (g->vhost->queues[g->first + i].state == VHOST_SERVED)
			return true;
	}
	return false;
}

/* Have the server ask again for what it had no answer to.  While its rings are
 * ending it will do so anyway. */
static void look_again(struct vhost_group *g)
{
	struct vhost_server *s = g->vhost->server;

	if (s->asks_again) {
		kick_group(g);
	} else if (!is_served(g)) {
		g->renewing = true;
	} else if (++g->renewals < RENEWALS_MAX) {
		g->renewing = true;
		/* It has no question any more, whatever becomes first of which
		 * ring. */
		g->iotlb.litter = 0;
		begin_again(g);
	} else {
		cut_off(s);
	}
}

/* It has asked for too much that had no answer. */
static void clear_litter(struct vhost_group *g)
{
	struct vhost_server *s = g->vhost->server;

	if (s->asks_again)
		begin_again(g);
	else
		cut_off(s);
}

static void miss_failed(struct vhost_group *g, int error, iova_t at)
{
	struct net_vhost *v = g->vhost;
	struct virtio_dev *d = &v->net->dev;

	if (error == EFAULT) {
		if (g->served > 0)
			virtio_broken(d,
				      "queues %u to %u: %#llx is not reachable",
				      g->first, g->first + v->per_group - 1,
				      (unsigned long long)at);
		return;
	}
	loop_watch_set(&g->misses, 0);
	/* A dead one is a matter of the link. */
	if (error != EPIPE)
		virtio_broken(d, "%s: its IOTLB fails: error %d",
			      v->server->name, error);
}

void vhost_on_miss(struct loop_watch *w, uint32_t events)
{
	struct vhost_group *g = container_of(w, struct vhost_group, misses);
	iova_t at = 0;
	int r = iotlb_answer(&g->iotlb, &at);

	(void)events;
	if (r < 0)
		miss_failed(g, -r, at);
	if (r > 0)
		look_again(g);
	if (g->served > 0 && iotlb_littered(&g->iotlb))
		clear_litter(g);
}

void vhost_on_gone(struct dma_listener *l, const struct range *r, unsigned n)
{
	struct net_vhost *v = container_of(l, struct net_vhost, listener);

	for (unsigned i = 0; i < v->ngroups; i++) {
		if (iotlb_forget(&v->groups[i].iotlb, r, n))
			eventfd_signal(v->again_fd);
	}
}

void vhost_on_again(struct loop_watch *w, uint32_t events)
{
	struct net_vhost *v = container_of(w, struct net_vhost, again);

	(void)events;
	for (unsigned i = 0; i < v->ngroups; i++) {
		int r = iotlb_give_again(&v->groups[i].iotlb);

		if (r < 0)
			miss_failed(&v->groups[i], -r, 0);
	}
}
