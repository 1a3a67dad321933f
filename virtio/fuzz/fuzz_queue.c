/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a driver can do to a queue, and what devices do with what they get.
 *
 * The input is a list of 12-byte steps: kind, three bytes, a 64-bit value.
 * Most of what they can say is nearly right, so that chains get far.  The
 * device reads, writes, takes iovecs, keeps, pushes and drops, as the input
 * says.  After each step the invariants hold.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/le.h"
#include "core/log.h"
#include "core/tests/fake_dma.h"
#include "virtio/device.h"
#include "virtio/tests/fake_transport.h"
#include "virtio/tests/vq_driver.h"

#define STEP	  12
#define STEPS_MAX 512
#define MEM	  0x40000u
#define RING	  0x1000u /* in pages of its own, table, avail, used */
#define RING_LEN  0x8000u
#define SIZE_MAX_ 64
#define COPY_MAX  8192u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct step {
	uint8_t kind, a, b, c;
	uint64_t val;
};

struct fuzz_dev {
	struct virtio_dev vdev;
	struct list held;
	unsigned nheld;
	bool keep_on_queue_stop;
	struct step how; /* what to do with chains */
};

static struct gmem mem;
static struct dma cpu; /* the driver's view */
static struct fake_dma view;
static struct fuzz_dev dev;
static struct fake_transport transport;
static struct vq_driver drv;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

/*
 * The device.
 */

static void check_chain(const struct vq_chain *c)
{
	uint64_t in = 0, out = 0;

	assert(c->nsegs <= c->vq->size && c->nreadable <= c->nsegs);
	for (unsigned i = 0; i < c->nsegs; i++) {
		const struct vq_seg *s = &c->segs[i];

		assert(s->len && s->at + (s->len - 1) >= s->at);
		*(i < c->nreadable ? &in : &out) += s->len;
	}
	assert(in + out <= UINT32_MAX);
	assert(c->in.left <= in && c->out.left + c->tail + c->written <= out);
}

static void act(struct vq_chain *c, unsigned how, uint32_t n)
{
	static uint8_t buf[COPY_MAX];
	struct iovec iov[5];
	uint64_t covered = 0;
	int r = 0;

	switch (how & 7) {
	case 0:
		(void)vq_read(c, buf, n % sizeof(buf));
		break;
	case 1:
		(void)vq_write(c, buf, n % sizeof(buf));
		break;
	case 2:
		(void)vq_write_tail(c, buf, n % 64);
		break;
	case 3:
		(void)vq_write_zero(c, n % (4 * sizeof(buf)));
		break;
	case 4:
		r = vq_iov_read(c, min_u64(n, c->in.left), iov, 1 + n % 5,
				&covered);
		break;
	case 5:
		r = vq_iov_write(c, min_u64(n, c->out.left), iov, 1 + n % 5,
				 &covered);
		break;
	case 6:
		vq_end_holds(c);
		break;
	case 7:
		break;
	}
	for (int i = 0; i < r; i++) {
		assert(iov[i].iov_len <= covered);
		covered -= iov[i].iov_len;
		/* The sanitizer knows where it may not point. */
		memset(iov[i].iov_base, 0x5a, min_u64(iov[i].iov_len, 16));
	}
	assert(r < 0 || covered == 0);
	check_chain(c);
}

static struct vq_chain *take_held(void)
{
	if (list_empty(&dev.held))
		return NULL;

	struct list *node = dev.held.next;

	list_remove(node);
	dev.nheld--;
	return container_of(node, struct vq_chain, node);
}

static void give_back(struct vq_chain *c, bool push, bool more)
{
	struct vq *q = c->vq;

	if (push && more) {
		vq_push_more(q, c);
		return;
	}
	if (push)
		vq_push(q, c);
	else
		vq_drop(q, c);
	vq_signal(q);
}

static int on_start(struct virtio_dev *d)
{
	(void)d;
	return 0;
}

static void drop_all(void)
{
	struct vq_chain *c;

	while ((c = take_held()))
		vq_drop(c->vq, c);
}

