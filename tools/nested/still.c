/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/nested/still.h"

#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

#ifdef __x86_64__

#define APIC_ON (UINT64_C(1) << 11) /* in its base address */

/* A vCPU that never runs: its APIC is off in software, as after reset; in
 * hardware, too, if @off; or it has none.  Its descriptors stay open. */
static bool make_vcpu(int kvm, bool apic, bool off)
{
	struct kvm_sregs sregs;
	int vcpu, vm = ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0 || (apic && ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0))
		return false;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return false;
	if (!off)
		return true;
	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return false;
	sregs.apic_base &= ~APIC_ON;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0;
}

void still_keep(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0 || !make_vcpu(kvm, true, false) ||
	    !make_vcpu(kvm, true, true) || !make_vcpu(kvm, false, false))
		warn("KVM will patch its code");
}

#else

void still_keep(void)
{
}

#endif
