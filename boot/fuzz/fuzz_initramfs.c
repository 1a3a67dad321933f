/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * An initrd of any bytes: the search ends.  First byte: whether the rest is
 * the file or changes to a good one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/fuzz/patch.h"
#include "boot/image.h"
#include "boot/initramfs.h"
#include "boot/tests/boot_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Two files; the second would be the driver but for one letter. */
static const char archive[] =
	"070701000000010000000000000000000000000000000100000000000000050000"
	"0000000000000000000000000000000000020000000041\0\0\0hello\0\0\0"
	"070701000000010000000000000000000000000000000100000000000000000000"
	"00000000000000000000000000000000001300000000x/virtio-iommu.k0\0\0";

static void build(struct buf *b, unsigned kind, const uint8_t *data, size_t len)
{
	if (kind == 0) {
		buf_put(b, data, len);
		return;
	}
	buf_put(b, archive, sizeof(archive) - 1);
	buf_align(b, 4);
	if (kind == 2 && codec_built(&codec_gzip))
		codec_pack(b, &codec_gzip, archive, sizeof(archive) - 1);
	if (kind == 3 && codec_built(&codec_lz4))
		codec_pack(b, &codec_lz4, archive, sizeof(archive) - 1);
	patch(b, data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct image im;
	struct buf b;
	int r;

	if (len < 1)
		return 0;
	buf_init(&b);
	build(&b, data[0] & 3, data + 1, len - 1);
	if (b.len > 0 && image_alloc(&im, b.len) == 0) {
		memcpy(im.mapping, b.data, b.len);
		im.size = b.len;
		r = initramfs_find_driver(&im);
		assert(r >= INITRAMFS_NO && r <= INITRAMFS_UNKNOWN);
		image_close(&im);
	}
	buf_fini(&b);
	return 0;
}
