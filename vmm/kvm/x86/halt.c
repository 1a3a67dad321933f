/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What can get an x86 vCPU out of HLT with interrupts disabled: NMI, SMI and
 * INIT, from another vCPU, a local APIC's wires, the I/O APIC or a message.
 * [Intel SDM 3, 11.6.1, 11.11.2; 2, HLT]
 */
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "core/bits.h"
#include "core/le.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/irqchip.h"
#include "vmm/kvm/vcpu.h"

#define RFLAGS_IF 0x200u

#define LVT_LINT0  0x350
#define LVT_MASKED 0x10000u

/* Delivery modes, in bits 8 to 10 of messages, wires and I/O APIC entries. */
#define MODE(val) ((val) >> 8 & 7)
#define MODE_SMI  2
#define MODE_NMI  4
#define MODE_INIT 5

static bool mode_wakes(uint32_t val)
{
	return MODE(val) == MODE_SMI || MODE(val) == MODE_NMI ||
	       MODE(val) == MODE_INIT;
}

/* The timer comes by LINT0; nothing of ours is at LINT1. */
static bool timer_wakes(const struct vcpu *v)
{
	struct kvm_lapic_state l;
	uint32_t lint0;

	if (ioctl(v->fd, KVM_GET_LAPIC, &l) < 0)
		return true;
	lint0 = le32_load(l.regs + LVT_LINT0);
	return !(lint0 & LVT_MASKED) && mode_wakes(lint0);
}

static bool something_pends(const struct vcpu *v)
{
	struct kvm_vcpu_events e;

	if (ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e) < 0)
		return true;
	return e.nmi.pending || e.nmi.injected || e.smi.pending ||
	       e.interrupt.injected || e.exception.injected ||
	       e.exception.pending;
}

bool arch_vcpu_asleep(const struct vcpu *v)
{
	struct kvm_mp_state state;
	struct kvm_regs regs;

	if (ioctl(v->fd, KVM_GET_MP_STATE, &state) < 0)
		return false;
	if (state.mp_state == KVM_MP_STATE_UNINITIALIZED ||
	    state.mp_state == KVM_MP_STATE_INIT_RECEIVED)
		return true;
	if (state.mp_state != KVM_MP_STATE_HALTED ||
	    ioctl(v->fd, KVM_GET_REGS, &regs) < 0 || (regs.rflags & RFLAGS_IF))
		return false;
	return !something_pends(v) && !timer_wakes(v);
}

static bool message_wakes(struct irqchip *c)
{
	bool wakes = false;

	pthread_mutex_lock(&c->lock);
	for (uint32_t i = 0; i < c->table->nr; i++) {
		const struct kvm_irq_routing_entry *e = &c->table->entries[i];

		wakes |= e->type == KVM_IRQ_ROUTING_MSI &&
			 mode_wakes(e->u.msi.data);
	}
	pthread_mutex_unlock(&c->lock);
	return wakes;
}

static bool wire_wakes(const struct irqchip *c)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};

	if (ioctl(c->vm_fd, KVM_GET_IRQCHIP, &chip) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(chip.chip.ioapic.redirtbl); i++) {
		uint64_t bits = chip.chip.ioapic.redirtbl[i].bits;

		if (!(bits & LVT_MASKED) && mode_wakes((uint32_t)bits))
			return true;
	}
	return false;
}

bool arch_chip_wakes(struct irqchip *c)
{
	return message_wakes(c) || wire_wakes(c);
}
