/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/vhost_user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "devices/net/header.h"
#include "devices/net/vhost_user_priv.h"

#define HEADER sizeof(struct net_header_wire)

#define NS_PER_MS UINT64_C(1000000)

/* Buffers that a server waits for at most before it hears of them. */
#define KICK_AFTER 32

static_assert(HEADER + NET_FRAME_MAX <= NET_VRING_BUF, "a frame fits");

static struct net_vu *to_vu(struct net_backend *b)
{
	return container_of(b, struct net_vu, backend);
}

/*
 * The end of a server.
 */

static void note(struct net_vu *u, const char *why)
{
	if (!u->why[0])
		(void)snprintf(u->why, sizeof(u->why), "%s", why);
}

static void give_up(struct net_vu *u, const char *why)
{
	note(u, why);
	u->backend.listener->link(u->backend.listener, EPIPE);
}

/* Where the device cannot lose its link at the moment: the loop hears of it. */
static void cut_off(struct net_vu *u, const char *why)
{
	note(u, why);
	u->state = NET_VU_IDLE;
	(void)shutdown(u->session->link.fd, SHUT_RDWR);
}

static void vu_lost(struct net_backend *b, int error, char *text, size_t size)
{
	struct net_vu *u = to_vu(b);

	note(u, error == EPROTO ? "broke its ring" : strerror(error));
	(void)snprintf(text, size, "%s", u->why);
	u->why[0] = '\0';
	u->state = NET_VU_IDLE;
	loop_watch_del(&u->socket);
	loop_timer_cancel(&u->patience);
	vhu_session_free(u->session);
	u->session = NULL;
	net_vu_look(u);
}

/*
 * What it is told.  None of this waits: there is room in the socket, or the
 * server does not read.
 */

static int tell(struct net_vu *u, enum vhu_request request, unsigned ring,
		uint32_t num, struct err *err)
{
	const struct vhu_vring_state_wire w = {.index = ring, .num = num};

	return vhu_set(&u->session->link, request, &w, sizeof(w), NULL, 0, err);
}

static int tell_fd(struct net_vu *u, enum vhu_request request, unsigned ring,
		   int fd, struct err *err)
{
	const uint64_t w = ring;

	return vhu_set(&u->session->link, request, &w, sizeof(w), &fd, 1, err);
}

/* Rings are enabled from the start for whoever has no such bit. */
static int tell_enabled(struct net_vu *u, struct net_vu_pair *p, bool enabled,
			struct err *err)
{
	const unsigned rx = 2 * (unsigned)(p - u->pairs);
	int r;

	if (!(u->session->features & BIT_ULL(VHU_F_PROTOCOL_FEATURES)))
		return 0;
	p->enabled = enabled;
	r = tell(u, VHU_SET_VRING_ENABLE, rx, enabled, err);
	return r < 0 ? r : tell(u, VHU_SET_VRING_ENABLE, rx + 1, enabled, err);
}

static int tell_ring(struct net_vu *u, unsigned i, const struct net_vring *ring,
		     int kick_fd, int call_fd, struct err *err)
{
	struct vhu_vring_addr_wire addr;
	int r = tell(u, VHU_SET_VRING_NUM, i, NET_VRING_SIZE, err);

	net_vring_addr(ring, &addr);
	addr.index = i;
	if (r == 0)
		r = tell(u, VHU_SET_VRING_BASE, i, 0, err);
	if (r == 0)
		r = vhu_set(&u->session->link, VHU_SET_VRING_ADDR, &addr,
			    sizeof(addr), NULL, 0, err);
	if (r == 0)
		r = tell_fd(u, VHU_SET_VRING_CALL, i, call_fd, err);
	return r < 0 ? r : tell_fd(u, VHU_SET_VRING_KICK, i, kick_fd, err);
}

static int begin_pair(struct net_vu *u, unsigned i, struct err *err)
{
	struct net_vu_pair *p = &u->pairs[i];
	struct gmem *mem = &u->session->shadow;
	int r;

	net_vring_begin(&p->rx, mem, 2 * i * net_vring_bytes(), true);
	net_vring_begin(&p->tx, mem, (2 * i + 1) * net_vring_bytes(), false);
	(void)net_vring_arm(&p->tx, false);
	p->any = false;
	p->fresh = 0;
	r = tell_ring(u, 2 * i, &p->rx, p->rx_kick, u->rx_calls[i], err);
	if (r == 0)
		r = tell_ring(u, 2 * i + 1, &p->tx, p->tx_kick, u->tx_calls[i],
			      err);
	if (r == 0)
		r = tell_enabled(u, p, i < u->active, err);
	eventfd_signal_shared(p->rx_kick);
	return r;
}

/* What the rings of @u's server are to run with. */
static uint64_t wanted(const struct net_vu *u)
{
	return u->session->features & (u->features | ~(uint64_t)NET_OFFLOADS);
}

