/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_user_priv.h - what the files of the vhost-user backend share:
 * vhost_user.c moves frames and talks to a server, vhost_user_dial.c meets it.
 */
#ifndef MOAT_DEVICES_NET_VHOST_USER_PRIV_H
#define MOAT_DEVICES_NET_VHOST_USER_PRIV_H

#include <pthread.h>

#include "core/loop.h"
#include "devices/net.h"
#include "devices/net/backend.h"
#include "devices/net/vring.h"
#include "devices/vhost_user/session.h"

enum net_vu_state {
	NET_VU_IDLE,	/* the server has no rings, or there is none */
	NET_VU_RUNNING, /* it has */
	NET_VU_STOPPING /* it is to give them back */
};

struct net_vu_pair {
	struct net_vring rx, tx;
	int rx_kick, tx_kick; /* to the server; its calls are below */
	bool enabled;	      /* as the server was told */
	unsigned fresh;	      /* rx buffers it was not told of */
	/* The frame that is being received. */
	bool any;
	unsigned buf;
	size_t at, end;
	struct net_header_wire hdr;
};

struct net_vu {
	struct net_backend backend;
	char *path, *name;
	char device[16];
	struct loop *loop;
	pthread_mutex_t *lock; /* the device's; NULL: not attached */
	/* The server: */
	struct vhu_session *session; /* NULL: none */
	enum net_vu_state state;
	unsigned unstopped; /* rings */
	uint64_t told;	    /* features that its rings run with */
	char why[160];	    /* it is lost; "": the error says it */
	struct loop_watch socket;
	struct loop_timer patience;
	unsigned patience_ms;
	struct vhu_message in;
	/* The driver: */
	uint64_t features;
	unsigned active;
	/* Looking for the next one: */
	unsigned wait_ms; /* 0: it is not looked for */
	bool threaded, looking, stop, complained;
	uint64_t until_ms;
	pthread_t thread;
	int wake;   /* eventfd */
	int trying; /* a duplicate of the socket in use; -1: none */
	struct net_vu_pair pairs[NET_QUEUES_MAX];
	int rx_calls[NET_QUEUES_MAX], tx_calls[NET_QUEUES_MAX];
};

/* vhost_user.c */
extern const struct net_backend_ops net_vu_ops;
/* Watch the socket of u->session.  Return: 0, -errno. */
int net_vu_listen(struct net_vu *u);

/* vhost_user_dial.c */
/* Look for a server; there is none. */
void net_vu_look(struct net_vu *u);
/* Return: 0, -errno. */
int net_vu_start_looking(struct net_vu *u);
/* Without the lock. */
void net_vu_stop_looking(struct net_vu *u);

#endif
