/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * mptable.h - MultiProcessor table for guests without ACPI.  [MP 1.4, 4]
 */
#ifndef MOAT_BOOT_MPTABLE_H
#define MOAT_BOOT_MPTABLE_H

#include "core/gmem.h"

struct err;

#define MPTABLE_CPUS_MAX 64

/*
 * mptable_write - floating pointer and table in the last KiB of base memory
 * (0x9fc00), growing past it when there are many CPUs.
 * @ioapic_base: identity-mapped pins 0-23
 *
 * Return: 0; -EINVAL for too many CPUs; -EFAULT.
 */
int mptable_write(struct gmem *mem, unsigned ncpus, uint32_t lapic_base,
		  uint32_t ioapic_base, struct err *err);

#endif
