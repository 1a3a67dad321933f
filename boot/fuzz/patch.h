/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * patch.h - the fuzzer's bytes as changes to something good, so that it gets
 * past the first checks.
 */
#ifndef MOAT_BOOT_FUZZ_PATCH_H
#define MOAT_BOOT_FUZZ_PATCH_H

#include <stdint.h>
#include <string.h>

#include "core/buf.h"
#include "core/le.h"

/* {le16 offset, u8 count 1-8, bytes}...; the last byte cuts the end off. */
static inline void patch(struct buf *b, const uint8_t *data, size_t len)
{
	while (len >= 4) {
		size_t at = le16_load(data);
		size_t n = (size_t)(data[2] & 7) + 1;

		data += 3;
		len -= 3;
		if (n > len)
			n = len;
		if (b->len > 0 && at % b->len + n <= b->len)
			memcpy(b->data + at % b->len, data, n);
		data += n;
		len -= n;
	}
	if (len > 0 && data[0] < b->len)
		b->len -= data[0];
}

#endif
