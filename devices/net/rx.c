/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * From the backend into the guest's buffers.
 *
 * Buffers are translated when a frame is there and forgotten right after the
 * system call, so an UNMAP never waits for a frame that may not come.  What
 * does not fit into the buffers at hand is read into the spill behind them,
 * and copied when there are more.
 */
#include "devices/net/device.h"

#include <errno.h>
#include <string.h>

#include "core/bits.h"
#include "devices/net/header.h"

#define HEADER sizeof(struct net_header_wire)

static bool mergeable(const struct net_pair *p)
{
	return virtio_has(&p->net->dev, NET_F_MRG_RXBUF);
}

/*
 * Buffers.
 */

static void push_unused(struct net_pair *p, struct vq_chain *c)
{
	c->written = 0;
	vq_push(net_rxq(p), c);
}

/* Return: false if there is none. */
static bool add_slot(struct net_pair *p)
{
	struct net_rx *rx = &p->rx;
	struct vq_chain *c;

	/* One without room for a header is of no use.  [5.1.6.3.1] */
	for (unsigned i = net_rxq(p)->size; i > 0; i--) {
		if (vq_pop(net_rxq(p), &c) != 1)
			return false;
		if (c->out.left >= HEADER) {
			rx->slots[rx->nslots++] = (struct net_slot){
				.chain = c,
				.start = c->out,
				.room = c->out.left,
			};
			rx->room += c->out.left;
			return true;
		}
		push_unused(p, c);
	}
	/* A ringful of them must not keep us. */
	vq_kick_later(net_rxq(p));
	return false;
}

static unsigned slots_max(const struct net_pair *p)
{
	return mergeable(p) ? NET_SLOTS_MAX : 1;
}

/* Make room for @want bytes, if that can be had. */
static void add_slots(struct net_pair *p, uint64_t want)
{
	struct net_rx *rx = &p->rx;

	while (rx->room < want && rx->nslots < slots_max(p)) {
		if (!add_slot(p)) {
			rx->starved = true;
			break;
		}
	}
}

static void forget_slots(struct net_rx *rx, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		rx->room -= rx->slots[i].room;
	rx->nslots -= n;
	memmove(&rx->slots[from], &rx->slots[from + n],
		(rx->nslots - from) * sizeof(rx->slots[0]));
}

static void end_holds(struct net_rx *rx)
{
	for (unsigned i = 0; i < rx->nslots; i++)
		vq_end_holds(rx->slots[i].chain);
}

static void begin_frame(struct net_rx *rx)
{
	rx->got = rx->over = 0;
	rx->begun = rx->complete = rx->discard = false;
}

static void discard_rest(struct net_rx *rx)
{
	rx->discard = true;
	rx->got = rx->over = 0;
}

static void drop_frame(struct net_pair *p)
{
	p->net->stats.dropped++;
	begin_frame(&p->rx);
}

/* Memory of slot @i cannot be reached, and with it what it has of a frame. */
static void bad_slot(struct net_pair *p, unsigned i)
{
	struct net_rx *rx = &p->rx;
	struct vq_chain *c = rx->slots[i].chain;

	end_holds(rx);
	forget_slots(rx, i, 1);
	push_unused(p, c);
	if (rx->complete)
		drop_frame(p);
	else if (rx->begun)
		discard_rest(rx);
}

/*
 * Receiving.
 */

/*
 * iov[1] and up: up to @want bytes behind @at of a header and frame, in slots.
 * Return: how many; -EFAULT if a slot is of no use, and has gone.
 */
static int slot_pieces(struct net_pair *p, uint64_t at, size_t want,
		       size_t *ret_len)
{
	struct net_rx *rx = &p->rx;
	unsigned n = 0;
	size_t len = 0;

	for (unsigned i = 0; i < rx->nslots && len < want; i++) {
		struct net_slot *s = &rx->slots[i];
		uint64_t covered, left;
		int r;

		if (at >= s->room) {
			at -= s->room;
			continue;
		}
		s->chain->out = s->start;
		(void)vq_skip_write(s->chain, at);
		at = 0;
		left = min_u64(s->chain->out.left, want - len);
		r = vq_iov_write(s->chain, left, p->iov + 1 + n,
				 NET_PIECES_MAX - 1 - n, &covered);
		if (r < 0) {
			bad_slot(p, i);
			return -EFAULT;
		}
		n += (unsigned)r;
		len += covered;
		/* In too many pieces. */
		if (covered < left)
			break;
	}
	*ret_len = len;
	return (int)n;
}

