/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pin.h - a thread stays on one processor.
 *
 * Where the scheduler puts two threads that wake each other decides what a
 * wake-up costs, for as long as the program runs: a difference much larger
 * than what is measured.
 */
#ifndef MOAT_IOMMU_BENCH_PIN_H
#define MOAT_IOMMU_BENCH_PIN_H

/* The calling thread, and those that it makes, onto number @n (from 0, and
 * round again) of the processors that the program had at the first call.
 * Does nothing where the kernel does not let it.  Any thread. */
void pin(unsigned n);

#endif
