/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/bits.h"
#include "core/err.h"
#include "devices/net/passt.h"
#include "devices/net/tap.h"
#include "devices/net/vhost_kernel.h"
#include "devices/net/vhost_server.h"
#include "devices/net/vhost_socket.h"
#include "devices/net/vhost_user.h"

#define QUEUE_SIZE 256

static_assert(2 * NET_QUEUES_MAX + 1 <= VIRTIO_QUEUES_MAX, "");

static struct net *to_net(struct virtio_dev *d)
{
	return container_of(d, struct net, dev);
}

/* [virtio 1.2, 5.1.2] */
static unsigned control_queue(const struct net *n)
{
	return virtio_has(&n->dev, NET_F_MQ) ? 2 * n->npairs : 2;
}

/*
 * The backend's descriptors.
 */

static uint32_t wanted_events(const struct net_pair *p)
{
	const struct net *n = p->net;
	/* The other end has gone. */
	uint32_t events = EPOLLRDHUP;

	if (!n->link || p->index >= n->active)
		return 0;
	if (n->dev.paused || n->vhost)
		return events;
	if (n->dev.running && !p->rx.starved)
		events |= EPOLLIN;
	if (net_tx_waits(p) && !n->backend->room_fds)
		events |= EPOLLOUT;
	return events;
}

/* loop_watch_set() does nothing of a watch that is not there. */
static void watch_room(struct net_pair *p)
{
	const struct net *n = p->net;
	const bool waits = n->link && !n->dev.paused && net_tx_waits(p);

	loop_watch_set(&p->room, waits ? EPOLLIN : 0);
}

void net_pair_watch(struct net_pair *p)
{
	const uint32_t events = wanted_events(p);

	watch_room(p);
	if (events == p->events || !p->watch.loop)
		return;
	p->events = events;
	loop_watch_set(&p->watch, events);
}

void net_pair_run(struct net_pair *p)
{
	if (p->net->link && !p->net->dev.paused && !p->net->vhost) {
		if (net_pair_on(p))
			net_rx_run(p);
		if (net_tx_waits(p))
			net_tx_run(p);
	}
	net_pair_watch(p);
}

static void on_event(struct loop_watch *w, uint32_t events)
{
	struct net_pair *p = container_of(w, struct net_pair, watch);

	net_pair_run(p);
	/* What came before the end has been delivered, or never will be. */
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP) && p->net->link)
		net_lost(p->net, EPIPE);
}

static void on_room(struct loop_watch *w, uint32_t events)
{
	(void)events;
	net_pair_run(container_of(w, struct net_pair, room));
}

static void watch_all(struct net *n)
{
	for (unsigned i = 0; i < n->npairs; i++)
		net_pair_watch(&n->pairs[i]);
}

/*
 * The link.
 */

static void show_status(struct net *n)
{
	const le16_t status = le16_put(n->link ? NET_S_LINK_UP : 0);

	memcpy(n->dev.config + offsetof(struct net_config_wire, status),
	       &status, sizeof(status));
}

void net_lost(struct net *n, int error)
{
	struct net_backend *b = n->backend;
	char how[160];

	if (!n->link)
		return;
	n->link = false;
	if (n->vhost)
		net_vhost_abandon(n->vhost);
	watch_all(n);
	(void)snprintf(how, sizeof(how), "has gone away: %s", strerror(error));
	if (b->ops->lost)
		b->ops->lost(b, error, how, sizeof(how));
	log_err("%s: %s %s; the guest's link is down %s", n->dev.name, b->name,
		how, b->comes_back ? "until it is there again" : "from now on");
	show_status(n);
	virtio_config_changed(&n->dev);
}

static void found(struct net *n)
{
	struct net_backend *b = n->backend;
	int r = 0;

	n->link = true;
	if (n->dev.running && b->ops->offload)
		r = b->ops->offload(b, n->dev.driver_features);
	if (r == 0)
		r = net_activate(n, n->active);
	if (r < 0) {
		net_lost(n, -r);
		return;
	}
	log_warn("%s: %s is there again; the guest's link is up", n->dev.name,
		 b->name);
	net_apply_filter(n);
	show_status(n);
	virtio_config_changed(&n->dev);
}

static void on_link(struct net_listener *l, int error)
{
	struct net *n = container_of(l, struct net, listener);

	if (error)
		net_lost(n, error);
	else
		found(n);
}

/*
 * What the control queue changes.
 */

int net_activate(struct net *n, unsigned active)
{
	const unsigned before = n->active;
	int r = 0;

	if (n->vhost)
		net_vhost_end_from(n->vhost, 2 * active);
	if (n->link && n->backend->ops->activate)
		r = n->backend->ops->activate(n->backend, active);
	if (r == 0)
		n->active = active;
	/* Their kicks went nowhere so far. */
	for (unsigned i = before; i < n->active; i++) {
		vq_kick_later(net_rxq(&n->pairs[i]));
		vq_kick_later(net_txq(&n->pairs[i]));
	}
	watch_all(n);
	if (n->vhost)
		net_vhost_serve_all(n->vhost);
	return r;
}

