/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/vsock/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "devices/vsock/wire.h"

/*
 * The watch.  Its events are what can be used now: a socket with bytes for a
 * guest that has no buffer, or no credit, would keep the loop busy.
 */

static uint32_t wanted(const struct vsock_conn *c)
{
	const uint32_t out = c->len ? EPOLLOUT : 0;

	switch (c->state) {
	case CONN_GREETING:
		return EPOLLIN;
	case CONN_OPEN:
		if (c->readable || c->shut & VSOCK_SHUTDOWN_SEND ||
		    c->peer_shut & VSOCK_SHUTDOWN_RECEIVE)
			return out;
		return EPOLLIN | out;
	case CONN_LINGERING:
		return out;
	case CONN_REQUESTED:
	case CONN_DIALLING:
	case CONN_CLOSING:
	case CONN_RESETTING:
		break;
	}
	return 0;
}

static void rewatch(struct vsock_conn *c)
{
	const uint32_t events = wanted(c);

	if (events == c->events)
		return;
	c->events = events;
	loop_watch_set(&c->watch, events);
}

void conn_set_state(struct vsock_conn *c, enum conn_state state)
{
	c->state = state;
	rewatch(c);
	if (state != CONN_OPEN && state != CONN_RESETTING)
		c->ops->waits(c);
}

/*
 * Towards the host.
 */

static void free_buf(struct vsock_conn *c)
{
	*c->waiting -= c->cap;
	free(c->buf);
	c->buf = NULL;
	c->cap = c->at = c->len = 0;
}

static void say(struct vsock_conn *c, unsigned due)
{
	c->due |= due;
	c->ops->wants(c);
}

static void count(struct vsock_conn *c, uint32_t received, uint32_t forwarded)
{
	c->credit.received += received;
	c->credit.forwarded += forwarded;
	if (c->state == CONN_OPEN && vsock_credit_stale(&c->credit))
		say(c, CONN_DUE_UPDATE);
}

static void host_shuts(struct vsock_conn *c, unsigned flags)
{
	if (c->state != CONN_OPEN || (c->shut | flags) == c->shut)
		return;
	c->shut |= flags;
	say(c, CONN_DUE_SHUTDOWN);
	if (c->shut == VSOCK_SHUTDOWN_BOTH)
		conn_set_state(c, CONN_CLOSING);
}

/* Nobody reads there any more: what is for it vanishes. */
static void host_gone(struct vsock_conn *c)
{
	const uint32_t lost = c->len;

	c->hung_up = true;
	free_buf(c);
	count(c, 0, lost);
	host_shuts(c, VSOCK_SHUTDOWN_RECEIVE);
}

/* Room for @len more, the ring laid out from 0.  Return: 0, -ENOBUFS. */
static int make_room(struct vsock_conn *c, uint32_t len)
{
	uint32_t cap = c->cap ? c->cap : VSOCK_BUF_LEAST, first;
	uint8_t *buf;

	while (cap < c->len + len)
		cap *= 2;
	if (cap == c->cap)
		return 0;
	if (*c->waiting - c->cap + cap > VSOCK_WAITING_MAX)
		return -ENOBUFS;
	buf = malloc(cap);
	if (!buf)
		return -ENOBUFS;
	first = (uint32_t)min_u64(c->len, c->cap - c->at);
	if (c->len) {
		memcpy(buf, c->buf + c->at, first);
		memcpy(buf + first, c->buf, c->len - first);
	}
	free(c->buf);
	*c->waiting += cap - c->cap;
	c->buf = buf;
	c->cap = cap;
	c->at = 0;
	return 0;
}

static void append(struct vsock_conn *c, const uint8_t *src, uint32_t len)
{
	const uint32_t end = (c->at + c->len) & (c->cap - 1);
	const uint32_t first = (uint32_t)min_u64(len, c->cap - end);

	memcpy(c->buf + end, src, first);
	memcpy(c->buf, src + first, len - first);
	c->len += len;
}

