/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * initrd.h - the initial RAM disk at the end of low memory.
 */
#ifndef MOAT_BOOT_INITRD_H
#define MOAT_BOOT_INITRD_H

#include <stdint.h>

#include "core/gmem.h"

struct boot_archive;
struct err;

/*
 * initrd_load - read the file straight into guest memory, @archive behind it,
 * page-aligned, as high as possible in the RAM that starts at 0.
 * @path: NULL: no file
 * @above: the kernel's end; nothing is placed below
 * @max: highest address that a byte of it may have
 * @ret_at, @ret_size: where it is; nothing to load gives size 0
 *
 * Return: 0; -E2BIG with both sizes; -ENODATA if the file shrank; -errno of
 * open and read.
 */
int initrd_load(struct gmem *mem, const char *path,
		const struct boot_archive *archive, gpa_t above, gpa_t max,
		gpa_t *ret_at, uint64_t *ret_size, struct err *err);

#endif
