/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/kvm/x86/cpuid.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/kvm/sys.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"

#define ENTRIES_FIRST 256
#define ENTRIES_MAX   4096

/* Leaf 1 */
#define ECX_X2APIC	 BIT(21)
#define ECX_TSC_DEADLINE BIT(24)
#define ECX_HYPERVISOR	 BIT(31)
#define EDX_HTT		 BIT(28)

static int get_supported(int sys_fd, struct kvm_cpuid2 **ret_c, struct err *err)
{
	for (uint32_t n = ENTRIES_FIRST; n <= ENTRIES_MAX; n *= 2) {
		AUTO_FREE struct kvm_cpuid2 *c = calloc(
			1, sizeof(*c) + n * sizeof(struct kvm_cpuid_entry2));

		if (!c)
			return err_set(err, ENOMEM, "out of memory");
		c->nent = n;
		if (ioctl(sys_fd, KVM_GET_SUPPORTED_CPUID, c) == 0) {
			*ret_c = take_ptr(&c);
			return 0;
		}
		if (errno != E2BIG)
			break;
	}
	return err_errno(err, errno, "KVM_GET_SUPPORTED_CPUID");
}

/* Bits of an APIC id that number @n cores. */
static unsigned id_bits(unsigned n)
{
	unsigned bits = 0;

	while ((1u << bits) < n)
		bits++;
	return bits;
}

static void edit_features(struct kvm_cpuid_entry2 *e, unsigned apic_id,
			  unsigned ncpus, bool deadline)
{
	e->ebx = (e->ebx & 0x0000ffffu) | apic_id << 24 |
		 (1u << id_bits(ncpus)) << 16;
	e->ecx |= ECX_HYPERVISOR | ECX_X2APIC;
	/* KVM emulates the deadline timer, and older ones do not list it. */
	if (deadline)
		e->ecx |= ECX_TSC_DEADLINE;
	if (ncpus > 1)
		e->edx |= EDX_HTT;
	else
		e->edx &= ~EDX_HTT;
}

/* Caches up to the second level belong to a core, the third to all. */
static void edit_cache(struct kvm_cpuid_entry2 *e, unsigned ncpus, bool intel)
{
	unsigned level = e->eax >> 5 & 7;
	unsigned sharing = level >= 3 ? (1u << id_bits(ncpus)) - 1 : 0;

	e->eax = (e->eax & ~(0xfffu << 14)) | sharing << 14;
	if (intel)
		e->eax = (e->eax & ~(0x3fu << 26)) |
			 ((1u << id_bits(ncpus)) - 1) << 26;
}

/* One thread a core, all cores in one package. */
static void edit_topology(struct kvm_cpuid_entry2 *e, unsigned apic_id,
			  unsigned ncpus)
{
	enum { LEVEL_NONE, LEVEL_SMT, LEVEL_CORE };

	e->edx = apic_id;
	switch (e->index) {
	case 0:
		e->eax = 0;
		e->ebx = 1;
		e->ecx = LEVEL_SMT << 8;
		break;
	case 1:
		e->eax = id_bits(ncpus);
		e->ebx = ncpus;
		e->ecx = 1 | LEVEL_CORE << 8;
		break;
	default:
		e->eax = 0;
		e->ebx = 0;
		e->ecx = e->index | LEVEL_NONE << 8;
		break;
	}
}

static void edit(struct kvm_cpuid_entry2 *e, unsigned apic_id, unsigned ncpus,
		 bool deadline)
{
	switch (e->function) {
	case 0x1:
		edit_features(e, apic_id, ncpus, deadline);
		break;
	case 0x4:
		edit_cache(e, ncpus, true);
		break;
	case 0x8000001d:
		edit_cache(e, ncpus, false);
		break;
	case 0xb:
	case 0x1f:
		edit_topology(e, apic_id, ncpus);
		break;
	case 0x80000008: /* AMD: cores less one, bits of the id */
		e->ecx = (e->ecx & ~0xf0ffu) | (ncpus - 1) |
			 id_bits(ncpus) << 12;
		break;
	case 0x8000001e: /* AMD: extended APIC id, core id, nodes */
		e->eax = apic_id;
		e->ebx = apic_id & 0xff;
		e->ecx = 0;
		break;
	default:
		break;
	}
}

/* Leaf 0xb needs both levels; a host without SMT may list just one. */
static void complete_topology(struct kvm_cpuid2 *c)
{
	struct kvm_cpuid_entry2 *zero = NULL;

	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function != 0xb)
			continue;
		if (e->index == 1)
			return;
		if (e->index == 0)
			zero = e;
	}
	if (!zero)
		return;
	c->entries[c->nent] = *zero;
	c->entries[c->nent].index = 1;
	c->nent++;
}

int cpuid_set(const struct vcpu *v, unsigned ncpus, struct err *err)
{
	bool deadline =
		kvm_sys_extension(v->vm->fd, KVM_CAP_TSC_DEADLINE_TIMER);
	AUTO_FREE struct kvm_cpuid2 *host = NULL;
	AUTO_FREE struct kvm_cpuid2 *c = NULL;
	int r = get_supported(v->vm->sys_fd, &host, err);

	if (r < 0 || !host)
		return r;
	c = calloc(1, sizeof(*c) + (host->nent + 1) * sizeof(c->entries[0]));
	if (!c)
		return err_set(err, ENOMEM, "out of memory");
	c->nent = host->nent;
	memcpy(c->entries, host->entries,
	       host->nent * sizeof(host->entries[0]));
	complete_topology(c);
	for (uint32_t i = 0; i < c->nent; i++)
		edit(&c->entries[i], v->index, ncpus, deadline);
	if (ioctl(v->fd, KVM_SET_CPUID2, c) < 0)
		return err_errno(err, errno, "KVM_SET_CPUID2");
	return 0;
}