static void begin(struct net_vu *u)
{
	struct err err = {0};
	int r;

	u->told = wanted(u);
	u->state = NET_VU_RUNNING;
	r = vhu_set_u64(&u->session->link, VHU_SET_FEATURES, u->told, &err);
	for (unsigned i = 0; r == 0 && i < u->backend.nqueues; i++)
		r = begin_pair(u, i, &err);
	if (r < 0)
		cut_off(u, err.msg);
}

/* Each ring's end is answered (on_socket()). */
static void stop(struct net_vu *u)
{
	struct err err = {0};
	int r = 0;

	u->state = NET_VU_STOPPING;
	u->unstopped = 2 * u->backend.nqueues;
	loop_timer_set(&u->patience, u->patience_ms * NS_PER_MS);
	for (unsigned i = 0; r == 0 && i < u->unstopped; i++)
		r = tell(u, VHU_GET_VRING_BASE, i, 0, &err);
	if (r < 0)
		cut_off(u, err.msg);
}

static int vu_offload(struct net_backend *b, uint64_t features)
{
	struct net_vu *u = to_vu(b);

	u->features = features;
	if (!u->session || u->why[0])
		return 0;
	if (u->state == NET_VU_IDLE)
		begin(u);
	else if (u->state == NET_VU_RUNNING && wanted(u) != u->told)
		stop(u);
	return 0;
}

static int vu_activate(struct net_backend *b, unsigned n)
{
	struct net_vu *u = to_vu(b);
	struct err err = {0};
	int r = 0;

	u->active = n;
	for (unsigned i = 0;
	     u->state == NET_VU_RUNNING && r == 0 && i < b->nqueues; i++) {
		if (u->pairs[i].enabled != (i < n))
			r = tell_enabled(u, &u->pairs[i], i < n, &err);
	}
	if (r < 0)
		cut_off(u, err.msg);
	return 0;
}

/*
 * What it says: that rings have stopped, and nothing else.
 */

static const char *hear(struct net_vu *u, int n)
{
	if (n < 0)
		return n == -EPROTO ? "sent a message that is none" : "hung up";
	if (u->state != NET_VU_STOPPING)
		return "spoke out of turn";
	if (!vhu_message_is_reply(&u->in, VHU_GET_VRING_BASE,
				  sizeof(struct vhu_vring_state_wire)))
		return "sent a reply to GET_VRING_BASE that is none";
	if (--u->unstopped == 0) {
		loop_timer_cancel(&u->patience);
		begin(u);
	}
	return NULL;
}

static void on_socket(struct loop_watch *w, uint32_t events)
{
	struct net_vu *u = container_of(w, struct net_vu, socket);
	int n = vhu_message_take(u->session->link.fd, &u->in);
	const char *why = n == 0 ? NULL : hear(u, n);

	(void)events;
	if (why)
		give_up(u, why);
}

static void on_patience(struct loop_timer *t)
{
	struct net_vu *u = container_of(t, struct net_vu, patience);

	if (u->state == NET_VU_STOPPING)
		give_up(u, "does not stop its rings");
}

/*
 * Receiving.
 */

static void kick(struct net_vu_pair *p)
{
	if (p->fresh > 0 && net_vring_wants_kick(&p->rx))
		eventfd_signal_shared(p->rx_kick);
	p->fresh = 0;
}

static void give_back(struct net_vu_pair *p)
{
	net_vring_give(&p->rx, p->buf, NET_VRING_BUF);
	p->any = false;
	if (++p->fresh >= KICK_AFTER)
		kick(p);
}

/* Look at what the server has written, once.  Return: may the guest have it? */
static bool open_frame(struct net_vu *u, struct net_vu_pair *p, uint32_t len)
{
	p->any = true;
	p->at = HEADER;
	p->end = len;
	if (len < HEADER + NET_FRAME_MIN || len > HEADER + NET_FRAME_MAX)
		return false;
	net_vring_read(&p->rx, p->buf, 0, &p->hdr, HEADER);
	return net_header_check_in(&p->hdr, u->features, len - HEADER);
}

static ssize_t vu_incoming(struct net_backend *b, unsigned q)
{
	struct net_vu *u = to_vu(b);
	struct net_vu_pair *p = &u->pairs[q];
	uint32_t len;
	int r;

	if (u->state != NET_VU_RUNNING) {
		(void)eventfd_clear_shared(u->rx_calls[q]);
		return -EAGAIN;
	}
	/* A ringful of frames that are none must not keep us. */
	for (unsigned i = 0; !p->any && i < NET_VRING_SIZE; i++) {
		r = net_vring_take(&p->rx, &p->buf, &len);
		if (r < 0)
			return r;
		if (r == 0) {
			kick(p);
			(void)eventfd_clear_shared(u->rx_calls[q]);
			if (!net_vring_arm(&p->rx, true))
				return -EAGAIN;
		} else if (!open_frame(u, p, len)) {
			give_back(p);
		}
	}
	if (p->any)
		return (ssize_t)(p->end - p->at);
	eventfd_signal_shared(u->rx_calls[q]);
	return -EAGAIN;
}

