/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * 448 bytes on a connection of the guest's to a server of the host, whose
 * reader takes all that comes.  The driver keeps to the credit it is given.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "devices/vsock.h"
#include "devices/vsock/wire.h"
#include "virtio/bench/rig.h"

#define CID	   3
#define HOST_PORT  52u
#define GUEST_PORT 1024u
#define PAYLOAD	   448u
#define PACKET	   (PAYLOAD + (uint32_t)sizeof(struct vsock_header_wire))
#define PATIENCE   5000 /* ms */

/* Packets to the guest: credit, most of all. */
#define BUFFERS 16u
#define BUFFER	2048u

/* Program and driver at the two ends of one connection. */
struct vsock_peer {
	char dir[64];
	int server;
	pthread_t thread;
	struct vq_driver rx;
	iova_t at[VQD_SIZE_MAX]; /* the buffer of each head */
	uint32_t sent, alloc, forwarded;
};

/* "v" and "v_52" in @p's directory. */
static void name(const struct vsock_peer *p, const char *file, char *ret,
		 size_t size)
{
	(void)snprintf(ret, size, "%s/%s", p->dir, file);
}

static void *reader(void *arg)
{
	static _Thread_local uint8_t bytes[1 << 18];
	const struct vsock_peer *p = arg;
	int fd = accept4(p->server, NULL, NULL, SOCK_CLOEXEC);

	while (fd >= 0 && read(fd, bytes, sizeof(bytes)) > 0)
		;
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int serve(struct vsock_peer *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	p->server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	name(p, "v_52", a.sun_path, sizeof(a.sun_path));
	if (p->server < 0 || bind(p->server, (void *)&a, sizeof(a)) ||
	    listen(p->server, 1) ||
	    pthread_create(&p->thread, NULL, reader, p)) {
		perror("virtio-bench: a server");
		return -1;
	}
	return 0;
}

static int vsock_open(struct rig *r, const struct virtio_dev_env *env)
{
	struct vsock_peer *p = calloc(1, sizeof(*p));
	char path[80];
	const struct vsock_config config = {.cid = CID, .path = path};
	struct err err = {0};
	int rc;

	if (!p)
		return -ENOMEM;
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/virtio-bench.XXXXXX");
	if (!mkdtemp(p->dir)) {
		perror(p->dir);
		return -1;
	}
	name(p, "v", path, sizeof(path));
	rc = vsock_new(&r->dev, env, &config, &err);
	if (rc)
		fprintf(stderr, "virtio-bench: %s\n", err.msg);
	r->peer = p;
	return rc ? rc : serve(p);
}

static void vsock_close(struct rig *r)
{
	struct vsock_peer *p = r->peer;
	char path[80];

	pthread_join(p->thread, NULL); /* the device has closed its end */
	close(p->server);
	name(p, "v_52", path, sizeof(path));
	(void)unlink(path);
	(void)rmdir(p->dir);
	free(p);
}

/*
 * Packets to the guest.
 */

static void post(struct vsock_peer *p, iova_t at)
{
	const struct vqd_buf b = {at, BUFFER, true};

	p->at[vqd_stage(&p->rx, &b, 1)] = at;
}

static void publish(struct rig *r)
{
	vqd_publish(&r->peer->rx);
	if (vqd_wants_kick(&r->peer->rx))
		eventfd_signal(r->dev->vqs[VSOCK_QUEUE_RX].kick_fd);
}

static void vsock_connect(struct rig *r)
{
	struct vsock_peer *p = r->peer;

	vqd_init(&p->rx, &r->plain, RIG_MORE_AT, RIG_MORE_LEN,
		 r->dev->vqs[VSOCK_QUEUE_RX].size_max);
	vqd_connect(&p->rx, r->dev, VSOCK_QUEUE_RX);
	vqd_interrupts_off(&p->rx);
	for (unsigned i = 0; i < BUFFERS; i++)
		post(p, vqd_alloc(&p->rx, BUFFER));
}

/* Whether the host has said something; the last operation is *@ret_op. */
static bool listen_to_host(struct rig *r, uint16_t *ret_op)
{
	struct vsock_peer *p = r->peer;
	struct vsock_header_wire h;
	uint32_t head, len;
	bool any = false;

	while (vqd_get_used(&p->rx, &head, &len)) {
		vqd_read(&p->rx, p->at[head], &h, sizeof(h));
		p->alloc = le32_get(h.buf_alloc);
		p->forwarded = le32_get(h.fwd_cnt);
		*ret_op = le16_get(h.op);
		post(p, p->at[head]);
		any = true;
	}
	if (any)
		publish(r);
	return any;
}

static struct vsock_header_wire header(uint16_t op, uint32_t len)
{
	return (struct vsock_header_wire){
		.src_cid = le32_put(CID),
		.dst_cid = le32_put(VSOCK_CID_HOST),
		.src_port = le32_put(GUEST_PORT),
		.dst_port = le32_put(HOST_PORT),
		.len = le32_put(len),
		.type = le16_put(VSOCK_TYPE_STREAM),
		.op = le16_put(op),
		.buf_alloc = le32_put(KIB(64)),
	};
}

static int vsock_hello(struct rig *r)
{
	const struct vsock_header_wire h = header(VSOCK_OP_REQUEST, 0);
	const iova_t at = vqd_put(&r->driver, &h, sizeof(h));
	const struct vqd_buf b = {at, sizeof(h), false};
	uint32_t head, len;
	uint16_t op = 0;

	publish(r);
	(void)vqd_add(&r->driver, &b, 1);
	if (vqd_wants_kick(&r->driver))
		eventfd_signal(r->dev->vqs[VSOCK_QUEUE_TX].kick_fd);
	for (unsigned ms = 0; ms < PATIENCE && !op; ms++) {
		(void)listen_to_host(r, &op);
		usleep(1000);
	}
	while (vqd_get_used(&r->driver, &head, &len))
		;
	if (op == VSOCK_OP_RESPONSE)
		return 0;
	fprintf(stderr, "virtio-bench: the server does not answer\n");
	return -1;
}

/*
 * The guest's.
 */

static unsigned request(struct rig *r, unsigned slot, uint64_t n,
			struct vqd_buf *bufs)
{
	const struct vsock_header_wire h = header(VSOCK_OP_RW, PAYLOAD);
	struct vsock_peer *p = r->peer;
	uint16_t op = 0;

	(void)n;
	/* What is staged and not yet published is far less than half of the
	 * credit, which is when the device tells of more. */
	while (p->sent + PAYLOAD - p->forwarded > p->alloc)
		if (!listen_to_host(r, &op))
			(void)sched_yield();
	p->sent += PAYLOAD;
	bufs[0] = (struct vqd_buf){rig_page(slot, 0), PACKET, false};
	vqd_write(&r->driver, bufs[0].at, &h, sizeof(h));
	return 1;
}

static bool check(struct rig *r, unsigned slot, uint32_t len)
{
	uint16_t op = VSOCK_OP_CREDIT_UPDATE;

	(void)slot;
	(void)listen_to_host(r, &op);
	return len == 0 && op == VSOCK_OP_CREDIT_UPDATE;
}

const struct subject_ops subject_vsock = {
	.name = "vsock",
	.open = vsock_open,
	.close = vsock_close,
	.connect = vsock_connect,
	.hello = vsock_hello,
	.queue = VSOCK_QUEUE_TX,
	.request = request,
	.check = check,
};
