/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu-requests-bench - ways to serve the request queue, in one process.
 *
 * vCPUs are threads that do what Linux does: under one lock they put an UNMAP
 * and a MAP into a real ring, kick if the ring says so, and spin until both
 * have come back.  The device is the real one.  An exit is time that the
 * vCPU's thread spends spinning.
 *
 *	exit	the vCPU leaves to the monitor, serves, and comes back
 *	loop	it leaves to the host's kernel, which wakes a thread that serves;
 *		such an exit is taken to cost half of the other
 *	poll	the device's own thread looks at the ring, and no kicks are
 *		wanted, until nothing has come for a while; then as exit
 *
 * docs/benchmarks.md has the figures.
 */
#include <assert.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/cpu.h"
#include "core/fd.h"
#include "iommu/bench/samples.h"
#include "iommu/tests/viommu_rig.h"

#define VCPUS_MAX 4
#define LATENCIES 4096 /* kept of one measurement */
#define BATCH	  256

enum way { WAY_EXIT, WAY_LOOP, WAY_POLL, WAYS };
static const char *const way_names[WAYS] = {"exit", "loop", "poll"};

struct buffers {
	iova_t table, request, reply;
};

struct vcpu {
	pthread_t thread;
	struct buffers map, unmap;
	iova_t page;
	uint64_t ops;
	unsigned nlatencies;
	uint32_t latencies[LATENCIES]; /* ns, the first ones */
};

struct crew {
	enum way way;
	uint64_t exit_ns, gap_ns;
	unsigned poll_us;
	uint64_t end_ns; /* of the measurement */
	unsigned nvcpus;
	struct vcpu vcpus[VCPUS_MAX];
	pthread_spinlock_t guest_lock;
	_Atomic bool stop; /* the server, or the device */
	/* WAY_LOOP */
	pthread_t server;
	int kick_fd;
	uint64_t server_ns; /* of who serves: processor time, or (poll) time */
};

/* Two devices, in memory of their own, their drivers' buffers at the same
 * addresses. */
static struct vrig plain, polled;
static struct vrig *rig; /* the one that is used */
static struct crew crew;

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void spin_for(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (ns && now_ns() < end)
		cpu_relax();
}

/*
 * The driver.
 */

static struct buffers buffers_new(void)
{
	return (struct buffers){vqd_alloc(&rig->req, 32),
				vqd_alloc(&rig->req, 36),
				vqd_alloc(&rig->req, 4)};
}

static void stage(const struct buffers *b, const void *request, uint32_t len)
{
	const struct vqd_buf bufs[] = {{b->request, len, false},
				       {b->reply, 4, true}};

	vqd_write(&rig->req, b->request, request, len);
	(void)vqd_stage_indirect(&rig->req, b->table, bufs, 2);
}

static void stage_map(const struct buffers *b, iova_t page)
{
	uint8_t bytes[36];

	vrig_put_map(bytes, 1, page, page + PAGE - 1, 0, RW);
	stage(b, bytes, sizeof(bytes));
}

static void stage_unmap(const struct buffers *b, iova_t page)
{
	uint8_t bytes[28];

	vrig_put_unmap(bytes, 1, page, page + PAGE - 1);
	stage(b, bytes, sizeof(bytes));
}

static void wait_used(unsigned n)
{
	uint32_t head, len;

	while (n > 0) {
		if (vqd_get_used(&rig->req, &head, &len)) {
			assert(len == 4);
			n--;
		} else {
			cpu_relax();
		}
	}
}

static void kick(struct crew *c)
{
	switch (c->way) {
	case WAY_EXIT:
	case WAY_POLL:
		spin_for(c->exit_ns / 2);
		vrig_ring(rig);
		spin_for(c->exit_ns - c->exit_ns / 2);
		return;
	case WAY_LOOP:
		spin_for(c->exit_ns / 2);
		eventfd_signal(c->kick_fd);
		return;
	case WAYS:
		break;
	}
}

