/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/codec.h"

static const uint8_t magic[] = {0xfd, '7', 'z', 'X', 'Z', 0x00};

#ifdef HAVE_LZMA

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

#include "boot/library.h"
#include "core/bits.h"

struct xz {
	__typeof__(lzma_stream_decoder) *decoder;
	__typeof__(lzma_code) *code;
	__typeof__(lzma_end) *end;
	__typeof__(lzma_stream_buffer_decode) *buffer_decode;
};

static const struct library_function functions[] = {
	{"lzma_stream_decoder", offsetof(struct xz, decoder)},
	{"lzma_code", offsetof(struct xz, code)},
	{"lzma_end", offsetof(struct xz, end)},
	{"lzma_stream_buffer_decode", offsetof(struct xz, buffer_decode)},
};

static const struct library library = {
	.file = "liblzma.so.5",
	.package = "liblzma5",
	.functions = functions,
	.nfunctions = ARRAY_SIZE(functions),
};

/* Kernels use dictionaries of up to 128 MiB; the file says how much. */
#define MEMORY_MAX MIB(256)

struct codec_stream {
	struct xz xz;
	lzma_stream l;
};

static void xz_free(struct codec_stream *s)
{
	if (!s)
		return;
	if (s->xz.end)
		s->xz.end(&s->l);
	free(s);
}

static int xz_new(struct codec_stream **ret_s)
{
	struct codec_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->l = (lzma_stream)LZMA_STREAM_INIT;
	if (!library_link(&library, &s->xz)) {
		free(s);
		return -ELIBACC;
	}
	if (s->xz.decoder(&s->l, MEMORY_MAX, 0) != LZMA_OK) {
		free(s);
		return -ENOMEM;
	}
	*ret_s = s;
	return 0;
}

static int error_of(lzma_ret r)
{
	if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return -EBADMSG;
}

static int xz_step(struct codec_stream *s, struct codec_io *io)
{
	lzma_ret r;

	s->l.next_in = io->in;
	s->l.avail_in = io->in_len;
	s->l.next_out = io->out;
	s->l.avail_out = io->out_len;
	r = s->xz.code(&s->l, LZMA_RUN);
	io->in = s->l.next_in;
	io->in_len = s->l.avail_in;
	io->out = s->l.next_out;
	io->out_len = s->l.avail_out;
	if (r == LZMA_STREAM_END)
		return 1;
	if (r == LZMA_OK || r == LZMA_BUF_ERROR)
		return 0;
	return error_of(r);
}

static int64_t xz_unpack(const uint8_t *src, size_t len, uint8_t *dst,
			 size_t cap)
{
	uint64_t limit = MEMORY_MAX;
	size_t in = 0, out = 0;
	struct xz xz;
	lzma_ret r;

	if (!library_link(&library, &xz))
		return -ELIBACC;
	r = xz.buffer_decode(&limit, 0, NULL, src, &in, len, dst, &out, cap);
	return r == LZMA_OK ? (int64_t)out : error_of(r);
}

const struct codec codec_xz = {
	.name = "xz",
	.unpacked_by_moat = "bzImage, unpacked by moat (xz)",
	.magic = magic,
	.magic_len = sizeof(magic),
	.library = &library,
	.unpack = xz_unpack,
	.new = xz_new,
	.step = xz_step,
	.free = xz_free,
};

#else

const struct codec codec_xz = {
	.name = "xz",
	.magic = magic,
	.magic_len = sizeof(magic),
};

#endif
