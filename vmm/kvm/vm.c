/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/kvm/vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/sys.h"

static struct vm *to_vm(struct doorbell_sink *s)
{
	return container_of(s, struct vm, doorbells);
}

/* Length 0: any width; some hosts do not even decode the access then. */
static int ioeventfd(const struct vm *vm, const struct vm_doorbell *d,
		     uint32_t flags)
{
	struct kvm_ioeventfd io = {
		.addr = d->addr,
		.fd = d->fd,
		.flags = flags,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

static int attach_locked(struct vm *vm, struct vm_doorbell d)
{
	int r;

	if (vm->nattached == vm->attached_cap) {
		unsigned cap = vm->attached_cap ? 2 * vm->attached_cap : 16;
		struct vm_doorbell *p = realloc(vm->attached, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		vm->attached = p;
		vm->attached_cap = cap;
	}
	r = ioeventfd(vm, &d, 0);
	if (r == 0)
		vm->attached[vm->nattached++] = d;
	return r;
}

static int doorbell_attach(struct doorbell_sink *s, uint64_t addr, int fd)
{
	struct vm *vm = to_vm(s);
	int r;

	pthread_mutex_lock(&vm->lock);
	r = attach_locked(vm, (struct vm_doorbell){.addr = addr, .fd = fd});
	pthread_mutex_unlock(&vm->lock);
	return r;
}

static void doorbell_detach(struct doorbell_sink *s, uint64_t addr, int fd)
{
	struct vm *vm = to_vm(s);

	pthread_mutex_lock(&vm->lock);
	for (unsigned i = 0; i < vm->nattached; i++) {
		struct vm_doorbell *d = &vm->attached[i];

		if (d->addr != addr || d->fd != fd)
			continue;
		(void)ioeventfd(vm, d, KVM_IOEVENTFD_FLAG_DEASSIGN);
		*d = vm->attached[--vm->nattached];
		break;
	}
	pthread_mutex_unlock(&vm->lock);
}

static const struct doorbell_ops doorbell_ops = {
	.attach = doorbell_attach,
	.detach = doorbell_detach,
};

static int reattach(struct vm *vm, struct err *err)
{
	for (unsigned i = 0; i < vm->nattached; i++) {
		int r = ioeventfd(vm, &vm->attached[i], 0);

		if (r < 0)
			return err_errno(err, -r, "KVM_IOEVENTFD");
	}
	return 0;
}

static int create(struct vm *vm, struct err *err)
{
	/* Busy hosts give EINTR without any signal. */
	do {
		vm->fd = ioctl(vm->sys_fd, KVM_CREATE_VM, 0UL);
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return err_errno(err, errno, "/dev/kvm: cannot create a VM");
	return arch_vm_prepare(vm->fd, err);
}

static int add_memory(struct vm *vm, struct err *err)
{
	for (unsigned i = 0; i < vm->mem->nslots; i++) {
		const struct gmem_slot *s = &vm->mem->slots[i];
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = s->base,
			.memory_size = s->size,
			.userspace_addr = (uintptr_t)s->host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
			return err_errno(err, errno,
					 "KVM refuses %llu MiB of memory",
					 (unsigned long long)(s->size >> 20));
	}
	return 0;
}

static int init(struct vm *vm, struct err *err)
{
	int size, r;

	vm->sys_fd = kvm_sys_open(err);
	if (vm->sys_fd < 0)
		return vm->sys_fd;
	r = kvm_sys_require(vm->sys_fd, err);
	if (r < 0)
		return r;
	size = ioctl(vm->sys_fd, KVM_GET_VCPU_MMAP_SIZE, 0UL);
	if (size < 0)
		return err_errno(err, errno, "KVM_GET_VCPU_MMAP_SIZE");
	vm->run_size = (size_t)size;
	r = create(vm, err);
	if (r == 0)
		r = irqchip_init(&vm->irqchip, vm->fd, err);
	return r < 0 ? r : add_memory(vm, err);
}

static void park_init(struct vm_park *p)
{
	pthread_condattr_t clock;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &clock);
	pthread_condattr_destroy(&clock);
}

static void park_fini(struct vm_park *p)
{
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

int vm_init(struct vm *vm, const struct gmem *mem, struct err *err)
{
	int r;

	*vm = (struct vm){.sys_fd = -1, .fd = -1, .mem = mem};
	vm->doorbells.ops = &doorbell_ops;
	pthread_mutex_init(&vm->lock, NULL);
	park_init(&vm->park);
	r = init(vm, err);
	if (r < 0)
		vm_fini(vm);
	return r;
}

int vm_restart(struct vm *vm, struct err *err)
{
	int r;

	close(vm->fd);
	vm->fd = -1;
	atomic_store_explicit(&vm->halted, false, memory_order_relaxed);
	r = create(vm, err);
	if (r == 0)
		r = irqchip_restart(&vm->irqchip, vm->fd, err);
	if (r == 0)
		r = add_memory(vm, err);
	return r < 0 ? r : reattach(vm, err);
}

void vm_fini(struct vm *vm)
{
	if (!vm->doorbells.ops)
		return;
	irqchip_fini(&vm->irqchip);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->sys_fd >= 0)
		close(vm->sys_fd);
	free(vm->attached);
	park_fini(&vm->park);
	pthread_mutex_destroy(&vm->lock);
	*vm = (struct vm){.sys_fd = -1, .fd = -1};
}