/* As Linux: with the lock held, interrupts off. */
static void one_op(struct crew *c, struct vcpu *v)
{
	pthread_spin_lock(&c->guest_lock);
	stage_unmap(&v->unmap, v->page);
	stage_map(&v->map, v->page);
	vqd_publish(&rig->req);
	if (vqd_wants_kick(&rig->req))
		kick(c);
	wait_used(2);
	pthread_spin_unlock(&c->guest_lock);
}

static void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;

	for (;;) {
		uint64_t begin = now_ns();

		if (begin >= crew.end_ns)
			return NULL;
		one_op(&crew, v);
		if (v->nlatencies < LATENCIES)
			v->latencies[v->nlatencies++] =
				(uint32_t)(now_ns() - begin);
		v->ops++;
		spin_for(crew.gap_ns);
	}
}

/*
 * The server of WAY_LOOP.
 */

static void *server_main(void *arg)
{
	struct crew *c = arg;

	while (!atomic_load(&c->stop)) {
		struct pollfd p = {.fd = c->kick_fd, .events = POLLIN};

		(void)poll(&p, 1, -1);
		(void)eventfd_clear(c->kick_fd);
		vrig_ring(rig);
	}
	c->server_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

/*
 * Other work on the host: threads that never rest.
 */

static void *busy_main(void *arg)
{
	for (;;)
		cpu_relax();
	return arg;
}

/*
 * Measurements.
 */

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double percentile(struct crew *c, unsigned percent)
{
	static uint32_t all[VCPUS_MAX * LATENCIES];
	unsigned n = 0;

	for (unsigned k = 0; k < c->nvcpus; k++) {
		const struct vcpu *v = &c->vcpus[k];

		memcpy(all + n, v->latencies,
		       v->nlatencies * sizeof(v->latencies[0]));
		n += v->nlatencies;
	}
	qsort(all, n, sizeof(all[0]), compare);
	return n ? all[(uint64_t)(n - 1) * percent / 100] / 1e3 : 0;
}

static void vcpu_reset(struct vcpu *v, unsigned k)
{
	v->page = (k + 1) * MIB(1);
	v->ops = v->nlatencies = 0;
}

static uint64_t polled_ns(void)
{
	struct viommu_stats stats;

	viommu_get_stats(rig->d, &stats);
	return stats.poll.ns;
}

static void run(unsigned ms)
{
	uint64_t before;

	rig = crew.way == WAY_POLL ? &polled : &plain;
	before = polled_ns();
	atomic_store(&crew.stop, false);
	for (unsigned k = 0; k < crew.nvcpus; k++)
		vcpu_reset(&crew.vcpus[k], k);
	crew.end_ns = now_ns() + ms * UINT64_C(1000000);
	if (crew.way == WAY_LOOP)
		(void)pthread_create(&crew.server, NULL, server_main, &crew);
	for (unsigned k = 0; k < crew.nvcpus; k++)
		(void)pthread_create(&crew.vcpus[k].thread, NULL, vcpu_main,
				     &crew.vcpus[k]);
	for (unsigned k = 0; k < crew.nvcpus; k++)
		pthread_join(crew.vcpus[k].thread, NULL);
	if (crew.way == WAY_POLL) /* a turn counts when it has ended */
		usleep(2 * crew.poll_us);
	crew.server_ns = polled_ns() - before;
	if (crew.way == WAY_LOOP) {
		atomic_store(&crew.stop, true);
		eventfd_signal(crew.kick_fd);
		pthread_join(crew.server, NULL);
	}
}

static void measure(struct samples *s, unsigned ms, bool busy)
{
	char name[48], more[48 + 8];
	uint64_t ops = 0;

	run(ms);
	for (unsigned k = 0; k < crew.nvcpus; k++)
		ops += crew.vcpus[k].ops;
	(void)snprintf(name, sizeof(name), "%s/%u/exit-%u/gap-%u",
		       busy ? "busy" : "idle", crew.nvcpus,
		       (unsigned)(crew.exit_ns / 1000),
		       (unsigned)(crew.gap_ns / 1000));
	samples_add(s, way_names[crew.way], name, percentile(&crew, 50), "us");
	(void)snprintf(more, sizeof(more), "%s:p99", name);
	samples_add(s, way_names[crew.way], more, percentile(&crew, 99), "us");
	(void)snprintf(more, sizeof(more), "%s:rate", name);
	samples_add(s, way_names[crew.way], more, (double)ops / ms, "/ms");
	(void)snprintf(more, sizeof(more), "%s:cpu", name);
	samples_add(s, way_names[crew.way], more,
		    ops ? (double)crew.server_ns / (double)ops / 1e3 : 0,
		    "us/op");
}

static void ways(struct samples *s, unsigned ms, unsigned nvcpus, bool busy)
{
	static const unsigned exits_us[] = {0, 2, 20, 70};
	static const unsigned gaps_us[] = {0, 50};

	crew.nvcpus = nvcpus;
	for (unsigned e = 0; e < ARRAY_SIZE(exits_us); e++)
		for (unsigned g = 0; g < ARRAY_SIZE(gaps_us); g++)
			for (unsigned w = 0; w < WAYS; w++) {
				crew.way = (enum way)w;
				crew.exit_ns = exits_us[e] * 1000u;
				crew.gap_ns = gaps_us[g] * 1000u;
				measure(s, ms, busy);
			}
}

/*
 * UNMAPs alone and together.
 */

static struct buffers batch[BATCH];

static iova_t batch_page(unsigned n)
{
	return MIB(16) + n * PAGE;
}

static void map_batch(void)
{
	for (unsigned n = 0; n < BATCH; n++)
		stage_map(&batch[n], batch_page(n));
	vqd_publish(&rig->req);
	vrig_ring(rig);
	wait_used(BATCH);
}

static double unmap_batch(unsigned each)
{
	uint64_t begin;

	map_batch();
	begin = now_ns();
	for (unsigned n = 0; n < BATCH; n += each) {
		for (unsigned k = n; k < n + each; k++)
			stage_unmap(&batch[k], batch_page(k));
		vqd_publish(&rig->req);
		vrig_ring(rig);
		wait_used(each);
	}
	return (double)(now_ns() - begin) / BATCH;
}

/* A device that uses its translations without pause, elsewhere. */
static void *device_main(void *arg)
{
	struct dma *dma = rig->rig.dma[1];

	(void)arg;
	while (!atomic_load_explicit(&crew.stop, memory_order_relaxed)) {
		struct dma_hold hold;
		struct iovec iov;

		(void)dma_iov(dma, DMA_READ, MIB(14), 64, &iov, 1, &hold);
		dma_done(&hold);
	}
	return NULL;
}

static void batches(struct samples *s, unsigned rounds)
{
	for (unsigned beside = 0; beside < 2; beside++) {
		const char *subject = beside ? "busy-device" : "quiet-device";
		pthread_t device;

		atomic_store(&crew.stop, false);
		if (beside)
			(void)pthread_create(&device, NULL, device_main, NULL);
		for (unsigned r = 0; r < rounds * 20; r++) {
			samples_add(s, subject, "unmap/alone", unmap_batch(1),
				    "ns");
			samples_add(s, subject, "unmap/batch-16",
				    unmap_batch(16), "ns");
			samples_add(s, subject, "unmap/batch-256",
				    unmap_batch(BATCH), "ns");
		}
		atomic_store(&crew.stop, true);
		if (beside)
			pthread_join(device, NULL);
	}
}

/* The thread may be the one that serves it. */
static void send(const void *request, uint32_t len)
{
	const struct buffers b = buffers_new();

	stage(&b, request, len);
	vqd_publish(&rig->req);
	vrig_ring(rig);
	wait_used(1);
}

static void device_up(struct vrig *v)
{
	uint8_t attach[20], map[36];

	vrig_up(v, VRIG_FEATURES | BIT_ULL(VIRTIO_F_INDIRECT_DESC) |
			   BIT_ULL(VIRTIO_F_EVENT_IDX));
	v->req.event_idx = true;
	rig = v;
	vrig_put_attach(attach, 1, 1, 0);
	send(attach, sizeof(attach));
	vrig_put_map(map, 1, MIB(14), MIB(14) + PAGE - 1, 0, RW);
	send(map, sizeof(map));
	for (unsigned k = 0; k < VCPUS_MAX; k++)
		crew.vcpus[k] = (struct vcpu){
			.map = buffers_new(),
			.unmap = buffers_new(),
		};
	for (unsigned k = 0; k < BATCH; k++)
		batch[k] = buffers_new();
}

static void set_up(unsigned poll_us)
{
	struct viommu_poll_times times = VIOMMU_POLL_TIMES;

	times.window_us = poll_us;
	vrig_init_polled(&polled, &times);
	device_up(&polled);
	vrig_init(&plain, IOMMU_TOPOLOGY_NONE, NULL);
	device_up(&plain);
	(void)pthread_spin_init(&crew.guest_lock, PTHREAD_PROCESS_PRIVATE);
	crew.kick_fd = eventfd_new();
	assert(crew.kick_fd >= 0);
}

struct options {
	bool json;
	unsigned rounds, ms, nvcpus, nbusy, poll_us;
	const char *filter;
};

static void usage(FILE *to)
{
	fprintf(to,
		"usage: iommu-requests-bench [--json] [--rounds N] [--ms N] "
		"[--vcpus N]\n"
		"                            [--busy N] [--poll-us N] "
		"[--only GROUP]\n"
		"\n"
		"  --json        one object a line instead of tables\n"
		"  --rounds N    samples of each case (5)\n"
		"  --ms N        length of a sample (100)\n"
		"  --vcpus N     1 to 4 (1)\n"
		"  --busy N      beside N threads that never rest (0)\n"
		"  --poll-us N   how long the ring is looked at in vain (100)\n"
		"  --only GROUP  ways or batches\n"
		"\n"
		"ways: HOST/VCPUS/exit-US/gap-US, an UNMAP and a MAP with one "
		"kick: the median\n"
		"of the time until both are answered; :p99, of 100 only one "
		"takes longer; :rate;\n"
		":cpu, processor time of the thread that serves; of poll, while "
		"it has the ring.\n"
		"batches: the time for each of 256 UNMAPs.\n");
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text && !*end && v > 0 && v < 1000000)
		return (unsigned)v;
	usage(stderr);
	exit(2);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"rounds", required_argument, NULL, 'r'},
		{"ms", required_argument, NULL, 'm'},
		{"vcpus", required_argument, NULL, 'v'},
		{"busy", required_argument, NULL, 'b'},
		{"poll-us", required_argument, NULL, 'p'},
		{"only", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c == 'j') {
			o->json = true;
		} else if (c == 'r') {
			o->rounds = number(optarg);
		} else if (c == 'm') {
			o->ms = number(optarg);
		} else if (c == 'v') {
			o->nvcpus = number(optarg);
		} else if (c == 'b') {
			o->nbusy = number(optarg);
		} else if (c == 'p') {
			o->poll_us = number(optarg);
		} else if (c == 'o' && (strcmp(optarg, "ways") == 0 ||
					strcmp(optarg, "batches") == 0)) {
			o->filter = optarg;
		} else {
			usage(stderr);
			exit(2);
		}
	}
}

static bool wanted(const struct options *o, const char *group)
{
	return !o->filter || strcmp(o->filter, group) == 0;
}

int main(int argc, char **argv)
{
	struct options o = {
		.rounds = 5, .ms = 100, .nvcpus = 1, .poll_us = 100};
	struct samples s = {0};

	parse(&o, argc, argv);
	if (o.nvcpus > VCPUS_MAX) {
		usage(stderr);
		return 2;
	}
	set_up(o.poll_us);
	crew.poll_us = o.poll_us;
	for (unsigned n = 0; n < o.nbusy; n++) {
		pthread_t thread;

		(void)pthread_create(&thread, NULL, busy_main, NULL);
		(void)pthread_detach(thread);
	}
	for (unsigned r = 0; r < o.rounds && wanted(&o, "ways"); r++)
		ways(&s, o.ms, o.nvcpus, o.nbusy > 0);
	if (wanted(&o, "batches"))
		batches(&s, o.rounds);
	samples_print(&s, "iommu-requests", o.json);
	samples_fini(&s);
	vrig_fini(&polled);
	vrig_fini(&plain);
	close(crew.kick_fd);
	return 0;
}
