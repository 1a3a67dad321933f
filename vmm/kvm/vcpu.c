/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/kvm/vcpu.h"

#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "core/le.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/vm.h"

/* Real-time, so that a kick is never merged away by somebody else's. */
#define KICK_SIGNAL (SIGRTMIN + 4)

/* How long vcpus_park() waits: much longer than it takes to leave a guest. */
#define PARK_NS 50000000

/* KVM_SET_SIGNAL_MASK takes the kernel's sigset: 8 bytes behind the head. */
#define SIGSET_LEN 8
union signal_mask {
	struct kvm_signal_mask head;
	uint8_t bytes[sizeof(struct kvm_signal_mask) + SIGSET_LEN];
};

static int let_kick_in(struct vcpu *v)
{
	union signal_mask mask = {.head.len = SIGSET_LEN};
	uint64_t all_but_kick = ~(UINT64_C(1) << (KICK_SIGNAL - 1));

	memcpy(mask.bytes + sizeof(mask.head), &all_but_kick, SIGSET_LEN);
	return ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask) < 0 ? -errno : 0;
}

int vcpu_init(struct vcpu *v, const struct vcpu_ops *ops, struct vm *vm,
	      unsigned index, unsigned ncpus, struct bus *mmio, struct bus *pio,
	      const struct vcpu_entry *entry, struct err *err)
{
	void *run;
	int r;

	*v = (struct vcpu){
		.ops = ops,
		.vm = vm,
		.mmio = mmio,
		.pio = pio,
		.index = index,
		.run_size = vm->run_size,
	};
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (v->fd < 0) {
		r = err_errno(err, errno, "KVM cannot create vCPU %u", index);
		*v = (struct vcpu){0};
		return r;
	}
	run = mmap(NULL, v->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
		   0);
	if (run == MAP_FAILED) {
		r = err_errno(err, errno, "cannot map vCPU %u", index);
		goto fail;
	}
	v->run = run;
	r = let_kick_in(v);
	if (r < 0) {
		r = err_errno(err, -r, "KVM_SET_SIGNAL_MASK");
		goto fail;
	}
	r = arch_vcpu_init(v, ncpus, entry, err);
	if (r < 0)
		goto fail;
	return 0;
fail:
	vcpu_fini(v);
	return r;
}

void vcpu_fini(struct vcpu *v)
{
	if (!v->ops)
		return;
	assert(!v->started);
	if (v->run)
		munmap(v->run, v->run_size);
	close(v->fd);
	*v = (struct vcpu){0};
}

/* String instructions move several items in one exit. */
static void port_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned size = run->io.size;

	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			(void)bus_write(v->pio, run->io.port, size,
					le_load(data, size));
		else
			le_store(data, size,
				 bus_read(v->pio, run->io.port, size));
	}
	if (run->io.direction == KVM_EXIT_IO_OUT)
		v->exits.pio_out++;
	else
		v->exits.pio_in++;
}

static void mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	unsigned len = run->mmio.len;

	if (run->mmio.is_write) {
		v->exits.mmio_write++;
		(void)bus_write(v->mmio, run->mmio.phys_addr, len,
				le_load(run->mmio.data, len));
	} else {
		v->exits.mmio_read++;
		le_store(run->mmio.data, len,
			 bus_read(v->mmio, run->mmio.phys_addr, len));
	}
}

static void cannot_run(struct vcpu *v)
{
	const struct kvm_run *run = v->run;
	char where[160], what[256];

	arch_vcpu_where(v, where, sizeof(where));
	if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		snprintf(what, sizeof(what),
			 "vCPU %u: the processor refuses to enter the guest "
			 "(reason %#llx), %s",
			 v->index,
			 (unsigned long long)
				 run->fail_entry.hardware_entry_failure_reason,
			 where);
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		snprintf(what, sizeof(what),
			 "vCPU %u: KVM cannot go on (%s, suberror %u), %s",
			 v->index,
			 run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
				 ? "instruction not emulated"
				 : "internal error",
			 run->internal.suberror, where);
	else
		snprintf(what, sizeof(what), "vCPU %u: unexpected exit %u, %s",
			 v->index, run->exit_reason, where);
	v->ops->ended(v, VCPU_CANNOT_RUN, what);
}