void net_apply_filter(struct net *n)
{
	if (n->link && n->backend->ops->filter)
		n->backend->ops->filter(n->backend, &n->filter);
}

void net_set_mac(struct net *n, const uint8_t *mac)
{
	memcpy(n->filter.own, mac, NET_MAC_LEN);
	memcpy(n->dev.config + offsetof(struct net_config_wire, mac), mac,
	       NET_MAC_LEN);
	virtio_config_renewed(&n->dev);
	net_apply_filter(n);
}

static void reset_filter(struct net *n)
{
	n->filter = (struct net_filter){.promisc = true};
	net_set_mac(n, n->mac);
}

/*
 * The device's face.
 */

static bool needs(uint64_t f, unsigned bit, uint64_t others)
{
	return !(f >> bit & 1) || f & others;
}

/* [virtio 1.2, 5.1.3.1] */
static bool net_features_ok(struct virtio_dev *d, uint64_t f)
{
	const uint64_t guest_tso =
		BIT_ULL(NET_F_GUEST_TSO4) | BIT_ULL(NET_F_GUEST_TSO6);
	const uint64_t host_tso =
		BIT_ULL(NET_F_HOST_TSO4) | BIT_ULL(NET_F_HOST_TSO6);

	(void)d;
	return needs(f, NET_F_GUEST_TSO4, BIT_ULL(NET_F_GUEST_CSUM)) &&
	       needs(f, NET_F_GUEST_TSO6, BIT_ULL(NET_F_GUEST_CSUM)) &&
	       needs(f, NET_F_GUEST_ECN, guest_tso) &&
	       needs(f, NET_F_HOST_TSO4, BIT_ULL(NET_F_CSUM)) &&
	       needs(f, NET_F_HOST_TSO6, BIT_ULL(NET_F_CSUM)) &&
	       needs(f, NET_F_HOST_ECN, host_tso) &&
	       needs(f, NET_F_CTRL_RX, BIT_ULL(NET_F_CTRL_VQ)) &&
	       needs(f, NET_F_CTRL_MAC_ADDR, BIT_ULL(NET_F_CTRL_VQ)) &&
	       needs(f, NET_F_MQ, BIT_ULL(NET_F_CTRL_VQ));
}

static int net_start(struct virtio_dev *d)
{
	struct net *n = to_net(d);
	int r = 0;

	if (n->link && n->backend->ops->offload)
		r = n->backend->ops->offload(n->backend, d->driver_features);
	/* [virtio 1.2, 5.1.6.5.5] */
	return r < 0 ? r : net_activate(n, 1);
}

/* Take a queue back from who serves it; it begins anew. */
static void stop_queue(struct net *n, unsigned qi)
{
	if (!n->vhost)
		return;
	net_vhost_end(n->vhost, qi);
	net_vhost_forget(n->vhost, qi);
}

static void net_stop(struct virtio_dev *d)
{
	struct net *n = to_net(d);

	for (unsigned i = 0; i < n->npairs; i++) {
		stop_queue(n, 2 * i);
		stop_queue(n, 2 * i + 1);
		net_rx_drop(&n->pairs[i]);
		net_tx_drop(&n->pairs[i]);
	}
	reset_filter(n);
	watch_all(n);
}

static void net_queue_stop(struct virtio_dev *d, unsigned qi)
{
	struct net *n = to_net(d);

	if (qi / 2 >= n->npairs)
		return;
	stop_queue(n, qi);
	if (qi % 2 == 0)
		net_rx_drop(&n->pairs[qi / 2]);
	else
		net_tx_drop(&n->pairs[qi / 2]);
	net_pair_watch(&n->pairs[qi / 2]);
}

static void net_kick(struct virtio_dev *d, unsigned qi)
{
	struct net *n = to_net(d);
	struct net_pair *p = &n->pairs[qi / 2];

	if (virtio_has(d, NET_F_CTRL_VQ) && qi == control_queue(n)) {
		net_control_run(n, &d->vqs[qi]);
		return;
	}
	if (qi / 2 >= n->npairs || !net_pair_on(p))
		return;
	if (n->vhost && n->link) {
		net_vhost_serve(n->vhost, qi);
		return;
	}
	if (n->vhost && net_vhost_has(n->vhost, qi))
		return;
	if (qi % 2 == 1)
		net_tx_run(p);
	else if (n->link)
		net_rx_run(p);
	net_pair_watch(p);
}

