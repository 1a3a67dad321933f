/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vcpu.h - a virtual processor and its thread.
 *
 * The thread runs the guest and passes its accesses to two buses; it knows
 * no device.  It ends when asked to, or when the guest can no longer run,
 * which it reports once through vcpu_ops.
 *
 * Threads: vcpu_start/join from the machine's thread; vcpu_stop from any.
 * No signal handler is installed: the kick is a real-time signal that stays
 * blocked in the thread and is let in by KVM only.
 * Lifetime: embedded in the machine; gone before the VM is.
 */
#ifndef MOAT_VMM_KVM_VCPU_H
#define MOAT_VMM_KVM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bus.h"

struct err;
struct kvm_run;
struct vcpu;
struct vm;

/* How the first vCPU enters the kernel: plain values from the loader. */
struct vcpu_entry {
	bool long_mode; /* else 32-bit without paging */
	uint64_t rip, rsi, rbx, rsp;
	uint64_t cr3;
	uint64_t gdt, idt;
	uint16_t gdt_limit, idt_limit;
};

enum vcpu_end {
	VCPU_TRIPLE_FAULT,
	VCPU_CANNOT_RUN, /* failed entry, emulation failure, unknown exit */
	VCPU_HOST_ERROR, /* KVM_RUN itself failed */
};

struct vcpu_ops {
	/* The vCPU has ended by itself; called once, on its thread. */
	void (*ended)(struct vcpu *v, enum vcpu_end why, const char *what);
};

/* Exits to user space, counted by the thread alone. */
struct vcpu_exits {
	uint64_t pio_in, pio_out, mmio_read, mmio_write, interrupted, other;
};

struct vcpu {
	const struct vcpu_ops *ops;
	struct vm *vm;
	struct bus *mmio, *pio;
	unsigned index; /* APIC id */
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;
	atomic_bool stop;
	bool interrupts_seen; /* it was seen with interrupts enabled */
	struct vcpu_exits exits;
};

/*
 * vcpu_init - create vCPU @index.
 * @ncpus: in the machine
 * @entry: for the first one; the others wait for INIT/SIPI
 *
 * Return: 0 or -errno, with a sentence; nothing is left behind then.
 */
int vcpu_init(struct vcpu *v, const struct vcpu_ops *ops, struct vm *vm,
	      unsigned index, unsigned ncpus, struct bus *mmio, struct bus *pio,
	      const struct vcpu_entry *entry, struct err *err);
/* The thread is joined.  Accepts a zeroed object. */
void vcpu_fini(struct vcpu *v);

/* Return: 0 or -errno. */
int vcpu_start(struct vcpu *v);
/* Ask the thread to leave the guest and end; does not wait. */
void vcpu_stop(struct vcpu *v);
/* Wait for the thread; does nothing if it was never started. */
void vcpu_join(struct vcpu *v);

/* CPU time that the running thread has used, in nanoseconds. */
uint64_t vcpu_cpu_ns(const struct vcpu *v);

/*
 * vcpus_park - get all @n vCPUs of @vm out of the guest and keep them out,
 * until vcpus_unpark(); from one thread at a time.  Those that do not come
 * soon, because they are busy in a device or have ended, are not waited for.
 *
 * Return: true if all are out.
 */
bool vcpus_park(struct vm *vm, struct vcpu *vcpus, unsigned n);
void vcpus_unpark(struct vm *vm);

#endif
