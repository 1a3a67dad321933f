/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/le.h"

#define FIRST_CAP 256

void buf_init(struct buf *b)
{
	*b = (struct buf){0};
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

/* Room for @len more bytes, counted in already; NULL if there is none. */
static uint8_t *grow(struct buf *b, size_t len)
{
	size_t need, cap;
	uint8_t *p;

	if (b->error)
		return NULL;
	if (__builtin_add_overflow(b->len, len, &need))
		goto fail;
	if (need > b->cap) {
		cap = b->cap ? b->cap : FIRST_CAP;
		while (cap < need && cap <= SIZE_MAX / 2)
			cap *= 2;
		if (cap < need)
			cap = need;
		p = realloc(b->data, cap);
		if (!p)
			goto fail;
		b->data = p;
		b->cap = cap;
	}
	p = b->data + b->len;
	b->len = need;
	return p;
fail:
	b->error = -ENOMEM;
	return NULL;
}

void *buf_grow(struct buf *b, size_t len)
{
	return grow(b, len);
}

void buf_cut(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
}

void buf_put(struct buf *b, const void *src, size_t len)
{
	uint8_t *p;

	if (len == 0)
		return;
	p = grow(b, len);
	if (p)
		memcpy(p, src, len);
}

void buf_put_zero(struct buf *b, size_t len)
{
	uint8_t *p;

	if (len == 0)
		return;
	p = grow(b, len);
	if (p)
		memset(p, 0, len);
}

void buf_put8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, sizeof(v));
}

void buf_put_le16(struct buf *b, uint16_t v)
{
	le16_t w = le16_put(v);

	buf_put(b, &w, sizeof(w));
}

void buf_put_le32(struct buf *b, uint32_t v)
{
	le32_t w = le32_put(v);

	buf_put(b, &w, sizeof(w));
}

void buf_put_le64(struct buf *b, uint64_t v)
{
	le64_t w = le64_put(v);

	buf_put(b, &w, sizeof(w));
}

void buf_align(struct buf *b, size_t align)
{
	assert(is_pow2(align));
	buf_put_zero(b, -b->len & (align - 1));
}

void *buf_at(struct buf *b, size_t at, size_t len)
{
	if (b->error || at > b->len || len > b->len - at)
		return NULL;
	return b->data ? b->data + at : NULL;
}

int buf_error(const struct buf *b)
{
	return b->error;
}
