/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/bzimage.h"

#include <errno.h>
#include <string.h>

#include "boot/layout.h"
#include "core/bits.h"
#include "core/err.h"
#include "core/le.h"

/* Offsets in the file. */
enum {
	SETUP_SECTS = 0x1f1,	 /* u8 */
	SYSSIZE = 0x1f4,	 /* u32, units of 16 bytes */
	BOOT_FLAG = 0x1fe,	 /* u16 */
	HEADER_JUMP = 0x201,	 /* u8, relative to 0x202 */
	HEADER_MAGIC = 0x202,	 /* "HdrS" */
	VERSION = 0x206,	 /* u16 */
	KERNEL_VERSION = 0x20e,	 /* u16, relative to 0x200 */
	LOADFLAGS = 0x211,	 /* u8 */
	INITRD_ADDR_MAX = 0x22c, /* u32 */
	XLOADFLAGS = 0x236,	 /* u16 */
	CMDLINE_SIZE = 0x238,	 /* u32 */
	PAYLOAD_OFFSET = 0x248,	 /* u32, in the protected-mode part */
	PAYLOAD_LENGTH = 0x24c,	 /* u32 */
	PREF_ADDRESS = 0x258,	 /* u64 */
	INIT_SIZE = 0x260,	 /* u32 */
	HEADER_END_MIN = 0x264,
};

enum { LOADED_HIGH = 1, XLF_KERNEL_64 = 1 };
enum { VERSION_MIN = 0x20c }; /* Linux 3.8: 64-bit entry, xloadflags */

bool bzimage_is(const struct image *im)
{
	uint8_t b[4];

	return image_read(im, HEADER_MAGIC, b, sizeof(b)) == 0 &&
	       memcmp(b, "HdrS", sizeof(b)) == 0 &&
	       image_read(im, BOOT_FLAG, b, 2) == 0 && le16_load(b) == 0xaa55;
}

static const uint8_t *field(const struct bzimage *b, unsigned at)
{
	return b->header + (at - SETUP_HEADER_AT);
}

static int read_header(struct bzimage *b, const struct image *im,
		       struct err *err)
{
	uint16_t version;
	uint8_t raw[0x20];
	unsigned end;
	int r;

	/* Up to and with the version first: old headers are short. */
	r = image_read(im, SETUP_HEADER_AT, raw, sizeof(raw));
	if (r == 0) {
		version = le16_load(raw + (VERSION - SETUP_HEADER_AT));
		if (version < VERSION_MIN)
			return err_set(err, ENOEXEC,
				       "boot protocol %u.%02u is too old, "
				       "%u.%02u (Linux 3.8) is needed",
				       version >> 8, version & 0xff,
				       VERSION_MIN >> 8, VERSION_MIN & 0xff);
		end = HEADER_MAGIC + raw[HEADER_JUMP - SETUP_HEADER_AT];
		if (end < HEADER_END_MIN)
			return err_set(err, ENOEXEC, "setup header ends at %#x",
				       end);
		b->header_len = (unsigned)min_u64(end - SETUP_HEADER_AT,
						  SETUP_HEADER_MAX);
		r = image_read(im, SETUP_HEADER_AT, b->header, b->header_len);
	}
	if (r == -ENODATA)
		return err_set(err, ENODATA,
			       "file is truncated within the setup header");
	if (r < 0)
		return err_errno(err, -r, "cannot read");
	return 0;
}

static int find_parts(struct bzimage *b, const struct image *im,
		      struct err *err)
{
	uint64_t sects = *field(b, SETUP_SECTS);
	uint64_t offset = le32_load(field(b, PAYLOAD_OFFSET));
	uint64_t length = le32_load(field(b, PAYLOAD_LENGTH));

	/*
	 * Not up to the end of the file: signatures may follow.  All terms
	 * are below 2^37, no sum wraps.
	 */
	b->kernel_at = ((sects ? sects : 4) + 1) * 512;
	b->kernel_size = (uint64_t)le32_load(field(b, SYSSIZE)) * 16;
	if (b->kernel_at + b->kernel_size > im->size)
		return err_set(
			err, ENODATA,
			"file is truncated: %llu bytes, its header "
			"says %llu",
			(unsigned long long)im->size,
			(unsigned long long)(b->kernel_at + b->kernel_size));
	if (length == 0)
		return 0;
	if (offset + length > b->kernel_size)
		return err_set(err, ENOEXEC,
			       "compressed kernel lies outside of its image");
	b->payload_at = b->kernel_at + offset;
	b->payload_size = length;
	return 0;
}

int bzimage_parse(struct bzimage *ret_b, const struct image *im,
		  struct err *err)
{
	struct bzimage b = {0};
	int r;

	r = read_header(&b, im, err);
	if (r == 0)
		r = find_parts(&b, im, err);
	if (r < 0)
		return r;
	if (!(*field(&b, LOADFLAGS) & LOADED_HIGH))
		return err_set(err, ENOEXEC, "a zImage; moat loads bzImages");
	b.load_at = le64_load(field(&b, PREF_ADDRESS));
	b.init_size = le32_load(field(&b, INIT_SIZE));
	b.initrd_max = le32_load(field(&b, INITRD_ADDR_MAX));
	b.cmdline_max = le32_load(field(&b, CMDLINE_SIZE));
	b.entry_64 = le16_load(field(&b, XLOADFLAGS)) & XLF_KERNEL_64;
	*ret_b = b;
	return 0;
}

int bzimage_version(const struct image *im, char *version, size_t cap)
{
	uint8_t at[2];
	uint64_t from;

	if (image_read(im, KERNEL_VERSION, at, sizeof(at)) < 0 ||
	    le16_load(at) == 0)
		return -ENODATA;
	from = 0x200u + (uint64_t)le16_load(at);
	for (size_t i = 0; i < cap; i++) {
		if (image_read(im, from + i, version + i, 1) < 0)
			break;
		if (version[i] == ' ' || version[i] == '\0') {
			version[i] = '\0';
			return i > 0 ? 0 : -ENODATA;
		}
	}
	return -ENODATA;
}
