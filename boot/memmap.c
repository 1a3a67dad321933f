/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/memmap.h"

#include <errno.h>
#include <string.h>

#include "boot/layout.h"
#include "boot/linux.h"
#include "core/bits.h"
#include "core/err.h"

/* Insertion keeps the order; the map is short. */
static int add(struct memmap *map, uint64_t base, uint64_t end,
	       enum memmap_type type)
{
	unsigned i = map->n;

	if (base >= end)
		return 0;
	if (map->n == MEMMAP_MAX)
		return -E2BIG;
	for (; i > 0 && map->entries[i - 1].base > base; i--)
		map->entries[i] = map->entries[i - 1];
	map->entries[i] = (struct memmap_entry){base, end - base, type};
	map->n++;
	return 0;
}

static int add_ram(struct memmap *map, const struct gmem_slot *s)
{
	uint64_t end = s->base + s->size;
	int r;

	r = add(map, s->base, min_u64(end, BOOT_BASE_END), MEMMAP_RAM);
	if (r == 0)
		r = add(map, max_u64(s->base, BOOT_HIGH), end, MEMMAP_RAM);
	return r;
}

int memmap_init(struct memmap *ret_map, const struct gmem *mem,
		const struct boot_reserved *reserved, unsigned nreserved,
		struct err *err)
{
	int r;

	*ret_map = (struct memmap){0};
	r = add(ret_map, BOOT_BASE_END, BOOT_HIGH, MEMMAP_RESERVED);
	for (unsigned i = 0; r == 0 && i < mem->nslots; i++)
		r = add_ram(ret_map, &mem->slots[i]);
	for (unsigned i = 0; r == 0 && i < nreserved; i++)
		r = add(ret_map, reserved[i].base,
			reserved[i].base + reserved[i].size, MEMMAP_RESERVED);
	if (r < 0)
		return err_set(err, E2BIG, "memory map of more than %u entries",
			       MEMMAP_MAX);
	return 0;
}
