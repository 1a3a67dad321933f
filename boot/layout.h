/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * layout.h - what boot/ puts where in the guest's first MiB (x86_64).
 *
 * All of it lies below the end of base memory, so that no kernel is ever
 * loaded over it, and inside what the boot page tables map.
 */
#ifndef MOAT_BOOT_LAYOUT_H
#define MOAT_BOOT_LAYOUT_H

#include <assert.h>

/* clang-format off */
#define BOOT_GDT	  0x500u	/* 5 entries of 8 bytes */
#define BOOT_IDT	  0x530u	/* one empty entry */
#define BOOT_START_INFO	  0x6000u	/* PVH: hvm_start_info */
#define BOOT_MODULES	  0x6040u	/* PVH: module list */
#define BOOT_ZERO_PAGE	  0x7000u	/* Linux: struct boot_params, 4 KiB */
#define BOOT_PVH_MEMMAP	  0x7000u	/* PVH: in the zero page's place */
#define BOOT_STACK	  0x8000u	/* one page, grows down */
#define BOOT_PML4	  0x9000u
#define BOOT_PDPT	  0xa000u
#define BOOT_PD		  0xb000u	/* four pages, 1 GiB each */
#define BOOT_CMDLINE	  0x20000u
#define BOOT_CMDLINE_SIZE 0x10000u
#define BOOT_SETUP_DATA	  0x30000u	/* list of setup_data nodes */
#define BOOT_BASE_END	  0x9fc00u	/* end of base memory, MPTable */
#define BOOT_HIGH	  0x100000u	/* kernels load from here on */
/* clang-format on */

static_assert(BOOT_GDT + 5 * 8 <= BOOT_IDT, "GDT and IDT");
static_assert(BOOT_IDT + 8 <= BOOT_START_INFO, "IDT and start info");
static_assert(BOOT_START_INFO + 56 <= BOOT_MODULES, "start info and modules");
static_assert(BOOT_MODULES + 32 <= BOOT_ZERO_PAGE, "modules and zero page");
static_assert(BOOT_ZERO_PAGE + 0x1000 <= BOOT_STACK, "zero page and stack");
static_assert(BOOT_STACK + 0x1000 <= BOOT_PML4, "stack and page tables");
static_assert(BOOT_PD + 4 * 0x1000 <= BOOT_CMDLINE, "tables and command line");
static_assert(BOOT_CMDLINE + BOOT_CMDLINE_SIZE <= BOOT_SETUP_DATA, "cmdline");
static_assert(BOOT_SETUP_DATA + 0x1000 <= BOOT_BASE_END, "setup_data");

#endif
