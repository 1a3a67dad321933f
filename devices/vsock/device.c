/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The device's face, and packets to the guest.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "devices/vsock/private.h"

#define QUEUE_SIZE 256
#define EVENT_SIZE 8
#define IOV_MAX_RX 16
/* Packets in one go, so that one busy socket does not keep the loop. */
#define PACKETS_MAX 128
/* Of one connection before it is another one's turn. */
#define PAYLOAD_MAX KIB(64)

/*
 * Packets to the guest.
 */

/* A buffer that has room for a header and a byte; NULL if there is none. */
static struct vq_chain *rx_buffer(struct vsock *v)
{
	struct vq *q = &v->dev.vqs[VSOCK_QUEUE_RX];
	struct vq_chain *c = v->spare;

	v->spare = NULL;
	while (!c && vq_pop(q, &c) == 1) {
		if (c->out.left > sizeof(struct vsock_header_wire))
			break;
		guest_warn(&v->dev.log, "a buffer without room");
		vq_push(q, c);
		c = NULL;
	}
	return c;
}

static void push(struct vsock *v, struct vq_chain *chain)
{
	vq_push(&v->dev.vqs[VSOCK_QUEUE_RX], chain);
}

static struct vsock_header_wire header(const struct vsock *v, uint32_t src_cid,
				       uint32_t src_port, uint32_t dst_port,
				       uint16_t type, uint16_t op)
{
	return (struct vsock_header_wire){
		.src_cid = le32_put(src_cid),
		.dst_cid = le32_put(v->cid),
		.src_port = le32_put(src_port),
		.dst_port = le32_put(dst_port),
		.type = le16_put(type),
		.op = le16_put(op),
	};
}

static void send_reset(struct vsock *v, struct vq_chain *chain)
{
	const struct vsock_reset *r = &v->resets[v->first_reset];
	const struct vsock_header_wire h = header(
		v, r->cid, r->host_port, r->guest_port, r->type, VSOCK_OP_RST);

	(void)vq_write_obj(chain, &h);
	push(v, chain);
	v->first_reset = (v->first_reset + 1) % VSOCK_RESETS_MAX;
	v->nresets--;
}

/* Every packet of a connection tells its credit. */
static struct vsock_header_wire conn_header(const struct vsock *v,
					    struct vsock_conn *c, uint16_t op)
{
	struct vsock_header_wire h =
		header(v, VSOCK_CID_HOST, c->host_port, c->guest_port,
		       VSOCK_TYPE_STREAM, op);

	h.buf_alloc = le32_put(c->credit.alloc);
	h.fwd_cnt = le32_put(c->credit.forwarded);
	c->credit.told = c->credit.forwarded;
	return h;
}

static uint16_t next_op(struct vsock_conn *c)
{
	static const uint16_t ops[] = {
		VSOCK_OP_RST,
		VSOCK_OP_REQUEST,
		VSOCK_OP_RESPONSE,
		VSOCK_OP_CREDIT_UPDATE,
		VSOCK_OP_CREDIT_REQUEST,
		VSOCK_OP_SHUTDOWN,
	};
	unsigned i = (unsigned)__builtin_ctz(c->due);

	c->due &= c->due - 1;
	return ops[i];
}

static void send_due(struct vsock *v, struct vsock_conn *c,
		     struct vq_chain *chain)
{
	const uint16_t op = next_op(c);
	struct vsock_header_wire h = conn_header(v, c, op);

	if (op == VSOCK_OP_SHUTDOWN)
		h.flags = le32_put(c->shut);
	(void)vq_write_obj(chain, &h);
	push(v, chain);
	if (c->state == CONN_RESETTING)
		vsock_conn_drop(c);
}

/*
 * The header comes last: it has the length.
 * Return: false if there was nothing to send; @chain is untouched then.
 */
static bool send_data(struct vsock *v, struct vsock_conn *c,
		      struct vq_chain *chain, uint32_t room)
{
	const struct vq_cursor start = chain->out;
	struct vsock_header_wire h = {0};
	struct iovec iov[IOV_MAX_RX];
	uint64_t covered;
	uint32_t len = 0;
	int n = -EFAULT;

	room = (uint32_t)min_u64(min_u64(room, PAYLOAD_MAX),
				 start.left - sizeof(h));
	if (vq_write_obj(chain, &h) == 0)
		n = vq_iov_write(chain, room, iov, IOV_MAX_RX, &covered);
	if (n > 0)
		len = conn_read(c, iov, (unsigned)n);
	vq_end_holds(chain);
	chain->out = start;
	chain->written = 0;
	if (n < 0) { /* not reachable: the next one may be */
		push(v, chain);
		return true;
	}
	if (len == 0)
		return false;
	h = conn_header(v, c, VSOCK_OP_RW);
	h.len = le32_put(len);
	if (vq_write_obj(chain, &h) == 0)
		chain->written += len;
	push(v, chain);
	return true;
}

/* One packet of @c.  Return: false if it has none; @chain is untouched. */
static bool send_of(struct vsock *v, struct vsock_conn *c,
		    struct vq_chain *chain)
{
	uint32_t room;

	if (!c->due) {
		room = conn_may_read(c);
		if (room && send_data(v, c, chain, room))
			return true;
	}
	if (!c->due)
		return false;
	send_due(v, c, chain);
	return true;
}

