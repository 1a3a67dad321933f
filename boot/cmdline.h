/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * cmdline.h - the kernel's command line at BOOT_CMDLINE.
 */
#ifndef MOAT_BOOT_CMDLINE_H
#define MOAT_BOOT_CMDLINE_H

#include <stdint.h>

#include "core/gmem.h"

struct err;

/*
 * cmdline_write - the text and its NUL.
 * @max: what the kernel takes, without the NUL; it would cut the rest silently
 *
 * Return: 0; -E2BIG with both lengths; -EFAULT.
 */
int cmdline_write(struct gmem *mem, const char *text, uint32_t max,
		  struct err *err);

#endif
