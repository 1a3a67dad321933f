/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * net.h - virtio-net on a tap, on passt (user networking), or on a server that
 * speaks vhost-user.   [virtio 1.2, 5.1]
 *
 * A tap that goes away, a passt that ends and a server that hangs up are a link
 * that goes down: what the guest sends from then on is lost, and nobody waits.
 */
#ifndef MOAT_DEVICES_NET_H
#define MOAT_DEVICES_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/device.h"

#define NET_QUEUES_MAX	 8 /* pairs of them */
#define NET_FORWARDS_MAX 16
#define NET_MTU_MIN	 1280 /* IPv6 wants it */
#define NET_MTU_MAX	 65520

enum net_kind { NET_USER, NET_TAP, NET_SERVED };

/* Does the host's kernel move a tap's frames?  AUTO: if it can. */
enum net_vhost_wish { NET_VHOST_OFF, NET_VHOST_ON, NET_VHOST_AUTO };

/* A port of the host that leads into the guest. */
struct net_forward {
	bool udp;
	char host[16]; /* IPv4 address to listen at */
	uint16_t host_port, guest_port;
};

/* What the guest is told by DHCP, and has to use; dotted decimals. */
struct net_address {
	char address[16];
	unsigned prefix; /* bits */
	char gateway[16];
	char dns[16];
};

struct net_config {
	enum net_kind kind;
	const char *tap; /* its name */
	/* NET_SERVED: that of a vhost-user server, and how long the next one
	 * is looked for when it has gone; 0: not at all. */
	const char *socket;
	unsigned reconnect_ms;
	/* NET_SERVED: the server has the guest's memory, and reads and writes
	 * the driver's rings itself; it is not looked for again. */
	bool guest_memory;
	uint8_t mac[6];	 /* the guest's */
	unsigned queues; /* pairs, 1 to NET_QUEUES_MAX; 1 with NET_USER */
	unsigned mtu;	 /* 0: the tap's own; NET_MTU_MAX */
	enum net_vhost_wish vhost; /* with NET_TAP */
	/* NET_USER */
	struct net_address address;
	const struct net_forward *forwards;
	unsigned nforwards;
	bool host;	     /* the host's own services, at the gateway */
	const char *program; /* passt; NULL: the one that is installed */
	bool plan;	     /* make the device only: nothing is opened */
	/* For tests: how long a server may take.  0: NET_VU_..., VHU_... */
	unsigned setup_ms, patience_ms;
};

struct net_stats {
	uint64_t received, received_bytes; /* frames to the guest */
	uint64_t sent, sent_bytes;
	uint64_t dropped; /* of both: too long, or malformed, or nowhere */
	bool link;	  /* is up */
	/* Moves frames that nobody counts; NULL: the device does, and counts.
	 * As long as the device lives. */
	const char *mover;
};

/*
 * net_new - the device, and what it stands on.  Wants env->loop.
 *
 * Return: 0; -errno with a sentence that names tap or program.
 */
int net_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    const struct net_config *config, struct err *err);

/* Any thread. */
void net_stats(struct virtio_dev *d, struct net_stats *ret_s);

#endif
