/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * memmap.h - the guest's memory map as kernels are told it: e820 for the
 * Linux protocol, the same entries for PVH.
 */
#ifndef MOAT_BOOT_MEMMAP_H
#define MOAT_BOOT_MEMMAP_H

#include <stdint.h>

#include "core/gmem.h"

struct boot_reserved;
struct err;

#define MEMMAP_MAX 128 /* as many as the zero page holds */

enum memmap_type { MEMMAP_RAM = 1, MEMMAP_RESERVED = 2 };

struct memmap_entry {
	uint64_t base, size;
	enum memmap_type type;
};

struct memmap {
	unsigned n;
	struct memmap_entry entries[MEMMAP_MAX]; /* ascending by base */
};

/*
 * memmap_init - base memory, the reserved top of the first MiB (MPTable, ACPI
 * tables), the rest of RAM, and @reserved, which is no RAM.
 *
 * Return: 0; -E2BIG past MEMMAP_MAX.
 */
int memmap_init(struct memmap *ret_map, const struct gmem *mem,
		const struct boot_reserved *reserved, unsigned nreserved,
		struct err *err);

#endif
