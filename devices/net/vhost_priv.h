/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_priv.h - what the files of served queues share: vhost.c gives them and
 * takes them back, vhost_miss.c is about their translations.
 */
#ifndef MOAT_DEVICES_NET_VHOST_PRIV_H
#define MOAT_DEVICES_NET_VHOST_PRIV_H

#include "devices/net/device.h"
#include "devices/net/iotlb.h"
#include "devices/net/vhost_server.h"

enum vhost_queue_state {
	VHOST_OURS,
	VHOST_SERVED,
	VHOST_ENDING /* the server has been asked to let go of it */
};

struct vhost_queue {
	struct net_vhost *vhost;
	unsigned index; /* of the device's */
	struct loop_watch call, trouble;
	struct irq_source irq; /* what the server calls by */
	int trouble_fd;
	enum vhost_queue_state state;
	bool lent;	/* since it started, kicks are not ours to hear */
	bool forgotten; /* it was reset while it was ending */
	bool owed;	/* an interrupt that came when it was not served */
	int base;	/* where the server is to go on; -errno: nobody knows */
};

/* Queues with an IOTLB in common. */
struct vhost_group {
	struct net_vhost *vhost;
	unsigned first, served; /* queues */
	/* Its queues began again for the sake of what had no answer: so often
	 * without a second of peace, and now. */
	unsigned renewals;
	bool renewing;
	struct loop_watch misses;
	struct iotlb iotlb;
};

struct net_vhost {
	struct vhost_server *server;
	struct vhost_server_listener ended;
	struct net *net;
	struct dma *dma;
	struct dma_listener listener;
	struct loop_watch again; /* translations are to be given */
	int again_fd;
	struct loop_timer look; /* whether the tap is still there */
	bool translated;	/* behind an IOMMU */
	bool abandoned;
	unsigned served; /* queues */
	unsigned nqueues, ngroups;
	unsigned per_group;
	struct vhost_group *groups;
	struct vhost_queue queues[];
};

static inline struct vq *vhost_vq(const struct vhost_queue *q)
{
	return &q->vhost->net->dev.vqs[q->index];
}

/* vhost_miss.c */
void vhost_on_miss(struct loop_watch *w, uint32_t events);
void vhost_on_again(struct loop_watch *w, uint32_t events);
void vhost_on_gone(struct dma_listener *l, const struct range *r, unsigned n);

#endif
