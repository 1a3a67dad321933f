/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kernel.h - a kernel file and the ELF in it: the file itself, the unpacked
 * payload of a bzImage, or that payload out of the cache.
 */
#ifndef MOAT_BOOT_KERNEL_H
#define MOAT_BOOT_KERNEL_H

#include <stdbool.h>

#include "boot/builtin.h"
#include "boot/bzimage.h"
#include "boot/image.h"
#include "core/err.h"

enum kernel_use {
	KERNEL_LOAD,	/* kernel_elf() will be loaded: it is verified */
	KERNEL_EXAMINE, /* only kernel_builtin() is wanted */
};

struct kernel {
	struct image file;
	bool is_bzimage;
	struct bzimage bz;
	const char *how; /* static */
	bool from_cache;
	struct image unpacked; /* a bzImage's; size 0: could not be unpacked */
	struct err packed_why; /* then why not */
	enum builtin builtin;  /* as the cache knows it */
};

void kernel_init(struct kernel *k);

/*
 * kernel_open - open, recognise and check the file, unpack a bzImage.
 * @k: initialised
 * @cache_dir: NULL: no cache
 *
 * A payload that cannot be unpacked here is no error.
 *
 * Return: 0; -ENOEXEC no kernel for x86_64; -ENODATA truncated; -errno of
 * open and read.  The sentence begins "kernel 'path': ".
 */
int kernel_open(struct kernel *k, const char *path, const char *cache_dir,
		enum kernel_use use, struct err *err);

/* Accepts one that is initialised only, or whose kernel_open() failed. */
void kernel_close(struct kernel *k);

/* The ELF, or NULL if the payload stayed packed. */
const struct image *kernel_elf(const struct kernel *k);

/* Is the virtio-iommu driver built in? */
enum builtin kernel_builtin(const struct kernel *k);

#endif
