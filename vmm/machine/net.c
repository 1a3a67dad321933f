/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The machine's networks: what the configuration says as the device wants it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "devices/net.h"
#include "vmm/machine/mach.h"

static_assert(MACH_NET_QUEUES_MAX == NET_QUEUES_MAX, "");
static_assert(MACH_NET_MTU_MIN == NET_MTU_MIN, "");
static_assert(MACH_NET_MTU_MAX == NET_MTU_MAX, "");
static_assert(MACH_FORWARDS_MAX <= NET_FORWARDS_MAX, "");

static enum net_kind kind_of(enum mach_net_kind k)
{
	switch (k) {
	case MACH_NET_USER:
		break;
	case MACH_NET_TAP:
		return NET_TAP;
	case MACH_NET_SERVED:
		return NET_SERVED;
	}
	return NET_USER;
}

static enum net_vhost_wish vhost_wish(enum mach_switch s)
{
	switch (s) {
	case MACH_OFF:
		break;
	case MACH_ON:
		return NET_VHOST_ON;
	case MACH_AUTO:
		return NET_VHOST_AUTO;
	}
	return NET_VHOST_OFF;
}

void mach_net_config(struct net_config *c, struct net_forward *forwards,
		     const struct mach_net *n, unsigned index)
{
	*c = (struct net_config){
		.kind = kind_of(n->kind),
		.tap = n->tap,
		.socket = n->socket,
		.reconnect_ms = n->wait_ms,
		.guest_memory = n->guest_memory,
		.queues = n->queues,
		.mtu = n->mtu,
		.vhost = vhost_wish(n->vhost),
		.address.prefix = n->prefix,
		.forwards = forwards,
		.nforwards = n->nforwards,
		.host = n->host,
		.program = n->program,
	};
	mach_net_mac(n, index, c->mac);
	memcpy(c->address.address, n->address, sizeof(n->address));
	memcpy(c->address.gateway, n->gateway, sizeof(n->gateway));
	memcpy(c->address.dns, n->dns, sizeof(n->dns));
	for (unsigned i = 0; i < n->nforwards; i++) {
		const struct mach_forward *f = &n->forwards[i];

		forwards[i] = (struct net_forward){
			.udp = f->udp,
			.host_port = f->host_port,
			.guest_port = f->guest_port,
		};
		memcpy(forwards[i].host, f->host, sizeof(f->host));
	}
}

void mach_print_nets(struct mach *m, FILE *out)
{
	for (unsigned i = 0; i < m->nfuncs; i++) {
		struct virtio_dev *d = m->funcs[i].dev;
		struct net_stats s;

		if (d->ops->id != VIRTIO_ID_NET)
			continue;
		net_stats(d, &s);
		if (s.mover) {
			fprintf(out,
				"%s: frames are moved by %s, and not counted; "
				"link %s\n",
				d->name, s.mover, s.link ? "up" : "down");
			continue;
		}
		fprintf(out,
			"%s: %" PRIu64 " frames in, %" PRIu64 " bytes; %" PRIu64
			" out, %" PRIu64 " bytes; %" PRIu64
			" dropped; link %s\n",
			d->name, s.received, s.received_bytes, s.sent,
			s.sent_bytes, s.dropped, s.link ? "up" : "down");
	}
}
