/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/console.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "devices/console_port.h"
#include "devices/console_wire.h"

#define QUEUE_SIZE	   64
#define QUEUE_SIZE_CONTROL 16
#define QUEUE_SIZE_TERSE   4
#define QUEUES_MAX	   (2 * CON_PORTS_MAX + 2)

static_assert(QUEUES_MAX <= VIRTIO_QUEUES_MAX, "");

struct con {
	struct virtio_dev dev;
	unsigned nports;
	struct con_size_wire size;
	struct con_port ports[];
};

static struct con *to_con(struct virtio_dev *d)
{
	return container_of(d, struct con, dev);
}

static bool is_control(unsigned qi)
{
	return qi == CON_QUEUE_CONTROL_RX || qi == CON_QUEUE_CONTROL_TX;
}

/* The port that queue @qi, no control queue, belongs to. */
static struct con_port *port_of(struct con *c, unsigned qi)
{
	return &c->ports[qi < CON_QUEUE_CONTROL_RX ? 0 : qi / 2 - 1];
}

/*
 * Control messages to the driver.  What is due is a bit of the port, so there
 * is no queue of ours to grow; they are said in the order of the events'
 * values but for PORT_OPEN, after which a program may use the port.
 */

static const uint16_t order[] = {
	CON_DEVICE_ADD, CON_CONSOLE_PORT, CON_RESIZE,
	CON_PORT_NAME,	CON_PORT_OPEN,
};

static void say(struct con_port *p, uint16_t event)
{
	p->unsaid |= 1u << event;
}

/* What changes before the port is ready is said when it is. */
static void say_if_ready(struct con_port *p, uint16_t event)
{
	if (p->ready)
		say(p, event);
}

/* A buffer that is too small for the message loses it. */
static void write_message(struct con *c, struct vq_chain *chain,
			  const struct con_port *p, uint16_t event)
{
	const struct con_control_wire w = {
		.id = le32_put(p->index),
		.event = le16_put(event),
		.value = le16_put(event == CON_PORT_OPEN ? p->host_open : 1),
	};

	if (vq_write_obj(chain, &w) < 0)
		return;
	if (event == CON_PORT_NAME)
		(void)vq_write(chain, p->name, strlen(p->name));
	if (event == CON_RESIZE)
		(void)vq_write_obj(chain, &c->size);
}

/* Return: false if there is no buffer. */
static bool send_message(struct con *c, struct con_port *p, uint16_t event)
{
	struct vq *q = &c->dev.vqs[CON_QUEUE_CONTROL_RX];
	struct vq_chain *chain;

	if (vq_pop(q, &chain) != 1)
		return false;
	write_message(c, chain, p, event);
	vq_push(q, chain);
	p->unsaid &= ~(1u << event);
	return true;
}

static bool send_due(struct con *c, struct con_port *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if ((p->unsaid >> order[i] & 1) &&
		    !send_message(c, p, order[i]))
			return false;
	}
	return true;
}

static void send_messages(struct con *c)
{
	if (!c->dev.running || c->dev.paused ||
	    !virtio_has(&c->dev, CON_F_MULTIPORT))
		return;
	for (unsigned i = 0; i < c->nports; i++) {
		if (!send_due(c, &c->ports[i]))
			break;
	}
	vq_signal(&c->dev.vqs[CON_QUEUE_CONTROL_RX]);
}

static void port_closed(struct con_port *p)
{
	say_if_ready(p, CON_PORT_OPEN);
	send_messages(to_con(p->dev));
}

/*
 * Control messages from the driver.
 */

/* Once: a port that exists is not added.   [virtio 1.2, 5.3.6.2.1] */
static void device_ready(struct con *c)
{
	for (unsigned i = 0; i < c->nports; i++) {
		if (!c->ports[i].added)
			say(&c->ports[i], CON_DEVICE_ADD);
		c->ports[i].added = true;
	}
}

static void port_ready(struct con *c, struct con_port *p)
{
	p->ready = true;
	if (p->console) {
		say(p, CON_CONSOLE_PORT);
		if (le16_get(c->size.cols))
			say(p, CON_RESIZE);
	}
	if (p->name)
		say(p, CON_PORT_NAME);
	say(p, CON_PORT_OPEN);
}

static void handle_message(struct con *c, const struct con_control_wire *w)
{
	const uint32_t id = le32_get(w->id);
	const uint16_t event = le16_get(w->event), value = le16_get(w->value);

	if (event == CON_DEVICE_READY) {
		if (value)
			device_ready(c);
		return;
	}
	if (id >= c->nports) {
		guest_warn(&c->dev.log, "a message for port %u of %u", id,
			   c->nports);
		return;
	}
	if (event == CON_PORT_READY && value)
		port_ready(c, &c->ports[id]);
	else if (event == CON_PORT_OPEN)
		con_port_guest_open(&c->ports[id], value);
}

