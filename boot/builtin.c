/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/builtin.h"

#include <stdbool.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/image.h"
#include "core/bits.h"
#include "core/fd.h"

/* Part of the driver's report of a fault, the same since Linux 5.3; nothing
 * else in the kernel says it. */
static const char driver_text[] = "fault from EP %u at %#llx [";
/* Linux kernel/configs.c: this, then the configuration as gzip. */
static const char config_mark[] = "IKCFG_ST\x1f\x8b";
static const char config_line[] = "\nCONFIG_VIRTIO_IOMMU=y\n";

#define CHUNK	   ((size_t)MIB(1))
#define OVERLAP	   64 /* longer than what is looked for */
#define CONFIG_MAX ((size_t)MIB(1))
#define PLAIN_MAX  ((size_t)MIB(4))

enum builtin builtin_decode(uint32_t value)
{
	return value <= BUILTIN_TEXT ? (enum builtin)value : BUILTIN_UNKNOWN;
}

struct finds {
	bool text;
	bool config;
	uint64_t config_at; /* of the gzip data */
};

static void search_chunk(struct finds *f, const uint8_t *p, size_t len,
			 uint64_t at)
{
	const uint8_t *hit;

	if (!f->text && memmem(p, len, driver_text, sizeof(driver_text) - 1))
		f->text = true;
	if (f->config)
		return;
	hit = memmem(p, len, config_mark, sizeof(config_mark) - 1);
	if (hit) {
		f->config = true;
		f->config_at = at + (uint64_t)(hit - p) + 8;
	}
}

static bool search(const struct image *elf, struct finds *f)
{
	AUTO_FREE uint8_t *chunk = NULL;

	if (elf->mapping) {
		search_chunk(f, elf->mapping, elf->size, 0);
		return true;
	}
	chunk = malloc(CHUNK);
	if (!chunk)
		return false;
	for (uint64_t at = 0; at < elf->size; at += CHUNK - OVERLAP) {
		size_t n = (size_t)min_u64(elf->size - at, CHUNK);

		if (image_read(elf, at, chunk, n) < 0)
			return false;
		search_chunk(f, chunk, n, at);
	}
	return true;
}

static int64_t unpack_config(const struct image *elf, uint64_t at,
			     uint8_t *plain)
{
	size_t len = (size_t)min_u64(elf->size - at, CONFIG_MAX);
	AUTO_FREE uint8_t *packed = malloc(len);
	struct codec_io io = {packed, len, plain, PLAIN_MAX};
	struct codec_stream *s;
	int r;

	if (!packed || image_read(elf, at, packed, len) < 0 ||
	    codec_gzip.new(&s) < 0)
		return -1;
	r = codec_gzip.step(s, &io);
	codec_gzip.free(s);
	return r == 1 ? (int64_t)(PLAIN_MAX - io.out_len) : -1;
}

/* BUILTIN_UNKNOWN if the configuration cannot be read. */
static enum builtin ask_config(const struct image *elf, uint64_t at)
{
	AUTO_FREE uint8_t *plain = malloc(PLAIN_MAX);
	int64_t len = -1;

	if (plain && codec_built(&codec_gzip))
		len = unpack_config(elf, at, plain);
	if (len < 0)
		return BUILTIN_UNKNOWN;
	return memmem(plain, (size_t)len, config_line, sizeof(config_line) - 1)
		       ? BUILTIN_CONFIG
		       : BUILTIN_NO;
}

enum builtin builtin_find(const struct image *elf)
{
	enum builtin verdict = BUILTIN_UNKNOWN;
	struct finds f = {0};

	if (!search(elf, &f))
		return BUILTIN_UNKNOWN;
	if (f.config)
		verdict = ask_config(elf, f.config_at);
	if (verdict == BUILTIN_UNKNOWN)
		verdict = f.text ? BUILTIN_TEXT : BUILTIN_NO;
	return verdict;
}
