/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/codec.h"

#include <string.h>

#include "core/bits.h"

static const struct codec *const codecs[] = {
	&codec_zstd,
	&codec_lz4,
	&codec_xz,
	&codec_gzip,
};

const struct codec *codec_find(const uint8_t *magic)
{
	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++)
		if (memcmp(magic, codecs[i]->magic, codecs[i]->magic_len) == 0)
			return codecs[i];
	return NULL;
}

bool codec_size_is_own(const struct codec *c)
{
	return c == &codec_gzip;
}