/* Return: true if the guest can go on. */
static bool handle_exit(struct vcpu *v)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		port_io(v);
		return true;
	case KVM_EXIT_MMIO:
		mmio(v);
		return true;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		v->exits.interrupted++;
		return true;
	case KVM_EXIT_SHUTDOWN:
		v->exits.other++;
		v->ops->ended(v, VCPU_TRIPLE_FAULT, "triple fault");
		return false;
	default:
		v->exits.other++;
		cannot_run(v);
		return false;
	}
}

static void swallow_kicks(const sigset_t *kick)
{
	const struct timespec now = {0};

	while (sigtimedwait(kick, NULL, &now) > 0)
		;
}

/* Return: false when KVM_RUN itself fails for good. */
static bool run_once(struct vcpu *v, const sigset_t *kick)
{
	char what[96];

	if (ioctl(v->fd, KVM_RUN, 0UL) == 0) {
		v->interrupts_seen |= v->run->if_flag;
		return handle_exit(v);
	}
	switch (errno) {
	case EINTR:
		v->exits.interrupted++;
		swallow_kicks(kick);
		return true;
	case EAGAIN:
		return true;
	default:
		snprintf(what, sizeof(what), "vCPU %u: KVM_RUN: %s", v->index,
			 strerrordesc_np(errno));
		v->ops->ended(v, VCPU_HOST_ERROR, what);
		return false;
	}
}

static bool must_leave(const struct vcpu *v)
{
	return atomic_load_explicit(&v->stop, memory_order_acquire) ||
	       atomic_load_explicit(&v->vm->halted, memory_order_acquire);
}

/* Wait while somebody looks at all vCPUs. */
static void stay_parked(struct vm_park *p)
{
	if (!atomic_load_explicit(&p->wanted, memory_order_acquire))
		return;
	pthread_mutex_lock(&p->lock);
	p->parked++;
	pthread_cond_broadcast(&p->changed);
	while (atomic_load_explicit(&p->wanted, memory_order_relaxed))
		pthread_cond_wait(&p->changed, &p->lock);
	p->parked--;
	pthread_mutex_unlock(&p->lock);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	char name[16];
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	snprintf(name, sizeof(name), "vcpu%u", v->index);
	pthread_setname_np(pthread_self(), name);
	while (!must_leave(v)) {
		stay_parked(&v->vm->park);
		if (!must_leave(v) && !run_once(v, &kick))
			break;
	}
	return NULL;
}

/*
 * All signals are blocked in the new thread: they belong to the threads of
 * whoever embeds us.
 */
int vcpu_start(struct vcpu *v)
{
	sigset_t all, old;
	int r;

	atomic_store_explicit(&v->stop, false, memory_order_relaxed);
	v->run->immediate_exit = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&v->thread, NULL, vcpu_thread, v);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	v->started = r == 0;
	return -r;
}

/*
 * immediate_exit closes the gap between the thread's look at @stop and its
 * entry into KVM_RUN; the signal gets it out of there.
 */
void vcpu_stop(struct vcpu *v)
{
	if (!v->started)
		return;
	atomic_store_explicit(&v->stop, true, memory_order_release);
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_RELEASE);
	(void)pthread_kill(v->thread, KICK_SIGNAL);
}

void vcpu_join(struct vcpu *v)
{
	if (!v->started)
		return;
	pthread_join(v->thread, NULL);
	v->started = false;
}

uint64_t vcpu_cpu_ns(const struct vcpu *v)
{
	struct timespec used = {0};
	clockid_t clock;

	if (pthread_getcpuclockid(v->thread, &clock) == 0)
		clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/*
 * The signal alone is enough here: it is blocked in the thread, so that one
 * which comes before KVM_RUN is still there then.
 */
bool vcpus_park(struct vm *vm, struct vcpu *vcpus, unsigned n)
{
	struct vm_park *p = &vm->park;
	struct timespec until;
	bool all;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += PARK_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&p->lock);
	atomic_store_explicit(&p->wanted, true, memory_order_release);
	for (unsigned i = 0; i < n; i++)
		(void)pthread_kill(vcpus[i].thread, KICK_SIGNAL);
	while (p->parked < n && r == 0)
		r = pthread_cond_timedwait(&p->changed, &p->lock, &until);
	all = p->parked == n;
	pthread_mutex_unlock(&p->lock);
	return all;
}

void vcpus_unpark(struct vm *vm)
{
	struct vm_park *p = &vm->park;

	pthread_mutex_lock(&p->lock);
	atomic_store_explicit(&p->wanted, false, memory_order_release);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}
