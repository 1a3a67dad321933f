/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Frames of 1,514 bytes by a stream socket, as passt has them.  A thread at
 * the other end takes, or sends, as fast as it can.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "devices/net/device.h"
#include "devices/net/stream.h"
#include "virtio/bench/rig.h"

#define FRAME	 1514u
#define PACKET	 (FRAME + (unsigned)sizeof(struct net_header_wire))
#define QUEUE_RX 0
#define QUEUE_TX 1

/* What goes through the socket: length and frame. */
#define PIECE  (NET_STREAM_HEAD + FRAME)
#define PIECES 64

/* The device frees it with its backend; one device is up for each memory. */
struct wire {
	struct net_stream stream;
	int far;
	pthread_t thread;
	bool taken; /* by a device */
};

static struct wire wires[RIG_MEMORIES];

static void *drain(void *arg)
{
	const struct wire *w = arg;
	static _Thread_local uint8_t bytes[1 << 18];

	while (read(w->far, bytes, sizeof(bytes)) > 0)
		;
	return NULL;
}

static void *flood(void *arg)
{
	const struct wire *w = arg;
	const be32_t len = be32_put(FRAME);
	static _Thread_local uint8_t pieces[PIECES * PIECE];

	memset(pieces, 0x5a, sizeof(pieces));
	for (unsigned i = 0; i < PIECES; i++)
		memcpy(&pieces[i * PIECE], &len, sizeof(len));
	/* A stream takes all of it, or has ended. */
	while (send(w->far, pieces, sizeof(pieces), MSG_NOSIGNAL) ==
	       (ssize_t)sizeof(pieces))
		;
	return NULL;
}

static void wire_free(struct net_backend *b)
{
	struct wire *w = container_of(b, struct wire, stream.backend);

	net_stream_fini(&w->stream);
	(void)shutdown(w->far, SHUT_RDWR);
	pthread_join(w->thread, NULL);
	close(w->far);
	w->taken = false;
}

static const struct net_backend_ops wire_ops = {
	.incoming = net_stream_incoming,
	.receive = net_stream_receive,
	.send = net_stream_send,
	.send_rest = net_stream_send_rest,
	.free = wire_free,
};

static int net_open(struct rig *r, const struct virtio_dev_env *env,
		    void *(*far)(void *))
{
	static const uint8_t mac[NET_MAC_LEN] = {0x02, [5] = 1};
	struct wire *w = wires;
	struct err err = {0};
	int fds[2], rc;

	while (w->taken)
		w++;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) ||
	    net_stream_init(&w->stream, fds[0])) {
		perror("virtio-bench: a pair of sockets");
		return -1;
	}
	w->taken = true;
	w->far = fds[1];
	if (pthread_create(&w->thread, NULL, far, w)) {
		fprintf(stderr, "virtio-bench: no thread\n");
		return -1;
	}
	w->stream.backend.ops = &wire_ops;
	w->stream.backend.name = "socket";
	rc = net_new_on(&r->dev, env, mac, 0, &w->stream.backend, &err);
	if (rc)
		fprintf(stderr, "virtio-bench: %s\n", err.msg);
	return rc;
}

static int tx_open(struct rig *r, const struct virtio_dev_env *env)
{
	return net_open(r, env, drain);
}

static int rx_open(struct rig *r, const struct virtio_dev_env *env)
{
	return net_open(r, env, flood);
}

static unsigned tx_request(struct rig *r, unsigned slot, uint64_t n,
			   struct vqd_buf *bufs)
{
	(void)r, (void)n;
	bufs[0] = (struct vqd_buf){rig_page(slot, 0), PACKET, false};
	return 1;
}

static bool tx_check(struct rig *r, unsigned slot, uint32_t len)
{
	(void)r, (void)slot;
	return len == 0;
}

static unsigned rx_request(struct rig *r, unsigned slot, uint64_t n,
			   struct vqd_buf *bufs)
{
	(void)r, (void)n;
	bufs[0] = (struct vqd_buf){rig_page(slot, 0), 2048, true};
	return 1;
}

static bool rx_check(struct rig *r, unsigned slot, uint32_t len)
{
	(void)r, (void)slot;
	return len == PACKET;
}

const struct subject_ops subject_net_tx = {
	.name = "net-tx",
	.open = tx_open,
	.queue = QUEUE_TX,
	.request = tx_request,
	.check = tx_check,
};

const struct subject_ops subject_net_rx = {
	.name = "net-rx",
	.open = rx_open,
	.queue = QUEUE_RX,
	.request = rx_request,
	.check = rx_check,
};