static void on_stop(struct virtio_dev *d)
{
	(void)d;
	drop_all();
}

static void on_queue_stop(struct virtio_dev *d, unsigned qi)
{
	(void)d, (void)qi;
	if (!dev.keep_on_queue_stop)
		drop_all();
}

static void on_kick(struct virtio_dev *d, unsigned qi)
{
	struct vq *q = virtio_queue(d, qi);
	unsigned how = (unsigned)dev.how.val, limit = dev.how.a;
	struct vq_chain *c;

	if (dev.how.b & 8) /* as from a loop */
		q->budget = q->size;
	if (dev.how.b & 1)
		vq_kicks_off(q);
	while (limit-- && vq_pop(q, &c) == 1) {
		check_chain(c);
		for (unsigned i = 0; i < 3; i++)
			act(c, how >> 3 * i, (uint32_t)(dev.how.val >> 16) + i);
		if (dev.how.b & 2) {
			list_append(&dev.held, &c->node);
			dev.nheld++;
		} else {
			give_back(c, !(dev.how.b & 4), dev.how.b & 16);
		}
	}
	if (dev.how.b & 1)
		(void)vq_kicks_on(q);
	vq_signal(q);
}

static const struct virtio_dev_ops ops = {
	.id = 63,
	.name = "fuzz",
	.start = on_start,
	.stop = on_stop,
	.kick = on_kick,
	.queue_stop = on_queue_stop,
	.free = virtio_dev_fini,
};

/*
 * The driver.
 */

/* Mostly in memory, now and then anything. */
static uint64_t some_address(uint64_t val)
{
	return val >> 60 == 0xf ? val : val & (MEM + 0xfff);
}

static uint16_t some_index(unsigned val, unsigned size)
{
	return (uint16_t)(val & 0x80 ? val * 0x101u : val % size);
}

static void start(uint64_t features, unsigned log2_size)
{
	uint64_t f =
		(features & dev.vdev.offered) | BIT_ULL(VIRTIO_F_VERSION_1);

	if (!vqd_negotiate(&dev.vdev, f))
		return;
	vqd_init(&drv, &cpu, RING, RING_LEN, (uint16_t)(1u << (log2_size % 7)));
	vqd_connect(&drv, &dev.vdev, 0);
	(void)vqd_driver_ok(&dev.vdev);
}

static void write_registers(const struct step *s)
{
	struct vq *q = virtio_queue(&dev.vdev, s->a & 1);

	if (!q || !virtio_queue_writable(&dev.vdev, q))
		return;
	q->size = s->b & 0x80 ? s->c : drv.size;
	q->desc = s->b & 1 ? s->val : drv.desc;
	q->avail = s->b & 2 ? s->val : drv.avail;
	q->used = s->b & 4 ? s->val : drv.used;
	virtio_queue_enable(&dev.vdev, q);
}

static void map_page(const struct step *s)
{
	iova_t page = (s->val % (MEM / FAKE_DMA_PAGE)) * FAKE_DMA_PAGE;

	if (dev.nheld)
		return; /* as UNMAP waits for holds */
	for (unsigned i = 0; i < view.npages; i++) {
		if (view.pages[i].iova == page) {
			fake_dma_unmap(&view, page, FAKE_DMA_PAGE);
			return;
		}
	}
	fake_dma_map(&view, page, page, FAKE_DMA_PAGE, s->a & 3);
}

