/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/zeropage.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "boot/bzimage.h"
#include "boot/layout.h"
#include "boot/memmap.h"
#include "core/fd.h"
#include "core/le.h"

/* Offsets in the zero page. */
enum {
	ACPI_RSDP_ADDR = 0x070,	  /* u64 */
	E820_COUNT = 0x1e8,	  /* u8 */
	BOOT_FLAG = 0x1fe,	  /* u16 */
	HEADER_MAGIC = 0x202,	  /* u32 */
	VERSION = 0x206,	  /* u16 */
	TYPE_OF_LOADER = 0x210,	  /* u8 */
	LOADFLAGS = 0x211,	  /* u8 */
	RAMDISK_IMAGE = 0x218,	  /* u32 */
	RAMDISK_SIZE = 0x21c,	  /* u32 */
	CMD_LINE_PTR = 0x228,	  /* u32 */
	INITRD_ADDR_MAX = 0x22c,  /* u32 */
	KERNEL_ALIGNMENT = 0x230, /* u32 */
	RELOCATABLE = 0x234,	  /* u8 */
	CMDLINE_SIZE = 0x238,	  /* u32 */
	SETUP_DATA = 0x250,	  /* u64 */
	E820_TABLE = 0x2d0,
	PAGE = 4096,
};

enum { LOADER_UNDEFINED = 0xff, LOADED_HIGH = 1 };

struct e820_wire {
	uint8_t base[8], size[8], type[4];
};
static_assert(sizeof(struct e820_wire) == 20, "[zero-page.rst]");

struct setup_data_wire {
	le64_t next;
	le32_t type, len;
};
static_assert(sizeof(struct setup_data_wire) == 16, "[boot.rst]");

enum { SETUP_RNG_SEED = 9, SEED_SIZE = 64 };

static void put_header(uint8_t *page, const struct bzimage *bz)
{
	if (bz) {
		memcpy(page + SETUP_HEADER_AT, bz->header, bz->header_len);
		return;
	}
	le16_store(page + BOOT_FLAG, 0xaa55);
	memcpy(page + HEADER_MAGIC, "HdrS", 4);
	le16_store(page + VERSION, 0x20f);
	page[LOADFLAGS] = LOADED_HIGH;
	le32_store(page + INITRD_ADDR_MAX, 0x7fffffff);
	le32_store(page + KERNEL_ALIGNMENT, 0x1000000);
	page[RELOCATABLE] = 0;
	le32_store(page + CMDLINE_SIZE, 2047);
}

static void put_e820(uint8_t *page, const struct memmap *map)
{
	struct e820_wire *e = (struct e820_wire *)(page + E820_TABLE);

	static_assert(E820_TABLE + MEMMAP_MAX * sizeof(*e) <= PAGE, "e820");
	for (unsigned i = 0; i < map->n; i++) {
		le64_store(e[i].base, map->entries[i].base);
		le64_store(e[i].size, map->entries[i].size);
		le32_store(e[i].type, map->entries[i].type);
	}
	page[E820_COUNT] = (uint8_t)map->n;
}

/* Spares the guest the wait for entropy; Linux wipes it after use. */
static int write_seed(struct gmem *mem)
{
	struct {
		struct setup_data_wire head;
		uint8_t seed[SEED_SIZE];
	} node = {
		.head = {.next = le64_put(0),
			 .type = le32_put(SETUP_RNG_SEED),
			 .len = le32_put(SEED_SIZE)},
	};
	ssize_t got;
	int r;

	got = getrandom(node.seed, sizeof(node.seed), 0);
	if (got != (ssize_t)sizeof(node.seed)) /* whole up to 256 bytes */
		return got < 0 ? -errno : -EIO;
	r = gmem_write(mem, BOOT_SETUP_DATA, &node, sizeof(node));
	explicit_bzero(node.seed, sizeof(node.seed));
	return r;
}

int zeropage_write(struct gmem *mem, const struct zeropage *z)
{
	AUTO_FREE uint8_t *page = calloc(1, PAGE);
	int r;

	if (!page)
		return -ENOMEM;
	put_header(page, z->bz);
	page[TYPE_OF_LOADER] = LOADER_UNDEFINED;
	le64_store(page + ACPI_RSDP_ADDR, z->rsdp);
	/* Always below 4 GiB, see initrd.c; the high halves stay 0. */
	le32_store(page + RAMDISK_IMAGE, (uint32_t)z->initrd);
	le32_store(page + RAMDISK_SIZE, (uint32_t)z->initrd_size);
	le32_store(page + CMD_LINE_PTR, BOOT_CMDLINE);
	le64_store(page + SETUP_DATA, BOOT_SETUP_DATA);
	put_e820(page, z->map);
	r = write_seed(mem);
	if (r < 0)
		return r;
	return gmem_write(mem, BOOT_ZERO_PAGE, page, PAGE);
}
