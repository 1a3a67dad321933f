/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Time and the local APIC, without taking interrupts: a request shows in the
 * APIC's request register.
 */
#include "bare.h"

#define APIC	   0xfee00000u
#define APIC_SVR   0xf0
#define APIC_IRR   0x200
#define SVR_ENABLE 0x100u

/* Many seconds of any processor, few minutes of an emulated one. */
#define PATIENCE (UINT64_C(20) << 30)

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

bool wait_for(bool (*done)(void *arg), void *arg)
{
	uint64_t start = ticks();

	while (!done(arg)) {
		if (ticks() - start > PATIENCE)
			return false;
		__asm__ volatile("pause" : : : "memory");
	}
	return true;
}

void apic_enable(void)
{
	mmio_write((void *)(uintptr_t)(APIC + APIC_SVR), 4, SVR_ENABLE | 0xff);
}

bool apic_requested(uint8_t vector)
{
	uint64_t irr = mmio_read(
		(void *)(uintptr_t)(APIC + APIC_IRR + vector / 32 * 16), 4);

	return irr >> vector % 32 & 1;
}
