/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost.h - a network device whose frames somebody else moves
 * (vhost_server.h).
 *
 * A pair of queues that the driver uses is the server's, one queue after the
 * other: its doorbell wakes the server and not the loop, and the server reads
 * and writes its rings.  The device keeps the control queue, the link, and
 * everything that takes a queue back: reset, pause, trouble.  What the server
 * has been given counts as in flight, so a reset and a pause wait until it has
 * been taken back.
 *
 * The eventfd by which the server asks for interrupts is lent to the transport,
 * which has it end in the guest while that can be; else they come by the loop,
 * as do the IOTLB's misses (iotlb.h).  Frames, bytes and interrupts that pass
 * by are the server's to count: it does not.
 *
 * Threads: under the device's lock.
 */
#ifndef MOAT_DEVICES_NET_VHOST_H
#define MOAT_DEVICES_NET_VHOST_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct net;
struct net_vhost;
struct vhost_server;
struct virtio_dev_env;
struct virtio_stat;

/*
 * net_vhost_new - what all queues of @server take.
 * @server: taken, failure included, unless it ends with its backend
 *
 * Return: 0; -errno with a sentence.
 */
int net_vhost_new(struct net_vhost **ret_v, struct vhost_server *server,
		  const struct virtio_dev_env *env, struct err *err);
/* @n is its device, which has a loop, and is freed later.
 * Return: 0, -errno. */
int net_vhost_attach(struct net_vhost *v, struct net *n);
/* Stops to watch; nothing is being served.  Twice does no harm. */
void net_vhost_detach(struct net_vhost *v);
/* No loop comes back to it. */
void net_vhost_free(struct net_vhost *v);

/*
 * net_vhost_serve - give the server queue @qi, if that can be: the device
 * runs, the queue too, its pair is in use and the link up.  One that it has it
 * keeps.  On failure the device is broken.
 */
void net_vhost_serve(struct net_vhost *v, unsigned qi);
void net_vhost_serve_all(struct net_vhost *v);

/*
 * net_vhost_end - take back queue @qi; when it has come back nothing of it is
 * in flight, and the next net_vhost_serve() goes on where this one stopped.  The
 * kernel gives it back at once.
 * net_vhost_end_from - all queues from @qi on.
 * net_vhost_forget - @qi begins from the start next time: it was reset.
 * net_vhost_abandon - for good: the device's own is each queue from now on
 * that comes back, and the device goes on where the server stopped.
 * net_vhost_has - the server has queue @qi still: nobody else looks at it.
 */
void net_vhost_end(struct net_vhost *v, unsigned qi);
void net_vhost_end_from(struct net_vhost *v, unsigned qi);
void net_vhost_forget(struct net_vhost *v, unsigned qi);
void net_vhost_abandon(struct net_vhost *v);
bool net_vhost_has(const struct net_vhost *v, unsigned qi);

/* Who moves the frames, for people. */
const char *net_vhost_mover(const struct net_vhost *v);
/* Return: how many, into @stats. */
unsigned net_vhost_stats(const struct net_vhost *v, struct virtio_stat *stats);

#endif
