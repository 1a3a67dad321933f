/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/tests/queue_fixture.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/bits.h"

static char last_line[256];

static void keep_line(enum log_level level, const char *line)
{
	(void)level;
	(void)snprintf(last_line, sizeof(last_line), "%s", line);
}

bool fix_said(const char *phrase)
{
	return strstr(last_line, phrase);
}

void fix_init(struct fixture *f, uint16_t size_max, bool translated)
{
	const struct gmem_slot layout = {.base = 0, .size = FIX_MEM};
	struct virtio_dev_env env = {.name = "fake0"};
	int r = gmem_init(&f->mem, &layout, 1, NULL);

	assert(r == 0);
	log_set_sink(keep_line);
	dma_init(&f->id, &f->mem);
	fake_dma_init(&f->fake, &f->mem);
	env.dma = translated ? &f->fake.dma : &f->id;
	env.access_platform = false;
	r = fake_dev_init(&f->dev, &env, &size_max, 1, 16);
	assert(r == 0);
	f->d = &f->dev.vdev;
	f->q = virtio_queue(f->d, 0);
	fake_transport_init(&f->transport, f->d);
	(void)r;
}

void fix_start(struct fixture *f, uint64_t features, uint16_t size)
{
	bool ok = vqd_negotiate(f->d, features);

	assert(ok);
	vqd_init(&f->drv, &f->id, FIX_RING, FIX_LEN, size);
	vqd_connect(&f->drv, f->d, 0);
	ok = vqd_driver_ok(f->d);
	assert(ok);
	(void)ok;
}

void fix_up(struct fixture *f, uint64_t features, uint16_t size)
{
	fix_init(f, size, false);
	fix_start(f, features, size);
}

void fix_fini(struct fixture *f)
{
	fake_dev_fini(&f->dev);
	fake_dma_fini(&f->fake);
	gmem_fini(&f->mem);
	log_set_sink(NULL);
}

void fix_kick(struct fixture *f)
{
	if (vqd_wants_kick(&f->drv))
		virtio_notify(f->d, 0);
}

void fix_add(struct fixture *f)
{
	struct vqd_buf buf = {FIX_RING + FIX_LEN, 16, true};

	(void)vqd_add(&f->drv, &buf, 1);
}

struct vq_chain *fix_pop(struct fixture *f)
{
	struct vq_chain *c = NULL;
	int r = vq_pop(f->q, &c);

	assert(r == 1);
	(void)r;
	return c;
}

void fix_use(struct fixture *f)
{
	vq_push(f->q, fix_pop(f));
}

void fix_take(struct fixture *f)
{
	uint32_t head, len;
	bool some = vqd_get_used(&f->drv, &head, &len);

	assert(some);
	(void)some;
}

bool fix_is_broken(const struct fixture *f)
{
	return f->d->status & VIRTIO_STATUS_NEEDS_RESET && !f->d->running;
}
