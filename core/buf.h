/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * buf.h - bytes that grow at the end; how tables and messages are composed.
 *
 * The first failed allocation latches: later puts do nothing and buf_error()
 * says -ENOMEM, so a composer checks once, at the end.
 */
#ifndef MOAT_CORE_BUF_H
#define MOAT_CORE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
	int error;
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);

void buf_put(struct buf *b, const void *src, size_t len);
void buf_put_zero(struct buf *b, size_t len);
void buf_put8(struct buf *b, uint8_t v);
void buf_put_le16(struct buf *b, uint16_t v);
void buf_put_le32(struct buf *b, uint32_t v);
void buf_put_le64(struct buf *b, uint64_t v);

/* buf_grow - @len more bytes, which the caller fills in; NULL as buf_at(). */
void *buf_grow(struct buf *b, size_t len);
/* Back to the first @len bytes of those that are there. */
void buf_cut(struct buf *b, size_t len);

/* Pads with zeros up to a multiple of @align (power of two). */
void buf_align(struct buf *b, size_t align);

/*
 * buf_at - bytes [at, at + len) for patching; NULL if they are not all there
 * (so also after a failed allocation).  Valid until the next put.
 */
void *buf_at(struct buf *b, size_t at, size_t len);

/* Return: 0 or -ENOMEM. */
int buf_error(const struct buf *b);

#endif
