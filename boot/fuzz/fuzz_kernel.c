/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A kernel file of any bytes: it loads or it does not.  First byte: which
 * protocol, and whether the rest is the file or changes to a good one.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "boot/codec.h"
#include "boot/fuzz/patch.h"
#include "boot/linux.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"
#include "core/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct codec *const codecs[] = {
	&codec_gzip,
	&codec_xz,
	&codec_lz4,
	&codec_zstd,
};

static struct gmem mem;
static int fd = -1;
static char path[32];

static void init(void)
{
	static const struct gmem_slot slot = {.size = MIB(32)};

	if (fd >= 0)
		return;
	if (gmem_init(&mem, &slot, 1, NULL) < 0)
		abort();
	fd = memfd_create("kernel", MFD_CLOEXEC);
	if (fd < 0)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
}

enum { RAW, PLAIN_ELF, PACKED_BZIMAGE, FIRST_CODEC, KINDS = FIRST_CODEC + 4 };

/* What changes are made to; built once. */
static struct buf good[KINDS];

static void build_good(unsigned kind)
{
	struct buf elf;

	buf_init(&elf);
	elf_build(&elf, &small_kernel);
	if (kind == PLAIN_ELF)
		buf_put(&good[kind], elf.data, elf.len);
	else if (kind >= FIRST_CODEC && codec_built(codecs[kind - FIRST_CODEC]))
		bzimage_pack(&good[kind], codecs[kind - FIRST_CODEC], &elf);
	else
		bzimage_build(&good[kind], elf.data, elf.len);
	buf_fini(&elf);
}

static void build(struct buf *b, unsigned kind, const uint8_t *data, size_t len)
{
	if (kind == RAW) {
		buf_put(b, data, len);
		return;
	}
	if (good[kind].len == 0)
		build_good(kind);
	buf_put(b, good[kind].data, good[kind].len);
	patch(b, data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct boot_linux_config config = {.kernel = path, .cmdline = "x"};
	const char *where = NULL;
	struct boot_entry e;
	struct err err;
	struct buf b;
	int r;

	if (len < 1)
		return 0;
	init();
	buf_init(&b);
	build(&b, data[0] % KINDS, data + 1, len - 1);
	config.protocol = (enum boot_protocol)(data[0] / KINDS % 3);
	if (ftruncate(fd, 0) < 0 || fd_pwrite_full(fd, b.data, b.len, 0) < 0)
		abort();
	r = boot_linux_load(&mem, &config, &e, &err);
	assert(r != 0 || gmem_has(&mem, e.rip, 1));
	r = boot_find_driver(path, NULL, NULL, &where, &err);
	assert(r < 0 || where);
	buf_fini(&b);
	return 0;
}
