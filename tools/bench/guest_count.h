/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest_count.h - marks around something measured, and what the guest's kernel
 * does meanwhile.
 */
#ifndef MOAT_TOOLS_BENCH_GUEST_COUNT_H
#define MOAT_TOOLS_BENCH_GUEST_COUNT_H

/* From now on it is counted: mappings, calls of drivers for them, requests to
 * the IOMMU, kicks.  Slows down what is counted. */
void count_open(void);

/* The mark "@NAME". */
void measure_begin(const char *name);
/* The mark "@NAME-end", or with counters "@NAME-end:maps=N,unmaps=N,...". */
void measure_end(const char *name);

#endif