/*
 * Where the next @want bytes go, and what comes behind them.
 * @ret_len: bytes that are in slots
 * Return: as slot_pieces().
 */
static int pieces(struct net_pair *p, size_t want, size_t *ret_len)
{
	struct net_rx *rx = &p->rx;
	int n = 0;

	*ret_len = 0;
	/* The order must stay: nothing into a slot behind the spill. */
	if (!rx->discard && rx->over == 0)
		n = slot_pieces(p, HEADER + rx->got, want, ret_len);
	if (n < 0)
		return n;
	p->iov[1 + n] = (struct iovec){
		.iov_base = rx->spill + rx->over,
		.iov_len = NET_FRAME_MAX + 1 - rx->over,
	};
	return n + 1;
}

static void count(struct net_rx *rx, size_t len, size_t in_slots)
{
	rx->begun = true;
	if (rx->discard)
		return;
	rx->got += min_u64(len, in_slots);
	rx->over += len > in_slots ? len - in_slots : 0;
	if (rx->got + rx->over > NET_FRAME_MAX)
		discard_rest(rx);
}

/*
 * Delivering.
 */

/* Return: false if a slot was of no use, and the frame has gone with it. */
static bool copy_spill(struct net_pair *p)
{
	struct net_rx *rx = &p->rx;
	uint64_t at = HEADER + rx->got;
	size_t done = 0;

	for (unsigned i = 0; done < rx->over; i++) {
		struct net_slot *s = &rx->slots[i];
		size_t n;

		if (at >= s->room) {
			at -= s->room;
			continue;
		}
		n = (size_t)min_u64(s->room - at, rx->over - done);
		s->chain->out = s->start;
		(void)vq_skip_write(s->chain, at);
		if (vq_write(s->chain, rx->spill + done, n) < 0) {
			bad_slot(p, i);
			return false;
		}
		at = 0;
		done += n;
	}
	return true;
}

static bool write_header(struct net_pair *p, unsigned nslots)
{
	struct net_slot *s = &p->rx.slots[0];
	struct net_header_wire hdr = p->rx.hdr;

	hdr.num_buffers = le16_put((uint16_t)nslots);
	/* [virtio 1.2, 5.1.6.4.1] */
	if (!virtio_has(&p->net->dev, NET_F_GUEST_CSUM))
		hdr.flags = 0;
	s->chain->out = s->start;
	if (vq_write_obj(s->chain, &hdr) == 0)
		return true;
	bad_slot(p, 0);
	return false;
}

static unsigned slots_for(const struct net_rx *rx, uint64_t len)
{
	unsigned n = 0;

	while (len > 0)
		len -= min_u64(len, rx->slots[n++].room);
	return n;
}

/*
 * The header says how many buffers the frame has: who sees the first sees all.
 * [virtio 1.2, 5.1.6.4]
 */
static void push_frame(struct net_pair *p, unsigned nslots, uint64_t len)
{
	struct net_rx *rx = &p->rx;

	for (unsigned i = 0; i < nslots; i++) {
		struct net_slot *s = &rx->slots[i];

		s->chain->written = min_u64(len, s->room);
		len -= s->chain->written;
		if (i + 1 < nslots)
			vq_push_more(net_rxq(p), s->chain);
		else
			vq_push(net_rxq(p), s->chain);
	}
	forget_slots(rx, 0, nslots);
}

/* Return: false if it has to wait for buffers. */
static bool deliver(struct net_pair *p)
{
	struct net_rx *rx = &p->rx;
	const uint64_t len = HEADER + rx->got + rx->over;
	unsigned n;

	add_slots(p, len);
	if (rx->room < len) {
		/* More than the driver has buffers for. */
		if (rx->nslots == slots_max(p) ||
		    rx->nslots == net_rxq(p)->size) {
			drop_frame(p);
			return true;
		}
		return false;
	}
	n = slots_for(rx, len);
	if (!copy_spill(p) || !write_header(p, n))
		return true;
	p->net->stats.received++;
	p->net->stats.received_bytes += len - HEADER;
	push_frame(p, n, len);
	begin_frame(rx);
	return true;
}

