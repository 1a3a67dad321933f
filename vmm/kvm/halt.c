/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/kvm/halt.h"

#include <linux/kvm.h>

#include "vmm/kvm/arch.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"

/* An idle guest is asked again after so many looks, in case that its going to
 * sleep for good fell into our own disturbance. */
#define LOOKS_MAX 16

static uint64_t cpu_time(const struct vcpu *vcpus, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += vcpu_cpu_ns(&vcpus[i]);
	return sum;
}

/*
 * Only with all vCPUs out of the guest at the same time is the answer worth
 * anything: one that is asked alone may be woken by one asked later.
 */
static bool all_asleep(struct vm *vm, struct vcpu *vcpus, unsigned n)
{
	bool asleep =
		vcpus_park(vm, vcpus, n) && !arch_chip_wakes(&vm->irqchip);

	for (unsigned i = 0; asleep && i < n; i++)
		asleep = arch_vcpu_asleep(&vcpus[i]);
	vcpus_unpark(vm);
	return asleep;
}

bool halt_watch_look(struct halt_watch *w, struct vm *vm, struct vcpu *vcpus,
		     unsigned n)
{
	uint64_t now = cpu_time(vcpus, n);
	bool ran = now != w->cpu_ns && !w->disturbed;

	w->cpu_ns = now;
	if (ran)
		w->asked = false;
	if (ran || w->disturbed || (w->asked && ++w->looks < LOOKS_MAX)) {
		w->disturbed = false;
		return false;
	}
	w->asked = w->disturbed = true;
	w->looks = 0;
	return all_asleep(vm, vcpus, n);
}
