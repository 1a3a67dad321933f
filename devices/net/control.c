/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The control queue.   [virtio 1.2, 5.1.6.5]
 */
#include "devices/net/device.h"

#include <string.h>

#include "core/bits.h"

/* One of the two lists of the address table. */
static bool read_table(struct vq_chain *c, struct net_filter *f, bool *ret_all)
{
	le32_t count;
	uint32_t n;

	if (vq_read_obj(c, &count) < 0)
		return false;
	n = le32_get(count);
	if (c->in.left / NET_MAC_LEN < n)
		return false;
	/* More than we remember are all.  The rest is passed over. */
	if (n > NET_FILTER_MAX - f->n) {
		*ret_all = true;
		return vq_skip_read(c, (uint64_t)n * NET_MAC_LEN) == 0;
	}
	if (vq_read(c, f->macs[f->n], (size_t)n * NET_MAC_LEN) < 0)
		return false;
	f->n += n;
	return true;
}

/* Unicast, then multicast.   [5.1.6.5.2] */
static bool set_table(struct net *n, struct vq_chain *c)
{
	static const uint8_t broadcast[NET_MAC_LEN] = {255, 255, 255,
						       255, 255, 255};
	struct net_filter f = n->filter;
	bool all_unicast = false, all_multicast = false;

	f.n = 1;
	memcpy(f.macs[0], broadcast, NET_MAC_LEN);
	if (!read_table(c, &f, &all_unicast) ||
	    !read_table(c, &f, &all_multicast))
		return false;
	f.full = all_unicast || all_multicast;
	n->filter = f;
	return true;
}

static bool read_flag(struct vq_chain *c, bool *ret_on)
{
	uint8_t on;

	if (vq_read_obj(c, &on) < 0 || on > 1)
		return false;
	*ret_on = on;
	return true;
}

static bool do_rx(struct net *n, uint8_t command, struct vq_chain *c)
{
	if (!virtio_has(&n->dev, NET_F_CTRL_RX))
		return false;
	switch (command) {
	case NET_CTRL_RX_PROMISC:
		return read_flag(c, &n->filter.promisc);
	case NET_CTRL_RX_ALLMULTI:
		return read_flag(c, &n->filter.allmulti);
	}
	return false;
}

static bool do_mac(struct net *n, uint8_t command, struct vq_chain *c)
{
	uint8_t mac[NET_MAC_LEN];

	switch (command) {
	case NET_CTRL_MAC_TABLE_SET:
		return virtio_has(&n->dev, NET_F_CTRL_RX) && set_table(n, c);
	case NET_CTRL_MAC_ADDR_SET:
		if (!virtio_has(&n->dev, NET_F_CTRL_MAC_ADDR) ||
		    vq_read(c, mac, sizeof(mac)) < 0)
			return false;
		net_set_mac(n, mac);
		return true;
	}
	return false;
}

/* [5.1.6.5.5] */
static bool do_mq(struct net *n, uint8_t command, struct vq_chain *c)
{
	le16_t pairs;
	unsigned active;

	if (!virtio_has(&n->dev, NET_F_MQ) ||
	    command != NET_CTRL_MQ_PAIRS_SET || vq_read_obj(c, &pairs) < 0)
		return false;
	active = le16_get(pairs);
	return active >= 1 && active <= n->npairs &&
	       net_activate(n, active) == 0;
}

static bool obey(struct net *n, struct vq_chain *c)
{
	struct net_ctrl_wire w;
	bool ok = false;

	if (vq_read_obj(c, &w) < 0)
		return false;
	switch (w.class) {
	case NET_CTRL_RX:
		ok = do_rx(n, w.command, c);
		break;
	case NET_CTRL_MAC:
		ok = do_mac(n, w.command, c);
		break;
	case NET_CTRL_MQ:
		return do_mq(n, w.command, c);
	}
	if (ok)
		net_apply_filter(n);
	return ok;
}

void net_control_run(struct net *n, struct vq *q)
{
	struct vq_chain *c;

	while (vq_pop(q, &c) == 1) {
		const uint8_t ack = obey(n, c) ? NET_CTRL_OK : NET_CTRL_ERR;

		(void)vq_write_obj(c, &ack);
		vq_push(q, c);
	}
	vq_signal(q);
}
