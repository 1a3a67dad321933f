/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/bench/rig.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/loop.h"
#include "iommu/bench/pin.h"

#define PAGE	 UINT64_C(4096)
#define MEMORY	 MIB(64)
#define RING_AT	 MIB(1)
#define RING_LEN MIB(1)
#define SLOTS_AT MIB(16)
/* Of a slot: buffers, then the table. */
#define SLOT_PAGES (RIG_BUFS_MAX + 1)
#define DOMAIN	   1
#define ENDPOINT   8

const char *const rig_memory_names[] = {"off", "hot", "map-unmap"};

struct rig_options rig_options;

static void die(const char *what)
{
	fprintf(stderr, "virtio-bench: %s\n", what);
	exit(1);
}

iova_t rig_page(unsigned slot, unsigned k)
{
	return SLOTS_AT + ((iova_t)slot * SLOT_PAGES + k) * PAGE;
}

/*
 * The IOMMU.
 */

static void map(struct rig *r, iova_t at)
{
	if (iommu_map(r->iommu, DOMAIN, at, at + PAGE - 1, at,
		      IOMMU_MAP_READ | IOMMU_MAP_WRITE) != IOMMU_OK)
		die("MAP refused");
}

static void unmap(struct rig *r, iova_t at)
{
	if (iommu_unmap(r->iommu, DOMAIN, at, at + PAGE - 1) != IOMMU_OK)
		die("UNMAP refused");
}

static void iommu_up(struct rig *r)
{
	const struct iommu_config config = {
		.mem = &r->mem,
		.page_size_mask = ~(PAGE - 1),
		.input_last = ~UINT64_C(0),
		.domain_last = UINT32_MAX,
	};
	struct iommu_endpoint *ep;

	if (iommu_new(&r->iommu, &config, NULL) ||
	    iommu_endpoint_add(r->iommu, ENDPOINT, &ep, NULL) ||
	    iommu_endpoint_view(ep, &r->view) ||
	    iommu_attach(r->iommu, DOMAIN, ENDPOINT, false) != IOMMU_OK)
		die("no IOMMU");
	for (iova_t at = 0; at < MEMORY; at += PAGE)
		if (r->memory == RIG_MAPPED || at < SLOTS_AT)
			map(r, at);
}

/*
 * Life.
 */

static void *loop_thread(void *arg)
{
	struct rig *r = arg;

	counts_mine(&r->counts);
	pin(1);
	atomic_store(&r->tid, (int)syscall(SYS_gettid));
	loop_run(r->loop);
	return NULL;
}

static void start_device(struct rig *r)
{
	const uint64_t features =
		r->ops->features | BIT_ULL(VIRTIO_F_VERSION_1) |
		BIT_ULL(VIRTIO_F_EVENT_IDX) | BIT_ULL(VIRTIO_F_INDIRECT_DESC);

	fake_transport_init(&r->transport, r->dev);
	/* Blocking, unlike those of the device. */
	r->transport.irq_fd = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_lock(&r->dev->lock);
	if (!vqd_negotiate(r->dev, features))
		die("features refused");
	vqd_init(&r->driver, &r->plain, RING_AT, RING_LEN,
		 r->dev->vqs[r->ops->queue].size_max);
	vqd_connect(&r->driver, r->dev, r->ops->queue);
	if (r->ops->connect)
		r->ops->connect(r);
	if (!vqd_driver_ok(r->dev))
		die("the device does not start");
	pthread_mutex_unlock(&r->dev->lock);
	if (r->ops->hello && r->ops->hello(r))
		exit(1); /* it has said why */
}

void rig_up(struct rig *r, const struct subject_ops *ops,
	    enum rig_memory memory)
{
	static const struct gmem_slot layout = {.size = MEMORY};
	struct virtio_dev_env env = {.name = ops->name};

	*r = (struct rig){.ops = ops, .memory = memory};
	if (gmem_init(&r->mem, &layout, 1, NULL) || loop_new(&r->loop, NULL))
		die("no memory");
	dma_init(&r->plain, &r->mem);
	r->view = &r->plain;
	if (memory != RIG_PLAIN)
		iommu_up(r);
	env.dma = r->view;
	env.loop = r->loop;
	if (ops->open(r, &env))
		exit(1); /* it has said why */
	if (pthread_create(&r->thread, NULL, loop_thread, r))
		die("no thread");
	while (!atomic_load(&r->tid))
		usleep(100);
	start_device(r);
}

