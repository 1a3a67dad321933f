/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Compressed bytes of any kind, at once and as a stream: both keep to their
 * room, and where both succeed they agree.  First byte: which codec, and the
 * size of the steps.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/fuzz/patch.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct codec *const codecs[] = {
	&codec_gzip,
	&codec_xz,
	&codec_lz4,
	&codec_zstd,
};

enum { ROOM = 65536 };
static uint8_t whole[ROOM], pieces[ROOM];

/* Length, or -1 if the stream did not come to an end. */
static int64_t stream(const struct codec *c, const struct buf *b, size_t step)
{
	struct codec_stream *s;
	size_t in = 0, out = 0;
	int r = 0;

	if (c->new (&s) < 0)
		return -1;
	while (r == 0) {
		struct codec_io io = {
			.in = b->data + in,
			.in_len = min_u64(step, b->len - in),
			.out = pieces + out,
			.out_len = min_u64(step, ROOM - out),
		};
		size_t before = in + out;

		r = c->step(s, &io);
		in = (size_t)(io.in - b->data);
		out = (size_t)(io.out - pieces);
		assert(in <= b->len && out <= ROOM);
		if (in + out == before)
			break;
	}
	c->free(s);
	return r == 1 ? (int64_t)out : -1;
}

static void put_good(struct buf *b, unsigned codec)
{
	static const char plain[] = "some text, some text, some text";
	static struct buf good[4]; /* built once */

	if (good[codec].len == 0)
		codec_pack(&good[codec], codecs[codec], plain, sizeof(plain));
	buf_put(b, good[codec].data, good[codec].len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct codec *c;
	int64_t n, m;
	struct buf b;

	if (len < 1 || !codec_built(codecs[data[0] & 3]))
		return 0;
	c = codecs[data[0] & 3];
	buf_init(&b);
	if (data[0] & 4) {
		put_good(&b, data[0] & 3);
		patch(&b, data + 1, len - 1);
	} else {
		buf_put(&b, c->magic, c->magic_len);
		buf_put(&b, data + 1, len - 1);
	}
	n = c->unpack(b.data, b.len, whole, ROOM);
	assert(n <= ROOM);
	m = stream(c, &b, (size_t)(data[0] >> 3) * 7 + 1);
	if (n >= 0 && m >= 0 && n == m)
		assert(memcmp(whole, pieces, (size_t)n) == 0);
	buf_fini(&b);
	return 0;
}