/* What a server has comes back. */
static void net_hold_up(struct virtio_dev *d)
{
	struct net *n = to_net(d);

	if (n->vhost)
		net_vhost_end_from(n->vhost, 0);
}

static unsigned net_own_stats(struct virtio_dev *d, struct virtio_stat *stats)
{
	struct net *n = to_net(d);

	return n->vhost ? net_vhost_stats(n->vhost, stats) : 0;
}

static void free_pairs(struct net *n)
{
	for (unsigned i = 0; n->pairs && i < n->npairs; i++) {
		loop_watch_del(&n->pairs[i].watch);
		loop_watch_del(&n->pairs[i].room);
		free(n->pairs[i].rx.spill);
		free(n->pairs[i].tx.rest);
	}
	free(n->pairs);
}

static void net_free(struct virtio_dev *d)
{
	struct net *n = to_net(d);

	for (unsigned i = 0; n->pairs && i < n->npairs; i++) {
		loop_watch_del(&n->pairs[i].watch);
		loop_watch_del(&n->pairs[i].room);
	}
	net_vhost_detach(n->vhost);
	if (n->backend && n->backend->ops->detach)
		n->backend->ops->detach(n->backend);
	virtio_dev_fini(d);
	free_pairs(n);
	net_vhost_free(n->vhost);
	if (n->backend)
		n->backend->ops->free(n->backend);
	free(n);
}

static const struct virtio_dev_ops net_ops = {
	.id = VIRTIO_ID_NET,
	.name = "virtio-net",
	.start = net_start,
	.stop = net_stop,
	.kick = net_kick,
	.features_ok = net_features_ok,
	.pausing = net_hold_up,
	.halted = net_hold_up,
	.queue_stop = net_queue_stop,
	.stats = net_own_stats,
	.free = net_free,
};

/*
 * Birth.
 */

static uint64_t features(const struct net_backend *b, unsigned npairs,
			 unsigned mtu)
{
	uint64_t f = BIT_ULL(NET_F_MAC) | BIT_ULL(NET_F_STATUS) |
		     BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_CTRL_VQ) |
		     BIT_ULL(NET_F_CTRL_RX) | BIT_ULL(NET_F_CTRL_MAC_ADDR);

	if (b)
		f |= b->features;
	if (mtu)
		f |= BIT_ULL(NET_F_MTU);
	if (npairs > 1)
		f |= BIT_ULL(NET_F_MQ);
	return f;
}

static int make_pairs(struct net *n)
{
	n->pairs = calloc(n->npairs, sizeof(*n->pairs));
	if (!n->pairs)
		return -ENOMEM;
	for (unsigned i = 0; i < n->npairs; i++) {
		struct net_pair *p = &n->pairs[i];

		p->net = n;
		p->index = i;
		p->rx.spill = malloc(NET_FRAME_MAX + 1);
		p->tx.rest = malloc(NET_FRAME_MAX);
		if (!p->rx.spill || !p->tx.rest)
			return -ENOMEM;
	}
	return 0;
}

static int add_watches(struct net *n)
{
	struct loop *loop = n->dev.loop;
	int r = 0;

	if (!loop || !n->backend)
		return 0;
	for (unsigned i = 0; r == 0 && i < n->npairs; i++) {
		struct net_pair *p = &n->pairs[i];

		p->watch.fn = on_event;
		p->watch.lock = &n->dev.lock;
		p->watch.often = true;
		r = loop_watch_add(loop, &p->watch, n->backend->fds[i], 0);
		p->room.fn = on_room;
		p->room.lock = &n->dev.lock;
		if (r == 0 && n->backend->room_fds)
			r = loop_watch_add(loop, &p->room,
					   n->backend->room_fds[i], 0);
	}
	n->listener.link = on_link;
	n->backend->listener = &n->listener;
	if (r == 0 && n->backend->ops->attach)
		r = n->backend->ops->attach(n->backend, loop, &n->dev.lock);
	if (r == 0 && n->vhost)
		r = net_vhost_attach(n->vhost, n);
	return r;
}

static void fill_config(struct net *n, unsigned mtu)
{
	struct net_config_wire w = {
		.mtu = le16_put((uint16_t)mtu),
		.max_virtqueue_pairs = le16_put((uint16_t)n->npairs),
	};

	n->mtu = mtu;
	memcpy(n->dev.config, &w, sizeof(w));
	show_status(n);
	reset_filter(n);
}

