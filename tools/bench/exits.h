/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * exits.h - count a process's VM exits from outside, whatever monitor it is.
 *
 * Uses the host kernel's tracepoints kvm:kvm_exit (each exit of the guest) and
 * kvm:kvm_userspace_exit (each that reaches the monitor), as perf counters of
 * the process and of all threads it will start.  Needs root and tracefs.
 */
#ifndef MOAT_TOOLS_BENCH_EXITS_H
#define MOAT_TOOLS_BENCH_EXITS_H

#include <stdint.h>
#include <sys/types.h>

enum exits_kind {
	EXITS_ALL,  /* of the guest, most of them handled by KVM itself */
	EXITS_USER, /* to user space, of every kind */
	EXITS_IO,   /* of these: port accesses */
	EXITS_MMIO, /* of these: memory-mapped registers */
	EXITS_KINDS
};

struct exits {
	int fds[EXITS_KINDS];
};

/* Counts from the process's next exec on.  Exits with a sentence. */
void exits_open(struct exits *e, pid_t pid);

void exits_read(const struct exits *e, uint64_t counts[EXITS_KINDS]);

#endif