static void take_messages(struct con *c)
{
	struct vq *q = &c->dev.vqs[CON_QUEUE_CONTROL_TX];
	struct vq_chain *chain;
	struct con_control_wire w;

	while (vq_pop(q, &chain) == 1) {
		const bool whole = vq_read_obj(chain, &w) == 0;

		vq_push(q, chain);
		if (whole)
			handle_message(c, &w);
	}
	vq_signal(q);
}

/*
 * The device's face.
 */

static int con_start(struct virtio_dev *d)
{
	struct con *c = to_con(d);

	/* Without MULTIPORT the first port is there from the start. */
	c->ports[0].guest_open = !virtio_has(d, CON_F_MULTIPORT);
	return 0;
}

static void con_stop(struct virtio_dev *d)
{
	struct con *c = to_con(d);

	for (unsigned i = 0; i < c->nports; i++) {
		con_port_drop(&c->ports[i]);
		c->ports[i].added = c->ports[i].ready = false;
		c->ports[i].guest_open = false;
		c->ports[i].unsaid = 0;
	}
}

static void con_queue_stop(struct virtio_dev *d, unsigned qi)
{
	struct con_port *p;

	if (is_control(qi))
		return;
	p = port_of(to_con(d), qi);
	if (qi == p->txq)
		con_port_drop(p);
}

static void con_kick(struct virtio_dev *d, unsigned qi)
{
	struct con *c = to_con(d);

	if (qi == CON_QUEUE_CONTROL_TX)
		take_messages(c);
	if (is_control(qi))
		send_messages(c);
	else
		con_port_kick(port_of(c, qi), qi);
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

/* @features and @nqueues: what there is besides a single console */
static int make(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		const struct con_port_config *ports, unsigned nports,
		uint64_t features, unsigned nqueues, struct err *err)
{
	struct con *c = calloc(1, sizeof(*c) + nports * sizeof(c->ports[0]));
	uint16_t sizes[QUEUES_MAX];
	int r;

	if (!c)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		sizes[i] = is_control(i) ? QUEUE_SIZE_CONTROL : QUEUE_SIZE;
	for (unsigned i = 0; i < nports; i++) {
		if (ports[i].terse)
			sizes[con_port_rx(i)] = QUEUE_SIZE_TERSE;
	}
	r = virtio_dev_init(&c->dev, &con_ops, env,
			    BIT_ULL(CON_F_SIZE) | features, sizes, nqueues,
			    sizeof(struct con_config_wire), err);
	if (r < 0) {
		free(c);
		return r;
	}
	c->nports = nports;
	for (unsigned i = 0; i < nports; i++) {
		con_port_init(&c->ports[i], &c->dev, i, port_closed);
		c->ports[i].name = ports[i].name;
		c->ports[i].console = ports[i].console;
	}
	*ret_d = &c->dev;
	return 0;
}

int con_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	    struct err *err)
{
	const struct con_port_config port = {.console = true};

	return make(ret_d, env, &port, 1, 0, 2, err);
}

int con_new_ports(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		  const struct con_port_config *ports, unsigned nports,
		  struct err *err)
{
	const le32_t count = le32_put(nports);
	int r;

	assert(nports >= 1 && nports <= CON_PORTS_MAX);
	for (unsigned i = 0; i < nports; i++)
		assert(!ports[i].name ||
		       strlen(ports[i].name) <= CON_PORT_NAME_MAX);
	r = make(ret_d, env, ports, nports, BIT_ULL(CON_F_MULTIPORT),
		 2 * nports + 2, err);
	if (r == 0)
		memcpy((*ret_d)->config +
			       offsetof(struct con_config_wire, max_nr_ports),
		       &count, sizeof(count));
	return r;
}

struct stream_end *con_port_stream(struct virtio_dev *d, unsigned index)
{
	struct con *c = to_con(d);

	assert(index < c->nports);
	return &c->ports[index].stream;
}

struct stream_end *con_stream(struct virtio_dev *d)
{
	return con_port_stream(d, 0);
}

void con_resize(struct virtio_dev *d, uint16_t cols, uint16_t rows)
{
	struct con *c = to_con(d);
	const struct con_size_wire w = {
		.cols = le16_put(cols),
		.rows = le16_put(rows),
	};

	pthread_mutex_lock(&d->lock);
	if (memcmp(&c->size, &w, sizeof(w)) != 0) {
		c->size = w;
		memcpy(d->config, &w, sizeof(w));
		virtio_config_changed(d);
		for (unsigned i = 0; i < c->nports; i++) {
			if (c->ports[i].console)
				say_if_ready(&c->ports[i], CON_RESIZE);
		}
		send_messages(c);
	}
	pthread_mutex_unlock(&d->lock);
}
