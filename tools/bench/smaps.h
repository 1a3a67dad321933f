/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * smaps.h - what a monitor needs beside the memory of its guest.
 */
#ifndef MOAT_TOOLS_BENCH_SMAPS_H
#define MOAT_TOOLS_BENCH_SMAPS_H

#include <stdint.h>
#include <sys/types.h>

/* KiB, sums over all mappings smaller than the guest's memory. */
struct smaps {
	uint64_t rss;	/* resident */
	uint64_t pss;	/* the same, shared pages by their share */
	uint64_t dirty; /* private and written: nobody else can use it */
	uint64_t guest; /* resident in the other mappings */
};

/*
 * smaps_read - look at a process now.
 * @guest_kib: the memory of its guest, in one mapping
 *
 * Exits with a sentence.
 */
void smaps_read(pid_t pid, uint64_t guest_kib, struct smaps *ret_s);

#endif
