/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/log.h"
#include "core/loop.h"
#include "iommu/virtio_iommu.h"
#include "vmm/kvm/halt.h"
#include "vmm/machine/kernel_log.h"
#include "vmm/machine/mach.h"

/* After a panic the guest may still print, dump and restart itself. */
#define PANIC_GRACE_MS 2000

static struct mach *vcpu_mach(const struct vcpu *v);

void mach_note(struct mach *m, enum mach_event event, const char *text)
{
	pthread_mutex_lock(&m->lock);
	if (m->event == EVENT_NONE) {
		m->event = event;
		snprintf(m->end_text, sizeof(m->end_text), "%s", text);
	}
	pthread_cond_signal(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

static void guest_power_off(struct machine_events *e)
{
	struct mach *m = container_of(e, struct mach, events);

	mach_note(m, EVENT_POWER_OFF, "");
	vm_halt(&m->vm);
}

static void guest_reboot(struct machine_events *e)
{
	struct mach *m = container_of(e, struct mach, events);

	mach_note(m, EVENT_REBOOT, "");
	vm_halt(&m->vm);
}

/* Said once: the guest can write the port for ever. */
static void crash_kernel_starts(struct mach *m)
{
	bool said;

	pthread_mutex_lock(&m->lock);
	said = m->crash_kernel_said;
	m->crash_kernel_said = true;
	pthread_mutex_unlock(&m->lock);
	if (!said)
		log_warn("the guest's kernel panicked and starts its crash "
			 "kernel");
}

static void guest_panicked(struct machine_events *e, bool loaded)
{
	struct mach *m = container_of(e, struct mach, events);

	if (loaded)
		crash_kernel_starts(m);
	else
		mach_panicked(m);
}

static void guest_unfed(struct machine_events *e)
{
	static const char crash[] = "it stopped feeding its watchdog";
	const char *what = crash + sizeof("it");
	struct mach *m = container_of(e, struct mach, events);

	switch (m->config.watchdog) {
	case MACH_WATCHDOG_OFF:
		break;
	case MACH_WATCHDOG_REBOOT:
		/* That a run may end by a reboot is said of the guest's own. */
		if (m->config.reboot) {
			log_warn("the guest %s and is restarted", what);
			mach_note(m, EVENT_REBOOT, "");
			break;
		}
		mach_note(m, EVENT_CRASH, crash);
		break;
	case MACH_WATCHDOG_STOP:
		mach_note(m, EVENT_CRASH, crash);
		break;
	case MACH_WATCHDOG_NONE:
		/* The guest decides how often. */
		guest_warn(&m->watchdog_pci.log, "the guest %s", what);
		break;
	}
}

static const struct machine_events_ops events_ops = {
	.power_off = guest_power_off,
	.reboot = guest_reboot,
	.panicked = guest_panicked,
	.unfed = guest_unfed,
};

static void vcpu_ended(struct vcpu *v, enum vcpu_end why, const char *what)
{
	mach_note(vcpu_mach(v),
		  why == VCPU_HOST_ERROR ? EVENT_HOST_ERROR : EVENT_CRASH,
		  what);
}

static const struct vcpu_ops vcpu_ops = {.ended = vcpu_ended};

/* A machine embeds its VM, and every vCPU knows that. */
static struct mach *vcpu_mach(const struct vcpu *v)
{
	return container_of(v->vm, struct mach, vm);
}

static void free_vcpus(struct mach *m)
{
	for (unsigned i = 0; m->vcpus && i < m->config.cpus; i++)
		vcpu_fini(&m->vcpus[i]);
}

/* Memory as the loader leaves it, vCPUs at the kernel's door. */
static int power_on(struct mach *m, struct err *err)
{
	struct vcpu_entry entry;
	int r = platform_load(m, &entry, err);

	for (unsigned i = 0; r == 0 && i < m->config.cpus; i++)
		r = vcpu_init(&m->vcpus[i], &vcpu_ops, &m->vm, i,
			      m->config.cpus, &m->mmio, &m->pio, &entry, err);
	return r;
}

static int restart(struct mach *m, struct err *err)
{
	int r;

	free_vcpus(m);
	mach_reset_functions(m);
	platform_reset(m);
	r = vm_restart(&m->vm, err);
	if (r == 0)
		r = gmem_discard(&m->mem, err);
	return r < 0 ? r : power_on(m, err);
}

/* Do other processes have to see memory? */
static bool is_shared(const struct mach_config *c)
{
	bool shared = c->shared_memory || c->nshares > 0;

	for (unsigned i = 0; i < c->ndisks; i++)
		shared |= mach_disk_is_served(&c->disks[i]);
	for (unsigned i = 0; i < c->nnets; i++)
		shared |= c->nets[i].guest_memory;
	return shared;
}

static int build(struct mach *m, struct err *err)
{
	struct gmem_slot layout[GMEM_SLOTS_MAX];
	unsigned n = platform_memory_layout(m->config.memory, layout);
	struct pci_host_config pci;
	int r;

	r = is_shared(&m->config) ? gmem_init_shared(&m->mem, layout, n, err)
				  : gmem_init(&m->mem, layout, n, err);
	if (r < 0) {
		err_prefix(err, "--memory");
		return r;
	}
	r = loop_new(&m->loop, err);
	if (r < 0)
		return r;
	if (!(m->flags & MACH_PLAN_ONLY)) {
		r = vm_init(&m->vm, &m->mem, err);
		if (r < 0)
			return r;
		m->msi = &m->vm.irqchip.msi;
		m->doorbells = &m->vm.doorbells;
	}
	r = mach_choose_iommu(m, err);
	if (r < 0)
		return r;
	r = platform_init(m, err);
	if (r < 0)
		return r;
	platform_pci_config(m, &pci);
	r = pci_host_init(&m->host, &m->mmio, &m->pio, &pci, err);
	if (r < 0)
		return r;
	r = mach_add_functions(m, err);
	if (r < 0 || (m->flags & MACH_PLAN_ONLY))
		return r;
	return power_on(m, err);
}

int mach_new(struct mach **ret_m, const struct mach_config *config,
	     unsigned flags, struct err *err)
{
	struct mach *m;
	pthread_condattr_t clock;
	int r = mach_config_check(config, err);

	if (r < 0)
		return r;
	if (!(flags & MACH_PLAN_ONLY) && !config->kernel)
		return err_set(err, EINVAL, "--kernel: no kernel given");
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(err, ENOMEM, "out of memory");
	m->config = *config;
	m->flags = flags;
	m->events.ops = &events_ops;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&m->changed, &clock);
	pthread_condattr_destroy(&clock);
	trace_init(&m->trace);
	bus_init(&m->mmio);
	bus_init(&m->pio);
	m->mem.fd = -1;
	console_mux_init(&m->mux);
	iommu_topology_init(&m->topology);
	m->vcpus = calloc(config->cpus, sizeof(*m->vcpus));
	r = m->vcpus ? build(m, err) : err_set(err, ENOMEM, "out of memory");
	if (r < 0) {
		mach_free(m);
		return r;
	}
	*ret_m = m;
	return 0;
}

void mach_free(struct mach *m)
{
	if (!m)
		return;
	free_vcpus(m);
	free(m->vcpus);
	mach_remove_functions(m);
	pci_host_fini(&m->host);
	platform_fini(m);
	trace_fini(&m->trace);
	iommu_free(m->iommu);
	iommu_topology_fini(&m->topology);
	vm_fini(&m->vm);
	loop_free(m->loop);
	gmem_fini(&m->mem);
	bus_fini(&m->mmio);
	bus_fini(&m->pio);
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

int mach_trace(struct mach *m, int fd, struct err *err)
{
	return trace_start(&m->trace, fd, err);
}

size_t mach_kernel_log(struct mach *m, char *text, size_t cap)
{
	return kernel_log_read(&m->mem, text, cap);
}

struct loop *mach_loop(struct mach *m)
{
	return m->loop;
}

void mach_stop(struct mach *m)
{
	mach_note(m, EVENT_STOP, "");
}

void mach_panicked(struct mach *m)
{
	pthread_mutex_lock(&m->lock);
	m->panicked = true;
	pthread_cond_signal(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

static void *loop_thread(void *arg)
{
	struct mach *m = arg;

	pthread_setname_np(pthread_self(), "loop");
	loop_run(m->loop);
	return NULL;
}

static int start_loop(struct mach *m, struct err *err)
{
	int r;

	r = pthread_create(&m->loop_thread, NULL, loop_thread, m);
	if (r)
		return err_errno(err, r, "cannot start the loop's thread");
	m->loop_running = true;
	return mach_start_loops(m, err);
}

static int start_vcpus(struct mach *m, struct err *err)
{
	for (unsigned i = 0; i < m->config.cpus; i++) {
		int r = vcpu_start(&m->vcpus[i]);

		if (r < 0)
			return err_errno(err, -r,
					 "cannot start the thread of vCPU %u",
					 i);
	}
	return 0;
}

/*
 * A vCPU may be waiting inside a request of its own for a device's I/O; the
 * IOMMU's waits are broken off, the others end with the host's I/O, or with the
 * patience for a vhost-user server that has the guest's memory.
 */
static void stop_vcpus(struct mach *m)
{
	if (m->iommu)
		iommu_stop_waiting(m->iommu, true);
	for (unsigned i = 0; i < m->config.cpus; i++)
		vcpu_stop(&m->vcpus[i]);
	for (unsigned i = 0; i < m->config.cpus; i++)
		vcpu_join(&m->vcpus[i]);
	if (m->iommu)
		iommu_stop_waiting(m->iommu, false);
}

static struct timespec time_in(unsigned ms)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

/* A guest that knows of no way to power off halts instead, and no exit
 * tells. */
static void look_for_halt(struct mach *m, struct halt_watch *w)
{
	bool halted;

	pthread_mutex_unlock(&m->lock);
	halted = halt_watch_look(w, &m->vm, m->vcpus, m->config.cpus);
	pthread_mutex_lock(&m->lock);
	if (halted && m->event == EVENT_NONE)
		m->event = EVENT_HALT;
}

/* Until something ends the run, or a panicked guest has had its grace. */
static enum mach_event wait_for_event(struct mach *m, bool *ret_panicked)
{
	struct halt_watch watch = {0};
	struct timespec until;
	enum mach_event event;

	pthread_mutex_lock(&m->lock);
	until = time_in(HALT_WATCH_PERIOD_MS);
	while (m->event == EVENT_NONE && !m->panicked) {
		if (pthread_cond_timedwait(&m->changed, &m->lock, &until) == 0)
			continue;
		look_for_halt(m, &watch);
		until = time_in(HALT_WATCH_PERIOD_MS);
	}
	until = time_in(PANIC_GRACE_MS);
	while (m->event == EVENT_NONE &&
	       pthread_cond_timedwait(&m->changed, &m->lock, &until) == 0)
		;
	event = m->event;
	*ret_panicked = m->panicked;
	pthread_mutex_unlock(&m->lock);
	return event;
}

/* No kernel that comes to life ends so. */
static void judge_halt(const struct mach *m)
{
	for (unsigned i = 0; i < m->config.cpus; i++)
		if (m->vcpus[i].interrupts_seen)
			return;
	log_warn("the guest halted without ever having enabled interrupts: a "
		 "kernel that does so has most likely failed early");
}

/* Return: 1 to go round again, 0 ended, -errno. */
static int run_once(struct mach *m, enum mach_outcome *ret_o, struct err *err)
{
	enum mach_event event;
	bool panicked;
	int r = start_vcpus(m, err);

	if (r < 0) {
		stop_vcpus(m);
		return r;
	}
	event = wait_for_event(m, &panicked);
	stop_vcpus(m);
	*ret_o = MACH_PANICKED;
	if (panicked)
		return 0;
	switch (event) {
	case EVENT_NONE:
	case EVENT_STOP:
		*ret_o = MACH_STOPPED;
		return 0;
	case EVENT_POWER_OFF:
		*ret_o = MACH_POWERED_OFF;
		return 0;
	case EVENT_REBOOT:
		*ret_o = MACH_REBOOTED;
		return m->config.reboot;
	case EVENT_HALT:
		judge_halt(m);
		*ret_o = MACH_HALTED;
		return 0;
	case EVENT_CRASH:
		log_err("the guest crashed: %s", m->end_text);
		*ret_o = MACH_CRASHED;
		return 0;
	case EVENT_HOST_ERROR:
		break;
	}
	return err_set(err, EIO, "%s", m->end_text);
}

static bool forget_reboot(struct mach *m)
{
	bool again;

	pthread_mutex_lock(&m->lock);
	again = m->event == EVENT_REBOOT;
	if (again)
		m->event = EVENT_NONE;
	pthread_mutex_unlock(&m->lock);
	return again;
}

/* Requests that are left are nobody's; while devices are freed, no thread may
 * be at them, or wait for I/O that nobody finishes. */
static void end_iommu(struct mach *m)
{
	if (!m->viommu)
		return;
	iommu_stop_waiting(m->iommu, true);
	viommu_end(m->viommu);
}

int mach_run(struct mach *m, enum mach_outcome *ret_o, struct err *err)
{
	int r = start_loop(m, err);

	while (r == 0) {
		r = run_once(m, ret_o, err);
		if (r <= 0)
			break;
		r = forget_reboot(m) ? restart(m, err) : 0;
	}
	end_iommu(m);
	mach_stop_loops(m);
	if (m->loop_running) {
		loop_stop(m->loop);
		pthread_join(m->loop_thread, NULL);
		m->loop_running = false;
	}
	if (r < 0)
		*ret_o = MACH_FAILED;
	return r;
}
