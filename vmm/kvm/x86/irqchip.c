/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Local APICs, I/O APIC, 8259s and 8254 in the kernel.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "core/err.h"
#include "vmm/kvm/arch.h"

/* Three pages below 4 GiB that KVM needs on Intel; no RAM, no MMIO there. */
#define TSS_ADDR	  0xfffbd000ul
#define IDENTITY_MAP_ADDR 0xfffbc000ull

int arch_vm_prepare(int vm_fd, struct err *err)
{
	uint64_t identity = IDENTITY_MAP_ADDR;

	if (ioctl(vm_fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0)
		return err_errno(err, errno, "KVM_SET_TSS_ADDR");
	if (ioctl(vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return err_errno(err, errno, "KVM_SET_IDENTITY_MAP_ADDR");
	return 0;
}

int arch_irqchip_create(int vm_fd, struct err *err)
{
	/* The speaker flag keeps port 0x61 in the kernel, too. */
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

	if (ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0UL) < 0)
		return err_errno(err, errno, "KVM_CREATE_IRQCHIP");
	if (ioctl(vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return err_errno(err, errno, "KVM_CREATE_PIT2");
	return 0;
}

static void add_wired(struct kvm_irq_routing *t, uint32_t gsi, uint32_t chip,
		      uint32_t pin)
{
	t->entries[t->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = pin},
	};
}

/*
 * GSI n is pin n of the I/O APIC, and for n < 16 a pin of the 8259s: guests
 * without ACPI tick through those, so they stay in every table.
 */
void arch_wired_routes(struct kvm_irq_routing *t)
{
	for (uint32_t gsi = 0; gsi < ARCH_WIRED_GSIS; gsi++)
		add_wired(t, gsi, KVM_IRQCHIP_IOAPIC, gsi);
	for (uint32_t gsi = 0; gsi < 16; gsi++)
		add_wired(t, gsi,
			  gsi < 8 ? KVM_IRQCHIP_PIC_MASTER
				  : KVM_IRQCHIP_PIC_SLAVE,
			  gsi % 8);
}

void arch_msi_route(struct kvm_irq_routing_entry *e, uint32_t requester)
{
	(void)e;
	(void)requester;
}
