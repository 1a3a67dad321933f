/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * host.h - what this host has for guests: plain facts, no judgement.
 */
#ifndef MOAT_VMM_MACHINE_HOST_H
#define MOAT_VMM_MACHINE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/kvm/probe.h"

struct mach_host {
	struct vm_probe kvm;
	bool cpu_flag; /* /proc/cpuinfo shows svm or vmx */
	bool in_vm;    /* ... and hypervisor: this is a guest itself */
	int io_uring;  /* 0, or -errno of making one */
	/* bytes; 0: unknown */
	uint64_t memory, memory_available;
	uint64_t hugepage_size, hugepages_free; /* of the pool; the latter a
						   count */
	uint64_t open_files, locked_memory;	/* limits; UINT64_MAX: none */
	uint64_t address_space;
};

void mach_host_probe(struct mach_host *ret_h);

/* All that the host has, swap included; bytes; 0: unknown. */
uint64_t mach_host_memory(void);

#endif
