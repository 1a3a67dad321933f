/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/x86_entry.h"

#include <assert.h>
#include <errno.h>

#include "boot/layout.h"
#include "boot/linux.h"
#include "core/bits.h"
#include "core/fd.h"
#include "core/le.h"

enum { PRESENT = 1, WRITABLE = 2, LARGE = 0x80 };

/*
 * The boot protocol's selectors: code 0x10, data 0x18; a TSS behind them.
 * Types are "accessed": KVM refuses others.
 */
static const uint64_t gdt[5] = {
	0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x008f8b000000ffff,
};

static void fill_table(uint8_t *table, uint64_t first, uint64_t step,
		       unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		le64_store(table + 8 * i, first + step * i);
}

/* PML4, PDPT and four page directories, one behind the other. */
static int write_page_tables(struct gmem *mem)
{
	enum { TABLE = 4096, SIZE = 6 * TABLE };
	AUTO_FREE uint8_t *tables = calloc(1, SIZE);

	static_assert(BOOT_PDPT == BOOT_PML4 + TABLE, "tables in a row");
	static_assert(BOOT_PD == BOOT_PDPT + TABLE, "tables in a row");
	if (!tables)
		return -ENOMEM;
	fill_table(tables, BOOT_PDPT | PRESENT | WRITABLE, 0, 1);
	fill_table(tables + TABLE, BOOT_PD | PRESENT | WRITABLE, TABLE, 4);
	fill_table(tables + 2 * TABLE, PRESENT | WRITABLE | LARGE, MIB(2),
		   4 * 512);
	return gmem_write(mem, BOOT_PML4, tables, SIZE);
}

int x86_entry_write(struct gmem *mem, struct boot_entry *e)
{
	uint8_t bytes[sizeof(gdt)];
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(gdt); i++)
		le64_store(bytes + 8 * i, gdt[i]);
	r = gmem_write(mem, BOOT_GDT, bytes, sizeof(bytes));
	if (r == 0)
		r = gmem_zero(mem, BOOT_IDT, 8);
	if (r == 0)
		r = write_page_tables(mem);
	if (r < 0)
		return r;
	e->cr3 = BOOT_PML4;
	e->gdt = BOOT_GDT;
	e->gdt_limit = sizeof(gdt) - 1;
	e->idt = BOOT_IDT;
	e->idt_limit = 7;
	return 0;
}
