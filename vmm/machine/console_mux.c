/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/console_mux.h"

#include "core/bits.h"

static struct console_mux_back *to_back(struct stream_end *e)
{
	return container_of(e, struct console_mux_back, end);
}

static struct console_mux *to_mux(struct stream_end *e)
{
	return container_of(e, struct console_mux, front);
}

/*
 * @refused is set before the second try: if the front made room between the
 * two, either the try succeeds or its room() sees the flag.
 */
static size_t back_deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct console_mux_back *b = to_back(e);
	size_t n = stream_send(&b->mux->front, buf, len);

	atomic_store(&b->mux->last, b->index);
	if (n == len)
		return n;
	atomic_store(&b->refused, true);
	return n + stream_send(&b->mux->front, buf + n, len - n);
}

static void back_room(struct stream_end *e)
{
	stream_room(&to_back(e)->mux->front);
}

static const struct stream_ops back_ops = {
	.deliver = back_deliver,
	.room = back_room,
};

static size_t front_deliver(struct stream_end *e, const uint8_t *buf,
			    size_t len)
{
	struct console_mux *x = to_mux(e);

	return stream_send(&x->backs[atomic_load(&x->last)].end, buf, len);
}

static void front_room(struct stream_end *e)
{
	struct console_mux *x = to_mux(e);

	for (unsigned i = 0; i < CONSOLE_MUX_DEVICES; i++) {
		if (atomic_exchange(&x->backs[i].refused, false))
			stream_room(&x->backs[i].end);
	}
}

static const struct stream_ops front_ops = {
	.deliver = front_deliver,
	.room = front_room,
};

void console_mux_init(struct console_mux *x)
{
	*x = (struct console_mux){.front.ops = &front_ops};
	for (unsigned i = 0; i < CONSOLE_MUX_DEVICES; i++) {
		x->backs[i].end.ops = &back_ops;
		x->backs[i].mux = x;
		x->backs[i].index = i;
	}
}

void console_mux_join(struct console_mux *x, unsigned index,
		      struct stream_end *device)
{
	stream_join(&x->backs[index].end, device);
}
