/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/initramfs.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/feed.h"
#include "boot/image.h"
#include "core/bits.h"

/* "newc": magic, then 13 numbers of 8 hexadecimal digits. */
enum { HEADER = 110, MAGIC = 6, FILE_SIZE = 6, NAME_SIZE = 11 };

/* Distributions have two or three. */
enum { PARTS_MAX = 1000 };

static_assert(HEADER + PATH_MAX + 4 <= FEED_PEEK_MAX, "a whole name at once");

static bool is_cpio(const uint8_t *magic)
{
	return memcmp(magic, "070701", MAGIC) == 0 ||
	       memcmp(magic, "070702", MAGIC) == 0;
}

static bool hex_digit(uint8_t c, uint32_t *ret_digit)
{
	if (c >= '0' && c <= '9')
		*ret_digit = c - '0';
	else if (c >= 'a' && c <= 'f')
		*ret_digit = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		*ret_digit = c - 'A' + 10;
	else
		return false;
	return true;
}

static bool number(const uint8_t *header, unsigned index, uint32_t *ret_value)
{
	const uint8_t *p = header + MAGIC + (size_t)8 * index;
	uint32_t value = 0, digit;

	for (unsigned i = 0; i < 8; i++) {
		if (!hex_digit(p[i], &digit))
			return false;
		value = value << 4 | digit;
	}
	*ret_value = value;
	return true;
}

/* .../virtio-iommu.ko, maybe with .xz, .zst or .gz behind; also with '_'. */
static bool is_driver(const uint8_t *name, size_t len)
{
	static const char driver[] = "virtio-iommu.ko";
	const uint8_t *slash = memrchr(name, '/', len);
	const uint8_t *base = slash ? slash + 1 : name;
	size_t n = len - (size_t)(base - name);

	if (n < sizeof(driver) - 1)
		return false;
	for (size_t i = 0; i < sizeof(driver) - 1; i++)
		if (base[i] != (uint8_t)driver[i] &&
		    !(driver[i] == '-' && base[i] == '_'))
			return false;
	return n == sizeof(driver) - 1 || base[sizeof(driver) - 1] == '.';
}

/* One file of an archive; false at what is none. */
static bool next_file(struct feed *f, bool *ret_driver)
{
	const uint8_t *p = feed_peek(f, HEADER);
	uint32_t file_size, name_size;
	uint64_t name_end;

	if (!p || !is_cpio(p) || !number(p, FILE_SIZE, &file_size) ||
	    !number(p, NAME_SIZE, &name_size))
		return false;
	if (name_size == 0 || name_size > PATH_MAX)
		return false;
	p = feed_peek(f, HEADER + name_size);
	if (!p)
		return false;
	*ret_driver = is_driver(p + HEADER, name_size - 1);
	name_end = align_up(HEADER + (uint64_t)name_size, 4);
	return feed_skip(f, name_end + align_up(file_size, 4));
}

/* All archives there are in a row. */
static bool search_archives(struct feed *f)
{
	bool driver = false;

	do
		feed_skip_zeros(f);
	while (next_file(f, &driver) && !driver);
	return driver;
}

/* One part: archives, or something compressed that unpacks to archives. */
static int search_part(const struct image *im, const struct codec *codec,
		       uint64_t *at)
{
	struct feed f;
	bool found;
	int r;

	r = feed_init(&f, im, *at, codec);
	if (r < 0)
		return r;
	found = search_archives(&f);
	if (codec && !found)
		(void)feed_skip(&f, UINT64_MAX); /* to the part's end */
	*at = feed_position(&f);
	feed_fini(&f);
	return found ? INITRAMFS_FOUND : INITRAMFS_NO;
}

/* What is at @at, which moves on to the first byte that is not 0. */
static bool recognise(const struct image *im, uint64_t *at,
		      const struct codec **ret_codec, bool *ret_known)
{
	uint8_t magic[CODEC_MAGIC_LEN];
	struct feed f;

	*ret_known = false;
	if (feed_init(&f, im, *at, NULL) < 0)
		return false;
	feed_skip_zeros(&f);
	*at = feed_position(&f);
	feed_fini(&f);
	if (image_read(im, *at, magic, sizeof(magic)) < 0)
		return false;
	*ret_codec = codec_find(magic);
	*ret_known = *ret_codec || is_cpio(magic);
	return true;
}

int initramfs_find_driver(const struct image *im)
{
	const struct codec *codec = NULL;
	int r = INITRAMFS_NO;
	uint64_t at = 0, last = 0;
	bool known;

	for (unsigned i = 0; i < PARTS_MAX && r == INITRAMFS_NO; i++) {
		if (!recognise(im, &at, &codec, &known))
			return INITRAMFS_NO;
		if (!known || (codec && codec_load(codec, NULL) < 0))
			return INITRAMFS_UNKNOWN;
		last = at;
		r = search_part(im, codec, &at);
		if (at <= last)
			break;
	}
	return r;
}
