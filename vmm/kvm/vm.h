/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vm.h - a KVM virtual machine: memory slots, interrupt controller, doorbells.
 *
 * Holds no device and no policy.  A machine that restarts asks for a new VM
 * behind the same object, so that no register of the kernel's keeps an old
 * value, while routes and doorbells stay.
 *
 * Lifetime: embedded in the machine; vCPUs are gone before vm_fini().
 */
#ifndef MOAT_VMM_KVM_VM_H
#define MOAT_VMM_KVM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bus.h"
#include "core/gmem.h"
#include "vmm/kvm/irqchip.h"

struct err;

/* An attached ioeventfd. */
struct vm_doorbell {
	uint64_t addr;
	int fd;
};

/* Where vCPUs wait while somebody looks at them; see vcpus_park(). */
struct vm_park {
	pthread_mutex_t lock; /* a leaf */
	pthread_cond_t changed;
	atomic_bool wanted; /* written under the lock */
	unsigned parked;
};

struct vm {
	int sys_fd; /* /dev/kvm */
	int fd;
	size_t run_size;    /* of a vCPU's shared area */
	atomic_bool halted; /* no vCPU enters the guest any more */
	struct vm_park park;
	const struct gmem *mem;
	struct irqchip irqchip;
	struct doorbell_sink doorbells;
	pthread_mutex_t lock;	      /* of what follows; a leaf */
	struct vm_doorbell *attached; /* what KVM has */
	unsigned nattached, attached_cap;
};

/*
 * vm_init - create the VM with its interrupt controller and memory.
 * @mem: borrowed; stays as it is for the VM's life
 *
 * Return: 0 or -errno, with a sentence; nothing is left behind then.
 */
int vm_init(struct vm *vm, const struct gmem *mem, struct err *err);
/* Accepts a zeroed or half-built object. */
void vm_fini(struct vm *vm);

/*
 * vm_restart - a new VM in the place of the old: interrupt controller as at
 * power-on, same memory, routes and doorbells.  vCPUs are gone, and no
 * msi_line is connected.
 */
int vm_restart(struct vm *vm, struct err *err);

/*
 * vm_halt - a vCPU that leaves the guest stays out, until vm_restart(); any
 * thread.  For the vCPU whose register write ended the run: it must not go
 * on with the guest's next instruction.
 */
static inline void vm_halt(struct vm *vm)
{
	atomic_store_explicit(&vm->halted, true, memory_order_release);
}

#endif