void rig_down(struct rig *r)
{
	pthread_mutex_lock(&r->dev->lock);
	virtio_reset(r->dev);
	pthread_mutex_unlock(&r->dev->lock);
	loop_stop(r->loop);
	pthread_join(r->thread, NULL);
	virtio_dev_free(r->dev);
	if (r->ops->close)
		r->ops->close(r);
	close(r->transport.irq_fd);
	iommu_free(r->iommu);
	loop_free(r->loop);
	gmem_fini(&r->mem);
}

/*
 * The driver.
 */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void map_slot(struct rig *r, unsigned slot, bool on)
{
	if (r->memory != RIG_MAPPING)
		return;
	for (unsigned k = 0; k < r->nbufs[slot]; k++)
		(on ? map : unmap)(r, rig_page(slot, k));
	(on ? map : unmap)(r, rig_page(slot, RIG_BUFS_MAX));
}

static void send(struct rig *r, unsigned slot)
{
	struct vqd_buf bufs[RIG_BUFS_MAX];
	unsigned n = r->ops->request(r, slot, r->sent++, bufs);
	uint16_t head;

	r->nbufs[slot] = (uint8_t)n;
	map_slot(r, slot, true);
	head = vqd_stage_indirect(&r->driver, rig_page(slot, RIG_BUFS_MAX),
				  bufs, n);
	r->slots[head] = (uint16_t)slot;
}

static void take(struct rig *r, uint32_t head, uint32_t len)
{
	const unsigned slot = r->slots[head];

	if (!r->ops->check(r, slot, len))
		die("a request failed");
	map_slot(r, slot, false);
	r->done++;
}

static void kick(struct rig *r, struct rig_result *res)
{
	vqd_publish(&r->driver);
	if (!vqd_wants_kick(&r->driver))
		return;
	res->kicks++;
	eventfd_signal(r->dev->vqs[r->ops->queue].kick_fd);
}

static void await(struct rig *r, struct rig_result *res)
{
	const uint16_t wanted =
		rig_options.whole ? (uint16_t)(r->sent - r->done) : 1;
	uint64_t n;

	if (vqd_interrupts_at(&r->driver, wanted))
		return;
	if (read(r->transport.irq_fd, &n, sizeof(n)) == sizeof(n))
		res->interrupts++;
}

void rig_run(struct rig *r, unsigned depth, uint64_t ns, uint64_t count,
	     struct rig_result *res)
{
	const uint64_t from = clock_ns(CLOCK_MONOTONIC);
	const uint64_t first = r->done, last = count ? first + count : ~0ull;
	uint64_t cpu, allocations, locks;
	clockid_t loop_clock;
	uint32_t head, len;

	*res = (struct rig_result){0};
	if (pthread_getcpuclockid(r->thread, &loop_clock))
		die("no clock");
	cpu = clock_ns(loop_clock);
	allocations = atomic_load(&r->counts.allocations);
	locks = atomic_load(&r->counts.locks);
	vqd_interrupts_off(&r->driver);
	for (unsigned slot = 0; slot < depth; slot++)
		send(r, slot);
	kick(r, res);
	while (r->sent != r->done) {
		bool more = r->done < last &&
			    (!ns || clock_ns(CLOCK_MONOTONIC) - from < ns);

		await(r, res);
		vqd_interrupts_off(&r->driver);
		while (vqd_get_used(&r->driver, &head, &len)) {
			take(r, head, len);
			if (more)
				send(r, r->slots[head]);
		}
		kick(r, res);
	}
	res->requests = r->done - first;
	res->wall_ns = (double)(clock_ns(CLOCK_MONOTONIC) - from);
	res->cpu_ns = (double)(clock_ns(loop_clock) - cpu);
	res->allocations = atomic_load(&r->counts.allocations) - allocations;
	res->locks = atomic_load(&r->counts.locks) - locks;
}
