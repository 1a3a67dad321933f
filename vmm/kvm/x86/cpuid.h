/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * cpuid.h - what the guest's CPUID instruction says.
 */
#ifndef MOAT_VMM_KVM_X86_CPUID_H
#define MOAT_VMM_KVM_X86_CPUID_H

struct err;
struct vcpu;

/*
 * cpuid_set - give @v what the host supports, with the machine's own ids and
 * topology: one socket of @ncpus cores.
 *
 * Return: 0 or -errno, with a sentence.
 */
int cpuid_set(const struct vcpu *v, unsigned ncpus, struct err *err);

#endif
