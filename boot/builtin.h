/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * builtin.h - is the virtio-iommu driver built into a kernel?
 */
#ifndef MOAT_BOOT_BUILTIN_H
#define MOAT_BOOT_BUILTIN_H

#include <stdint.h>

struct image;

/* The values are stored in the cache. */
enum builtin {
	BUILTIN_UNKNOWN = 0, /* not looked for, or could not be read */
	BUILTIN_NO = 1,
	BUILTIN_CONFIG = 2, /* its configuration says so (IKCONFIG) */
	BUILTIN_TEXT = 3,   /* a text only the driver has is in it */
};

/* BUILTIN_UNKNOWN for values that are none. */
enum builtin builtin_decode(uint32_t value);

/*
 * builtin_find - look through an ELF: for the configuration, whose word
 * counts, else for the driver's text.
 */
enum builtin builtin_find(const struct image *elf);

#endif
