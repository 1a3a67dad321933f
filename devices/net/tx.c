/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * From the guest's buffers into the backend.
 *
 * A frame for which there is no room waits untranslated in the ring.  One that
 * the backend takes in part (a stream) is copied: it has to be completed even
 * if the guest's memory goes away.
 */
#include "devices/net/device.h"

#include <errno.h>
#include <string.h>

#include "core/bits.h"
#include "devices/net/header.h"

static void done(struct net_pair *p, struct vq_chain *c)
{
	vq_push(net_txq(p), c);
}

/* It has had its turn, and nobody gets it. */
static bool dropped(struct net_pair *p, struct vq_chain *c)
{
	p->net->stats.dropped++;
	done(p, c);
	return true;
}

static void count(struct net_pair *p, size_t len)
{
	p->net->stats.sent++;
	p->net->stats.sent_bytes += len;
}

/* The rest of @c's frame, behind @taken bytes of it. */
static void keep_rest(struct net_pair *p, struct vq_chain *c, size_t taken,
		      size_t len)
{
	struct net_tx *tx = &p->tx;

	(void)vq_skip_read(c, taken);
	tx->rest_at = 0;
	tx->rest_end = len - taken;
	/* What was promised is sent; that it is wrong shows by its checksum. */
	if (vq_read(c, tx->rest, tx->rest_end) < 0)
		memset(tx->rest, 0, tx->rest_end);
}

static bool of_this_frame(ssize_t r)
{
	return r == -EINVAL || r == -EIO || r == -ENOMEM || r == -ENOBUFS;
}

/* The link has gone with the backend: @c is handled by whoever comes next. */
static bool lost(struct net_pair *p, struct vq_chain *c, int error)
{
	net_lost(p->net, error);
	return dropped(p, c);
}

/* Return: false if there is no room for it. */
static bool send(struct net_pair *p, struct vq_chain *c,
		 const struct net_header_wire *hdr)
{
	struct net_backend *b = p->net->backend;
	const struct vq_cursor start = c->in;
	const size_t len = (size_t)start.left;
	uint64_t covered = 0;
	ssize_t r;
	int n = vq_iov_read(c, len, p->iov + 1, NET_PIECES_MAX, &covered);

	if (n <= 0 || covered < len)
		return dropped(p, c);
	r = b->ops->send(b, p->index, p->iov, (unsigned)n, len, hdr);
	vq_end_holds(c);
	c->in = start;
	if (r == -EAGAIN)
		return false;
	if (r < 0)
		return of_this_frame(r) ? dropped(p, c) : lost(p, c, (int)-r);
	if ((size_t)r < len)
		keep_rest(p, c, (size_t)r, len);
	count(p, len);
	done(p, c);
	return true;
}

/* Return: false if there is no room for it; it is stuck then. */
static bool handle(struct net_pair *p, struct vq_chain *c)
{
	const struct vq_cursor start = c->in;
	struct net_header_wire hdr;

	if (!p->net->link || vq_read_obj(c, &hdr) < 0 ||
	    c->in.left < NET_FRAME_MIN || c->in.left > NET_FRAME_MAX ||
	    !net_header_check(&hdr, p->net->dev.driver_features,
			      (size_t)c->in.left))
		return dropped(p, c);
	if (send(p, c, &hdr))
		return true;
	c->in = start;
	p->tx.stuck = c;
	return false;
}

/* Return: false while there is some. */
static bool send_rest(struct net_pair *p)
{
	struct net_backend *b = p->net->backend;
	struct net_tx *tx = &p->tx;

	while (tx->rest_at < tx->rest_end) {
		ssize_t r =
			p->net->link
				? b->ops->send_rest(b, p->index,
						    tx->rest + tx->rest_at,
						    tx->rest_end - tx->rest_at)
				: -EPIPE;

		if (r == -EAGAIN)
			return false;
		if (r < 0) {
			net_lost(p->net, (int)-r);
			tx->rest_at = tx->rest_end;
			break;
		}
		tx->rest_at += (size_t)r;
	}
	return true;
}

static bool send_stuck(struct net_pair *p)
{
	struct vq_chain *c = p->tx.stuck;

	p->tx.stuck = NULL;
	return !c || handle(p, c);
}

/* Return: false if there is nothing to send, or no room. */
static bool send_next(struct net_pair *p)
{
	struct vq_chain *c;

	return vq_pop(net_txq(p), &c) == 1 && handle(p, c);
}

void net_tx_run(struct net_pair *p)
{
	struct vq *q = net_txq(p);
	const uint64_t bytes = p->net->stats.sent_bytes + NET_TURN_BYTES;
	unsigned frames = 0;

	if (send_rest(p) && net_pair_on(p) && send_stuck(p)) {
		vq_kicks_off(q);
		do {
			while (send_rest(p) && send_next(p)) {
				if (++frames < NET_TURN_FRAMES &&
				    p->net->stats.sent_bytes < bytes)
					continue;
				/* Others have their turn first. */
				vq_kick_later(q);
				vq_signal(q);
				return;
			}
		} while (!net_tx_waits(p) && vq_kicks_on(q));
	}
	vq_signal(q);
}

void net_tx_drop(struct net_pair *p)
{
	struct vq_chain *c = p->tx.stuck;

	p->tx.stuck = NULL;
	if (c)
		vq_drop(net_txq(p), c);
}
