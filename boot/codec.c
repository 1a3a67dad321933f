/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/codec.h"

#include <errno.h>
#include <string.h>

#include "boot/library.h"
#include "core/bits.h"
#include "core/err.h"

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

int codec_load(const struct codec *c, struct err *err)
{
	if (!codec_built(c))
		return err_set(err, ENOTSUP,
			       "it is compressed with %s, and moat was built "
			       "without that",
			       c->name);
	if (!library_link(c->library, NULL))
		return err_set(err, ENOTSUP,
			       "it needs %s (Debian: %s), which is missing",
			       c->library->file, c->library->package);
	return 0;
}

bool codec_size_is_own(const struct codec *c)
{
	return c == &codec_gzip;
}
