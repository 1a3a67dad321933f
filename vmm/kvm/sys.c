/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/kvm/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"

#define KVM_API 12 /* never changed since Linux 2.6.22 */

static const struct {
	unsigned cap;
	const char *name;
} required[] = {
	{KVM_CAP_USER_MEMORY, "memory slots"},
	{KVM_CAP_IRQCHIP, "an in-kernel interrupt controller"},
	{KVM_CAP_IRQ_ROUTING, "interrupt routing"},
	{KVM_CAP_IRQFD, "irqfd"},
	{KVM_CAP_IOEVENTFD, "ioeventfd"},
	{KVM_CAP_SIGNAL_MSI, "message-signalled interrupts"},
	{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
};

static int open_failed(int code, struct err *err)
{
	switch (code) {
	case ENOENT:
		return err_set(err, code,
			       "/dev/kvm does not exist: load the kvm module "
			       "of this processor (kvm-intel or kvm-amd), or "
			       "enable virtualization in the firmware");
	case EACCES:
	case EPERM:
		return err_set(err, code,
			       "/dev/kvm: permission denied: add this user to "
			       "the group that owns it (usually 'kvm')");
	default:
		return err_errno(err, code, "/dev/kvm: cannot open");
	}
}

int kvm_sys_open(struct err *err)
{
	AUTO_CLOSE int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0)
		return open_failed(errno, err);
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return err_errno(err, errno, "/dev/kvm: not a KVM device");
	if (version != KVM_API)
		return err_set(err, ENOTSUP,
			       "/dev/kvm: API version %d, moat needs %d",
			       version, KVM_API);
	return take_fd(&fd);
}

int kvm_sys_extension(int fd, unsigned cap)
{
	int val = ioctl(fd, KVM_CHECK_EXTENSION, (unsigned long)cap);

	return val < 0 ? 0 : val;
}

unsigned kvm_sys_missing(int fd, const char **ret_names, unsigned max)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (kvm_sys_extension(fd, required[i].cap))
			continue;
		if (n < max)
			ret_names[n] = required[i].name;
		n++;
	}
	return n;
}

int kvm_sys_require(int fd, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (!kvm_sys_extension(fd, required[i].cap))
			return err_set(err, ENOTSUP,
				       "/dev/kvm lacks %s (extension %u)",
				       required[i].name, required[i].cap);
	}
	return 0;
}
