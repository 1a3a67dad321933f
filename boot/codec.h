/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * codec.h - the compressions of kernels and initial RAM disks.
 *
 * Each is there if its library's headers were at build time; the library
 * itself is linked when something is to be unpacked.  One call unpacks a whole
 * kernel; a stream unpacks an initrd piece by piece.  Input is not trusted:
 * output never exceeds what the caller gave room for.
 */
#ifndef MOAT_BOOT_CODEC_H
#define MOAT_BOOT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODEC_MAGIC_LEN 6

struct codec_stream;
struct err;
struct library;

/* Input and output of one step; each moves on by what was used. */
struct codec_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

struct codec {
	const char *name;
	const char *unpacked_by_moat; /* for struct boot_entry's how */
	const uint8_t *magic;
	size_t magic_len;
	const struct library *library; /* NULL: not built */

	/*
	 * All of @src into @dst.
	 * Return: bytes written; -EBADMSG malformed, or more than @cap;
	 * -ENOMEM; -ELIBACC the library is not there.
	 */
	int64_t (*unpack)(const uint8_t *src, size_t len, uint8_t *dst,
			  size_t cap);

	/* Return: 0; -ENOMEM, -ELIBACC.  free accepts NULL. */
	int (*new)(struct codec_stream **ret_s);
	/*
	 * Use some input, make some output; neither may be possible without
	 * more input or more room.
	 * Return: 1 at the end of the compressed data, 0 before it, -EBADMSG,
	 * -ENOMEM.
	 */
	int (*step)(struct codec_stream *s, struct codec_io *io);
	void (*free)(struct codec_stream *s);
};

/*
 * codec_find - by the first CODEC_MAGIC_LEN bytes; NULL if none is known.
 * One that is known may still have no library: see codec_load().
 */
const struct codec *codec_find(const uint8_t *magic);

static inline bool codec_built(const struct codec *c)
{
	return c->library;
}

/*
 * codec_load - link its library.
 *
 * Return: 0; -ENOTSUP it is not built or its library is not there, with a
 * sentence about what is compressed that begins "it ": short, because the path
 * of a module comes before it.
 */
int codec_load(const struct codec *c, struct err *err);

/* The kernel's build appends the plain size to all formats but gzip, which
 * ends with one of its own. */
bool codec_size_is_own(const struct codec *c);

extern const struct codec codec_gzip, codec_xz, codec_lz4, codec_zstd;

#endif