static void step(const struct step *s)
{
	uint16_t flags = (uint16_t)((s->c & 7) | (s->c & 0x80 ? 0xff00 : 0));

	switch (s->kind % 16) {
	case 0:
	case 1:
		vqd_set_desc(&drv, s->a % drv.size, some_address(s->val),
			     (uint32_t)(s->val >> 24) & 0xffff, flags,
			     some_index(s->b, drv.size));
		break;
	case 2:
		vqd_set_table_desc(&drv, (s->val >> 32) % (MEM / 2), s->a % 8,
				   some_address(s->val), s->b, flags,
				   some_index(s->a + 1, drv.size));
		break;
	case 3:
	case 4:
		vqd_offer(&drv, some_index(s->a, drv.size));
		break;
	case 5:
	case 6:
		dev.how = *s;
		virtio_notify(&dev.vdev, s->c & 0x80 ? s->c : 0);
		break;
	case 7: {
		struct vq_chain *c = take_held();

		if (c) {
			act(c, s->a, (uint32_t)s->val);
			give_back(c, s->b & 7, s->b & 16);
		}
		break;
	}
	case 8:
		start(s->val, s->a);
		break;
	case 9:
		dev.keep_on_queue_stop = s->b & 1;
		virtio_queue_reset(&dev.vdev, &dev.vdev.vqs[0]);
		break;
	case 10:
		virtio_pause(&dev.vdev, s->a & 1);
		break;
	case 11:
		vqd_set_used_event(&drv, (uint16_t)s->val);
		vqd_set_avail_flags(&drv, (uint16_t)(s->val >> 16));
		if (s->a & 0x80)
			vqd_set_avail_idx(&drv, (uint16_t)(s->val >> 32));
		break;
	case 12:
		vqd_write(&drv, s->val % (MEM - 8), &s->val, sizeof(s->val));
		break;
	case 13:
		map_page(s);
		break;
	case 14:
		write_registers(s);
		break;
	case 15:
		virtio_set_status(&dev.vdev, s->a);
		virtio_set_driver_features(&dev.vdev, s->b & 3,
					   (uint32_t)s->val);
		virtio_config_write(&dev.vdev, s->val, 1u << (s->c & 3),
				    s->val);
		break;
	}
}

static void check(void)
{
	const struct vq *q = &dev.vdev.vqs[0];
	unsigned deferred = 0;

	list_for_each (node, &q->deferred) {
		deferred++;
	}
	assert(q->inflight == dev.nheld + deferred);
	assert(!deferred || dev.vdev.paused);
	assert(q->nstaged < VQ_BATCH && q->ahead.at == q->ahead.n);
	if (q->running) {
		assert(q->nstaged <= q->size);
		assert(q->enabled && vq_check(q) == 0);
		assert((uint16_t)(q->avail_idx - q->next_avail) <= q->size);
	}
	assert(dev.nheld || fake_dma_holds(&view) == 0);
	assert(!dev.vdev.running ||
	       !(dev.vdev.status & VIRTIO_STATUS_NEEDS_RESET));
}

static void set_up_once(void)
{
	const struct gmem_slot layout = {.base = 0, .size = MEM};

	if (mem.nslots)
		return;
	log_set_sink(drop_line);
	if (gmem_init(&mem, &layout, 1, NULL))
		abort();
	dma_init(&cpu, &mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint16_t sizes[1] = {SIZE_MAX_};
	struct virtio_dev_env env = {.name = "fuzz0", .dma = &cpu};
	bool translated;

	if (len < 1)
		return 0;
	set_up_once();
	translated = data[0] & 1;
	fake_dma_init(&view, &mem);
	fake_dma_map(&view, 0, 0, MEM, DMA_READ | DMA_WRITE);
	if (translated)
		env.dma = &view.dma;
	dev = (struct fuzz_dev){.nheld = 0};
	list_init(&dev.held);
	if (virtio_dev_init(&dev.vdev, &ops, &env, 0, sizes, 1, 8, NULL))
		abort();
	fake_transport_init(&transport, &dev.vdev);
	(void)gmem_zero(&mem, 0, MEM);
	start(data[0] & 2 ? UINT64_MAX : 0, data[0] >> 4);
	for (size_t at = 1, n = 0; len - at >= STEP && n < STEPS_MAX;
	     at += STEP, n++) {
		struct step s = {
			.kind = data[at],
			.a = data[at + 1],
			.b = data[at + 2],
			.c = data[at + 3],
			.val = le64_load(data + at + 4),
		};

		step(&s);
		check();
	}
	virtio_reset(&dev.vdev);
	assert(dev.vdev.vqs[0].inflight == 0);
	virtio_dev_fini(&dev.vdev);
	fake_dma_fini(&view);
	return 0;
}
