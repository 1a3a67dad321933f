/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/codec.h"

static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};

#ifdef HAVE_ZSTD

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

struct codec_stream {
	ZSTD_DCtx *ctx;
};

static int error_of(size_t code)
{
	return ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation
		       ? -ENOMEM
		       : -EBADMSG;
}

/* In one call, so that the output is the window (which may be 128 MiB). */
static int64_t zstd_unpack(const uint8_t *src, size_t len, uint8_t *dst,
			   size_t cap)
{
	size_t n = ZSTD_decompress(dst, cap, src, len);

	return ZSTD_isError(n) ? error_of(n) : (int64_t)n;
}

static void zstd_free(struct codec_stream *s)
{
	if (!s)
		return;
	ZSTD_freeDCtx(s->ctx);
	free(s);
}

static int zstd_new(struct codec_stream **ret_s)
{
	struct codec_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ctx = ZSTD_createDCtx();
	if (!s->ctx) {
		zstd_free(s);
		return -ENOMEM;
	}
	*ret_s = s;
	return 0;
}

static int zstd_step(struct codec_stream *s, struct codec_io *io)
{
	ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
	ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
	size_t n = ZSTD_decompressStream(s->ctx, &out, &in);

	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	if (ZSTD_isError(n))
		return error_of(n);
	return n == 0;
}

const struct codec codec_zstd = {
	.name = "zstd",
	.unpacked_by_moat = "bzImage, unpacked by moat (zstd)",
	.magic = magic,
	.magic_len = sizeof(magic),
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
