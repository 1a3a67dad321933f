/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/tests/fake_transport.h"

#include <assert.h>

#include "core/bits.h"
#include "core/fd.h"

static struct fake_transport *to_fake(struct virtio_transport *t)
{
	return container_of(t, struct fake_transport, t);
}

static void on_queue_interrupt(struct virtio_transport *t, unsigned qi)
{
	struct fake_transport *f = to_fake(t);

	f->queue_irqs[qi]++;
	if (f->irq_fd >= 0)
		eventfd_signal(f->irq_fd);
}

static void on_queue_lend(struct virtio_transport *t, unsigned qi,
			  struct irq_source *s)
{
	struct fake_transport *f = to_fake(t);

	assert(!f->sources[qi] && !s->straight);
	f->sources[qi] = s;
}

static void on_queue_take_back(struct virtio_transport *t, unsigned qi)
{
	struct fake_transport *f = to_fake(t);

	assert(f->sources[qi]);
	fake_transport_route(f, qi, false);
	f->sources[qi] = NULL;
}

static void on_config_interrupt(struct virtio_transport *t)
{
	to_fake(t)->config_irqs++;
}

static void on_reset_done(struct virtio_transport *t)
{
	to_fake(t)->resets++;
}

static const struct virtio_transport_ops fake_ops = {
	.queue_interrupt = on_queue_interrupt,
	.queue_lend = on_queue_lend,
	.queue_take_back = on_queue_take_back,
	.config_interrupt = on_config_interrupt,
	.reset_done = on_reset_done,
};

void fake_transport_init(struct fake_transport *f, struct virtio_dev *d)
{
	*f = (struct fake_transport){.t.ops = &fake_ops, .irq_fd = -1};
	virtio_attach(d, &f->t);
}

void fake_transport_route(struct fake_transport *f, unsigned qi, bool straight)
{
	struct irq_source *s = f->sources[qi];

	if (s->straight == straight)
		return;
	s->straight = straight;
	s->routed(s, straight);
}
