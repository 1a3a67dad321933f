/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/codec.h"

static const uint8_t magic[] = {0x1f, 0x8b};

#ifdef HAVE_ZLIB

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "boot/library.h"
#include "core/bits.h"

/* inflateInit2() is a macro for inflateInit2_(). */
struct zlib {
	__typeof__(inflateInit2_) *init;
	__typeof__(inflate) *inflate;
	__typeof__(inflateEnd) *end;
};

static const struct library_function functions[] = {
	{"inflateInit2_", offsetof(struct zlib, init)},
	{"inflate", offsetof(struct zlib, inflate)},
	{"inflateEnd", offsetof(struct zlib, end)},
};

static const struct library library = {
	.file = "libz.so.1",
	.package = "zlib1g",
	.functions = functions,
	.nfunctions = ARRAY_SIZE(functions),
};

/* zlib's window bits for a gzip header. */
enum { GZIP_WINDOW = 15 + 16 };

struct codec_stream {
	struct zlib zlib;
	z_stream z;
};

static void gzip_free(struct codec_stream *s)
{
	if (!s)
		return;
	(void)s->zlib.end(&s->z);
	free(s);
}

static int gzip_new(struct codec_stream **ret_s)
{
	struct codec_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (!library_link(&library, &s->zlib)) {
		free(s);
		return -ELIBACC;
	}
	if (s->zlib.init(&s->z, GZIP_WINDOW, ZLIB_VERSION, sizeof(s->z)) !=
	    Z_OK) {
		free(s);
		return -ENOMEM;
	}
	*ret_s = s;
	return 0;
}

static int gzip_step(struct codec_stream *s, struct codec_io *io)
{
	uInt in_len = (uInt)min_u64(io->in_len, UINT_MAX);
	uInt out_len = (uInt)min_u64(io->out_len, UINT_MAX);
	int r;

	s->z.next_in = io->in;
	s->z.avail_in = in_len;
	s->z.next_out = io->out;
	s->z.avail_out = out_len;
	r = s->zlib.inflate(&s->z, Z_NO_FLUSH);
	io->in += in_len - s->z.avail_in;
	io->in_len -= in_len - s->z.avail_in;
	io->out += out_len - s->z.avail_out;
	io->out_len -= out_len - s->z.avail_out;
	switch (r) {
	case Z_STREAM_END:
		return 1;
	case Z_OK:
	case Z_BUF_ERROR: /* no progress without more of either */
		return 0;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

static int64_t gzip_unpack(const uint8_t *src, size_t len, uint8_t *dst,
			   size_t cap)
{
	struct codec_io io = {src, len, dst, cap};
	struct codec_stream *s;
	int r;

	r = gzip_new(&s);
	if (r < 0)
		return r;
	/* Lengths above 4 GiB would take several steps; kernels have none. */
	r = gzip_step(s, &io);
	gzip_free(s);
	if (r < 0)
		return r;
	return r == 1 ? (int64_t)(cap - io.out_len) : -EBADMSG;
}

const struct codec codec_gzip = {
	.name = "gzip",
	.unpacked_by_moat = "bzImage, unpacked by moat (gzip)",
	.magic = magic,
	.magic_len = sizeof(magic),
	.library = &library,
	.unpack = gzip_unpack,
	.new = gzip_new,
	.step = gzip_step,
	.free = gzip_free,
};

#else

const struct codec codec_gzip = {
	.name = "gzip",
	.magic = magic,
	.magic_len = sizeof(magic),
};

#endif
