/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/vhost_talk.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/socket.h"

#define TO_FORGET VHOST_TALK_RINGS

int vhost_talk_init(struct vhost_talk *t, int fd, int channel,
		    unsigned patience_ms)
{
	const int room = 512 * 1024;

	*t = (struct vhost_talk){
		.fd = fd,
		.patience_ms = patience_ms,
		.open = {fd, channel},
	};
	(void)pthread_mutex_init(&t->waiter, NULL);
	(void)pthread_mutex_init(&t->lock, NULL);
	/* As far as the host permits: for bursts of answers. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	t->news = eventfd_new();
	t->forgotten = eventfd_new();
	return t->news < 0 ? t->news : t->forgotten < 0 ? t->forgotten : 0;
}

void vhost_talk_fini(struct vhost_talk *t)
{
	if (t->news > 0)
		close(t->news);
	if (t->forgotten > 0)
		close(t->forgotten);
}

static uint64_t now_ms(void)
{
	return (uint64_t)socket_now_ms();
}

/*
 * Its end.
 */

static void shut_down_locked(struct vhost_talk *t, int how)
{
	for (unsigned i = 0; i < VHOST_TALK_ENDS; i++) {
		if (t->open[i] >= 0)
			(void)shutdown(t->open[i], how);
	}
}

static void die_locked(struct vhost_talk *t, const char *why)
{
	if (t->dead)
		return;
	t->dead = true;
	t->why = why;
	t->gone_ms = now_ms() + t->patience_ms;
	/* Shut for reading it would look as if the server had closed it. */
	shut_down_locked(t, SHUT_WR);
	eventfd_signal(t->news);
	eventfd_signal(t->forgotten);
}

/* What a dead one says nobody listens to; it is not to wait for us, though.
 * It does not keep us for ever by that. */
static void leave_unheard(int fd)
{
	uint8_t bytes[2048];

	for (unsigned i = 0; i < 64; i++) {
		if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
			return;
	}
}

static bool is_closed(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, 0) != 1)
		return false;
	if (p.revents & (POLLHUP | POLLERR))
		return true;
	leave_unheard(fd);
	return false;
}

/* Return: ms left for it to be gone. */
static unsigned going_locked(struct vhost_talk *t)
{
	const uint64_t now = now_ms();
	bool any = false;

	for (unsigned i = 0; i < VHOST_TALK_ENDS; i++) {
		if (t->open[i] >= 0 && is_closed(t->open[i]))
			t->open[i] = -1;
		any |= t->open[i] >= 0;
	}
	if (any && now < t->gone_ms)
		return (unsigned)(t->gone_ms - now);
	shut_down_locked(t, SHUT_RDWR);
	return 0;
}

unsigned vhost_talk_going(struct vhost_talk *t)
{
	unsigned ms;

	pthread_mutex_lock(&t->lock);
	assert(t->dead);
	ms = going_locked(t);
	pthread_mutex_unlock(&t->lock);
	return ms;
}

void vhost_talk_cut_off(struct vhost_talk *t, const char *why)
{
	pthread_mutex_lock(&t->lock);
	die_locked(t, why);
	pthread_mutex_unlock(&t->lock);
}

const char *vhost_talk_death(struct vhost_talk *t)
{
	const char *why;

	pthread_mutex_lock(&t->lock);
	why = t->dead ? t->why : NULL;
	pthread_mutex_unlock(&t->lock);
	return why;
}

/*
 * Out.
 */