/* Return: false if there is nothing to send; @chain is untouched. */
static bool send_one(struct vsock *v, struct vq_chain *chain)
{
	if (v->nresets > 0) {
		send_reset(v, chain);
		return true;
	}
	while (!list_empty(&v->sending)) {
		struct vsock_conn *c = container_of(
			v->sending.next, struct vsock_conn, send_node);

		/* It is the last one from now on, or leaves. */
		list_remove(&c->send_node);
		list_append(&v->sending, &c->send_node);
		if (send_of(v, c, chain))
			return true;
		list_remove(&c->send_node);
	}
	return false;
}

static bool has_packets(const struct vsock *v)
{
	return v->nresets > 0 || !list_empty(&v->sending);
}

void vsock_serve(struct vsock *v)
{
	struct vq *q = &v->dev.vqs[VSOCK_QUEUE_RX];

	for (unsigned i = 0; has_packets(v); i++) {
		struct vq_chain *chain;

		if (i == PACKETS_MAX) {
			vq_kick_later(q);
			break;
		}
		chain = rx_buffer(v);
		if (!chain)
			break;
		if (!send_one(v, chain))
			v->spare = chain;
	}
	vq_signal(q);
	if (v->tx_stopped && !vsock_resets_full(v))
		vq_kick_later(&v->dev.vqs[VSOCK_QUEUE_TX]);
}

/*
 * Events.
 */

/* A driver that has connections from before a reset has to forget them. */
static void send_event(struct vsock *v)
{
	static const struct vsock_event_wire w;
	struct vq *q = &v->dev.vqs[VSOCK_QUEUE_EVENT];
	struct vq_chain *chain;

	static_assert(VSOCK_EVENT_TRANSPORT_RESET == 0, "");
	/* Once there are new ones it would end those. */
	if (v->nconns > 0)
		v->event_due = false;
	if (!v->event_due || vq_pop(q, &chain) != 1)
		return;
	(void)vq_write_obj(chain, &w);
	vq_push(q, chain);
	v->event_due = false;
	vq_signal(q);
}

/*
 * The device's face.
 */

static int vsock_start(struct virtio_dev *d)
{
	vsock_host_listen(to_vsock(d), true);
	return 0;
}

static void drop_spare(struct vsock *v)
{
	struct vq_chain *chain = v->spare;

	v->spare = NULL;
	if (chain)
		vq_drop(&v->dev.vqs[VSOCK_QUEUE_RX], chain);
}

static void vsock_stop(struct virtio_dev *d)
{
	struct vsock *v = to_vsock(d);

	drop_spare(v);
	vsock_host_listen(v, false);
	v->event_due |= v->nconns > 0;
	vsock_conns_clear(v);
}

static void vsock_queue_stop(struct virtio_dev *d, unsigned qi)
{
	if (qi == VSOCK_QUEUE_RX)
		drop_spare(to_vsock(d));
}

static void vsock_kick(struct virtio_dev *d, unsigned qi)
{
	struct vsock *v = to_vsock(d);

	send_event(v);
	if (qi == VSOCK_QUEUE_TX)
		vsock_take_packets(v);
	if (qi != VSOCK_QUEUE_EVENT)
		vsock_serve(v);
}

static unsigned vsock_stats(struct virtio_dev *d, struct virtio_stat *stats)
{
	const struct vsock *v = to_vsock(d);
	const struct virtio_stat s[] = {
		{"connections", v->nconns},
		{"opened", v->opened},
		{"reset", v->refused},
		{"waiting_bytes", v->waiting},
	};

	static_assert(ARRAY_SIZE(s) <= VIRTIO_STATS_MAX, "");
	memcpy(stats, s, sizeof(s));
	return ARRAY_SIZE(s);
}

static void vsock_free(struct virtio_dev *d)
{
	struct vsock *v = to_vsock(d);

	pthread_mutex_lock(&d->lock);
	vsock_host_fini(v);
	vsock_conns_stop(v);
	pthread_mutex_unlock(&d->lock);
	virtio_dev_fini(d); /* waits for the loop */
	vsock_conns_fini(v);
	free(v);
}

static const struct virtio_dev_ops vsock_ops = {
	.id = VIRTIO_ID_VSOCK,
	.name = "virtio-vsock",
	.start = vsock_start,
	.stop = vsock_stop,
	.kick = vsock_kick,
	.queue_stop = vsock_queue_stop,
	.stats = vsock_stats,
	.free = vsock_free,
};

int vsock_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	      const struct vsock_config *config, struct err *err)
{
	static const uint16_t sizes[] = {QUEUE_SIZE, QUEUE_SIZE, EVENT_SIZE};
	struct vsock *v = calloc(1, sizeof(*v));
	struct vsock_config_wire *w;
	int r;

	assert(env->loop && config->cid >= VSOCK_CID_MIN);
	if (!v)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	v->cid = config->cid;
	v->server.fd = -1;
	r = virtio_dev_init(&v->dev, &vsock_ops, env, 0, sizes,
			    ARRAY_SIZE(sizes), sizeof(*w), err);
	if (r < 0) {
		free(v);
		return r;
	}
	w = (struct vsock_config_wire *)(void *)v->dev.config;
	w->guest_cid = le64_put(v->cid);
	vsock_conns_init(v);
	r = vsock_conns_start(v, err);
	if (r == 0)
		r = vsock_host_init(v, config, err);
	if (r < 0) {
		vsock_free(&v->dev);
		return r;
	}
	*ret_d = &v->dev;
	return 0;
}
