/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The virtio devices of a machine: which there are, and what each is made with.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "core/err.h"
#include "core/log.h"
#include "devices/balloon.h"
#include "devices/blk.h"
#include "devices/blk/limit.h"
#include "devices/console.h"
#include "devices/fs.h"
#include "devices/net.h"
#include "devices/rng.h"
#include "devices/serial16550.h"
#include "devices/vsock.h"
#include "devices/vublk.h"
#include "iommu/virtio_iommu.h"
#include "virtio/device.h"
#include "virtio/pci.h"
#include "vmm/machine/func.h"
#include "vmm/machine/mach.h"
#include "vmm/machine/spoil.h"

static_assert(MACH_SERVER_WAIT_MS == VUBLK_WAIT_MS &&
		      MACH_DISK_ID_MAX == VUBLK_ID_MAX,
	      "");
static_assert(MACH_DISK_QUEUES_MAX <= BLK_QUEUES_MAX &&
		      MACH_DISK_BPS_MAX <= BLK_LIMIT_BPS_MAX &&
		      MACH_DISK_IOPS_MAX <= BLK_LIMIT_IOPS_MAX,
	      "what the configuration allows, the disk can do");

static bool has_virtio_console(const struct mach *m)
{
	return m->config.console != MACH_CONSOLE_SERIAL;
}

/* The console, if it is one, is the first port. */
static int new_console(struct mach *m, struct virtio_dev **ret_d,
		       const struct virtio_dev_env *env, struct err *err)
{
	struct con_port_config ports[MACH_PORTS_MAX + 1] = {0};
	unsigned n = 0;

	if (m->config.nports == 0)
		return con_new(ret_d, env, err);
	if (has_virtio_console(m))
		ports[n++].console = true;
	m->first_port = n;
	for (unsigned i = 0; i < m->config.nports; i++)
		ports[n++] = (struct con_port_config){
			.name = m->config.ports[i],
			.terse = m->config.terse_ports >> i & 1,
		};
	return con_new_ports(ret_d, env, ports, n, err);
}

/*
 * Most kernels need their console before they load the IOMMU's driver: it
 * stays outside unless asked in.
 */
static int add_console(struct mach *m, struct err *err)
{
	struct mach_func *f = func_next(m, SLOT_CONSOLE, "console");
	struct virtio_dev_env env;
	int r = 0;

	if (func_behind_iommu(m, m->config.iommu.console,
			      !has_virtio_console(m)))
		r = func_manage(m, f, err);
	if (r < 0)
		return r;
	env = func_env(m, f);
	r = new_console(m, &f->dev, &env, err);
	if (r < 0)
		return r;
	m->console = f->dev;
	return func_plug(m, f, err);
}

static int add_rng(struct mach *m, struct err *err)
{
	struct mach_func *f = func_next(m, SLOT_RNG, "rng");
	struct virtio_dev_env env;
	int r = 0;

	if (func_behind_iommu(m, MACH_AUTO, true))
		r = func_manage(m, f, err);
	if (r < 0)
		return r;
	env = func_env(m, f);
	r = rng_new(&f->dev, &env, err);
	return r < 0 ? r : func_plug(m, f, err);
}

/* By MMIO one queue alone has a doorbell. */
static unsigned disk_queues(const struct mach *m, const struct mach_disk *d)
{
	if (d->queues)
		return d->queues;
	return d->transport == MACH_MMIO ? 1 : m->config.cpus;
}

static int new_own_disk(struct mach *m, const struct mach_disk *d,
			struct virtio_dev **ret_d,
			const struct virtio_dev_env *env, struct err *err)
{
	const struct blk_config config = {
		.path = d->path,
		.readonly = d->readonly,
		.no_indirect = d->no_indirect,
		.id = d->id,
		.queues = disk_queues(m, d),
		.direct = d->direct,
		.bps = d->bps,
		.iops = d->iops,
		.raw_for_sure = d->format,
	};

	return blk_new(ret_d, env, &config, err);
}