static ssize_t vu_receive(struct net_backend *b, unsigned q, struct iovec *iov,
			  unsigned n, struct net_header_wire *hdr,
			  bool *ret_end)
{
	struct net_vu_pair *p = &to_vu(b)->pairs[q];
	const size_t start = p->at;

	for (unsigned i = 1; i <= n && p->at < p->end; i++) {
		const size_t part =
			(size_t)min_u64(iov[i].iov_len, p->end - p->at);

		net_vring_read(&p->rx, p->buf, p->at, iov[i].iov_base, part);
		p->at += part;
	}
	*hdr = p->hdr;
	*ret_end = p->at == p->end;
	if (*ret_end)
		give_back(p);
	return (ssize_t)(p->at - start);
}

/*
 * Sending.
 */

/* Return: is there a buffer?  -EPROTO if the server broke the ring. */
static int find_room(struct net_vu *u, unsigned q, unsigned *ret_buf)
{
	struct net_vring *ring = &u->pairs[q].tx;
	unsigned buf;
	uint32_t len;
	int r = 1;

	for (unsigned i = 0; r == 1 && i < NET_VRING_SIZE; i++)
		r = net_vring_take(ring, &buf, &len);
	return r < 0 ? r : net_vring_find(ring, ret_buf);
}

/* The same, and if not, the server calls when there is one. */
static int await_room(struct net_vu *u, unsigned q, unsigned *ret_buf)
{
	struct net_vring *ring = &u->pairs[q].tx;
	int r = find_room(u, q, ret_buf);

	if (r != 0)
		return r;
	(void)eventfd_clear_shared(u->tx_calls[q]);
	if (!net_vring_arm(ring, true))
		return 0;
	return find_room(u, q, ret_buf);
}

static ssize_t vu_send(struct net_backend *b, unsigned q, struct iovec *iov,
		       unsigned n, size_t len,
		       const struct net_header_wire *hdr)
{
	struct net_vu *u = to_vu(b);
	struct net_vring *ring = &u->pairs[q].tx;
	size_t at = HEADER;
	unsigned buf;
	int r;

	/* It has no rings: the frame is lost, as on any wire. */
	if (u->state != NET_VU_RUNNING)
		return -EIO;
	r = net_vring_find(ring, &buf) ? 1 : await_room(u, q, &buf);
	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	(void)net_vring_arm(ring, false);
	net_vring_write(ring, buf, 0, hdr, HEADER);
	for (unsigned i = 1; i <= n; i++) {
		net_vring_write(ring, buf, at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	net_vring_give(ring, buf, (uint32_t)at);
	if (net_vring_wants_kick(ring))
		eventfd_signal_shared(u->pairs[q].tx_kick);
	return (ssize_t)len;
}

/*
 * Beginning and end.
 */

int net_vu_listen(struct net_vu *u)
{
	memset(&u->in, 0, sizeof(u->in));
	u->socket.fn = on_socket;
	u->socket.lock = u->lock;
	return loop_watch_add(u->loop, &u->socket, u->session->link.fd,
			      EPOLLIN | EPOLLRDHUP);
}

static int vu_attach(struct net_backend *b, struct loop *loop,
		     pthread_mutex_t *lock)
{
	struct net_vu *u = to_vu(b);
	int r;

	u->loop = loop;
	u->lock = lock;
	u->patience.fn = on_patience;
	u->patience.lock = lock;
	r = loop_timer_add(loop, &u->patience);
	if (r == 0)
		r = net_vu_start_looking(u);
	return r < 0 ? r : net_vu_listen(u);
}

static void vu_detach(struct net_backend *b)
{
	struct net_vu *u = to_vu(b);

	if (!u->lock)
		return;
	net_vu_stop_looking(u);
	loop_watch_del(&u->socket);
	loop_timer_del(&u->patience);
	loop_barrier(u->loop);
	u->lock = NULL;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void vu_free(struct net_backend *b)
{
	struct net_vu *u = to_vu(b);

	vu_detach(b);
	vhu_session_free(u->session);
	for (unsigned i = 0; i < NET_QUEUES_MAX; i++) {
		close_fd(u->pairs[i].rx_kick);
		close_fd(u->pairs[i].tx_kick);
		close_fd(u->rx_calls[i]);
		close_fd(u->tx_calls[i]);
	}
	close_fd(u->wake);
	free(u->path);
	free(u->name);
	free(u);
}

const struct net_backend_ops net_vu_ops = {
	.incoming = vu_incoming,
	.receive = vu_receive,
	.send = vu_send,
	.offload = vu_offload,
	.activate = vu_activate,
	.attach = vu_attach,
	.detach = vu_detach,
	.lost = vu_lost,
	.free = vu_free,
};
