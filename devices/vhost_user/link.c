/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/vhost_user/link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"

/* Descriptors that come although none were asked for; they are closed. */
#define STRAY_FDS_MAX 16

/* The largest body that is sent. */
#define BODY_MAX sizeof(struct vhu_config_wire)
static_assert(BODY_MAX >= sizeof(struct vhu_memory_wire), "");

#define CONFIG_HEAD offsetof(struct vhu_config_wire, region)

static const char *name_of(enum vhu_request request)
{
	switch (request) {
	case VHU_GET_FEATURES:
		return "GET_FEATURES";
	case VHU_SET_FEATURES:
		return "SET_FEATURES";
	case VHU_SET_OWNER:
		return "SET_OWNER";
	case VHU_SET_MEM_TABLE:
		return "SET_MEM_TABLE";
	case VHU_SET_VRING_NUM:
		return "SET_VRING_NUM";
	case VHU_SET_VRING_ADDR:
		return "SET_VRING_ADDR";
	case VHU_SET_VRING_BASE:
		return "SET_VRING_BASE";
	case VHU_GET_VRING_BASE:
		return "GET_VRING_BASE";
	case VHU_SET_VRING_KICK:
		return "SET_VRING_KICK";
	case VHU_SET_VRING_CALL:
		return "SET_VRING_CALL";
	case VHU_SET_VRING_ERR:
		return "SET_VRING_ERR";
	case VHU_GET_PROTOCOL_FEATURES:
		return "GET_PROTOCOL_FEATURES";
	case VHU_SET_PROTOCOL_FEATURES:
		return "SET_PROTOCOL_FEATURES";
	case VHU_GET_QUEUE_NUM:
		return "GET_QUEUE_NUM";
	case VHU_SET_VRING_ENABLE:
		return "SET_VRING_ENABLE";
	case VHU_SET_BACKEND_REQ_FD:
		return "SET_BACKEND_REQ_FD";
	case VHU_IOTLB_MSG:
		return "IOTLB_MSG";
	case VHU_GET_CONFIG:
		return "GET_CONFIG";
	case VHU_SET_CONFIG:
		return "SET_CONFIG";
	}
	return "?";
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void vhu_link_init(struct vhu_link *l, int fd, unsigned timeout_ms)
{
	*l = (struct vhu_link){.fd = fd, .deadline_ms = now_ms() + timeout_ms};
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

void vhu_link_fini(struct vhu_link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* Return: 0, -errno. */
static int wait_for(const struct vhu_link *l, short events)
{
	struct pollfd p = {.fd = l->fd, .events = events};

	for (;;) {
		uint64_t now = now_ms();
		int n;

		if (now >= l->deadline_ms)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)(l->deadline_ms - now));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int said(struct err *err, int r, enum vhu_request request)
{
	if (r == -ETIMEDOUT)
		return err_set(err, ETIMEDOUT, "does not answer %s",
			       name_of(request));
	return err_set(err, ECONNRESET, "hung up during %s", name_of(request));
}

/*
 * Sending.
 */

static void attach_fds(struct msghdr *msg, void *control, const int *fds,
		       unsigned nfds)
{
	const size_t len = nfds * sizeof(*fds);
	struct cmsghdr *c;

	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(len);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), fds, len);
}

/* Moves the vectors past @n bytes. */
static void advance(struct iovec *iov, size_t n)
{
	for (unsigned i = 0; i < 2; i++) {
		size_t part = n < iov[i].iov_len ? n : iov[i].iov_len;

		iov[i].iov_base = (uint8_t *)iov[i].iov_base + part;
		iov[i].iov_len -= part;
		n -= part;
	}
}

static int send_message(const struct vhu_link *l, struct vhu_header_wire h,
			const void *payload, const int *fds, unsigned nfds)
{
	/* In a union, so that it is aligned as a header needs it. */
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(VHU_REGIONS_MAX * sizeof(int))];
	} control = {0};
	uint8_t body[BODY_MAX];
	struct iovec iov[2] = {
		{.iov_base = &h, .iov_len = sizeof(h)},
		{.iov_base = body, .iov_len = h.size},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	assert(h.size <= sizeof(body) && nfds <= VHU_REGIONS_MAX);
	if (h.size > 0)
		memcpy(body, payload, h.size);
	if (nfds > 0)
		attach_fds(&msg, &control, fds, nfds);
	while (iov[0].iov_len + iov[1].iov_len > 0) {
		ssize_t n = sendmsg(l->fd, &msg, MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			advance(iov, (size_t)n);
			/* They went with the first byte. */
			msg.msg_control = NULL;
			msg.msg_controllen = 0;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(l, POLLOUT);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Receiving.
 */

/* Return: how many there were. */
static unsigned close_fds(struct msghdr *msg)
{
	unsigned total = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			close(fd);
			total++;
		}
	}
	return total;
}

/* Return: 0, -ECONNRESET, -ETIMEDOUT, -EPROTO for descriptors. */
static int receive(const struct vhu_link *l, void *buf, size_t len)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(STRAY_FDS_MAX * sizeof(int))];
	} control;
	size_t done = 0;

	while (done < len) {
		struct iovec iov = {
			.iov_base = (uint8_t *)buf + done,
			.iov_len = len - done,
		};
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(l->fd, &msg, MSG_CMSG_CLOEXEC);
		int r = 0;

		if (n > 0) {
			if (close_fds(&msg) > 0 || msg.msg_flags & MSG_CTRUNC)
				return -EPROTO;
			done += (size_t)n;
		} else if (n == 0) {
			return -ECONNRESET;
		} else if (errno == EAGAIN) {
			r = wait_for(l, POLLIN);
		} else if (errno != EINTR) {
			return -errno;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* A part of a reply. */
static int receive_part(const struct vhu_link *l, enum vhu_request request,
			void *buf, size_t len, struct err *err)
{
	int r = receive(l, buf, len);

	if (r == -EPROTO)
		return err_set(err, EPROTO,
			       "sent descriptors in its reply to %s",
			       name_of(request));
	return r < 0 ? said(err, r, request) : 0;
}

/* A reply with a body of @len bytes. */
static int receive_reply(const struct vhu_link *l, enum vhu_request request,
			 void *body, size_t len, struct err *err)
{
	struct vhu_header_wire h;
	int r = receive_part(l, request, &h, sizeof(h), err);

	if (r < 0)
		return r;
	if (h.request != (uint32_t)request || !(h.flags & VHU_REPLY) ||
	    (h.flags & VHU_VERSION_MASK) != VHU_VERSION || h.size != len)
		return err_set(
			err, EPROTO,
			"sent a reply to %s that is none: request %" PRIu32
			", flags %#" PRIx32 ", %" PRIu32 " bytes",
			name_of(request), h.request, h.flags, h.size);
	return receive_part(l, request, body, len, err);
}

int vhu_get(struct vhu_link *l, enum vhu_request request, uint64_t *ret_val,
	    struct err *err)
{
	const struct vhu_header_wire h = {
		.request = request,
		.flags = VHU_VERSION,
	};
	int r = send_message(l, h, NULL, NULL, 0);

	if (r < 0)
		return said(err, r, request);
	return receive_reply(l, request, ret_val, sizeof(*ret_val), err);
}

int vhu_set(struct vhu_link *l, enum vhu_request request, const void *payload,
	    size_t len, const int *fds, unsigned nfds, struct err *err)
{
	const struct vhu_header_wire h = {
		.request = request,
		.flags = VHU_VERSION | (l->acks ? VHU_NEED_REPLY : 0),
		.size = (uint32_t)len,
	};
	uint64_t answer;
	int r = send_message(l, h, payload, fds, nfds);

	if (r < 0)
		return said(err, r, request);
	if (!l->acks)
		return 0;
	r = receive_reply(l, request, &answer, sizeof(answer), err);
	if (r == 0 && answer != 0)
		r = err_set(err, EREMOTEIO, "refused %s with %#" PRIx64,
			    name_of(request), answer);
	return r;
}

int vhu_set_u64(struct vhu_link *l, enum vhu_request request, uint64_t val,
		struct err *err)
{
	return vhu_set(l, request, &val, sizeof(val), NULL, 0, err);
}

int vhu_get_config(struct vhu_link *l, void *config, size_t len,
		   struct err *err)
{
	struct vhu_config_wire c = {.size = (uint32_t)len};
	const struct vhu_header_wire h = {
		.request = VHU_GET_CONFIG,
		.flags = VHU_VERSION,
		.size = (uint32_t)(CONFIG_HEAD + len),
	};
	int r;

	assert(len <= VHU_CONFIG_MAX);
	r = send_message(l, h, &c, NULL, 0);
	if (r < 0)
		return said(err, r, VHU_GET_CONFIG);
	r = receive_reply(l, VHU_GET_CONFIG, &c, h.size, err);
	if (r == 0)
		memcpy(config, c.region, len);
	return r;
}