/* Return: bytes taken; -1 if nobody reads them any more. */
static ssize_t to_socket(const struct vsock_conn *c, const struct iovec *iov,
			 unsigned n)
{
	/* sendmsg() does not write through its iovecs. */
	const struct msghdr m = {
		.msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = n,
	};
	ssize_t r;

	do {
		r = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	if (r >= 0 || errno == EAGAIN || errno == ENOBUFS)
		return r < 0 ? 0 : r;
	return -1;
}

uint32_t conn_send_now(struct vsock_conn *c, const struct iovec *iov,
		       unsigned n)
{
	ssize_t taken;

	if (c->len || c->hung_up || c->fd < 0)
		return 0;
	taken = to_socket(c, iov, n);
	if (taken < 0) {
		host_gone(c);
		return 0;
	}
	count(c, (uint32_t)taken, (uint32_t)taken);
	return (uint32_t)taken;
}

int conn_send(struct vsock_conn *c, const uint8_t *src, uint32_t len)
{
	int r;

	if (c->hung_up) {
		count(c, len, len);
		return 0;
	}
	r = make_room(c, len);
	if (r < 0)
		return r;
	append(c, src, len);
	count(c, len, 0);
	rewatch(c);
	return 0;
}

/* The end of the guest's bytes, when they are out. */
static void pass_end(struct vsock_conn *c)
{
	if (c->peer_shut & VSOCK_SHUTDOWN_SEND && c->len == 0 && c->fd >= 0)
		(void)shutdown(c->fd, SHUT_WR);
}

static void flush(struct vsock_conn *c)
{
	const uint32_t first = (uint32_t)min_u64(c->len, c->cap - c->at);
	const struct iovec iov[2] = {
		{c->buf + c->at, first},
		{c->buf, c->len - first},
	};
	ssize_t n = to_socket(c, iov, c->len > first ? 2 : 1);

	if (n < 0) {
		host_gone(c);
		return;
	}
	c->at = (c->at + (uint32_t)n) & (c->cap - 1);
	c->len -= (uint32_t)n;
	if (c->len == 0)
		free_buf(c);
	count(c, 0, (uint32_t)n);
	pass_end(c);
	/* Who reads on may take its time. */
	if (n > 0 && c->state == CONN_LINGERING)
		c->ops->waits(c);
}

void conn_peer_shutdown(struct vsock_conn *c, unsigned flags)
{
	c->peer_shut |= flags & VSOCK_SHUTDOWN_BOTH;
	pass_end(c);
	if (c->peer_shut & VSOCK_SHUTDOWN_RECEIVE) {
		c->readable = false;
		(void)shutdown(c->fd, SHUT_RD);
	}
	rewatch(c);
}

void conn_peer_gone(struct vsock_conn *c)
{
	c->due = 0;
	conn_peer_shutdown(c, VSOCK_SHUTDOWN_BOTH);
	if (c->len == 0)
		c->ops->over(c);
	else
		conn_set_state(c, CONN_LINGERING);
}

/*
 * From the host.
 */

uint32_t conn_may_read(struct vsock_conn *c)
{
	const uint32_t room = vsock_credit_free(&c->credit);

	if (c->state != CONN_OPEN || !c->readable)
		return 0;
	if (!room && !c->asked) {
		c->asked = true;
		say(c, CONN_DUE_ASK);
	}
	return room;
}

/* There are no bytes any more: has it closed, or does it still listen? */
static void host_ended(struct vsock_conn *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};

	if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR)) {
		host_gone(c);
		host_shuts(c, VSOCK_SHUTDOWN_BOTH);
	} else {
		host_shuts(c, VSOCK_SHUTDOWN_SEND);
	}
}

static size_t size_of(const struct iovec *iov, unsigned n)
{
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += iov[i].iov_len;
	return size;
}

uint32_t conn_read(struct vsock_conn *c, const struct iovec *iov, unsigned n)
{
	ssize_t r;

	do {
		r = readv(c->fd, iov, (int)n);
	} while (r < 0 && errno == EINTR);
	if (r > 0) {
		c->credit.sent += (uint32_t)r;
		if ((size_t)r < size_of(iov, n)) { /* that was all, for now */
			c->readable = false;
			rewatch(c);
		}
		return (uint32_t)r;
	}
	c->readable = false;
	if (r == 0 || errno != EAGAIN)
		host_ended(c);
	rewatch(c);
	return 0;
}

/*
 * The socket.
 */

static void on_event(struct loop_watch *w, uint32_t events)
{
	struct vsock_conn *c = container_of(w, struct vsock_conn, watch);

	if (c->state == CONN_GREETING) {
		c->ops->greeting(c);
		return;
	}
	if (c->len && events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		flush(c);
	if (c->state == CONN_LINGERING && c->len == 0) {
		c->ops->over(c);
		return;
	}
	if (wanted(c) & EPOLLIN && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		c->readable = true;
		c->ops->wants(c);
	}
	c->ops->serve(c);
	rewatch(c);
}

int conn_adopt(struct vsock_conn *c, struct loop *loop, pthread_mutex_t *lock,
	       int fd)
{
	c->fd = fd;
	c->watch.fn = on_event;
	c->watch.lock = lock;
	c->events = wanted(c);
	return loop_watch_add(loop, &c->watch, fd, c->events);
}

struct vsock_conn *conn_new(const struct vsock_conn_ops *ops, void *owner,
			    uint64_t *waiting, uint32_t promise,
			    enum conn_state state)
{
	struct vsock_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->ops = ops;
	c->owner = owner;
	c->waiting = waiting;
	c->state = state;
	c->fd = -1;
	c->credit.alloc = promise;
	list_init(&c->node);
	list_init(&c->hash_node);
	list_init(&c->send_node);
	list_init(&c->timed_node);
	return c;
}

void conn_close(struct vsock_conn *c)
{
	loop_watch_del(&c->watch);
	free_buf(c);
	c->events = 0;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void conn_free(struct vsock_conn *c)
{
	list_remove(&c->node);
	free(c);
}
