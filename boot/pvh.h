/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pvh.h - hvm_start_info, what a kernel is told at its PVH entry.
 * [Xen docs/misc/pvh.pandoc, xen/include/public/arch-x86/hvm/start_info.h]
 */
#ifndef MOAT_BOOT_PVH_H
#define MOAT_BOOT_PVH_H

#include <stdint.h>

#include "core/gmem.h"

struct memmap;

struct pvh {
	const struct memmap *map;
	gpa_t initrd;
	uint64_t initrd_size; /* 0: none */
	gpa_t rsdp;	      /* 0: none */
};

/*
 * pvh_write - at BOOT_START_INFO, BOOT_MODULES and BOOT_PVH_MEMMAP; the
 * command line is at BOOT_CMDLINE.
 *
 * Return: 0; -EFAULT.
 */
int pvh_write(struct gmem *mem, const struct pvh *p);

#endif
