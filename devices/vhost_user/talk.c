/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/vhost_user/talk.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "core/bits.h"
#include "devices/vhost_user/frontend.h"

const char VHU_HUNG_UP[] = "hung up";

#define CONFIG_HEAD offsetof(struct vhu_config_wire, region)

/*
 * Out.
 */

/* All of it at once, or not at all: it is far shorter than a socket's room. */
static bool say(int fd, const struct vhu_header_wire *h, const void *body)
{
	uint8_t bytes[sizeof(*h) + sizeof(struct vhu_config_wire)];
	const size_t len = sizeof(*h) + h->size;

	memcpy(bytes, h, sizeof(*h));
	memcpy(bytes + sizeof(*h), body, h->size);
	return send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)len;
}

static bool ask_config(struct vhu_session *s)
{
	const struct vhu_config_wire c = {.size = s->config_len};
	const struct vhu_header_wire h = {
		.request = VHU_GET_CONFIG,
		.flags = VHU_VERSION,
		.size = (uint32_t)(CONFIG_HEAD + s->config_len),
	};

	s->talk.ask = false;
	s->talk.asked = VHU_ASKED_CONFIG;
	return say(s->link.fd, &h, &c);
}

/* One byte at @offset, to be written.  Return: bytes of the body. */
static size_t one_byte(struct vhu_config_wire *c, uint32_t offset, uint8_t val)
{
	*c = (struct vhu_config_wire){
		.offset = offset,
		.size = 1,
		.region = {val},
	};
	return CONFIG_HEAD + 1;
}

static bool tell_config(struct vhu *u, struct vhu_session *s)
{
	struct vhu_config_wire c;
	const struct vhu_header_wire h = {
		.request = VHU_SET_CONFIG,
		.flags = VHU_VERSION | (s->link.acks ? VHU_NEED_REPLY : 0),
		.size = (uint32_t)one_byte(&c, u->written.offset,
					   u->written.val),
	};

	s->talk.tell = false;
	if (s->link.acks)
		s->talk.asked = VHU_TOLD_CONFIG;
	return say(s->link.fd, &h, &c);
}

void vhu_talk(struct vhu *u, struct vhu_session *s)
{
	struct vhu_talk *t = &s->talk;
	bool ok = true;

	if (t->asked == VHU_ASKED_NOTHING && t->tell)
		ok = tell_config(u, s);
	if (t->asked == VHU_ASKED_NOTHING && t->ask)
		ok = ok && ask_config(s);
	/* The loop hears of it, and gives the server up. */
	if (!ok)
		(void)shutdown(s->link.fd, SHUT_RDWR);
}

/*
 * In.
 */

/* Return: bytes of @m that are still to come; 0: it is whole. */
static size_t missing(const struct vhu_message *m)
{
	const size_t head = sizeof(m->header);

	return m->len < head ? head - m->len : head + m->header.size - m->len;
}

int vhu_message_take(int fd, struct vhu_message *m)
{
	while (missing(m) > 0) {
		uint8_t *to = m->len < sizeof(m->header)
				      ? (uint8_t *)&m->header + m->len
				      : m->body + (m->len - sizeof(m->header));
		ssize_t n = recv(fd, to, missing(m), MSG_DONTWAIT);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -ECONNRESET;
		m->len += (size_t)n;
		if (m->len >= sizeof(m->header) &&
		    m->header.size > sizeof(m->body))
			return -EPROTO;
	}
	m->len = 0;
	return 1;
}

bool vhu_message_is_reply(const struct vhu_message *m, enum vhu_request request,
			  size_t len)
{
	return m->header.request == (uint32_t)request &&
	       m->header.flags & VHU_REPLY &&
	       (m->header.flags & VHU_VERSION_MASK) == VHU_VERSION &&
	       m->header.size == len;
}

static const char *hear_config(struct vhu *u, struct vhu_session *s)
{
	const struct vhu_message *m = &s->talk.in;

	if (!vhu_message_is_reply(m, VHU_GET_CONFIG,
				  CONFIG_HEAD + s->config_len))
		return "does not tell its configuration any more";
	memcpy(s->config, m->body + CONFIG_HEAD, s->config_len);
	u->ops->config(u, s->config);
	return NULL;
}

static const char *hear_ack(struct vhu *u, struct vhu_session *s)
{
	const struct vhu_message *m = &s->talk.in;
	uint64_t answer;

	if (!vhu_message_is_reply(m, VHU_SET_CONFIG, sizeof(answer)))
		return "sent a reply to SET_CONFIG that is none";
	memcpy(&answer, m->body, sizeof(answer));
	if (answer != 0)
		return "refused what the driver configured";
	/* What was held back until here. */
	vhu_kick_all(u);
	return NULL;
}

const char *vhu_talk_hear(struct vhu *u, struct vhu_session *s)
{
	struct vhu_talk *t = &s->talk;
	const enum vhu_asked asked = t->asked;
	const char *wrong = NULL;
	int n = vhu_message_take(s->link.fd, &t->in);

	if (n == -ECONNRESET)
		return VHU_HUNG_UP;
	if (asked == VHU_ASKED_NOTHING && (n != 0 || t->in.len > 0))
		return "spoke out of turn";
	if (n < 0)
		return "sent a message that is none";
	if (n == 0)
		return NULL;
	t->asked = VHU_ASKED_NOTHING;
	switch (asked) {
	case VHU_ASKED_NOTHING:
		break;
	case VHU_ASKED_CONFIG:
		wrong = hear_config(u, s);
		break;
	case VHU_TOLD_CONFIG:
		wrong = hear_ack(u, s);
		break;
	}
	vhu_talk(u, s);
	return wrong;
}

/*
 * The server's own channel.
 */

static void answer_back(struct vhu_session *s, const struct vhu_message *m,
			uint64_t answer)
{
	const struct vhu_header_wire h = {
		.request = m->header.request,
		.flags = VHU_VERSION | VHU_REPLY,
		.size = sizeof(answer),
	};

	if (m->header.flags & VHU_NEED_REPLY &&
	    !say(s->talk.channel, &h, &answer))
		(void)shutdown(s->link.fd, SHUT_RDWR);
}

/* One message a call: others are waiting, too. */
static void on_back(struct loop_watch *w, uint32_t events)
{
	struct vhu_session *s = container_of(w, struct vhu_session, talk.back);
	struct vhu *u = s->queues[0].vhu;
	struct vhu_message *m = &s->talk.back_in;
	int n = vhu_message_take(s->talk.channel, m);

	(void)events;
	if (n < 0) {
		/* It says nothing more there; nonsense ends all. */
		loop_watch_del(w);
		if (n == -EPROTO)
			(void)shutdown(s->link.fd, SHUT_RDWR);
		return;
	}
	if (n == 0)
		return;
	if (m->header.request != VHU_BACKEND_CONFIG_CHANGE) {
		answer_back(s, m, EINVAL);
		return;
	}
	answer_back(s, m, 0);
	s->talk.ask = true;
	vhu_talk(u, s);
}

int vhu_talk_listen(struct vhu *u, struct vhu_session *s)
{
	s->talk.back.fn = on_back;
	s->talk.back.lock = &u->d->lock;
	if (s->talk.channel < 0)
		return 0;
	return loop_watch_add(u->d->loop, &s->talk.back, s->talk.channel,
			      EPOLLIN);
}