static int new_served_disk(struct mach *m, const struct mach_disk *d,
			   struct virtio_dev **ret_d,
			   const struct virtio_dev_env *env, struct err *err)
{
	const struct vublk_config config = {
		.socket = d->socket,
		.path = d->path,
		.format = d->format,
		.program = d->server,
		.readonly = d->readonly,
		.direct = d->direct,
		.no_indirect = d->no_indirect,
		.id = d->id,
		.queues = disk_queues(m, d),
		.fewer_queues = d->queues == 0,
		.wait_ms = d->wait_ms,
		.plan = m->flags & MACH_PLAN_ONLY,
	};

	return vublk_new(ret_d, env, &config, err);
}

/* A loop for each queue; and, with @views behind the IOMMU, a view. */
static int own_queues(struct mach_func *f, struct virtio_queue_env *queues,
		      unsigned n, bool views, struct err *err)
{
	int r = own_loops_init(&f->loops, n, err);

	for (unsigned i = 0; r == 0 && i < n; i++) {
		queues[i] = (struct virtio_queue_env){
			.loop = f->loops.loops[i],
			.dma = f->dma,
		};
		if (i == 0 || !views || !f->managed)
			continue;
		r = iommu_endpoint_view(f->ep, &queues[i].dma);
		if (r < 0)
			err_set(err, -r, "out of memory");
	}
	return r;
}

static int add_disk(struct mach *m, unsigned index, struct err *err)
{
	const struct mach_disk *d = &m->config.disks[index];
	struct virtio_queue_env queues[MACH_DISK_QUEUES_MAX];
	struct virtio_dev_env env;
	struct mach_func *f;
	char name[16];
	int r = 0;

	snprintf(name, sizeof(name), "blk%u", index);
	f = d->transport == MACH_MMIO ? func_next_mmio(m, name)
				      : func_next(m, SLOT_DISKS + index, name);
	f->reserved = d->reserved;
	if (func_behind_iommu(m, d->iommu, true))
		r = m->config.test.hidden_disks >> index & 1
			    ? func_protect(m, f, err)
			    : func_manage(m, f, err);
	if (r < 0)
		return r;
	env = func_env(m, f);
	if (d->own_loops)
		r = own_queues(f, queues, disk_queues(m, d),
			       !mach_disk_is_served(d), err);
	if (r == 0 && d->own_loops) {
		env.queues = queues;
		env.loop = queues[0].loop;
	}
	if (r == 0)
		r = mach_disk_is_served(d)
			    ? new_served_disk(m, d, &f->dev, &env, err)
			    : new_own_disk(m, d, &f->dev, &env, err);
	if (r < 0) {
		own_loops_fini(&f->loops);
		return r;
	}
	return d->transport == MACH_MMIO ? func_plug_mmio(m, f, err)
					 : func_plug(m, f, err);
}

static int add_share(struct mach *m, unsigned index, struct err *err)
{
	const struct mach_share *s = &m->config.shares[index];
	const struct fs_config config = {
		.tag = s->tag,
		.path = s->path,
		.socket = s->socket,
		.server = s->server,
		.readonly = s->readonly,
		.plan = m->flags & MACH_PLAN_ONLY,
	};
	struct virtio_dev_env env;
	struct mach_func *f;
	char name[16];
	int r = 0;

	snprintf(name, sizeof(name), "fs%u", index);
	f = func_next(m, SLOT_SHARES - index, name);
	f->reserved = s->reserved;
	if (func_behind_iommu(m, s->iommu, true))
		r = func_manage(m, f, err);
	if (r < 0)
		return r;
	env = func_env(m, f);
	if (s->own_loop)
		r = func_own_loop(f, &env, err);
	if (r == 0)
		r = fs_new(&f->dev, &env, &config, err);
	if (r < 0) {
		own_loops_fini(&f->loops);
		return r;
	}
	return func_plug(m, f, err);
}

static int add_net(struct mach *m, unsigned index, struct err *err)
{
	const struct mach_net *n = &m->config.nets[index];
	struct net_forward forwards[MACH_FORWARDS_MAX];
	struct net_config config;
	struct virtio_dev_env env;
	struct mach_func *f;
	char name[16];
	int r = 0;

	snprintf(name, sizeof(name), "net%u", index);
	f = func_next(m, SLOT_NETS + index, name);
	f->reserved = n->reserved;
	if (func_behind_iommu(m, n->iommu, true))
		r = func_manage(m, f, err);
	if (r < 0)
		return r;
	mach_net_config(&config, forwards, n, index);
	config.plan = m->flags & MACH_PLAN_ONLY;
	env = func_env(m, f);
	if (n->own_loop)
		r = func_own_loop(f, &env, err);
	if (r == 0)
		r = net_new(&f->dev, &env, &config, err);
	if (r < 0) {
		own_loops_fini(&f->loops);
		err_prefix(err, "--net");
		return r;
	}
	return func_plug(m, f, err);
}

