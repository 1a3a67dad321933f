/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * LZ4's legacy format, the one that the kernel uses: the magic, then blocks
 * of {u32 compressed size, data}, each at most 8 MiB when unpacked.  It has no
 * end mark: whatever cannot be a block ends it.  [lz4 doc/lz4_Frame_format.md,
 * "Legacy frame"]
 */
#include "boot/codec.h"

static const uint8_t magic[] = {0x02, 0x21, 0x4c, 0x18};

#ifdef HAVE_LZ4

#include <errno.h>
#include <lz4.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "boot/library.h"
#include "core/bits.h"
#include "core/le.h"

struct lz4 {
	__typeof__(LZ4_decompress_safe) *decompress;
};

static const struct library_function functions[] = {
	{"LZ4_decompress_safe", offsetof(struct lz4, decompress)},
};

static const struct library library = {
	.file = "liblz4.so.1",
	.package = "liblz4-1",
	.functions = functions,
	.nfunctions = ARRAY_SIZE(functions),
};

#define PLAIN_MAX  ((size_t)MIB(8))
#define PACKED_MAX ((size_t)LZ4_COMPRESSBOUND(MIB(8)))

/* Return: bytes written; -EBADMSG. */
static int64_t unpack_block(const struct lz4 *l, const uint8_t *src, size_t len,
			    uint8_t *dst, size_t cap)
{
	int n = l->decompress((const char *)src, (char *)dst, (int)len,
			      (int)min_u64(cap, PLAIN_MAX));

	return n < 0 ? -EBADMSG : n;
}

static int64_t lz4_unpack(const uint8_t *src, size_t len, uint8_t *dst,
			  size_t cap)
{
	size_t at = sizeof(magic), out = 0;
	struct lz4 l;

	if (!library_link(&library, &l))
		return -ELIBACC;
	if (len < at || memcmp(src, magic, at) != 0)
		return -EBADMSG;
	while (len - at >= 4) {
		size_t size = le32_load(src + at);
		int64_t n;

		at += 4;
		if (size == 0 || size > PACKED_MAX || size > len - at)
			return -EBADMSG;
		n = unpack_block(&l, src + at, size, dst + out, cap - out);
		if (n < 0)
			return n;
		at += size;
		out += (size_t)n;
	}
	return (int64_t)out;
}

struct codec_stream {
	struct lz4 lz4;
	bool begun;	  /* the magic is behind us */
	size_t want;	  /* bytes of @packed to collect next */
	size_t have;	  /* collected */
	bool in_block;	  /* @want is a block's size, else 4 for a size */
	size_t plain_at;  /* given out of @plain */
	size_t plain_len; /* unpacked into @plain */
	uint8_t *packed;  /* PACKED_MAX */
	uint8_t *plain;	  /* PLAIN_MAX */
};

static void lz4_free(struct codec_stream *s)
{
	if (!s)
		return;
	free(s->packed);
	free(s->plain);
	free(s);
}

static int lz4_new(struct codec_stream **ret_s)
{
	struct codec_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (!library_link(&library, &s->lz4)) {
		free(s);
		return -ELIBACC;
	}
	s->packed = malloc(PACKED_MAX);
	s->plain = malloc(PLAIN_MAX);
	if (!s->packed || !s->plain) {
		lz4_free(s);
		return -ENOMEM;
	}
	s->want = sizeof(magic);
	*ret_s = s;
	return 0;
}

static void give_out(struct codec_stream *s, struct codec_io *io)
{
	size_t n = (size_t)min_u64(s->plain_len - s->plain_at, io->out_len);

	memcpy(io->out, s->plain + s->plain_at, n);
	s->plain_at += n;
	io->out += n;
	io->out_len -= n;
}

static bool collect(struct codec_stream *s, struct codec_io *io)
{
	size_t n = (size_t)min_u64(s->want - s->have, io->in_len);

	memcpy(s->packed + s->have, io->in, n);
	s->have += n;
	io->in += n;
	io->in_len -= n;
	return s->have == s->want;
}

/* What was collected is complete: the magic, a size, or a block. */
static int digest(struct codec_stream *s)
{
	int64_t n;
	size_t size;

	s->have = 0;
	if (s->in_block) {
		n = unpack_block(&s->lz4, s->packed, s->want, s->plain,
				 PLAIN_MAX);
		if (n < 0)
			return (int)n;
		s->plain_at = 0;
		s->plain_len = (size_t)n;
		s->in_block = false;
		s->want = 4;
		return 0;
	}
	if (memcmp(s->packed, magic, sizeof(magic)) == 0) {
		s->begun = true; /* may be repeated between blocks */
		return 0;
	}
	if (!s->begun)
		return -EBADMSG;
	size = le32_load(s->packed);
	if (size == 0 || size > PACKED_MAX)
		return 1;
	s->in_block = true;
	s->want = size;
	return 0;
}

static int lz4_step(struct codec_stream *s, struct codec_io *io)
{
	for (;;) {
		int r;

		give_out(s, io);
		if (s->plain_at < s->plain_len)
			return 0;
		if (!collect(s, io))
			return 0;
		r = digest(s);
		if (r != 0)
			return r;
	}
}

const struct codec codec_lz4 = {
	.name = "lz4",
	.unpacked_by_moat = "bzImage, unpacked by moat (lz4)",
	.magic = magic,
	.magic_len = sizeof(magic),
	.library = &library,
	.unpack = lz4_unpack,
	.new = lz4_new,
	.step = lz4_step,
	.free = lz4_free,
};

#else

const struct codec codec_lz4 = {
	.name = "lz4",
	.magic = magic,
	.magic_len = sizeof(magic),
};

#endif