static int init(struct net *n, const struct virtio_dev_env *env, unsigned mtu,
		struct err *err)
{
	uint16_t sizes[2 * NET_QUEUES_MAX + 1];
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		sizes[i] = QUEUE_SIZE;
	r = virtio_dev_init(&n->dev, &net_ops, env,
			    features(n->backend, n->npairs, mtu), sizes,
			    2 * n->npairs + 1, sizeof(struct net_config_wire),
			    err);
	if (r < 0)
		return r;
	r = make_pairs(n);
	if (r < 0)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	fill_config(n, mtu);
	r = add_watches(n);
	if (r < 0)
		return err_errno(err, -r, "%s: cannot wait for frames",
				 env->name);
	/* That it hangs up is heard at any time. */
	pthread_mutex_lock(&n->dev.lock);
	watch_all(n);
	pthread_mutex_unlock(&n->dev.lock);
	return 0;
}

/* @queues: with a backend, as many as it has */
static int make(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		const uint8_t *mac, unsigned mtu, unsigned queues,
		struct net_backend *backend, struct net_vhost *vhost,
		struct err *err)
{
	struct net *n = calloc(1, sizeof(*n));
	int r;

	if (!n) {
		net_vhost_free(vhost);
		if (backend)
			backend->ops->free(backend);
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	}
	n->backend = backend;
	n->vhost = vhost;
	n->link = backend;
	n->npairs = queues;
	n->active = 1;
	memcpy(n->mac, mac, NET_MAC_LEN);
	r = init(n, env, mtu, err);
	if (r < 0) {
		net_free(&n->dev);
		return r;
	}
	*ret_d = &n->dev;
	return 0;
}

int net_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	       const uint8_t *mac, unsigned mtu, struct net_backend *backend,
	       struct err *err)
{
	return net_new_vhost(ret_d, env, mac, mtu, backend, NULL, err);
}

int net_new_vhost(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		  const uint8_t *mac, unsigned mtu, struct net_backend *backend,
		  struct net_vhost *vhost, struct err *err)
{
	return make(ret_d, env, mac, mtu ? mtu : backend->mtu, backend->nqueues,
		    backend, vhost, err);
}

/* @ret_v: NULL if the frames are to be moved by us */
static int open_vhost(struct net_vhost **ret_v,
		      const struct virtio_dev_env *env,
		      const struct net_config *config, struct err *err)
{
	struct vhost_server *kernel;
	struct err why = {""};
	int r;

	*ret_v = NULL;
	if (config->kind != NET_TAP || config->vhost == NET_VHOST_OFF)
		return 0;
	r = vhost_kernel_new(&kernel, vhost_kernel(), env->dma->mem,
			     env->access_platform, config->queues, &why);
	if (r == 0)
		r = net_vhost_new(ret_v, kernel, env, &why);
	if (r == 0)
		return 0;
	if (config->vhost == NET_VHOST_ON)
		return err_set(err, -r, "tap '%s': vhost=on: %s", config->tap,
			       why.msg);
	log_info("%s: vhost=auto: moat moves the frames itself: %s", env->name,
		 why.msg);
	return 0;
}

static int open_backend(struct net_backend **ret_b, const char *name,
			const struct net_config *config, struct err *err)
{
	switch (config->kind) {
	case NET_USER:
		break;
	case NET_TAP:
		return net_tap_new(ret_b, config, err);
	case NET_SERVED:
		return net_vu_new(ret_b, name, config, err);
	}
	return net_passt_new(ret_b, config, err);
}

static int new_served(struct virtio_dev **ret_d,
		      const struct virtio_dev_env *env,
		      const struct net_config *config, struct err *err)
{
	struct vhost_server *server;
	struct net_backend *b;
	struct net_vhost *v;
	int r = vhost_socket_new(&b, &server, env, config, err);

	if (r < 0)
		return r;
	r = net_vhost_new(&v, server, env, err);
	if (r < 0) {
		b->ops->free(b);
		return r;
	}
	return net_new_vhost(ret_d, env, config->mac, config->mtu, b, v, err);
}

int net_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    const struct net_config *config, struct err *err)
{
	struct net_backend *b;
	struct net_vhost *v;
	int r;

	if (config->plan)
		return make(ret_d, env, config->mac, config->mtu,
			    config->queues, NULL, NULL, err);
	if (config->kind == NET_SERVED && config->guest_memory)
		return new_served(ret_d, env, config, err);
	r = open_backend(&b, env->name, config, err);
	if (r < 0)
		return r;
	r = open_vhost(&v, env, config, err);
	if (r < 0) {
		b->ops->free(b);
		return r;
	}
	return net_new_vhost(ret_d, env, config->mac, config->mtu, b, v, err);
}

void net_stats(struct virtio_dev *d, struct net_stats *ret_s)
{
	pthread_mutex_lock(&d->lock);
	*ret_s = to_net(d)->stats;
	ret_s->link = to_net(d)->link;
	ret_s->mover =
		to_net(d)->vhost ? net_vhost_mover(to_net(d)->vhost) : NULL;
	pthread_mutex_unlock(&d->lock);
}
