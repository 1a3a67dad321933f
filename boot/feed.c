/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/feed.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/image.h"
#include "core/bits.h"

#define BUFFER	   ((size_t)KIB(64))
#define BUDGET_MAX GIB(4)

static_assert(FEED_PEEK_MAX < KIB(64), "a peek fits the buffer");

int feed_init(struct feed *f, const struct image *im, uint64_t at,
	      const struct codec *codec)
{
	int r = 0;

	*f = (struct feed){
		.im = im, .codec = codec, .next = at, .budget = BUDGET_MAX};
	f->out = malloc(BUFFER);
	if (codec)
		f->in = malloc(BUFFER);
	if (!f->out || (codec && !f->in))
		r = -ENOMEM;
	if (r == 0 && codec)
		r = codec->new (&f->stream);
	if (r < 0)
		feed_fini(f);
	return r;
}

void feed_fini(struct feed *f)
{
	if (f->codec && f->stream)
		f->codec->free(f->stream);
	free(f->in);
	free(f->out);
	*f = (struct feed){0};
}

/* Reads on in the image; 0 at its end or if it cannot be read. */
static size_t read_on(struct feed *f, uint8_t *dst, size_t room)
{
	size_t n;

	if (f->next >= f->im->size)
		return 0;
	n = (size_t)min_u64(room, f->im->size - f->next);
	if (image_read(f->im, f->next, dst, n) < 0)
		return 0;
	f->next += n;
	return n;
}

/* The codec is asked even without input: it may hold back output. */
static size_t unpack_on(struct feed *f, uint8_t *dst, size_t room)
{
	struct codec_io io = {.out = dst, .out_len = room};
	int r = 0;

	while (r == 0 && io.out_len == room) {
		if (f->in_at == f->in_len) {
			f->in_at = 0;
			f->in_len = read_on(f, f->in, BUFFER);
		}
		io.in = f->in + f->in_at;
		io.in_len = f->in_len - f->in_at;
		r = f->codec->step(f->stream, &io);
		f->in_at = f->in_len - io.in_len;
		if (f->in_len == 0 && io.out_len == room)
			break; /* truncated */
	}
	if (r != 0)
		f->ended = true;
	return room - io.out_len;
}

/* More bytes behind those that are there; false if none came. */
static bool fill(struct feed *f)
{
	size_t n, room;

	memmove(f->out, f->out + f->out_at, f->out_len - f->out_at);
	f->out_len -= f->out_at;
	f->out_at = 0;
	room = (size_t)min_u64(BUFFER - f->out_len, f->budget);
	if (f->ended || room == 0)
		return false;
	n = f->codec ? unpack_on(f, f->out + f->out_len, room)
		     : read_on(f, f->out + f->out_len, room);
	if (n == 0)
		f->ended = true;
	f->out_len += n;
	f->budget -= n;
	return n > 0;
}

const uint8_t *feed_peek(struct feed *f, size_t n)
{
	assert(n <= FEED_PEEK_MAX);
	while (f->out_len - f->out_at < n)
		if (!fill(f))
			return NULL;
	return f->out + f->out_at;
}

bool feed_skip(struct feed *f, uint64_t n)
{
	for (;;) {
		size_t here = (size_t)min_u64(n, f->out_len - f->out_at);

		f->out_at += here;
		n -= here;
		if (n == 0)
			return true;
		if (!f->codec) { /* need not be read */
			if (n > f->im->size - f->next)
				return false;
			f->next += n;
			return true;
		}
		if (!fill(f))
			return false;
	}
}

void feed_skip_zeros(struct feed *f)
{
	do {
		while (f->out_at < f->out_len && f->out[f->out_at] == 0)
			f->out_at++;
	} while (f->out_at == f->out_len && fill(f));
}

uint64_t feed_position(const struct feed *f)
{
	if (f->codec)
		return f->next - (f->in_len - f->in_at);
	return f->next - (f->out_len - f->out_at);
}
