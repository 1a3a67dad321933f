/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a guest can say to a virtio-vsock, with real sockets behind it.
 *
 * The input is a list of 12-byte steps: kind, three bytes, a 64-bit value.
 * Ports are few, so that packets meet connections.  Nothing is ever held,
 * bounds hold, and after a reset nothing is left.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/le.h"
#include "core/log.h"
#include "core/tests/fake_dma.h"
#include "devices/vsock/private.h"
#include "virtio/tests/vq_driver.h"

#define STEP	  12
#define STEPS_MAX 256
#define MEM	  0x100000u
#define RINGS	  0x1000u /* one behind the other */
#define RING_LEN  0x8000u
#define BUFFERS	  0x20000u
#define RING_SIZE 32
#define CID	  3
#define PORTS	  4u /* of each side; the first two have a server */
#define CLIENTS	  8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct step {
	uint8_t kind, a, b, c;
	uint64_t val;
};

static struct gmem mem;
static struct dma cpu; /* the driver's view */
static struct fake_dma view;
static struct loop *loop;
static struct virtio_dev *dev;
static struct vsock *v;
static struct vq_driver drv[3];
static char dir[] = "/tmp/moat-fuzz-XXXXXX", path[64];
static int servers[2], ends[CLIENTS]; /* programs of the host */
static unsigned next_end;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

/*
 * The host.
 */

static struct sockaddr_un address(const char *suffix)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s%s", path, suffix);
	return a;
}

static void keep(int fd)
{
	if (fd < 0)
		return;
	if (ends[next_end] >= 0)
		close(ends[next_end]);
	ends[next_end] = fd;
	next_end = (next_end + 1) % CLIENTS;
}

static void dial(const struct step *s)
{
	const struct sockaddr_un a = address("");
	char text[32] = "CONNECT 1\n";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	text[8] = (char)('0' + s->a % PORTS);
	if (s->b < 32)
		text[s->b] = (char)s->c;
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		(void)!send(fd, text, 10, MSG_NOSIGNAL);
	keep(fd);
}

static void host_acts(const struct step *s)
{
	static uint8_t bytes[65536];
	const int fd = ends[s->a % CLIENTS];

	if (fd < 0)
		return;
	switch (s->b % 5) {
	case 0:
		(void)!send(fd, bytes, s->val % sizeof(bytes),
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 1:
	case 2:
		(void)!recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		break;
	case 3:
		(void)shutdown(fd, s->c % 3);
		break;
	case 4:
		close(fd);
		ends[s->a % CLIENTS] = -1;
		break;
	}
}

static void take_clients(void)
{
	for (unsigned i = 0; i < 2; i++)
		keep(accept4(servers[i], NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK));
}

/*
 * The driver.
 */

static void start(uint64_t features)
{
	if (!vqd_negotiate(dev, (features & dev->offered) |
					BIT_ULL(VIRTIO_F_VERSION_1)))
		return;
	for (unsigned i = 0; i < 3; i++) {
		vqd_init(&drv[i], &cpu, RINGS + i * RING_LEN, RING_LEN,
			 i == VSOCK_QUEUE_EVENT ? 8 : RING_SIZE);
		vqd_connect(&drv[i], dev, i);
	}
	(void)vqd_driver_ok(dev);
}

/* Right but for one word, which may be anything. */
static void send_packet(const struct step *s)
{
	const uint32_t len = (uint32_t)(s->val % 40000);
	struct vsock_header_wire h = {
		.src_cid = le32_put(CID),
		.dst_cid = le32_put(VSOCK_CID_HOST),
		.src_port = le32_put(s->a % PORTS),
		.dst_port = le32_put(s->a / PORTS % PORTS),
		.type = le16_put(VSOCK_TYPE_STREAM),
		.op = le16_put(s->b % 8),
		.flags = le32_put(s->b >> 3),
		.buf_alloc = le32_put(65536),
	};
	const unsigned slot = s->c % RING_SIZE;
	uint32_t total = sizeof(h);
	iova_t at = BUFFERS + slot * 0x400u;

	if (s->b % 8 == VSOCK_OP_RW) {
		h.len = le32_put(len);
		total += len;
	}
	if (s->val >> 60 == 1)
		memcpy((uint8_t *)&h + (s->val >> 52 & 0xff) % 10 * 4,
		       (const uint8_t *)&s->val + 2, 4);
	if (s->val >> 60 == 2)
		total = (uint32_t)(s->val >> 20) % 100;
	vqd_write(&drv[VSOCK_QUEUE_TX], at, &h, sizeof(h));
	vqd_set_desc(&drv[VSOCK_QUEUE_TX], slot, at, total, 0, 0);
	vqd_offer(&drv[VSOCK_QUEUE_TX], (uint16_t)slot);
	if (s->val >> 60 != 3)
		virtio_notify(dev, VSOCK_QUEUE_TX);
}

static void post(const struct step *s)
{
	const unsigned qi = s->c & 0x80 ? VSOCK_QUEUE_EVENT : VSOCK_QUEUE_RX;

	for (unsigned i = 0; i <= s->a % 8u; i++) {
		const unsigned slot = (s->b + i) % RING_SIZE;

		vqd_set_desc(&drv[qi], slot, BUFFERS + 0x40000 + slot * 0x1000u,
			     s->val >> 60 == 1 ? (uint32_t)s->val % 100
					       : (uint32_t)s->val % 0x4000,
			     VQ_DESC_F_WRITE, 0);
		vqd_offer(&drv[qi], (uint16_t)slot);
	}
	virtio_notify(dev, qi);
}

static void toggle_page(const struct step *s)
{
	iova_t page = (s->val % (MEM / FAKE_DMA_PAGE)) * FAKE_DMA_PAGE;

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
	case 2:
	case 3:
	case 4:
		send_packet(s);
		break;
	case 5:
	case 6:
		post(s);
		break;
	case 7:
	case 8:
		pthread_mutex_unlock(&dev->lock);
		loop_poll(loop);
		pthread_mutex_lock(&dev->lock);
		break;
	case 9:
		dial(s);
		break;
	case 10:
	case 11:
		host_acts(s);
		break;
	case 12:
		take_clients();
		break;
	case 13:
		toggle_page(s);
		break;
	case 14:
		if (s->a % 16 == 0)
			start(s->val);
		break;
	case 15:
		if (s->a % 4 == 0)
			virtio_queue_reset(dev, &dev->vqs[s->b % 3]);
		break;
	}
}

