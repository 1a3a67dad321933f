/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * cpu.h - what threads that share memory closely need to know of processors.
 */
#ifndef MOAT_CORE_CPU_H
#define MOAT_CORE_CPU_H

/* Bytes that move between processors together. */
#define CPU_LINE 64

/* In a loop that waits for another thread's store. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
