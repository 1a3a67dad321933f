/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bzimage.h - the setup header of a bzImage.
 * [Linux Documentation/arch/x86/boot.rst]
 */
#ifndef MOAT_BOOT_BZIMAGE_H
#define MOAT_BOOT_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/image.h"

struct err;

/* The header lies at the same offsets in the file and in the zero page. */
#define SETUP_HEADER_AT	 0x1f1u
#define SETUP_HEADER_MAX (0x290u - SETUP_HEADER_AT)

struct bzimage {
	uint8_t header[SETUP_HEADER_MAX]; /* from SETUP_HEADER_AT on */
	unsigned header_len;
	uint64_t kernel_at, kernel_size; /* protected-mode part, in the file */
	uint64_t payload_at, payload_size; /* in the file; size 0: none */
	uint64_t load_at;		   /* preferred address */
	uint32_t init_size;		   /* memory needed from there */
	uint32_t initrd_max;		   /* highest address of an initrd */
	uint32_t cmdline_max;		   /* without the NUL */
	bool entry_64;			   /* at load_at + 0x200 */
};

/* Does the image begin like a bzImage? */
bool bzimage_is(const struct image *im);

/*
 * bzimage_parse - check the header and note what it says.
 *
 * Return: 0; -ENOEXEC too old or inconsistent, with the reason; -ENODATA
 * truncated; -errno of read.
 */
int bzimage_parse(struct bzimage *ret_b, const struct image *im,
		  struct err *err);

/*
 * bzimage_version - the first word of the kernel's own version text, like
 * "6.12.1-amd64", which is what its modules' folder is called.
 * @cap: of @version, at least 1
 *
 * Return: 0; -ENODATA if there is none, or it does not fit.
 */
int bzimage_version(const struct image *im, char *version, size_t cap);

#endif
