/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/codec.h"

static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};

#ifdef HAVE_ZSTD

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "boot/library.h"
#include "core/bits.h"

struct zstd {
	__typeof__(ZSTD_decompress) *decompress;
	__typeof__(ZSTD_isError) *is_error;
	__typeof__(ZSTD_getErrorCode) *get_error_code;
	__typeof__(ZSTD_createDCtx) *create_ctx;
	__typeof__(ZSTD_freeDCtx) *free_ctx;
	__typeof__(ZSTD_decompressStream) *decompress_stream;
};

static const struct library_function functions[] = {
	{"ZSTD_decompress", offsetof(struct zstd, decompress)},
	{"ZSTD_isError", offsetof(struct zstd, is_error)},
	{"ZSTD_getErrorCode", offsetof(struct zstd, get_error_code)},
	{"ZSTD_createDCtx", offsetof(struct zstd, create_ctx)},
	{"ZSTD_freeDCtx", offsetof(struct zstd, free_ctx)},
	{"ZSTD_decompressStream", offsetof(struct zstd, decompress_stream)},
};

static const struct library library = {
	.file = "libzstd.so.1",
	.package = "libzstd1",
	.functions = functions,
	.nfunctions = ARRAY_SIZE(functions),
};

struct codec_stream {
	struct zstd zstd;
	ZSTD_DCtx *ctx;
};

static int error_of(const struct zstd *z, size_t code)
{
	return z->get_error_code(code) == ZSTD_error_memory_allocation
		       ? -ENOMEM
		       : -EBADMSG;
}

/* In one call, so that the output is the window (which may be 128 MiB). */
static int64_t zstd_unpack(const uint8_t *src, size_t len, uint8_t *dst,
			   size_t cap)
{
	struct zstd z;
	size_t n;

	if (!library_link(&library, &z))
		return -ELIBACC;
	n = z.decompress(dst, cap, src, len);
	return z.is_error(n) ? error_of(&z, n) : (int64_t)n;
}

static void zstd_free(struct codec_stream *s)
{
	if (!s)
		return;
	if (s->ctx)
		s->zstd.free_ctx(s->ctx);
	free(s);
}

static int zstd_new(struct codec_stream **ret_s)
{
	struct codec_stream *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (r == 0 && !library_link(&library, &s->zstd))
		r = -ELIBACC;
	if (r == 0) {
		s->ctx = s->zstd.create_ctx();
		r = s->ctx ? 0 : -ENOMEM;
	}
	if (r < 0) {
		zstd_free(s);
		return r;
	}
	*ret_s = s;
	return 0;
}

static int zstd_step(struct codec_stream *s, struct codec_io *io)
{
	ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
	ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
	size_t n = s->zstd.decompress_stream(s->ctx, &out, &in);

	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	if (s->zstd.is_error(n))
		return error_of(&s->zstd, n);
	return n == 0;
}

const struct codec codec_zstd = {
	.name = "zstd",
	.unpacked_by_moat = "bzImage, unpacked by moat (zstd)",
	.magic = magic,
	.magic_len = sizeof(magic),
	.library = &library,
	.unpack = zstd_unpack,
	.new = zstd_new,
	.step = zstd_step,
	.free = zstd_free,
};

#else

const struct codec codec_zstd = {
	.name = "zstd",
	.magic = magic,
	.magic_len = sizeof(magic),
};

#endif
