/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/nested/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void buf_reserve(struct buf *b, size_t len)
{
	if (b->head) {
		memmove(b->data, b->data + b->head, b->tail - b->head);
		b->tail -= b->head;
		b->head = 0;
	}
	if (b->size - b->tail >= len)
		return;
	b->size = (b->tail + len) * 2;
	b->data = realloc(b->data, b->size);
	if (!b->data)
		abort(); /* windows bound the size: memory is really out */
}

void buf_append(struct buf *b, const void *data, size_t len)
{
	if (!len)
		return;
	buf_reserve(b, len);
	memcpy(b->data + b->tail, data, len);
	b->tail += len;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

void link_init(struct link *l, int fd)
{
	*l = (struct link){.fd = fd};
}

void link_send(struct link *l, enum frame_type type, uint16_t stream,
	       const void *data, size_t len)
{
	struct frame f = {
		.type = (uint16_t)type, .stream = stream, .len = (uint32_t)len};

	buf_append(&l->out, &f, sizeof(f));
	buf_append(&l->out, data, len);
}

void link_send_u32(struct link *l, enum frame_type type, uint16_t stream,
		   uint32_t value)
{
	link_send(l, type, stream, &value, sizeof(value));
}

uint32_t frame_u32(const struct frame *f, const uint8_t *data)
{
	uint32_t value = 0;

	if (f->len == sizeof(value))
		memcpy(&value, data, sizeof(value));
	return value;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static int link_read(struct link *l)
{
	ssize_t n;

	buf_reserve(&l->in, 65536);
	n = recv(l->fd, l->in.data + l->in.tail, l->in.size - l->in.tail,
		 MSG_DONTWAIT);
	if (n > 0)
		l->in.tail += (size_t)n;
	return n > 0 || (n < 0 && would_block()) ? 0 : -1;
}

static int link_write(struct link *l)
{
	ssize_t n =
		send(l->fd, l->out.data + l->out.head,
		     l->out.tail - l->out.head, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		l->out.head += (size_t)n;
	return n >= 0 || would_block() ? 0 : -1;
}

int link_io(struct link *l, short revents)
{
	if ((revents & (POLLIN | POLLHUP | POLLERR)) && link_read(l) < 0)
		return -1;
	if (l->out.head != l->out.tail)
		return link_write(l);
	return 0;
}

short link_events(const struct link *l)
{
	return l->out.head == l->out.tail ? POLLIN : POLLIN | POLLOUT;
}

int link_next(struct link *l, struct frame *ret_frame, const uint8_t **ret_data)
{
	size_t have = l->in.tail - l->in.head;

	if (have < sizeof(*ret_frame))
		return 0;
	memcpy(ret_frame, l->in.data + l->in.head, sizeof(*ret_frame));
	if (ret_frame->len > FRAME_MAX)
		return -1;
	if (have - sizeof(*ret_frame) < ret_frame->len)
		return 0;
	*ret_data = l->in.data + l->in.head + sizeof(*ret_frame);
	l->in.head += sizeof(*ret_frame) + ret_frame->len;
	return 1;
}

void source_init(struct source *s, uint16_t stream, int fd)
{
	*s = (struct source){
		.fd = fd, .stream = stream, .window = STREAM_WINDOW};
}

bool source_wants(const struct source *s)
{
	return s->fd >= 0 && s->window > 0;
}

void source_close(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void source_read(struct source *s, struct link *l)
{
	static uint8_t data[65536];
	size_t len = sizeof(data);
	ssize_t n;

	if (s->window < (int64_t)len)
		len = (size_t)s->window;
	n = read(s->fd, data, len);

	if (n > 0) {
		link_send(l, FRAME_DATA, s->stream, data, (size_t)n);
		s->window -= n;
	} else if (n == 0 || !would_block()) {
		link_send(l, FRAME_EOF, s->stream, NULL, 0);
		source_close(s);
	}
}

void sink_init(struct sink *s, uint16_t stream, int fd)
{
	*s = (struct sink){.fd = fd, .stream = stream};
}

static void sink_close(struct sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	buf_free(&s->buf);
}

void sink_take(struct sink *s, const void *data, size_t len)
{
	if (s->fd >= 0)
		buf_append(&s->buf, data, len);
}

void sink_end(struct sink *s)
{
	s->ended = true;
	if (!sink_wants(s))
		sink_close(s);
}

bool sink_wants(const struct sink *s)
{
	return s->fd >= 0 && s->buf.head != s->buf.tail;
}

void sink_lost(struct sink *s, struct link *l)
{
	if (s->fd >= 0)
		link_send(l, FRAME_CLOSE, s->stream, NULL, 0);
	sink_close(s);
}

void sink_write(struct sink *s, struct link *l)
{
	size_t len = s->buf.tail - s->buf.head;
	ssize_t n;

	/*
	 * The descriptor may be shared with others, so it stays blocking; but
	 * a pipe that poll() calls writable takes this much at once.
	 */
	if (len > 4096)
		len = 4096;
	n = write(s->fd, s->buf.data + s->buf.head, len);
	if (n < 0) {
		if (would_block())
			return;
		s->error = errno == EPIPE ? 0 : errno;
		sink_lost(s, l);
		return;
	}
	s->buf.head += (size_t)n;
	link_send_u32(l, FRAME_ACK, s->stream, (uint32_t)n);
	if (s->ended && !sink_wants(s))
		sink_close(s);
}
