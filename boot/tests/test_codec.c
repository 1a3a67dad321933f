/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"
#include "core/le.h"

/* Each test runs once per codec; those that are not built have none. */
static const struct codec *const codecs[] = {
	&codec_gzip,
	&codec_xz,
	&codec_lz4,
	&codec_zstd,
};

enum { PLAIN = 20000 };

static const struct codec *codec;
static struct buf packed;
static uint8_t plain[PLAIN], out[PLAIN + 1];

static bool begin(int i)
{
	codec = codecs[i];
	if (!codec_built(codec))
		return false;
	for (size_t j = 0; j < PLAIN; j++)
		plain[j] = pattern(j / 3);
	buf_init(&packed);
	codec_pack(&packed, codec, plain, PLAIN);
	return true;
}

START_TEST(magic_tells_the_codec)
{
	if (!begin(_i))
		return;
	ck_assert_ptr_eq(codec_find(packed.data), codec);
	packed.data[0] ^= 0x80;
	ck_assert_ptr_null(codec_find(packed.data));
	buf_fini(&packed);
}
END_TEST

START_TEST(unpack_gives_back_what_was_packed)
{
	if (!begin(_i))
		return;
	ck_assert_int_eq(codec->unpack(packed.data, packed.len, out, PLAIN),
			 PLAIN);
	ck_assert_mem_eq(out, plain, PLAIN);
	ck_assert_int_eq(codec->unpack(packed.data, packed.len, out, PLAIN + 1),
			 PLAIN);
	buf_fini(&packed);
}
END_TEST

START_TEST(output_never_exceeds_the_room)
{
	if (!begin(_i))
		return;
	out[PLAIN - 1] = 0xa5;
	ck_assert_int_lt(codec->unpack(packed.data, packed.len, out, PLAIN - 1),
			 0);
	ck_assert_uint_eq(out[PLAIN - 1], 0xa5);
	ck_assert_int_lt(codec->unpack(packed.data, packed.len, out, 0), 0);
	buf_fini(&packed);
}
END_TEST

START_TEST(truncated_input_never_gives_the_whole)
{
	if (!begin(_i))
		return;
	for (size_t len = 0; len < packed.len; len++) {
		/* A copy of its own, so that reading on is noticed. */
		uint8_t *part = malloc(len + 1);

		memcpy(part, packed.data, len);
		ck_assert_int_ne(codec->unpack(part, len, out, PLAIN), PLAIN);
		free(part);
	}
	buf_fini(&packed);
}
END_TEST

START_TEST(damaged_input_stays_within_bounds)
{
	if (!begin(_i))
		return;
	for (size_t i = 0; i < packed.len; i++) {
		packed.data[i] ^= 0x40;
		ck_assert_int_le(codec->unpack(packed.data, packed.len, out,
					       PLAIN),
				 PLAIN);
		packed.data[i] ^= 0x40;
	}
	buf_fini(&packed);
}
END_TEST

/* Steps of @in_step and @out_step bytes; the length that came out, or what
 * step() returned. */
static int64_t stream(size_t in_step, size_t out_step)
{
	struct codec_stream *s;
	size_t in = 0, n = 0;
	int r = 0;

	ck_assert_int_eq(codec->new (&s), 0);
	while (r == 0) {
		struct codec_io io = {
			.in = packed.data + in,
			.in_len = min_u64(in_step, packed.len - in),
			.out = out + n,
			.out_len = min_u64(out_step, sizeof(out) - n),
		};
		size_t in_before = in, n_before = n;

		r = codec->step(s, &io);
		in = (size_t)(io.in - packed.data);
		n = (size_t)(io.out - out);
		if (in == in_before && n == n_before && in == packed.len)
			break; /* wants more than there is */
	}
	codec->free(s);
	ck_assert_uint_le(n, sizeof(out));
	return r < 0 ? r : (int64_t)n;
}

START_TEST(stream_gives_the_same_in_any_steps)
{
	static const size_t steps[] = {1, 2, 7, 4096, PLAIN * 2};

	if (!begin(_i))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(steps); j++) {
			memset(out, 0, sizeof(out));
			ck_assert_int_eq(stream(steps[i], steps[j]), PLAIN);
			ck_assert_mem_eq(out, plain, PLAIN);
		}
	}
	buf_fini(&packed);
}
END_TEST