static void check(void)
{
	assert(fake_dma_holds(&view) == 0);
	assert(dev->inflight == 0);
	assert(v->nconns <= VSOCK_CONNS_MAX);
	assert(v->waiting <= VSOCK_WAITING_MAX);
	assert(v->nresets <= VSOCK_RESETS_MAX);
}

static int serve(const char *suffix)
{
	const struct sockaddr_un a = address(suffix);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, 4))
		abort();
	return fd;
}

static void clean_up(void)
{
	virtio_dev_free(dev);
	for (unsigned i = 0; i < 2; i++)
		(void)unlink(address(i ? "_1" : "_0").sun_path);
	(void)rmdir(dir);
}

static void set_up_once(void)
{
	const struct gmem_slot layout = {.base = 0, .size = MEM};
	struct virtio_dev_env env = {.name = "fuzz0", .dma = &view.dma};
	struct vsock_config config = {.cid = CID, .path = path};

	if (mem.nslots)
		return;
	log_set_sink(drop_line);
	if (gmem_init(&mem, &layout, 1, NULL) || loop_new(&loop, NULL) ||
	    !mkdtemp(dir))
		abort();
	dma_init(&cpu, &mem);
	(void)snprintf(path, sizeof(path), "%s/v", dir);
	env.loop = loop;
	if (vsock_new(&dev, &env, &config, NULL))
		abort();
	v = to_vsock(dev);
	servers[0] = serve("_0");
	servers[1] = serve("_1");
	for (unsigned i = 0; i < CLIENTS; i++)
		ends[i] = -1;
	atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1)
		return 0;
	set_up_once();
	fake_dma_init(&view, &mem);
	fake_dma_map(&view, 0, 0, MEM, DMA_READ | DMA_WRITE);
	(void)gmem_zero(&mem, 0, MEM);
	pthread_mutex_lock(&dev->lock);
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
		check();
	}
	virtio_reset(dev);
	check();
	assert(v->nconns == 0 && v->waiting == 0);
	pthread_mutex_unlock(&dev->lock);
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
		ends[i] = -1;
	}
	fake_dma_fini(&view);
	return 0;
}
