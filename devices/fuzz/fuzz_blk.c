/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a driver can ask of a disk, and what the host may answer.
 *
 * The input is a list of 12-byte steps: kind, three bytes, a 64-bit value.
 * The engine's operations complete when the input says so, with the result
 * it says.  No operation may leave the disk or reach past its buffers, and
 * when nothing flies nothing is held.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/le.h"
#include "core/log.h"
#include "core/tests/fake_dma.h"
#include "devices/blk/device.h"
#include "devices/blk/request.h"
#include "virtio/device.h"
#include "virtio/tests/vq_driver.h"

#define STEP	   12
#define STEPS_MAX  256
#define MEM	   0x40000u
#define RING	   0x1000u /* table, avail, used: a page each and more */
#define RING_LEN   0x8000u
#define HEADERS	   0x10000u /* headers and ranges, 16 bytes apart */
#define RING_SIZE  64
#define DISK_BYTES MIB(1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct step {
	uint8_t kind, a, b, c;
	uint64_t val;
};

struct slow_engine {
	struct blk_engine engine;
	struct list queued, flying;
	unsigned n; /* of both */
};

static struct gmem mem;
static struct dma cpu; /* the driver's view */
static struct fake_dma view;
/* Writable and read-only; the input chooses. */
static struct slow_engine engines[2];
static struct virtio_dev *disks[2];
static struct slow_engine *slow;
static struct virtio_dev *dev;
static struct vq_driver drv;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

/*
 * The engine.
 */

static void check_buffers(const struct blk_io *io)
{
	uint64_t left = io->len;

	assert(io->niov > 0 && io->niov <= BLK_IOV_MAX);
	for (unsigned i = 0; i < io->niov; i++) {
		const struct iovec *v = &io->iov[i];
		volatile uint8_t *p = v->iov_base;

		assert(v->iov_len > 0 && v->iov_len <= left);
		left -= v->iov_len;
		/* The sanitizer knows where they may not point. */
		if (io->op == BLK_OP_READ)
			p[0] = p[v->iov_len - 1] = 0x5a;
		else
			(void)(p[0] + p[v->iov_len - 1]);
	}
	assert(left == 0);
}

static void check_io(const struct blk_io *io)
{
	assert(io->len <= DISK_BYTES && io->at <= DISK_BYTES - io->len);
	switch (io->op) {
	case BLK_OP_READ:
	case BLK_OP_WRITE:
		check_buffers(io);
		break;
	case BLK_OP_FALLOCATE:
		assert(io->len > 0);
		break;
	case BLK_OP_SYNC:
		break;
	case BLK_OP_DISCARD: /* for block devices */
		abort();
	}
}

static struct slow_engine *to_slow(struct blk_engine *e)
{
	return container_of(e, struct slow_engine, engine);
}

static void slow_queue(struct blk_engine *e, struct blk_io *io)
{
	struct slow_engine *k = to_slow(e);

	assert(k == slow && k->n < e->env.depth);
	check_io(io);
	list_append(&k->queued, &io->node);
	k->n++;
}

static void slow_submit(struct blk_engine *e)
{
	struct slow_engine *k = to_slow(e);

	while (!list_empty(&k->queued)) {
		struct list *node = k->queued.next;

		list_remove(node);
		list_append(&k->flying, node);
	}
}

static void slow_free(struct blk_engine *e)
{
	assert(to_slow(e)->n == 0);
}

static const struct blk_engine_ops slow_ops = {
	.queue = slow_queue,
	.submit = slow_submit,
	.free = slow_free,
};

static int slow_new(struct blk_engine **ret_e, const struct blk_engine_env *env)
{
	struct slow_engine *k = &engines[env->image->readonly];

	k->engine = (struct blk_engine){.ops = &slow_ops, .env = *env};
	list_init(&k->queued);
	list_init(&k->flying);
	*ret_e = &k->engine;
	return 0;
}

static void complete(bool newest, int64_t result)
{
	struct blk_engine_user *u = slow->engine.env.user;
	struct list *node;

	if (list_empty(&slow->flying))
		return;
	node = newest ? slow->flying.prev : slow->flying.next;
	list_remove(node);
	slow->n--;
	u->ops->done(u, container_of(node, struct blk_io, node), result);
	slow_submit(&slow->engine);
	u->ops->batch_done(u);
}

static void land_all(void)
{
	while (!list_empty(&slow->flying))
		complete(false, -EIO);
}

/* Full, short, none, or an error. */
static int64_t some_result(const struct step *s)
{
	static const int errors[] = {EIO,    EINTR,	 EAGAIN, ENOSPC,
				     EINVAL, EOPNOTSUPP, EFAULT, ENOSYS};
	const struct blk_io *io;

	if (list_empty(&slow->flying))
		return 0;
	io = container_of(s->b & 1 ? slow->flying.prev : slow->flying.next,
			  struct blk_io, node);
	switch (s->c & 3) {
	case 0:
		return -errors[s->val % ARRAY_SIZE(errors)];
	case 1:
		return (int64_t)(s->val % (io->len + 2));
	default:
		return (int64_t)io->len;
	}
}

/*
 * The driver.
 */

static void start(uint64_t features)
{
	land_all();
	if (!vqd_negotiate(dev, (features & dev->offered) |
					BIT_ULL(VIRTIO_F_VERSION_1)))
		return;
	vqd_init(&drv, &cpu, RING, RING_LEN, RING_SIZE);
	vqd_connect(&drv, dev, 0);
	(void)vqd_driver_ok(dev);
}

