/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * feed.h - the bytes of an image in order, as they are or unpacked, with a
 * look ahead.
 */
#ifndef MOAT_BOOT_FEED_H
#define MOAT_BOOT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;
struct codec_stream;
struct image;

#define FEED_PEEK_MAX 8192

struct feed {
	const struct image *im;
	const struct codec *codec; /* NULL: as they are */
	struct codec_stream *stream;
	uint64_t next;	 /* in the image: first byte not read yet */
	uint64_t budget; /* bytes that may still come out */
	bool ended;	 /* no more bytes will come */
	uint8_t *in;	 /* packed bytes, [in_at, in_len) unused */
	size_t in_at, in_len;
	uint8_t *out; /* [out_at, out_len) not taken yet */
	size_t out_at, out_len;
};

/*
 * feed_init - bytes from @at on.
 * @codec: loaded; NULL: no compression
 *
 * Return: 0; -ENOMEM.
 */
int feed_init(struct feed *f, const struct image *im, uint64_t at,
	      const struct codec *codec);
/* Accepts a zeroed or half-built object. */
void feed_fini(struct feed *f);

/*
 * feed_peek - the next @n bytes, up to FEED_PEEK_MAX.
 *
 * Return: them, valid until the next call; NULL if there are not as many, or
 * the rest is damaged.
 */
const uint8_t *feed_peek(struct feed *f, size_t n);

/* Takes @n bytes; false if they are not there. */
bool feed_skip(struct feed *f, uint64_t n);

/* Takes bytes as long as they are 0. */
void feed_skip_zeros(struct feed *f);

/* In the image: the first byte that was not used for what has been taken. */
uint64_t feed_position(const struct feed *f);

#endif