/* All of it at once, or the server does not read. */
static bool send_message(int socket, const struct vhu_header_wire *h,
			 const void *body, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct vhu_header_wire head = *h;
	uint8_t bytes[sizeof(struct vhu_memory_wire)];
	struct iovec iov[] = {{&head, sizeof(head)}, {bytes, h->size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};

	assert(h->size <= sizeof(bytes));
	memcpy(bytes, body, h->size);
	if (fd >= 0) {
		struct cmsghdr *c = &control.header;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)(sizeof(head) + h->size);
}

static int tell_locked(struct vhost_talk *t, enum vhu_request request,
		       uint32_t flags, const void *body, size_t len, int fd)
{
	const struct vhu_header_wire h = {
		.request = request,
		.flags = VHU_VERSION | flags,
		.size = (uint32_t)len,
	};

	if (!t->dead && !send_message(t->fd, &h, body, fd))
		die_locked(t, errno == EAGAIN ? "does not read what it is told"
					      : "hung up");
	return t->dead ? -EPIPE : 0;
}

int vhost_talk_tell(struct vhost_talk *t, enum vhu_request request,
		    const void *body, size_t len, int fd)
{
	int r;

	pthread_mutex_lock(&t->lock);
	r = tell_locked(t, request, 0, body, len, fd);
	pthread_mutex_unlock(&t->lock);
	return r;
}

static void note_question(struct vhost_talk *t, unsigned what)
{
	assert(t->nasked < VHOST_TALK_ASKED);
	t->asked[(t->first + t->nasked++) % VHOST_TALK_ASKED] = (uint8_t)what;
}

int vhost_talk_end(struct vhost_talk *t, unsigned ring)
{
	const struct vhu_vring_state_wire w = {.index = ring};
	int r;

	assert(ring < VHOST_TALK_RINGS);
	pthread_mutex_lock(&t->lock);
	r = tell_locked(t, VHU_GET_VRING_BASE, 0, &w, sizeof(w), -1);
	if (r == 0)
		note_question(t, ring);
	pthread_mutex_unlock(&t->lock);
	return r;
}

/*
 * In.
 */

static bool hear_base(struct vhost_talk *t, unsigned ring)
{
	struct vhu_vring_state_wire w;

	if (!vhu_message_is_reply(&t->in, VHU_GET_VRING_BASE, sizeof(w)))
		return false;
	memcpy(&w, t->in.body, sizeof(w));
	if (w.index != ring)
		return false;
	t->bases[ring] = (uint16_t)w.num;
	t->ended |= BIT_ULL(ring);
	eventfd_signal(t->news);
	return true;
}

static bool hear_forgotten(struct vhost_talk *t)
{
	uint64_t refused;

	if (!vhu_message_is_reply(&t->in, VHU_IOTLB_MSG, sizeof(refused)))
		return false;
	memcpy(&refused, t->in.body, sizeof(refused));
	t->has_forgotten++;
	eventfd_signal(t->forgotten);
	return refused == 0;
}

static void hear_answer(struct vhost_talk *t)
{
	unsigned what;
	bool right;

	if (t->nasked == 0) {
		die_locked(t, "spoke out of turn");
		return;
	}
	what = t->asked[t->first];
	t->first = (t->first + 1) % VHOST_TALK_ASKED;
	t->nasked--;
	right = what == TO_FORGET ? hear_forgotten(t) : hear_base(t, what);
	if (!right)
		die_locked(t, what == TO_FORGET
				      ? "does not forget translations"
				      : "sent a reply to GET_VRING_BASE that "
					"is none");
}

static void hear_locked(struct vhost_talk *t)
{
	while (!t->dead) {
		int r = vhu_message_take(t->fd, &t->in);

		if (r == 0)
			return;
		if (r < 0)
			die_locked(t, r == -EPROTO
					      ? "sent a message that is none"
					      : "hung up");
		else
			hear_answer(t);
	}
}

void vhost_talk_hear(struct vhost_talk *t)
{
	pthread_mutex_lock(&t->lock);
	hear_locked(t);
	pthread_mutex_unlock(&t->lock);
}

bool vhost_talk_ended(struct vhost_talk *t, unsigned ring, uint16_t *ret_base)
{
	bool ended;

	pthread_mutex_lock(&t->lock);
	ended = t->ended & BIT_ULL(ring);
	t->ended &= ~BIT_ULL(ring);
	if (ended)
		*ret_base = t->bases[ring];
	pthread_mutex_unlock(&t->lock);
	return ended;
}

/*
 * Translations that are taken away.
 */

static void ask_to_forget(struct vhost_talk *t, const struct range *r,
			  unsigned n)
{
	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < n; i++) {
		/* No message says 2^64, and for some servers no sum of both
		 * numbers may be that; the last page is given to nobody. */
		const struct vhu_iotlb_wire w = {
			.iova = r[i].first,
			.size = r[i].last == UINT64_MAX
					? UINT64_MAX - r[i].first
					: r[i].last - r[i].first + 1,
			.type = VHU_IOTLB_INVALIDATE,
		};

		if (tell_locked(t, VHU_IOTLB_MSG, VHU_NEED_REPLY, &w, sizeof(w),
				-1) < 0)
			break;
		note_question(t, TO_FORGET);
		t->asked_to_forget++;
	}
	pthread_mutex_unlock(&t->lock);
}

/* Return: ms that it may take at most to forget, or to be gone; 0: it has, or
 * is. */
static unsigned forgetting_locked(struct vhost_talk *t, uint64_t until_ms)
{
	uint64_t now;

	hear_locked(t);
	if (!t->dead && t->has_forgotten == t->asked_to_forget)
		return 0;
	now = now_ms();
	if (!t->dead && now < until_ms)
		return (unsigned)(until_ms - now);
	die_locked(t, "does not forget translations");
	return going_locked(t);
}

static void await_forgotten(struct vhost_talk *t, uint64_t until_ms)
{
	for (;;) {
		struct pollfd p[] = {{.fd = t->forgotten, .events = POLLIN},
				     {.fd = -1, .events = POLLIN},
				     {.fd = -1, .events = POLLIN}};
		unsigned ms;

		pthread_mutex_lock(&t->lock);
		ms = forgetting_locked(t, until_ms);
		p[1].fd = t->open[0];
		/* While it lives, somebody else reads that. */
		p[2].fd = t->dead ? t->open[1] : -1;
		pthread_mutex_unlock(&t->lock);
		if (ms == 0)
			return;
		(void)poll(p, ARRAY_SIZE(p), (int)ms);
		(void)eventfd_clear(t->forgotten);
	}
}

void vhost_talk_forget(struct vhost_talk *t, const struct range *r, unsigned n)
{
	const uint64_t until_ms = now_ms() + t->patience_ms;

	pthread_mutex_lock(&t->waiter);
	while (n > 0) {
		const unsigned part = (unsigned)min_u64(n, VHOST_TALK_BATCH);

		ask_to_forget(t, r, part);
		await_forgotten(t, until_ms);
		r += part;
		n -= part;
	}
	pthread_mutex_unlock(&t->waiter);
}
