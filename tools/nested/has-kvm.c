/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * has-kvm - exit status 0 if this machine's KVM runs stock kernels.
 *
 * Some /dev/kvm only emulate instructions.  A guest of five bytes tells:
 * an emulator does not know pxor.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CR0_EM	     (1u << 2)
#define CR0_TS	     (1u << 3)
#define CR4_OSFXSR   (1u << 9)
#define CPUID_MAX    128
#define GUEST_MEMORY 4096

static const uint8_t guest[] = {0x66, 0x0f, 0xef, 0xc0, /* pxor xmm0, xmm0 */
				0xf4};			/* hlt */

static void set_cpuid(int kvm, int vcpu)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) +
				  CPUID_MAX * sizeof(struct kvm_cpuid_entry2));

	if (!cpuid)
		errx(1, "no memory");
	cpuid->nent = CPUID_MAX;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 ||
	    ioctl(vcpu, KVM_SET_CPUID2, cpuid) < 0)
		err(1, "cannot set the CPUID");
	free(cpuid);
}

static void set_registers(int vcpu)
{
	struct kvm_regs regs = {.rflags = 2};
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		err(1, "cannot read the registers");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.cr0 &= ~(uint64_t)(CR0_EM | CR0_TS);
	sregs.cr4 |= CR4_OSFXSR;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		err(1, "cannot set the registers");
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_userspace_memory_region region = {.memory_size =
							     GUEST_MEMORY};
	struct kvm_run *run;
	void *memory;
	int vm, vcpu, size;

	if (kvm < 0)
		err(1, "cannot open /dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vm < 0 || size < 0)
		err(1, "cannot create a virtual machine");
	memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "no memory");
	memcpy(memory, guest, sizeof(guest));
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		err(1, "cannot give memory to a virtual machine");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		err(1, "cannot create a virtual CPU");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu,
		   0);
	if (run == MAP_FAILED)
		err(1, "no memory");
	set_cpuid(kvm, vcpu);
	set_registers(vcpu);
	alarm(5);
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		err(1, "cannot run a virtual CPU");
	if (run->exit_reason != KVM_EXIT_HLT)
		errx(1, "/dev/kvm only emulates instructions");
	return 0;
}
