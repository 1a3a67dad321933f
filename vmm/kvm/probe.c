/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/kvm/probe.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/sys.h"

static int create_vm(int sys_fd, struct err *err)
{
	int fd;

	/* A busy host gives EINTR without any signal. */
	do {
		fd = ioctl(sys_fd, KVM_CREATE_VM, 0UL);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_errno(err, errno, "/dev/kvm: cannot create a VM");
	return fd;
}

static int probe(struct vm_probe *p)
{
	AUTO_CLOSE int sys_fd = kvm_sys_open(&p->why);
	AUTO_CLOSE int vm_fd = -1;

	if (sys_fd < 0)
		return sys_fd;
	p->nmissing =
		kvm_sys_missing(sys_fd, p->missing, ARRAY_SIZE(p->missing));
	if (p->nmissing > ARRAY_SIZE(p->missing))
		p->nmissing = ARRAY_SIZE(p->missing);
	p->max_vcpus = (unsigned)kvm_sys_extension(sys_fd, KVM_CAP_MAX_VCPUS);
	vm_fd = create_vm(sys_fd, &p->why);
	if (vm_fd < 0)
		return vm_fd;
	return arch_probe_cpu(sys_fd, vm_fd, &p->cpu, &p->why);
}

void vm_probe(struct vm_probe *ret_p)
{
	*ret_p = (struct vm_probe){.cpu = VM_PROBE_CPU_UNKNOWN};
	ret_p->error = probe(ret_p);
}