static_assert(MACH_TAG_MAX == FS_TAG_MAX, "");
static_assert(MACH_VSOCK_CID == VSOCK_CID_MIN, "");
static_assert(MACH_VSOCK_PATH_MAX == VSOCK_PATH_MAX, "");

static int add_vsock(struct mach *m, struct err *err)
{
	const struct vsock_config config = {
		.cid = m->config.vsock.cid,
		.path = m->config.vsock.path,
		.plan = m->flags & MACH_PLAN_ONLY,
	};
	struct mach_func *f = func_next(m, SLOT_VSOCK, "vsock");
	struct virtio_dev_env env;
	int r = 0;

	f->reserved = m->config.vsock.reserved;
	if (func_behind_iommu(m, m->config.vsock.iommu, true))
		r = func_manage(m, f, err);
	if (r < 0)
		return r;
	env = func_env(m, f);
	if (m->config.vsock.own_loop)
		r = func_own_loop(f, &env, err);
	if (r == 0)
		r = vsock_new(&f->dev, &env, &config, err);
	if (r < 0) {
		own_loops_fini(&f->loops);
		err_prefix(err, "--vsock");
		return r;
	}
	return func_plug(m, f, err);
}

static int add_balloon(struct mach *m, struct err *err)
{
	struct mach_func *f = func_next(m, SLOT_BALLOON, "balloon");
	const struct virtio_dev_env env = func_env(m, f);
	int r = balloon_new(&f->dev, &env, &m->mem, err);

	if (r < 0)
		return r;
	m->balloon = f->dev;
	return func_plug(m, f, err);
}

/* One that may use a single processor would look while the guest cannot
 * run. */
static bool can_poll(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return true; /* more processors than a set has */
	return CPU_COUNT(&set) > 1;
}

static struct viommu_poll_times poll_times(const struct mach *m)
{
	if (m->config.iommu.requests == MACH_REQUESTS_EXIT)
		return (struct viommu_poll_times){0};
	if (can_poll())
		return viommu_poll_times(m->config.iommu.poll_window_us,
					 m->config.iommu.poll_late_us);
	log_warn("--iommu requests=poll: there is one processor, so requests "
		 "are served in exits");
	return (struct viommu_poll_times){0};
}

/* Last, because its description is complete only then. */
static int add_iommu(struct mach *m, struct err *err)
{
	struct mach_func *f = func_next(m, SLOT_IOMMU, "iommu");
	const struct viommu_config config = {
		.iommu = m->iommu,
		.topology = &m->topology,
		.form = m->form,
		.watcher = &m->trace.watcher,
		.poll = poll_times(m),
	};
	struct virtio_dev_env env = func_env(m, f);
	int r = viommu_new(&f->dev, &env, &config, err);

	if (r < 0)
		return r;
	m->viommu = f->dev;
	r = func_plug(m, f, err);
	if (r == 0 && m->config.test.topology)
		r = spoil_topology(m, f, m->config.test.topology, err);
	return r;
}

