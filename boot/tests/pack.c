/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* The other side of boot/codec*.c, by the same libraries. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/tests/boot_fixture.h"

#ifdef HAVE_ZSTD
#include <zstd.h>

/* Without the content's size in the frame, like the kernel's build. */
static void pack_zstd(struct buf *b, const void *src, size_t len)
{
	size_t cap = ZSTD_compressBound(len);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	void *dst = malloc(cap);
	size_t n;

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(ctx, dst, cap, src, len);
	assert(!ZSTD_isError(n));
	buf_put(b, dst, n);
	free(dst);
	ZSTD_freeCCtx(ctx);
}
#endif

#ifdef HAVE_LZ4
#include <lz4.h>

#include "core/bits.h"

static void pack_lz4(struct buf *b, const uint8_t *src, size_t len)
{
	const size_t block = MIB(8);
	int cap = LZ4_compressBound((int)block);
	char *dst = malloc((size_t)cap);

	buf_put_le32(b, 0x184c2102);
	for (size_t at = 0; at < len; at += block) {
		int n = LZ4_compress_default((const char *)src + at, dst,
					     (int)min_u64(len - at, block),
					     cap);

		assert(n > 0);
		buf_put_le32(b, (uint32_t)n);
		buf_put(b, dst, (size_t)n);
	}
	free(dst);
}
#endif

#ifdef HAVE_LZMA
#include <lzma.h>

/* With the filter for x86 code, like the kernel's build. */
static void pack_xz(struct buf *b, const void *src, size_t len)
{
	size_t cap = lzma_stream_buffer_bound(len), n = 0;
	uint8_t *dst = malloc(cap);
	lzma_options_lzma lzma2;
	lzma_filter filters[] = {
		{.id = LZMA_FILTER_X86},
		{.id = LZMA_FILTER_LZMA2, .options = &lzma2},
		{.id = LZMA_VLI_UNKNOWN},
	};
	lzma_ret r;

	lzma_lzma_preset(&lzma2, 1);
	r = lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, src, len,
				      dst, &n, cap);
	assert(r == LZMA_OK);
	buf_put(b, dst, n);
	free(dst);
}
#endif

#ifdef HAVE_ZLIB
#define ZLIB_CONST
#include <zlib.h>

static void pack_gzip(struct buf *b, const void *src, size_t len)
{
	z_stream z = {0};
	size_t cap;
	uint8_t *dst;
	int r;

	r = deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	assert(r == Z_OK);
	cap = deflateBound(&z, len);
	dst = malloc(cap);
	z.next_in = src;
	z.avail_in = (uInt)len;
	z.next_out = dst;
	z.avail_out = (uInt)cap;
	r = deflate(&z, Z_FINISH);
	assert(r == Z_STREAM_END);
	buf_put(b, dst, z.total_out);
	free(dst);
	deflateEnd(&z);
}
#endif

void codec_pack(struct buf *b, const struct codec *codec, const void *src,
		size_t len)
{
	(void)src; /* without any library */
	(void)len;
#ifdef HAVE_ZSTD
	if (codec == &codec_zstd)
		pack_zstd(b, src, len);
#endif
#ifdef HAVE_LZ4
	if (codec == &codec_lz4)
		pack_lz4(b, src, len);
#endif
#ifdef HAVE_LZMA
	if (codec == &codec_xz)
		pack_xz(b, src, len);
#endif
#ifdef HAVE_ZLIB
	if (codec == &codec_gzip)
		pack_gzip(b, src, len);
#endif
	assert(codec_built(codec) && buf_error(b) == 0);
}

void bzimage_pack(struct buf *b, const struct codec *codec,
		  const struct buf *elf)
{
	struct buf packed;

	buf_init(&packed);
	codec_pack(&packed, codec, elf->data, elf->len);
	if (!codec_size_is_own(codec))
		buf_put_le32(&packed, (uint32_t)elf->len);
	bzimage_build(b, packed.data, packed.len);
	buf_fini(&packed);
}
