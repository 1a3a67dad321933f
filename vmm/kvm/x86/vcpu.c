/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Registers of an x86 vCPU at the kernel's door.
 * [Linux Documentation/arch/x86/boot.rst; boot protocol 64-bit entry, PVH]
 */
#include "vmm/kvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/le.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/x86/cpuid.h"

#define CR0_PE	   0x00000001u
#define CR0_ET	   0x00000010u
#define CR0_PG	   0x80000000u
#define CR4_PAE	   0x20u
#define EFER_LME   0x100u
#define EFER_LMA   0x400u
#define RFLAGS_ONE 2u /* the bit that is always one */

#define SEL_CODE 0x10 /* __BOOT_CS */
#define SEL_DATA 0x18 /* __BOOT_DS */
#define SEL_TSS	 0x20

#define TYPE_CODE 11 /* execute, read, accessed */
#define TYPE_DATA 3  /* read, write, accessed */
#define TYPE_TSS  11 /* busy */

#define LVT_LINT0     0x350
#define LVT_LINT1     0x360
#define LVT_MODE_MASK 0x700u
#define LVT_EXTINT    0x700u
#define LVT_NMI	      0x400u

static const struct {
	uint32_t index;
	uint64_t val;
} msrs[] = {
	{0x174, 0},	 /* SYSENTER_CS */
	{0x175, 0},	 /* SYSENTER_ESP */
	{0x176, 0},	 /* SYSENTER_EIP */
	{0xc0000081, 0}, /* STAR */
	{0xc0000082, 0}, /* LSTAR */
	{0xc0000083, 0}, /* CSTAR */
	{0xc0000084, 0}, /* SYSCALL_MASK */
	{0xc0000102, 0}, /* KERNEL_GS_BASE */
	{0x10, 0},	 /* TSC: the same on all, so that KVM syncs them */
	{0x1a0, 1},	 /* MISC_ENABLE: fast strings */
	{0x2ff, 0x806},	 /* MTRRdefType: enabled, write-back */
};

static int set_msrs(const struct vcpu *v, struct err *err)
{
	AUTO_FREE struct kvm_msrs *m = calloc(
		1, sizeof(*m) + ARRAY_SIZE(msrs) * sizeof(m->entries[0]));
	int n;

	if (!m)
		return err_set(err, ENOMEM, "out of memory");
	m->nmsrs = ARRAY_SIZE(msrs);
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		m->entries[i].index = msrs[i].index;
		m->entries[i].data = msrs[i].val;
	}
	n = ioctl(v->fd, KVM_SET_MSRS, m);
	if (n < 0)
		return err_errno(err, errno, "KVM_SET_MSRS");
	if ((size_t)n != ARRAY_SIZE(msrs))
		return err_set(err, EINVAL, "KVM refuses MSR %#x",
			       msrs[n].index);
	return 0;
}

static int set_fpu(const struct vcpu *v, struct err *err)
{
	struct kvm_fpu fpu = {.fcw = 0x37f, .mxcsr = 0x1f80};

	if (ioctl(v->fd, KVM_SET_FPU, &fpu) < 0)
		return err_errno(err, errno, "KVM_SET_FPU");
	return 0;
}

static void set_lvt(struct kvm_lapic_state *l, unsigned at, uint32_t mode)
{
	le32_store(l->regs + at,
		   (le32_load(l->regs + at) & ~LVT_MODE_MASK) | mode);
}

/* The 8259s' interrupts come in by LINT0, NMIs by LINT1. */
static int set_lapic(const struct vcpu *v, struct err *err)
{
	struct kvm_lapic_state lapic;

	if (ioctl(v->fd, KVM_GET_LAPIC, &lapic) < 0)
		return err_errno(err, errno, "KVM_GET_LAPIC");
	set_lvt(&lapic, LVT_LINT0, LVT_EXTINT);
	set_lvt(&lapic, LVT_LINT1, LVT_NMI);
	if (ioctl(v->fd, KVM_SET_LAPIC, &lapic) < 0)
		return err_errno(err, errno, "KVM_SET_LAPIC");
	return 0;
}

static void set_segments(struct kvm_sregs *s, bool long_mode)
{
	const struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = SEL_CODE,
		.type = TYPE_CODE,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = long_mode,
		.db = !long_mode,
	};
	const struct kvm_segment data = {
		.limit = 0xffffffff,
		.selector = SEL_DATA,
		.type = TYPE_DATA,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = 1,
	};

	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = (struct kvm_segment){
		.limit = 0x67,
		.selector = SEL_TSS,
		.type = TYPE_TSS,
		.present = 1,
	};
}

static int set_sregs(const struct vcpu *v, const struct vcpu_entry *e,
		     struct err *err)
{
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return err_errno(err, errno, "KVM_GET_SREGS");
	set_segments(&s, e->long_mode);
	s.gdt = (struct kvm_dtable){.base = e->gdt, .limit = e->gdt_limit};
	s.idt = (struct kvm_dtable){.base = e->idt, .limit = e->idt_limit};
	s.cr0 = CR0_PE | CR0_ET;
	if (e->long_mode) {
		s.cr0 |= CR0_PG;
		s.cr3 = e->cr3;
		s.cr4 = CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
	} else {
		s.cr3 = s.cr4 = s.efer = 0;
	}
	if (ioctl(v->fd, KVM_SET_SREGS, &s) < 0)
		return err_errno(err, errno, "KVM_SET_SREGS");
	return 0;
}

static int set_regs(const struct vcpu *v, const struct vcpu_entry *e,
		    struct err *err)
{
	struct kvm_regs r = {
		.rip = e->rip,
		.rsi = e->rsi,
		.rbx = e->rbx,
		.rsp = e->rsp,
		.rflags = RFLAGS_ONE,
	};

	if (ioctl(v->fd, KVM_SET_REGS, &r) < 0)
		return err_errno(err, errno, "KVM_SET_REGS");
	return 0;
}

int arch_vcpu_init(struct vcpu *v, unsigned ncpus,
		   const struct vcpu_entry *entry, struct err *err)
{
	/* CPUID first: newer hosts read MSRs as 0 until it names them. */
	int r = cpuid_set(v, ncpus, err);

	if (r == 0)
		r = set_msrs(v, err);
	if (r == 0)
		r = set_fpu(v, err);
	if (r == 0)
		r = set_lapic(v, err);
	if (r < 0 || v->index != 0)
		return r;
	r = set_sregs(v, entry, err);
	return r < 0 ? r : set_regs(v, entry, err);
}

void arch_vcpu_where(const struct vcpu *v, char *buf, size_t len)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_REGS, &r) < 0 ||
	    ioctl(v->fd, KVM_GET_SREGS, &s) < 0) {
		snprintf(buf, len, "registers unknown");
		return;
	}
	snprintf(buf, len,
		 "rip %#llx rsp %#llx cr0 %#llx cr2 %#llx cr3 %#llx efer %#llx",
		 (unsigned long long)r.rip, (unsigned long long)r.rsp,
		 (unsigned long long)s.cr0, (unsigned long long)s.cr2,
		 (unsigned long long)s.cr3, (unsigned long long)s.efer);
}
