/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Does a vCPU execute instructions, or does something emulate them?
 *
 * The guest is "pxor %xmm0,%xmm0; hlt" in real mode.  KVM's own instruction
 * emulator, which handles what traps, knows movaps but not pxor: a host that
 * runs all of a guest through it gives up there.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/kvm/arch.h"

#define GUEST_AT  0x1000
#define PAGE	  4096
#define CPUID_MAX 256

#define CR0_EM	   BIT(2)
#define CR0_TS	   BIT(3)
#define CR4_OSFXSR BIT(9)

static const uint8_t guest[] = {0x66, 0x0f, 0xef, 0xc0, 0xf4};

struct probe_cpu {
	int fd;
	void *page;
	struct kvm_run *run;
	size_t run_size;
};

static int make_memory(struct probe_cpu *p, int vm_fd)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = GUEST_AT,
		.memory_size = PAGE,
	};

	p->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->page == MAP_FAILED)
		return -errno;
	memcpy(p->page, guest, sizeof(guest));
	region.userspace_addr = (uintptr_t)p->page;
	/* Real mode on older Intel processors needs room of KVM's own. */
	(void)ioctl(vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000UL);
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -errno;
	return 0;
}

static int make_vcpu(struct probe_cpu *p, int sys_fd, int vm_fd)
{
	int size = ioctl(sys_fd, KVM_GET_VCPU_MMAP_SIZE, 0UL);
	void *run;

	if (size < 0)
		return -errno;
	p->fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0UL);
	if (p->fd < 0)
		return -errno;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   p->fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	p->run = run;
	p->run_size = (size_t)size;
	return 0;
}

static int set_cpuid(const struct probe_cpu *p, int sys_fd)
{
	AUTO_FREE struct kvm_cpuid2 *id =
		calloc(1, sizeof(*id) + CPUID_MAX * sizeof(id->entries[0]));

	if (!id)
		return -ENOMEM;
	id->nent = CPUID_MAX;
	if (ioctl(sys_fd, KVM_GET_SUPPORTED_CPUID, id) < 0 ||
	    ioctl(p->fd, KVM_SET_CPUID2, id) < 0)
		return -errno;
	return 0;
}

static int set_registers(const struct probe_cpu *p)
{
	struct kvm_regs regs = {.rip = GUEST_AT, .rflags = 2};
	struct kvm_sregs sregs;

	if (ioctl(p->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.cr0 &= ~(uint64_t)(CR0_EM | CR0_TS);
	sregs.cr4 |= CR4_OSFXSR;
	if (ioctl(p->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(p->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int run_guest(const struct probe_cpu *p, enum vm_probe_cpu *ret_cpu)
{
	while (ioctl(p->fd, KVM_RUN, 0UL) < 0) {
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	switch (p->run->exit_reason) {
	case KVM_EXIT_HLT:
		*ret_cpu = VM_PROBE_CPU_REAL;
		return 0;
	case KVM_EXIT_INTERNAL_ERROR:
		*ret_cpu = VM_PROBE_CPU_EMULATED;
		return 0;
	default:
		return -EIO;
	}
}

int arch_probe_cpu(int sys_fd, int vm_fd, enum vm_probe_cpu *ret_cpu,
		   struct err *err)
{
	struct probe_cpu p = {.fd = -1, .page = MAP_FAILED};
	int r;

	r = make_memory(&p, vm_fd);
	if (r == 0)
		r = make_vcpu(&p, sys_fd, vm_fd);
	if (r == 0)
		r = set_cpuid(&p, sys_fd);
	if (r == 0)
		r = set_registers(&p);
	if (r == 0)
		r = run_guest(&p, ret_cpu);
	if (p.run)
		(void)munmap(p.run, p.run_size);
	if (p.fd >= 0)
		(void)close(p.fd);
	if (p.page != MAP_FAILED)
		(void)munmap(p.page, PAGE);
	if (r < 0)
		return err_errno(err, -r, "/dev/kvm: cannot run a test guest");
	return 0;
}
