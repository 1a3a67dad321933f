/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Packets from the guest.  Every number in them is its own.
 */
#include <errno.h>
#include <inttypes.h>

#include "devices/vsock/private.h"

#define IOV_MAX_TX 16

struct packet {
	struct vsock_header_wire h;
	struct vq_chain *chain; /* the payload is what is left to read */
	uint32_t host_port, guest_port, len;
};

/* Nobody is there. */
static void refuse(struct vsock *v, const struct packet *p)
{
	const struct vsock_reset r = {
		.cid = le32_get(p->h.dst_cid),
		.host_port = p->host_port,
		.guest_port = p->guest_port,
		.type = le16_get(p->h.type),
	};

	if (le16_get(p->h.op) != VSOCK_OP_RST)
		vsock_reset_add(v, &r);
}

static void on_request(struct vsock *v, const struct packet *p)
{
	struct vsock_conn *c = vsock_conn_make(v, CONN_DIALLING);

	if (!c) {
		guest_warn(&v->dev.log, "more than %d connections",
			   VSOCK_CONNS_MAX);
		refuse(v, p);
		return;
	}
	c->host_port = p->host_port;
	c->guest_port = p->guest_port;
	c->credit.peer_alloc = le32_get(p->h.buf_alloc);
	c->credit.peer_forwarded = le32_get(p->h.fwd_cnt);
	vsock_conn_enter(v, c);
	vsock_host_dial(v, c);
	vsock_tick_soon(v);
}

/* What the socket takes at once.  Return: bytes of @len. */
static uint32_t send_through(struct vsock_conn *c, struct vq_chain *chain,
			     uint32_t len)
{
	const struct vq_cursor start = chain->in;
	struct iovec iov[IOV_MAX_TX];
	uint32_t sent = 0;
	uint64_t covered;
	int n;

	n = vq_iov_read(chain, len, iov, IOV_MAX_TX, &covered);
	if (n > 0)
		sent = conn_send_now(c, iov, (unsigned)n);
	vq_end_holds(chain);
	chain->in = start;
	return sent;
}

static int send_copied(struct vsock_conn *c, struct vq_chain *chain,
		       uint32_t len)
{
	uint8_t bytes[2048];

	while (len > 0) {
		const uint32_t n = (uint32_t)min_u64(len, sizeof(bytes));
		int r = vq_read(chain, bytes, n);

		if (r == 0)
			r = conn_send(c, bytes, n);
		if (r < 0)
			return r;
		len -= n;
	}
	return 0;
}

static void on_data(struct vsock *v, struct vsock_conn *c,
		    const struct packet *p)
{
	uint32_t sent;

	if (c->state == CONN_CLOSING) /* on its way before it knew */
		return;
	if (c->state != CONN_OPEN || c->peer_shut & VSOCK_SHUTDOWN_SEND ||
	    p->len > p->chain->in.left ||
	    !vsock_credit_allows(&c->credit, p->len)) {
		guest_warn(&v->dev.log,
			   "data for port %" PRIu32 " that may "
			   "not be sent",
			   p->host_port);
		vsock_conn_reset(c);
		return;
	}
	if (p->len == 0)
		return;
	sent = send_through(c, p->chain, p->len);
	if (vq_skip_read(p->chain, sent) < 0 ||
	    send_copied(c, p->chain, p->len - sent) < 0)
		vsock_conn_reset(c);
}

static void on_shutdown(struct vsock_conn *c, const struct packet *p)
{
	conn_peer_shutdown(c, le32_get(p->h.flags));
	if (c->peer_shut != VSOCK_SHUTDOWN_BOTH)
		return;
	refuse(c->owner, p); /* that is how it is confirmed */
	list_remove(&c->hash_node);
	list_remove(&c->send_node);
	conn_peer_gone(c);
}

static void on_rst(struct vsock_conn *c)
{
	list_remove(&c->hash_node);
	list_remove(&c->send_node);
	if (c->state == CONN_OPEN)
		conn_peer_gone(c);
	else
		vsock_conn_drop(c);
}

static void note_credit(struct vsock_conn *c, const struct packet *p)
{
	const uint32_t alloc = le32_get(p->h.buf_alloc);
	const uint32_t forwarded = le32_get(p->h.fwd_cnt);

	if (c->credit.peer_alloc == alloc &&
	    c->credit.peer_forwarded == forwarded)
		return;
	c->credit.peer_alloc = alloc;
	c->credit.peer_forwarded = forwarded;
	c->asked = false;
	if (c->readable)
		c->ops->wants(c);
}

static void on_known(struct vsock *v, struct vsock_conn *c,
		     const struct packet *p)
{
	note_credit(c, p);
	switch (le16_get(p->h.op)) {
	case VSOCK_OP_RESPONSE:
		if (c->state == CONN_REQUESTED && !(c->due & CONN_DUE_REQUEST))
			vsock_host_accepted(v, c);
		else
			vsock_conn_reset(c);
		break;
	case VSOCK_OP_RST:
		on_rst(c);
		break;
	case VSOCK_OP_SHUTDOWN:
		if (c->state == CONN_OPEN || c->state == CONN_CLOSING)
			on_shutdown(c, p);
		else
			vsock_conn_reset(c);
		break;
	case VSOCK_OP_RW:
		on_data(v, c, p);
		break;
	case VSOCK_OP_CREDIT_REQUEST:
		c->due |= CONN_DUE_UPDATE;
		c->ops->wants(c);
		break;
	case VSOCK_OP_CREDIT_UPDATE:
		break;
	default: /* REQUEST for what is there; operations that are none */
		vsock_conn_reset(c);
	}
}

static bool is_for_us(const struct packet *p)
{
	return le32_get(p->h.dst_cid) == VSOCK_CID_HOST &&
	       !le32_get(p->h.dst_cid_high) &&
	       le16_get(p->h.type) == VSOCK_TYPE_STREAM;
}

static void take_packet(struct vsock *v, struct packet *p)
{
	struct vsock_conn *c;

	p->host_port = le32_get(p->h.dst_port);
	p->guest_port = le32_get(p->h.src_port);
	p->len = le32_get(p->h.len);
	/* Who else would read the answer? */
	if (le32_get(p->h.src_cid) != v->cid || le32_get(p->h.src_cid_high)) {
		guest_warn(&v->dev.log,
			   "a packet of CID %" PRIu32 ", not %" PRIu32,
			   le32_get(p->h.src_cid), v->cid);
		return;
	}
	if (!is_for_us(p)) {
		refuse(v, p);
		return;
	}
	c = vsock_conn_find(v, p->host_port, p->guest_port);
	if (c && c->state == CONN_RESETTING)
		return; /* the guest does not know yet */
	if (c)
		on_known(v, c, p);
	else if (le16_get(p->h.op) == VSOCK_OP_REQUEST)
		on_request(v, p);
	else
		refuse(v, p);
}

void vsock_take_packets(struct vsock *v)
{
	struct vq *q = &v->dev.vqs[VSOCK_QUEUE_TX];
	struct packet p;

	while (!vsock_resets_full(v) && vq_pop(q, &p.chain) == 1) {
		if (vq_read_obj(p.chain, &p.h) == 0)
			take_packet(v, &p);
		else
			guest_warn(&v->dev.log, "a packet without a header");
		vq_push(q, p.chain);
	}
	v->tx_stopped = vsock_resets_full(v);
	vq_signal(q);
}
