/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The network device between a rude driver and a stream that is cut anywhere.
 *
 * Input: a byte of choices, then steps of STEP bytes.  Without a loop nothing
 * runs by itself: steps are kicks and turns of the pair.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/tests/fake_dma.h"
#include "devices/net/device.h"
#include "devices/net/stream.h"
#include "virtio/tests/vq_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MEM	  KIB(256)
#define RING_SIZE 64
#define RING_LEN  KIB(16)
#define STEP	  12
#define STEPS_MAX 400
#define QUEUES	  3

struct step {
	uint8_t kind, a, b, c;
	uint64_t val;
};

static struct gmem mem;
static struct dma cpu;
static struct fake_dma view;
static struct vq_driver drv[QUEUES];
static struct net_stream stream;
static struct virtio_dev *dev;
static int peer;

static void drop_line(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static void stream_free(struct net_backend *b)
{
	(void)b;
	net_stream_fini(&stream);
}

static const struct net_backend_ops ops = {
	.incoming = net_stream_incoming,
	.receive = net_stream_receive,
	.send = net_stream_send,
	.send_rest = net_stream_send_rest,
	.free = stream_free,
};

static struct net_pair *pair(void)
{
	return &container_of(dev, struct net, dev)->pairs[0];
}

static void start(uint64_t features)
{
	if (!vqd_negotiate(dev, (features & dev->offered) |
					BIT_ULL(VIRTIO_F_VERSION_1)))
		return;
	for (unsigned i = 0; i < QUEUES; i++) {
		vqd_init(&drv[i], &cpu, i * RING_LEN, RING_LEN, RING_SIZE);
		vqd_connect(&drv[i], dev, i);
	}
	(void)vqd_driver_ok(dev);
}

static void put_desc(const struct step *s)
{
	const uint32_t n = (uint32_t)(s->val >> 32);

	vqd_set_desc(&drv[s->a % QUEUES], s->b % RING_SIZE,
		     s->val & (MEM + 0xfff), n & 1 ? n >> 1 : n >> 1 & 0x3fff,
		     (uint16_t)(s->c & 7), s->c >> 3);
}

/* A buffer, or a frame, that is as it should be. */
static void put_good(const struct step *s)
{
	const unsigned q = s->a % QUEUES;

	vqd_set_desc(&drv[q], s->b % RING_SIZE, 0x10000 + (s->val & 0x1ffff),
		     12 + (s->val >> 32 & 0xfff), q == 0 ? VQ_DESC_F_WRITE : 0,
		     0);
	vqd_offer(&drv[q], s->b % RING_SIZE);
	virtio_notify(dev, q);
}

static void put_bytes(const struct step *s)
{
	vqd_write(&drv[0], 0x10000 + (s->val & 0x1fff0), &s->val,
		  sizeof(s->val));
}

static void peer_send(const struct step *s)
{
	static const uint8_t zeros[4096];
	const be32_t head = be32_put((uint32_t)s->val & 0x7fff);
	const size_t len =
		s->a & 1 ? be32_get(head) : (size_t)(s->val >> 32 & 0xfff);

	if (s->a & 2)
		(void)!send(peer, &head, s->b % 5, MSG_NOSIGNAL);
	if (s->a & 4)
		(void)!send(peer, &s->val, s->c % 9, MSG_NOSIGNAL);
	(void)!send(peer, zeros, min_u64(len, sizeof(zeros)), MSG_NOSIGNAL);
}

static void peer_drain(const struct step *s)
{
	static uint8_t buf[65536];

	(void)!recv(peer, buf, 1 + (s->val & 0xffff), 0);
}

static void toggle_page(const struct step *s)
{
	const iova_t page = s->val % (MEM / FAKE_DMA_PAGE) * FAKE_DMA_PAGE;

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
	switch (s->kind % 12) {
	case 0:
		put_desc(s);
		break;
	case 1:
		vqd_offer(&drv[s->a % QUEUES], s->b);
		virtio_notify(dev, s->a % QUEUES);
		break;
	case 2:
	case 3:
	case 4:
		put_good(s);
		break;
	case 5:
		put_bytes(s);
		break;
	case 6:
	case 7:
		peer_send(s);
		break;
	case 8:
		net_pair_run(pair());
		break;
	case 9:
		peer_drain(s);
		break;
	case 10:
		toggle_page(s);
		break;
	case 11:
		if (s->a & 3)
			virtio_queue_reset(dev, &dev->vqs[s->b % QUEUES]);
		else
			start(s->val);
		break;
	}
	/* Between two calls the device holds nothing. */
	assert(fake_dma_holds(&view) == 0);
	assert(pair()->rx.nslots <= NET_SLOTS_MAX);
	assert(dev->vqs[0].inflight == pair()->rx.nslots);
	assert(dev->vqs[1].inflight == (pair()->tx.stuck != NULL));
}

static void make_device(void)
{
	static const uint8_t mac[NET_MAC_LEN] = {2};
	const struct virtio_dev_env env = {.name = "fuzz0", .dma = &view.dma};
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0 ||
	    net_stream_init(&stream, fds[0]) < 0)
		abort();
	peer = fds[1];
	stream.backend.ops = &ops;
	stream.backend.name = "fuzz";
	/* As if it could: the guest's headers are looked at. */
	stream.backend.features = BIT_ULL(NET_F_CSUM) |
				  BIT_ULL(NET_F_HOST_TSO4) |
				  BIT_ULL(NET_F_GUEST_CSUM);
	if (net_new_on(&dev, &env, mac, 0, &stream.backend, NULL) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct gmem_slot layout = {.base = 0, .size = MEM};

	if (len < 1)
		return 0;
	if (!mem.nslots) {
		log_set_sink(drop_line);
		if (gmem_init(&mem, &layout, 1, NULL))
			abort();
		dma_init(&cpu, &mem);
	}
	fake_dma_init(&view, &mem);
	fake_dma_map(&view, 0, 0, MEM, DMA_READ | DMA_WRITE);
	(void)gmem_zero(&mem, 0, MEM);
	make_device();
	start(data[0] & 1 ? UINT64_MAX : 0);
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
	}
	virtio_reset(dev);
	virtio_dev_free(dev);
	close(peer);
	fake_dma_fini(&view);
	return 0;
}
