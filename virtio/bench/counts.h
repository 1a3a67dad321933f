/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * counts.h - what one thread does: locks it takes, memory it asks for.
 *
 * The program is linked so that calls of moat's own code come here first
 * (meson.build); what the C library does inside itself is not seen.
 *
 * Threads: counts_mine() in the thread that is to be counted; the figures are
 * read by any.
 */
#ifndef MOAT_VIRTIO_BENCH_COUNTS_H
#define MOAT_VIRTIO_BENCH_COUNTS_H

#include <stdint.h>

struct counts {
	_Atomic uint64_t allocations; /* malloc() and its kin, and free() */
	_Atomic uint64_t locks;	      /* taken, again after a wait included */
};

/* From now on this thread counts into @c; NULL: it does not. */
void counts_mine(struct counts *c);

#endif
