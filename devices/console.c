/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "devices/console_wire.h"

#define QUEUE_SIZE 64

/* Bytes of output in one go of the loop; the rest gets another one. */
#define OUTPUT_MAX KIB(64)

struct con {
	struct virtio_dev dev;
	struct stream_end stream;
	/* Somebody has input for which there was no buffer. */
	bool refused;
	/*
	 * Output.  Bytes are copied out of the guest's memory first and then
	 * sent, so that a slow terminal holds nothing of the guest's.  A
	 * chain is used up when its last byte is in @buf.
	 */
	struct vq_chain *tx; /* partly copied; NULL: none */
	size_t at, end;	     /* of buf, not yet sent */
	uint8_t buf[4096];
};

static struct con *to_con(struct virtio_dev *d)
{
	return container_of(d, struct con, dev);
}

static struct con *of_stream(struct stream_end *e)
{
	return container_of(e, struct con, stream);
}

static struct vq *rx_queue(struct con *c)
{
	return &c->dev.vqs[CON_QUEUE_RX];
}

static struct vq *tx_queue(struct con *c)
{
	return &c->dev.vqs[CON_QUEUE_TX];
}

/*
 * Output.
 */

/* Return: false if the far end is full; it calls room() later. */
static bool send_buffer(struct con *c)
{
	if (c->at < c->end)
		c->at +=
			stream_send(&c->stream, c->buf + c->at, c->end - c->at);
	return c->at == c->end;
}

/* From c->tx into the empty buffer.  What cannot be read is skipped. */
static void fill_buffer(struct con *c)
{
	size_t n = (size_t)min_u64(c->tx->in.left, sizeof(c->buf));

	c->at = c->end = 0;
	if (vq_read(c->tx, c->buf, n) == 0)
		c->end = n;
	if (c->end == 0 || c->tx->in.left == 0) {
		vq_push(tx_queue(c), c->tx);
		c->tx = NULL;
	}
}

static bool next_chain(struct con *c)
{
	return c->tx || vq_pop(tx_queue(c), &c->tx) == 1;
}

static void send_output(struct con *c)
{
	uint64_t sent = 0;

	/* What is in the buffer was accepted and goes out in any case. */
	while (send_buffer(c)) {
		if (!c->dev.running || c->dev.paused)
			return;
		if (sent >= OUTPUT_MAX && c->dev.loop) {
			vq_kick_later(tx_queue(c));
			break;
		}
		if (!next_chain(c))
			break;
		fill_buffer(c);
		sent += c->end;
	}
	vq_signal(tx_queue(c));
}

static void stream_has_room(struct stream_end *e)
{
	struct con *c = of_stream(e);

	pthread_mutex_lock(&c->dev.lock);
	send_output(c);
	pthread_mutex_unlock(&c->dev.lock);
}

static void drop_output(struct con *c)
{
	struct vq_chain *tx = c->tx;

	c->tx = NULL;
	if (tx)
		vq_drop(tx_queue(c), tx);
}

/*
 * Input.
 */

/* Return: bytes taken. */
static size_t fill_chain(struct con *c, const uint8_t *buf, size_t len)
{
	struct vq_chain *rx;
	size_t n;

	if (vq_pop(rx_queue(c), &rx) != 1)
		return SIZE_MAX;
	n = (size_t)min_u64(len, rx->out.left);
	if (vq_write(rx, buf, n))
		n = 0; /* not reachable: try the next one */
	vq_push(rx_queue(c), rx);
	return n;
}

static size_t deliver_input(struct con *c, const uint8_t *buf, size_t len)
{
	struct vq *q = rx_queue(c);
	size_t done = 0;

	/* Buffers without room must not keep us: a ringful at most. */
	for (unsigned i = 0; done < len; i++) {
		size_t n;

		if (i == q->size) {
			vq_kick_later(q);
			break;
		}
		n = fill_chain(c, buf + done, len - done);
		if (n == SIZE_MAX)
			break;
		done += n;
	}
	vq_signal(q);
	c->refused = done < len;
	return done;
}

static size_t stream_deliver(struct stream_end *e, const uint8_t *buf,
			     size_t len)
{
	struct con *c = of_stream(e);
	size_t n;

	pthread_mutex_lock(&c->dev.lock);
	n = deliver_input(c, buf, len);
	pthread_mutex_unlock(&c->dev.lock);
	return n;
}

static void offer_room(struct con *c)
{
	if (!c->refused)
		return;
	c->refused = false;
	stream_room(&c->stream);
}

static const struct stream_ops stream_ops = {
	.deliver = stream_deliver,
	.room = stream_has_room,
};

/*
 * The device's face.
 */

static int con_start(struct virtio_dev *d)
{
	(void)d;
	return 0;
}

static void con_stop(struct virtio_dev *d)
{
	drop_output(to_con(d));
}

static void con_queue_stop(struct virtio_dev *d, unsigned qi)
{
	if (qi == CON_QUEUE_TX)
		drop_output(to_con(d));
}

static void con_kick(struct virtio_dev *d, unsigned qi)
{
	struct con *c = to_con(d);

	if (qi == CON_QUEUE_TX)
		send_output(c);
	else
		offer_room(c);
}

static void con_free(struct virtio_dev *d)
{
	virtio_dev_fini(d);
	free(to_con(d));
}

static const struct virtio_dev_ops con_ops = {
	.id = VIRTIO_ID_CONSOLE,
	.name = "virtio-console",
	.start = con_start,
	.stop = con_stop,
	.kick = con_kick,
	.queue_stop = con_queue_stop,
	.free = con_free,
};

int con_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    struct err *err)
{
	static const uint16_t queue_sizes[] = {QUEUE_SIZE, QUEUE_SIZE};
	struct con *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	c->stream.ops = &stream_ops;
	r = virtio_dev_init(&c->dev, &con_ops, env, BIT_ULL(CON_F_SIZE),
			    queue_sizes, ARRAY_SIZE(queue_sizes),
			    sizeof(struct con_config_wire), err);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret_d = &c->dev;
	return 0;
}

struct stream_end *con_stream(struct virtio_dev *d)
{
	return &to_con(d)->stream;
}

void con_resize(struct virtio_dev *d, uint16_t cols, uint16_t rows)
{
	struct con_config_wire w = {
		.cols = le16_put(cols),
		.rows = le16_put(rows),
	};

	pthread_mutex_lock(&d->lock);
	if (memcmp(d->config, &w, sizeof(w)) != 0) {
		memcpy(d->config, &w, sizeof(w));
		virtio_config_changed(d);
	}
	pthread_mutex_unlock(&d->lock);
}
