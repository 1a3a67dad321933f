/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * zeropage.h - struct boot_params, what Linux is told at its 64-bit entry,
 * and the setup_data list it points to.
 * [Linux Documentation/arch/x86/{boot,zero-page}.rst]
 */
#ifndef MOAT_BOOT_ZEROPAGE_H
#define MOAT_BOOT_ZEROPAGE_H

#include <stdint.h>

#include "core/gmem.h"

struct bzimage;
struct memmap;

struct zeropage {
	const struct bzimage *bz; /* NULL: an ELF, which has no header */
	const struct memmap *map;
	gpa_t initrd;
	uint64_t initrd_size; /* 0: none */
	gpa_t rsdp;	      /* 0: none */
};

/*
 * zeropage_write - at BOOT_ZERO_PAGE, with a random seed for the guest at
 * BOOT_SETUP_DATA.  The command line is at BOOT_CMDLINE.
 *
 * Return: 0; -EFAULT; -ENOMEM; -errno of getrandom.
 */
int zeropage_write(struct gmem *mem, const struct zeropage *z);

#endif
