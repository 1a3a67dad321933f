/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A line of 64 bytes, written to a console whose other end takes everything.
 */
#include <stdio.h>

#include "core/err.h"
#include "devices/console.h"
#include "virtio/bench/rig.h"

#define LINE	 64
#define QUEUE_TX 1

static size_t sink_deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	(void)e, (void)buf;
	return len;
}

static void sink_room(struct stream_end *e)
{
	(void)e;
}

static const struct stream_ops sink_ops = {
	.deliver = sink_deliver,
	.room = sink_room,
};

static int console_open(struct rig *r, const struct virtio_dev_env *env)
{
	struct err err = {0};
	int rc = con_new(&r->dev, env, &err);

	if (rc) {
		fprintf(stderr, "virtio-bench: %s\n", err.msg);
		return rc;
	}
	r->sink.ops = &sink_ops;
	stream_join(con_stream(r->dev), &r->sink);
	return 0;
}

static unsigned request(struct rig *r, unsigned slot, uint64_t n,
			struct vqd_buf *bufs)
{
	(void)r, (void)n;
	bufs[0] = (struct vqd_buf){rig_page(slot, 0), LINE, false};
	return 1;
}

static bool check(struct rig *r, unsigned slot, uint32_t len)
{
	(void)r, (void)slot;
	return len == 0;
}

const struct subject_ops subject_console = {
	.name = "console",
	.open = console_open,
	.queue = QUEUE_TX,
	.request = request,
	.check = check,
};
