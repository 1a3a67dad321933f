/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/console_port.h"

#include "core/bits.h"
#include "devices/console_wire.h"

/* Bytes of output in one go of the loop; the rest gets another one. */
#define OUTPUT_MAX KIB(64)

static struct con_port *of_stream(struct stream_end *e)
{
	return container_of(e, struct con_port, stream);
}

static struct vq *rx_queue(struct con_port *p)
{
	return &p->dev->vqs[p->rxq];
}

static struct vq *tx_queue(struct con_port *p)
{
	return &p->dev->vqs[p->txq];
}

/*
 * Output.
 */

/* Return: false if the far end is full; it calls room() later. */
static bool send_buffer(struct con_port *p)
{
	if (!p->host_open)
		p->at = p->end;
	if (p->at < p->end)
		p->at +=
			stream_send(&p->stream, p->buf + p->at, p->end - p->at);
	return p->at == p->end;
}

/* From p->tx into the empty buffer.  What cannot be read is skipped. */
static void fill_buffer(struct con_port *p)
{
	size_t n = (size_t)min_u64(p->tx->in.left, sizeof(p->buf));

	p->at = p->end = 0;
	if (vq_read(p->tx, p->buf, n) == 0)
		p->end = n;
	if (p->end == 0 || p->tx->in.left == 0) {
		vq_push(tx_queue(p), p->tx);
		p->tx = NULL;
	}
}

static bool next_chain(struct con_port *p)
{
	return p->tx || vq_pop(tx_queue(p), &p->tx) == 1;
}

static void send_output(struct con_port *p)
{
	uint64_t sent = 0;

	/* What is in the buffer was accepted and goes out in any case. */
	while (send_buffer(p)) {
		if (!p->dev->running || p->dev->paused)
			return;
		if (sent >= OUTPUT_MAX && p->dev->loop) {
			vq_kick_later(tx_queue(p));
			break;
		}
		if (!next_chain(p))
			break;
		fill_buffer(p);
		sent += p->end;
	}
	vq_signal(tx_queue(p));
}

static void stream_has_room(struct stream_end *e)
{
	struct con_port *p = of_stream(e);

	pthread_mutex_lock(&p->dev->lock);
	send_output(p);
	pthread_mutex_unlock(&p->dev->lock);
}

void con_port_drop(struct con_port *p)
{
	struct vq_chain *tx = p->tx;

	p->tx = NULL;
	if (tx)
		vq_drop(tx_queue(p), tx);
}

/*
 * Input.
 */

/* Return: bytes taken; SIZE_MAX without a buffer. */
static size_t fill_chain(struct con_port *p, const uint8_t *buf, size_t len)
{
	struct vq_chain *rx;
	size_t n;

	if (vq_pop(rx_queue(p), &rx) != 1)
		return SIZE_MAX;
	n = (size_t)min_u64(len, rx->out.left);
	if (vq_write(rx, buf, n))
		n = 0; /* not reachable: try the next one */
	vq_push(rx_queue(p), rx);
	return n;
}

static size_t deliver_input(struct con_port *p, const uint8_t *buf, size_t len)
{
	struct vq *q = rx_queue(p);
	size_t done = 0;

	/* Buffers without room must not keep us: a ringful at most. */
	for (unsigned i = 0; p->guest_open && done < len; i++) {
		size_t n;

		if (i == q->size) {
			vq_kick_later(q);
			break;
		}
		n = fill_chain(p, buf + done, len - done);
		if (n == SIZE_MAX)
			break;
		done += n;
	}
	vq_signal(q);
	p->refused = done < len;
	return done;
}

static size_t stream_deliver(struct stream_end *e, const uint8_t *buf,
			     size_t len)
{
	struct con_port *p = of_stream(e);
	size_t n;

	pthread_mutex_lock(&p->dev->lock);
	n = deliver_input(p, buf, len);
	pthread_mutex_unlock(&p->dev->lock);
	return n;
}

static void offer_room(struct con_port *p)
{
	if (!p->refused)
		return;
	p->refused = false;
	stream_room(&p->stream);
}

static void stream_closed(struct stream_end *e)
{
	struct con_port *p = of_stream(e);

	pthread_mutex_lock(&p->dev->lock);
	if (p->host_open) {
		p->host_open = false;
		send_output(p);
		p->closed(p);
	}
	pthread_mutex_unlock(&p->dev->lock);
}

static const struct stream_ops stream_ops = {
	.deliver = stream_deliver,
	.room = stream_has_room,
	.closed = stream_closed,
};

/*
 * Life.
 */

void con_port_init(struct con_port *p, struct virtio_dev *d, unsigned index,
		   con_port_closed_fn closed)
{
	p->dev = d;
	p->index = index;
	p->rxq = con_port_rx(index);
	p->txq = p->rxq + 1;
	p->stream.ops = &stream_ops;
	p->closed = closed;
	p->host_open = true;
}

void con_port_kick(struct con_port *p, unsigned qi)
{
	if (qi == p->txq)
		send_output(p);
	else
		offer_room(p);
}

void con_port_guest_open(struct con_port *p, bool open)
{
	p->guest_open = open;
	if (open)
		offer_room(p);
}