int mach_add_functions(struct mach *m, struct err *err)
{
	int r = 0;

	if (has_virtio_console(m) || m->config.nports > 0)
		r = add_console(m, err);
	if (r == 0 && m->config.rng)
		r = add_rng(m, err);
	for (unsigned i = 0; r == 0 && i < m->config.ndisks; i++)
		r = add_disk(m, i, err);
	for (unsigned i = 0; r == 0 && i < m->config.nshares; i++)
		r = add_share(m, i, err);
	for (unsigned i = 0; r == 0 && i < m->config.nnets; i++)
		r = add_net(m, i, err);
	if (r == 0 && m->config.vsock.path)
		r = add_vsock(m, err);
	if (r == 0 && m->config.balloon)
		r = add_balloon(m, err);
	if (r == 0 && m->config.pvpanic && !platform_has_pvpanic(m))
		r = pvpanic_pci_init(&m->pvpanic_pci, &m->host, SLOT_PVPANIC,
				     &m->platform.pvpanic.region, err);
	if (r == 0 && m->config.watchdog != MACH_WATCHDOG_OFF)
		r = watchdog_pci_init(&m->watchdog_pci, &m->host, SLOT_WATCHDOG,
				      m->loop, &m->events, err);
	if (r == 0 && m->iommu)
		r = add_iommu(m, err);
	if (r == 0 && has_virtio_console(m))
		console_mux_join(&m->mux, 1, con_stream(m->console));
	if (r == 0 && m->platform.serial)
		console_mux_join(&m->mux, 0, serial_stream(m->platform.serial));
	return r;
}

void mach_remove_functions(struct mach *m)
{
	pvpanic_pci_fini(&m->pvpanic_pci);
	watchdog_pci_fini(&m->watchdog_pci);
	while (m->nfuncs > 0) {
		struct mach_func *f = &m->funcs[--m->nfuncs];

		vmmio_fini(&f->mmio);
		vpci_free(f->pci);
		virtio_dev_free(f->dev);
		own_loops_fini(&f->loops);
	}
}

int mach_start_loops(struct mach *m, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < m->nfuncs; i++)
		r = own_loops_start(&m->funcs[i].loops, m->funcs[i].name, err);
	return r;
}

void mach_stop_loops(struct mach *m)
{
	for (unsigned i = 0; i < m->nfuncs; i++)
		own_loops_stop(&m->funcs[i].loops);
}

/* Devices first: no transfer is left when the IOMMU forgets its mappings. */
void mach_reset_functions(struct mach *m)
{
	for (unsigned i = 0; i < m->nfuncs; i++) {
		if (m->funcs[i].pci)
			vpci_power_on_reset(m->funcs[i].pci);
		else
			vmmio_power_on_reset(&m->funcs[i].mmio);
	}
	watchdog_pci_reset(&m->watchdog_pci);
	pci_host_reset(&m->host);
	if (!m->viommu)
		return;
	pthread_mutex_lock(&m->viommu->lock);
	viommu_power_on_reset(m->viommu);
	pthread_mutex_unlock(&m->viommu->lock);
}

int mach_balloon(struct mach *m, uint64_t bytes)
{
	return m->balloon ? balloon_set(m->balloon, bytes) : -ENODEV;
}

static_assert(MACH_STATS_MAX == VIRTIO_STATS_MAX, "");
static_assert(MACH_STAT_NAME_MAX == VIRTIO_STAT_NAME_MAX, "");

bool mach_device_stats(struct mach *m, size_t n,
		       struct mach_device_stats *ret_s)
{
	struct mach_device_stats *s = ret_s;
	struct virtio_stat own[VIRTIO_STATS_MAX];
	struct virtio_dev *dev;
	struct vq_stats q;

	if (n >= m->nfuncs)
		return false;
	dev = m->funcs[n].dev;
	virtio_get_stats(dev, &q);
	*s = (struct mach_device_stats){
		.kicks = q.kicks,
		.interrupts = q.interrupts,
		.requests = q.requests,
		.read = q.bytes_out,
		.written = q.bytes_in,
		.errors = q.errors,
		.full = q.full,
		.throttled = q.throttled,
		.nmore = virtio_get_own_stats(dev, own),
	};
	snprintf(s->name, sizeof(s->name), "%s", m->funcs[n].name);
	snprintf(s->kind, sizeof(s->kind), "%s", dev->ops->name);
	for (unsigned i = 0; i < s->nmore; i++) {
		snprintf(s->more[i].name, sizeof(s->more[i].name), "%s",
			 own[i].name);
		s->more[i].value = own[i].value;
	}
	return true;
}

struct stream_end *mach_console(struct mach *m)
{
	return &m->mux.front;
}

struct stream_end *mach_port(struct mach *m, unsigned index)
{
	return con_port_stream(m->console, m->first_port + index);
}

void mach_console_resize(struct mach *m, uint16_t cols, uint16_t rows)
{
	if (m->console)
		con_resize(m->console, cols, rows);
}
