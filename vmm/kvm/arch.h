/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * arch.h - what differs between processor architectures, inside vmm/kvm.
 *
 * One implementation is picked by the build.
 */
#ifndef MOAT_VMM_KVM_ARCH_H
#define MOAT_VMM_KVM_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm/probe.h"

struct err;
struct irqchip;
struct kvm_irq_routing;
struct kvm_irq_routing_entry;
struct vcpu;
struct vcpu_entry;

#if defined(__x86_64__)
#define ARCH_WIRED_GSIS	  24 /* I/O APIC pins */
#define ARCH_WIRED_ROUTES 40 /* those, and 16 of the 8259s */
#else
#error "moat does not know this architecture yet"
#endif

/* Before any vCPU.  Return: 0 or -errno with a sentence. */
int arch_vm_prepare(int vm_fd, struct err *err);
int arch_irqchip_create(int vm_fd, struct err *err);

/* Appends the routes of wired GSIs; entry 0 is never an MSI's. */
void arch_wired_routes(struct kvm_irq_routing *table);
/* What an MSI route needs besides address and data. */
void arch_msi_route(struct kvm_irq_routing_entry *e, uint32_t requester);

/*
 * arch_vcpu_init - registers as at power-on; the first vCPU gets those of
 * @entry, too.
 * @ncpus: in the machine, for the topology the guest sees
 */
int arch_vcpu_init(struct vcpu *v, unsigned ncpus,
		   const struct vcpu_entry *entry, struct err *err);

/*
 * arch_vcpu_asleep - whether the parked vCPU waits, and only what no guest
 * can mask would end that.
 */
bool arch_vcpu_asleep(const struct vcpu *v);
/* Whether a wire or a message is set up to be such a thing. */
bool arch_chip_wakes(struct irqchip *c);

/* Where the vCPU is, in words for the log. */
void arch_vcpu_where(const struct vcpu *v, char *buf, size_t len);

/*
 * arch_probe_cpu - does a vCPU of the fresh VM @vm_fd execute what
 * processors do, or only what an emulator knows?
 *
 * Return: 0; -EIO if the test guest ended in no known way; -errno.
 */
int arch_probe_cpu(int sys_fd, int vm_fd, enum vm_probe_cpu *ret_cpu,
		   struct err *err);

#endif
