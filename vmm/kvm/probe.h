/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * probe.h - can this host's KVM run guests?
 *
 * Makes a VM of one page and one vCPU for an instant.  Some hosts show a
 * /dev/kvm whose every interface works, but whose vCPUs are an emulator of
 * the commonest instructions: no stock kernel gets through there.  A guest
 * of one SSE instruction tells.
 */
#ifndef MOAT_VMM_KVM_PROBE_H
#define MOAT_VMM_KVM_PROBE_H

#include "core/err.h"

enum vm_probe_cpu {
	VM_PROBE_CPU_UNKNOWN, /* not got that far, or not known how to ask */
	VM_PROBE_CPU_REAL,
	VM_PROBE_CPU_EMULATED,
};

#define VM_PROBE_MISSING_MAX 16

struct vm_probe {
	int error;	/* 0, or -errno of the first step that failed */
	struct err why; /* the sentence to it */
	const char *missing[VM_PROBE_MISSING_MAX]; /* static text */
	unsigned nmissing;
	unsigned max_vcpus; /* 0: unknown */
	enum vm_probe_cpu cpu;
};

void vm_probe(struct vm_probe *ret_p);

#endif
