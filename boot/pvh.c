/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/pvh.h"

#include <assert.h>

#include "boot/layout.h"
#include "boot/memmap.h"
#include "core/le.h"

struct start_info_wire {
	le32_t magic, version, flags, nmodules;
	le64_t modules, cmdline, rsdp, memmap;
	le32_t nmemmap, reserved;
};
static_assert(sizeof(struct start_info_wire) == 56, "[start_info.h]");

struct module_wire {
	le64_t at, size, cmdline, reserved;
};
static_assert(sizeof(struct module_wire) == 32, "[start_info.h]");

struct memmap_wire {
	le64_t base, size;
	le32_t type, reserved;
};
static_assert(sizeof(struct memmap_wire) == 24, "[start_info.h]");
static_assert(BOOT_PVH_MEMMAP + MEMMAP_MAX * sizeof(struct memmap_wire) <=
		      BOOT_STACK,
	      "PVH memory map");

enum { START_INFO_MAGIC = 0x336ec578, START_INFO_VERSION = 1 };

static int write_memmap(struct gmem *mem, const struct memmap *map)
{
	struct memmap_wire w[MEMMAP_MAX];

	for (unsigned i = 0; i < map->n; i++)
		w[i] = (struct memmap_wire){
			.base = le64_put(map->entries[i].base),
			.size = le64_put(map->entries[i].size),
			.type = le32_put(map->entries[i].type),
		};
	return gmem_write(mem, BOOT_PVH_MEMMAP, w, map->n * sizeof(w[0]));
}

int pvh_write(struct gmem *mem, const struct pvh *p)
{
	struct module_wire initrd = {
		.at = le64_put(p->initrd),
		.size = le64_put(p->initrd_size),
	};
	struct start_info_wire info = {
		.magic = le32_put(START_INFO_MAGIC),
		.version = le32_put(START_INFO_VERSION),
		.nmodules = le32_put(p->initrd_size ? 1 : 0),
		.modules = le64_put(p->initrd_size ? BOOT_MODULES : 0),
		.cmdline = le64_put(BOOT_CMDLINE),
		.rsdp = le64_put(p->rsdp),
		.memmap = le64_put(BOOT_PVH_MEMMAP),
		.nmemmap = le32_put(p->map->n),
	};
	int r;

	r = write_memmap(mem, p->map);
	if (r == 0)
		r = gmem_write(mem, BOOT_MODULES, &initrd, sizeof(initrd));
	if (r == 0)
		r = gmem_write(mem, BOOT_START_INFO, &info, sizeof(info));
	return r;
}
