/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/aml.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	ZERO_OP = 0x00,
	ONE_OP = 0x01,
	NAME_OP = 0x08,
	BYTE_PREFIX = 0x0a,
	WORD_PREFIX = 0x0b,
	DWORD_PREFIX = 0x0c,
	STRING_PREFIX = 0x0d,
	QWORD_PREFIX = 0x0e,
	SCOPE_OP = 0x10,
	BUFFER_OP = 0x11,
	PACKAGE_OP = 0x12,
	METHOD_OP = 0x14,
	EXT_PREFIX = 0x5b,
	ARG0_OP = 0x68,
	DEVICE_OP = 0x82, /* behind EXT_PREFIX */
	LEQUAL_OP = 0x93,
	IF_OP = 0xa0,
	RETURN_OP = 0xa4,
};

/*
 * Lengths count their own bytes and have as few as possible, so they are put
 * in front of a block when its content is known.  [20.2.4]
 */
void aml_end(struct buf *b, size_t block)
{
	size_t body = b->len - block;
	unsigned n = body + 1 < 1 << 6	  ? 1
		     : body + 2 < 1 << 12 ? 2
		     : body + 3 < 1 << 20 ? 3
					  : 4;
	size_t len = body + n;
	uint8_t *p;

	buf_put_zero(b, n);
	p = buf_at(b, block, len);
	if (!p)
		return;
	memmove(p + n, p, body);
	if (n == 1) {
		p[0] = (uint8_t)len;
		return;
	}
	p[0] = (uint8_t)((n - 1) << 6 | (len & 0xf));
	for (unsigned i = 1; i < n; i++)
		p[i] = (uint8_t)(len >> (4 + 8 * (i - 1)));
}

static void put_name(struct buf *b, const char *name)
{
	assert(strlen(name) == 4);
	buf_put(b, name, 4);
}

size_t aml_scope_sb(struct buf *b)
{
	size_t block;

	buf_put8(b, SCOPE_OP);
	block = b->len;
	put_name(b, "_SB_");
	return block;
}

size_t aml_device(struct buf *b, const char *name)
{
	size_t block;

	buf_put8(b, EXT_PREFIX);
	buf_put8(b, DEVICE_OP);
	block = b->len;
	put_name(b, name);
	return block;
}

size_t aml_method(struct buf *b, const char *name, unsigned nargs)
{
	size_t block;

	buf_put8(b, METHOD_OP);
	block = b->len;
	put_name(b, name);
	buf_put8(b, (uint8_t)nargs); /* not serialized */
	return block;
}

size_t aml_package(struct buf *b, uint8_t count)
{
	size_t block;

	buf_put8(b, PACKAGE_OP);
	block = b->len;
	buf_put8(b, count);
	return block;
}

size_t aml_if_equal(struct buf *b)
{
	size_t block;

	buf_put8(b, IF_OP);
	block = b->len;
	buf_put8(b, LEQUAL_OP);
	return block;
}

void aml_int(struct buf *b, uint64_t value)
{
	if (value <= 1) {
		buf_put8(b, value ? ONE_OP : ZERO_OP);
	} else if (value <= UINT8_MAX) {
		buf_put8(b, BYTE_PREFIX);
		buf_put8(b, (uint8_t)value);
	} else if (value <= UINT16_MAX) {
		buf_put8(b, WORD_PREFIX);
		buf_put_le16(b, (uint16_t)value);
	} else if (value <= UINT32_MAX) {
		buf_put8(b, DWORD_PREFIX);
		buf_put_le32(b, (uint32_t)value);
	} else {
		buf_put8(b, QWORD_PREFIX);
		buf_put_le64(b, value);
	}
}

void aml_string(struct buf *b, const char *text)
{
	buf_put8(b, STRING_PREFIX);
	buf_put(b, text, strlen(text) + 1);
}

/* Three letters of five bits, then four hexadecimal digits; big-endian. */
void aml_eisa(struct buf *b, const char *id)
{
	unsigned letters = (unsigned)((id[0] - '@') << 10 | (id[1] - '@') << 5 |
				      (id[2] - '@'));
	unsigned digits = (unsigned)strtoul(id + 3, NULL, 16);

	assert(strlen(id) == 7);
	buf_put8(b, DWORD_PREFIX);
	buf_put8(b, (uint8_t)(letters >> 8));
	buf_put8(b, (uint8_t)letters);
	buf_put8(b, (uint8_t)(digits >> 8));
	buf_put8(b, (uint8_t)digits);
}

void aml_bytes(struct buf *b, const void *bytes, size_t len)
{
	size_t block;

	buf_put8(b, BUFFER_OP);
	block = b->len;
	aml_int(b, len);
	buf_put(b, bytes, len);
	aml_end(b, block);
}

void aml_arg(struct buf *b, unsigned n)
{
	assert(n < 7);
	buf_put8(b, (uint8_t)(ARG0_OP + n));
}

void aml_return(struct buf *b)
{
	buf_put8(b, RETURN_OP);
}

void aml_name(struct buf *b, const char *name)
{
	buf_put8(b, NAME_OP);
	put_name(b, name);
}

void aml_name_int(struct buf *b, const char *name, uint64_t value)
{
	aml_name(b, name);
	aml_int(b, value);
}

void aml_name_string(struct buf *b, const char *name, const char *text)
{
	aml_name(b, name);
	aml_string(b, text);
}

void aml_name_eisa(struct buf *b, const char *name, const char *id)
{
	aml_name(b, name);
	aml_eisa(b, id);
}
