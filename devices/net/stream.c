/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The length of the next frame is read along with the end of the one before,
 * so a frame costs one system call.
 */
#include "devices/net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/le.h"

static struct net_stream *to_stream(struct net_backend *b)
{
	return container_of(b, struct net_stream, backend);
}

int net_stream_init(struct net_stream *s, int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	*s = (struct net_stream){.fd = fd};
	s->backend.fds = &s->fd;
	s->backend.nqueues = 1;
	s->backend.mtu = NET_STREAM_MTU;
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno
								       : 0;
}

void net_stream_fini(struct net_stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/*
 * Receiving.
 */

/* Return: > 0; -EAGAIN; -EPIPE at the end; -errno. */
static ssize_t receive(struct net_stream *s, struct iovec *iov, unsigned n)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
	ssize_t r;

	do
		r = recvmsg(s->fd, &m, MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return -EPIPE;
	return r < 0 ? -errno : r;
}

ssize_t net_stream_incoming(struct net_backend *b, unsigned q)
{
	struct net_stream *s = to_stream(b);

	(void)q;
	while (s->left == 0 && s->head_len < NET_STREAM_HEAD) {
		struct iovec iov = {(uint8_t *)&s->head + s->head_len,
				    NET_STREAM_HEAD - s->head_len};
		const ssize_t r = receive(s, &iov, 1);

		if (r < 0)
			return r;
		s->head_len += (unsigned)r;
	}
	if (s->left == 0) {
		s->left = be32_get(s->head);
		s->head_len = 0;
		/* Nothing after this could be understood. */
		if (s->left < NET_FRAME_MIN || s->left > NET_FRAME_MAX)
			return -EPROTO;
	}
	return (ssize_t)s->left;
}

/* Cut @iov to @len bytes.  Return: how many are left. */
static unsigned cut(struct iovec *iov, unsigned n, size_t len)
{
	unsigned i = 0;

	for (; i < n && len > 0; i++) {
		if (iov[i].iov_len > len)
			iov[i].iov_len = len;
		len -= iov[i].iov_len;
	}
	return i;
}

ssize_t net_stream_receive(struct net_backend *b, unsigned q, struct iovec *iov,
			   unsigned n, struct net_header_wire *hdr,
			   bool *ret_end)
{
	struct net_stream *s = to_stream(b);
	ssize_t r;
	size_t got;

	(void)q;
	n = cut(iov + 1, n, s->left);
	iov[1 + n] = (struct iovec){&s->head, NET_STREAM_HEAD};
	r = receive(s, iov + 1, n + 1);
	if (r < 0)
		return r;
	got = (size_t)min_u64((uint64_t)r, s->left);
	s->left -= got;
	s->head_len = (unsigned)((size_t)r - got);
	*hdr = (struct net_header_wire){0};
	*ret_end = s->left == 0;
	return (ssize_t)got;
}

/*
 * Sending.
 */

static ssize_t transmit(struct net_stream *s, struct iovec *iov, unsigned n)
{
	const struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
	ssize_t r;

	do
		r = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* Of @r bytes that have gone, those that are the frame's. */
static ssize_t without_head(struct net_stream *s, ssize_t r)
{
	const unsigned head = (unsigned)min_u64((uint64_t)r, s->out_left);

	s->out_left -= head;
	return r - head;
}

static struct iovec rest_of_head(struct net_stream *s)
{
	return (struct iovec){
		.iov_base =
			(uint8_t *)&s->out_head + NET_STREAM_HEAD - s->out_left,
		.iov_len = s->out_left,
	};
}

ssize_t net_stream_send(struct net_backend *b, unsigned q, struct iovec *iov,
			unsigned n, size_t len,
			const struct net_header_wire *hdr)
{
	struct net_stream *s = to_stream(b);
	ssize_t r;

	(void)q;
	(void)hdr; /* no offloads: it says nothing */
	s->out_head = be32_put((uint32_t)len);
	s->out_left = NET_STREAM_HEAD;
	iov[0] = rest_of_head(s);
	r = transmit(s, iov, n + 1);
	return r < 0 ? r : without_head(s, r);
}

ssize_t net_stream_send_rest(struct net_backend *b, unsigned q,
			     const uint8_t *buf, size_t len)
{
	struct net_stream *s = to_stream(b);
	struct iovec iov[2] = {rest_of_head(s), {.iov_len = len}};
	ssize_t r;

	(void)q;
	/* sendmsg() writes nothing there. */
	memcpy(&iov[1].iov_base, &buf, sizeof(buf));
	r = transmit(s, iov, 2);
	return r < 0 ? r : without_head(s, r);
}