START_TEST(stream_stops_at_its_end_and_leaves_the_rest)
{
	struct codec_stream *s;
	struct codec_io io;
	size_t whole;

	if (!begin(_i))
		return;
	whole = packed.len;
	buf_put(&packed,
		"\0\0\0\0"
		"070701",
		10);
	io = (struct codec_io){packed.data, packed.len, out, sizeof(out)};
	ck_assert_int_eq(codec->new (&s), 0);
	while (codec->step(s, &io) == 0)
		;
	/* lz4's end is known from what follows, a size of 0. */
	ck_assert_uint_eq(packed.len - io.in_len,
			  codec == &codec_lz4 ? whole + 4 : whole);
	ck_assert_uint_eq(sizeof(out) - io.out_len, PLAIN);
	codec->free(s);
	buf_fini(&packed);
}
END_TEST

START_TEST(stream_of_garbage_is_an_error)
{
	if (!begin(_i))
		return;
	memset(packed.data + 2, 0xee, packed.len - 2);
	ck_assert_int_lt(stream(packed.len, sizeof(out)), 0);
	codec->free(NULL);
	buf_fini(&packed);
}
END_TEST

START_TEST(lz4_blocks_of_8_mib_come_one_after_the_other)
{
	size_t len = MIB(17);
	uint8_t *big = malloc(len), *back = malloc(len);

	if (codec_built(&codec_lz4)) {
		buf_init(&packed);
		for (size_t i = 0; i < len; i++)
			big[i] = pattern(i / 1000);
		codec_pack(&packed, &codec_lz4, big, len);
		ck_assert_int_eq(codec_lz4.unpack(packed.data, packed.len, back,
						  len),
				 (int64_t)len);
		ck_assert_mem_eq(back, big, len);
		buf_fini(&packed);
	}
	free(big);
	free(back);
}
END_TEST

START_TEST(lz4_sizes_are_checked)
{
	static const uint32_t sizes[] = {0,	    20,		 MIB(9),
					 INT32_MAX, 0x80000000u, UINT32_MAX};

	if (!begin(2))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		le32_store(packed.data + 4, sizes[i]);
		ck_assert_int_eq(codec_lz4.unpack(packed.data, packed.len, out,
						  PLAIN),
				 -EBADMSG);
	}
	buf_fini(&packed);
}
END_TEST

START_TEST(unknown_magic_is_no_codec)
{
	ck_assert_ptr_null(codec_find((const uint8_t *)"\x42\x5a\x68\x39\x31"
						       "\x41"));
	ck_assert_ptr_null(codec_find((const uint8_t *)"\0\0\0\0\0\0"));
}
END_TEST

START_TEST(only_gzip_has_a_size_of_its_own)
{
	ck_assert_int_eq(codec_size_is_own(codecs[_i]), _i == 0);
}
END_TEST

int main(void)
{
	const int n = ARRAY_SIZE(codecs);
	Suite *s = suite_create("boot/codec");
	TCase *tc = tcase_create("codec");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, magic_tells_the_codec, 0, n);
	tcase_add_loop_test(tc, unpack_gives_back_what_was_packed, 0, n);
	tcase_add_loop_test(tc, output_never_exceeds_the_room, 0, n);
	tcase_add_loop_test(tc, truncated_input_never_gives_the_whole, 0, n);
	tcase_add_loop_test(tc, damaged_input_stays_within_bounds, 0, n);
	tcase_add_loop_test(tc, stream_gives_the_same_in_any_steps, 0, n);
	tcase_add_loop_test(tc, stream_stops_at_its_end_and_leaves_the_rest, 0,
			    n);
	tcase_add_loop_test(tc, stream_of_garbage_is_an_error, 0, n);
	tcase_add_test(tc, lz4_blocks_of_8_mib_come_one_after_the_other);
	tcase_add_test(tc, lz4_sizes_are_checked);
	tcase_add_test(tc, unknown_magic_is_no_codec);
	tcase_add_loop_test(tc, only_gzip_has_a_size_of_its_own, 0, n);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