static void put_header(const struct step *s)
{
	static const uint8_t types[8] = {0, 1, 4, 8, 11, 13, 0, 1};
	const struct blk_header_wire h = {
		.type = le32_put(s->b & 0x80 ? s->b : types[s->b & 7]),
		.sector =
			le64_put(s->val >> 60 == 0xf ? s->val : s->val % 2050),
	};

	vqd_write(&drv, HEADERS + s->a * 16u, &h, sizeof(h));
}

static void put_range(const struct step *s)
{
	const struct blk_range_wire w = {
		.sector = le64_put(s->val % 2050),
		.nsectors = le32_put((uint32_t)(s->val >> 32) % 2050),
		.flags = le32_put(s->b),
	};

	vqd_write(&drv, HEADERS + s->a * 16u, &w, sizeof(w));
}

/* Headers' addresses, or any; lengths of whole sectors, or any. */
static void put_desc(const struct step *s)
{
	uint64_t at = s->val & 0x40000000 ? HEADERS + (s->val & 0xff) * 16
					  : s->val & (MEM + 0xfff);
	uint32_t n = (uint32_t)(s->val >> 32);

	vqd_set_desc(&drv, s->a % RING_SIZE, at,
		     n & 1 ? (n >> 1) % 0x40000 : (n >> 1) % 512 * 16,
		     (uint16_t)(s->c & 7), s->b % RING_SIZE);
}

/*
 * A request that is nearly right: header, up to five buffers, status.  The
 * steps around it spoil it.
 */
static void put_request(const struct step *s)
{
	unsigned base = (s->a & 7) * 8u, n = (s->c & 7) % 6;
	/* Of put_header()'s types, those that read buffers. */
	uint16_t dir = 0xb2 >> (s->b & 7) & 1 ? 0 : VQ_DESC_F_WRITE;
	struct step header = *s;

	header.a = (uint8_t)base;
	put_header(&header);
	vqd_set_desc(&drv, base, HEADERS + base * 16u, 16, VQ_DESC_F_NEXT,
		     (uint16_t)(base + 1));
	for (unsigned i = 1; i <= n; i++) {
		uint64_t r = s->val >> 8 * i;
		bool range = (s->b & 7) == 4 || (s->b & 7) == 5;

		vqd_set_desc(&drv, base + i,
			     range ? HEADERS + (r & 0xff) * 16
				   : 0x20000 + (r & 0x1ff) * 128,
			     range ? 16 : (uint32_t)(r % 64) * 512,
			     dir | VQ_DESC_F_NEXT, (uint16_t)(base + i + 1));
	}
	vqd_set_desc(&drv, base + n + 1, 0x3f000 + base, 1, VQ_DESC_F_WRITE, 0);
	vqd_offer(&drv, (uint16_t)base);
	if (s->c & 0x80)
		virtio_notify(dev, 0);
}

static void toggle_page(const struct step *s)
{
	iova_t page = (s->val % (MEM / FAKE_DMA_PAGE)) * FAKE_DMA_PAGE;

	if (slow->n)
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
	switch (s->kind % 16) {
	case 0:
	case 1:
		put_header(s);
		break;
	case 2:
		put_range(s);
		break;
	case 3:
	case 4:
	case 5:
		put_desc(s);
		break;
	case 6:
	case 7:
		vqd_offer(&drv, s->a % RING_SIZE);
		virtio_notify(dev, 0);
		break;
	case 8:
	case 9:
		complete(s->b & 1, some_result(s));
		break;
	case 10:
		toggle_page(s);
		break;
	case 12:
	case 13:
	case 14:
		put_request(s);
		break;
	case 11:
	case 15:
		if (s->a & 1)
			start(s->val);
		else
			virtio_queue_reset(dev, &dev->vqs[0]);
		break;
	}
}

static void check(void)
{
	assert(virtio_flight(dev) == slow->n);
	assert(dev->vqs[0].inflight == slow->n);
	assert(slow->n || fake_dma_holds(&view) == 0);
}

static struct virtio_dev *make_disk(bool readonly)
{
	struct virtio_dev_env env = {.name = "fuzz0", .dma = &view.dma};
	struct blk_config config = {.readonly = readonly};
	struct virtio_dev *d;
	char path[64];
	int fd = memfd_create("disk", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, DISK_BYTES))
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config.path = path;
	if (blk_new_on(&d, &env, &config, slow_new, NULL))
		abort();
	return d;
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
	for (unsigned i = 0; i < 2; i++)
		disks[i] = make_disk(i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1)
		return 0;
	set_up_once();
	fake_dma_init(&view, &mem);
	fake_dma_map(&view, 0, 0, MEM, DMA_READ | DMA_WRITE);
	dev = disks[data[0] & 1];
	slow = &engines[data[0] & 1];
	(void)gmem_zero(&mem, 0, MEM);
	start(data[0] & 2 ? UINT64_MAX : 0);
	for (size_t at = 1, n = 0; len - at >= STEP && n < STEPS_MAX;
	     at += STEP, n++) {
		const struct step s = {
			.kind = data[at],
			.a = data[at + 1],
			.b = data[at + 2],
			.c = data[at + 3],
			.val = le64_load(data + at + 4),
		};

		step(&s);
		check();
	}
	land_all();
	virtio_reset(dev);
	check();
	fake_dma_fini(&view);
	return 0;
}
