/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * x86_entry.h - what a vCPU in long mode needs before the kernel has its own:
 * page tables that map the first 4 GiB onto themselves, a GDT, an empty IDT.
 */
#ifndef MOAT_BOOT_X86_ENTRY_H
#define MOAT_BOOT_X86_ENTRY_H

#include "core/gmem.h"

struct boot_entry;

/*
 * x86_entry_write - write the tables and name them in @e.
 *
 * Return: 0; -EFAULT if the first 640 KiB are not RAM; -ENOMEM.
 */
int x86_entry_write(struct gmem *mem, struct boot_entry *e);

#endif
