/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * halt.h - has the guest stopped for good?
 *
 * A guest that knows no way to power off ends with all its CPUs in HLT and
 * interrupts disabled.  KVM, whose interrupt controller is in the kernel,
 * tells nobody; so somebody has to look now and then.  The look is cheap
 * where it can be: only when no vCPU thread has used any CPU time since the
 * last one are the vCPUs stopped, all at once, and asked.  An idle guest is
 * asked rarely.
 *
 * For good means: no vCPU runs, each of them is halted with interrupts
 * disabled or waits for a start-up message that nobody can send, nothing is
 * pending that interrupts it all the same (NMI, SMI), and no device's message
 * or wire is set up to be such a thing.
 */
#ifndef MOAT_VMM_KVM_HALT_H
#define MOAT_VMM_KVM_HALT_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

/* How often to look; see halt_watch_look(). */
#define HALT_WATCH_PERIOD_MS 500

/* Zeroed: at the start of a run. */
struct halt_watch {
	uint64_t cpu_ns; /* used by all vCPU threads at the last look */
	bool asked;	 /* in vain, since they were seen to run */
	bool disturbed;	 /* by us, since the last look */
	unsigned looks;	 /* since they were asked */
};

/*
 * halt_watch_look - look whether @n vCPUs have stopped for good.
 *
 * From one thread, while those of the vCPUs run; returns within a tenth of a
 * second.  A vCPU that is busy in a device is not waited for.
 *
 * Return: true if so; the guest will never run another instruction.
 */
bool halt_watch_look(struct halt_watch *w, struct vm *vm, struct vcpu *vcpus,
		     unsigned n);

#endif