/* Byte @at of the frame that has come, wherever it lies.  If its slot is of no
 * use, the frame is gone. */
static uint8_t byte_at(struct net_pair *p, size_t at)
{
	struct net_rx *rx = &p->rx;
	size_t len;

	if (at >= rx->got)
		return rx->spill[at - rx->got];
	if (slot_pieces(p, HEADER + at, 1, &len) != 1)
		return 0;
	return *(const uint8_t *)p->iov[1].iov_base;
}

static bool is_tagged(struct net_pair *p)
{
	const uint8_t type[2] = {byte_at(p, 12), byte_at(p, 13)};

	end_holds(&p->rx);
	return type[0] == 0x81 && type[1] == 0x00;
}

/*
 * A backend can have a larger MTU than the driver was told of, or get one
 * later.  What somebody cuts into segments yet is as long as it likes.
 * [virtio 1.2, 5.1.4.1]
 */
static bool exceeds_mtu(struct net_pair *p)
{
	const struct net_rx *rx = &p->rx;
	const uint64_t len = rx->got + rx->over;
	const uint64_t max = p->net->mtu + NET_FRAME_MIN;

	if (len <= max || !virtio_has(&p->net->dev, NET_F_MTU) ||
	    (rx->hdr.gso_type & ~NET_GSO_ECN) != NET_GSO_NONE)
		return false;
	return len > max + NET_TAG_LEN || !is_tagged(p);
}

/* Return: false if there is nothing to do for now. */
static bool receive(struct net_pair *p)
{
	struct net_backend *b = p->net->backend;
	struct net_rx *rx = &p->rx;
	bool end = false;
	size_t in_slots = 0;
	ssize_t r = b->ops->incoming(b, p->index);
	int n;

	if (r > 0 && !rx->discard && rx->over == 0) {
		add_slots(p, HEADER + rx->got + (uint64_t)r);
		/* Frames without a buffer wait where they are. */
		if (rx->nslots == 0)
			return false;
	}
	if (r > 0) {
		n = pieces(p, (size_t)r, &in_slots);
		if (n < 0)
			return true;
		r = b->ops->receive(b, p->index, p->iov, (unsigned)n, &rx->hdr,
				    &end);
		end_holds(rx);
	}
	if (r <= 0) {
		if (r != -EAGAIN)
			net_lost(p->net, (int)-r);
		return false;
	}
	count(rx, (size_t)r, in_slots);
	if (!end)
		return true;
	rx->complete = true;
	if (rx->discard ||
	    !net_header_fits(&rx->hdr, p->net->dev.driver_features) ||
	    (exceeds_mtu(p) && rx->complete))
		drop_frame(p);
	return true;
}

void net_rx_run(struct net_pair *p)
{
	const uint64_t bytes = p->net->stats.received_bytes + NET_TURN_BYTES;
	struct net_rx *rx = &p->rx;
	bool more = true;

	rx->starved = false;
	for (unsigned i = 0; more && i < NET_TURN_FRAMES &&
			     p->net->stats.received_bytes < bytes;
	     i++) {
		if (!rx->complete)
			more = receive(p);
		if (rx->complete)
			more = deliver(p);
		/* The first one is there before it is known whether it is
		 * alone; a driver that is awake wants no interrupt. */
		if (i == 0)
			vq_signal(net_rxq(p));
	}
	/* Out of buffers for a guess is no matter, for a frame it is. */
	rx->starved = rx->starved && (rx->nslots == 0 || rx->complete);
	vq_signal(net_rxq(p));
}

void net_rx_drop(struct net_pair *p)
{
	struct net_rx *rx = &p->rx;

	while (rx->nslots > 0) {
		struct vq_chain *c = rx->slots[rx->nslots - 1].chain;

		forget_slots(rx, rx->nslots - 1, 1);
		vq_drop(net_rxq(p), c);
	}
	if (rx->complete)
		drop_frame(p);
	if (rx->begun)
		discard_rest(rx);
	rx->starved = false;
}
