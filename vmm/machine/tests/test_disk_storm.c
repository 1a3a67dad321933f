/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A disk whose queues run side by side behind the real IOMMU, read by a
 * thread each, while pages go away under the I/O and the device is paused,
 * reset and looked at.  A page that UNMAP has taken is never written again.
 *
 * For a second; or as many as MOAT_STORM_SECONDS says.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/loop.h"
#include "devices/blk.h"
#include "devices/blk/wire.h"
#include "iommu/iommu.h"
#include "virtio/tests/fake_transport.h"
#include "virtio/tests/vq_driver.h"

#define PAGE	    UINT64_C(4096)
#define MEM_SIZE    MIB(8)
#define RING_AT	    MIB(1) /* of queue 0; the others follow */
#define RING_LEN    MIB(1)
#define DATA_AT	    MIB(4)
#define DATA_PAGES  64u
#define DISK_BYTES  (DATA_PAGES * PAGE)
#define QUEUES	    2u
#define SIZE	    64u /* of a ring; more than half of it is in use */
#define ENDPOINT    8u
#define DOMAIN	    1u
#define PATIENCE_MS 20000

#define FEATURES                                                           \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | \
	 BIT_ULL(VIRTIO_F_EVENT_IDX) | BIT_ULL(VIRTIO_F_RING_RESET) |      \
	 BIT_ULL(BLK_F_MQ))

static struct gmem mem;
static struct dma plain;
static struct iommu *iommu;
static struct virtio_queue_env own[QUEUES];
static pthread_t loop_threads[QUEUES];
static struct virtio_dev *d;
static struct fake_transport transport;
static struct vq_driver drv[QUEUES];
static uint64_t seed;

static _Atomic bool go, over;
static _Atomic unsigned at_it;
static _Atomic uint64_t done;

static void quiet(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static unsigned any(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % below;
}

static void map(iova_t at, uint64_t len, bool on)
{
	const enum iommu_status r =
		on ? iommu_map(iommu, DOMAIN, at, at + len - 1, at,
			       IOMMU_MAP_READ | IOMMU_MAP_WRITE)
		   : iommu_unmap(iommu, DOMAIN, at, at + len - 1);

	ck_assert_int_eq(r, IOMMU_OK);
}

/*
 * The drivers' threads: at it, or standing still.
 */

/* Header, a page, status; the chain's head has a place for the first and the
 * last, which are its own while it is in flight. */
static void send(struct vq_driver *v, unsigned n)
{
	const struct blk_header_wire h = {
		.type = le32_put(BLK_T_IN),
		.sector = le64_put(n * 7 % DATA_PAGES * (PAGE / BLK_SECTOR)),
	};
	const iova_t at = v->heap + v->free_head * 64u;
	const struct vqd_buf bufs[] = {
		{at, sizeof(h), false},
		{DATA_AT + n * 5 % DATA_PAGES * PAGE, (uint32_t)PAGE, true},
		{at + 32, 1, true},
	};

	if (v->nfree < 3)
		return;
	vqd_write(v, at, &h, sizeof(h));
	(void)vqd_add(v, bufs, 3);
}

static void *drive(void *arg)
{
	const unsigned qi = (unsigned)(uintptr_t)arg;
	struct vq_driver *v = &drv[qi];
	uint32_t head, len;

	while (!atomic_load(&over)) {
		if (!atomic_load(&go)) {
			sched_yield();
			continue;
		}
		atomic_fetch_add(&at_it, 1);
		for (unsigned n = 0; atomic_load(&go); n++) {
			send(v, n);
			if (vqd_wants_kick(v))
				eventfd_signal(d->vqs[qi].kick_fd);
			while (vqd_get_used(v, &head, &len))
				atomic_fetch_add(&done, 1);
		}
		atomic_fetch_sub(&at_it, 1);
	}
	return NULL;
}

static void stand_still(void)
{
	atomic_store(&go, false);
	while (atomic_load(&at_it) > 0)
		sched_yield();
}

/* As `moat iommu` and `moat stats`. */
static void *look(void *arg)
{
	struct iommu_endpoint_state state;
	struct iommu_mapping mappings[8];
	struct iommu_stats sums;
	struct vq_stats s;

	(void)arg;
	while (!atomic_load(&over)) {
		iommu_get_stats(iommu, &sums);
		ck_assert(iommu_endpoint_state(iommu, 0, &state));
		ck_assert_uint_eq(state.cache_hits + state.cache_misses,
				  state.translations);
		ck_assert_int_ge(
			iommu_mappings(iommu, ENDPOINT, 0, mappings, 8), 1);
		virtio_get_stats(d, &s);
		(void)poll(NULL, 0, 1);
	}
	return NULL;
}

/*
 * Life.
 */

static void connect_queue(unsigned qi)
{
	vqd_init(&drv[qi], &plain, RING_AT + qi * RING_LEN, RING_LEN, SIZE);
	vqd_connect(&drv[qi], d, qi);
}

static void start(void)
{
	bool ok;

	pthread_mutex_lock(&d->lock);
	ok = vqd_negotiate(d, FEATURES);
	for (unsigned qi = 0; qi < QUEUES; qi++)
		connect_queue(qi);
	ok = ok && vqd_driver_ok(d);
	pthread_mutex_unlock(&d->lock);
	ck_assert(ok);
	atomic_store(&go, true);
}

static void *loop_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void iommu_up(void)
{
	const struct iommu_config c = {
		.page_size_mask = ~(PAGE - 1),
		.input_last = ~UINT64_C(0),
		.domain_last = UINT32_MAX,
		.mem = &mem,
	};
	struct iommu_endpoint *ep;

	ck_assert_int_eq(iommu_new(&iommu, &c, NULL), 0);
	ck_assert_int_eq(iommu_endpoint_add(iommu, ENDPOINT, &ep, NULL), 0);
	for (unsigned qi = 0; qi < QUEUES; qi++)
		ck_assert_int_eq(iommu_endpoint_view(ep, &own[qi].dma), 0);
	ck_assert_int_eq(iommu_attach(iommu, DOMAIN, ENDPOINT, false),
			 IOMMU_OK);
	map(RING_AT, QUEUES * RING_LEN, true);
	for (unsigned n = 0; n < DATA_PAGES; n++)
		map(DATA_AT + n * PAGE, PAGE, true);
}

static void disk_up(void)
{
	char path[] = "/tmp/moat-test-disk-XXXXXX";
	const struct blk_config c = {.path = path, .queues = QUEUES};
	struct virtio_dev_env env = {
		.name = "disk0",
		.dma = own[0].dma,
		.queues = own,
		.access_platform = true,
	};
	static uint8_t bytes[PAGE];
	struct err err;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	memset(bytes, 0xab, sizeof(bytes));
	for (unsigned n = 0; n < DATA_PAGES; n++)
		ck_assert_int_eq(
			fd_pwrite_full(fd, bytes, sizeof(bytes), n * PAGE), 0);
	close(fd);
	for (unsigned qi = 0; qi < QUEUES; qi++) {
		ck_assert_int_eq(loop_new(&own[qi].loop, NULL), 0);
		ck_assert_int_eq(pthread_create(&loop_threads[qi], NULL,
						loop_main, own[qi].loop),
				 0);
	}
	env.loop = own[0].loop;
	ck_assert_msg(blk_new(&d, &env, &c, &err) == 0, "%s", err.msg);
	unlink(path);
	ck_assert(d->queue_locks);
	fake_transport_init(&transport, d);
}

static void up(void)
{
	const struct gmem_slot layout = {.size = MEM_SIZE};

	log_set_sink(quiet);
	ck_assert_int_eq(gmem_init(&mem, &layout, 1, NULL), 0);
	dma_init(&plain, &mem);
	iommu_up();
	disk_up();
}

static void down(void)
{
	virtio_dev_free(d);
	for (unsigned qi = 0; qi < QUEUES; qi++) {
		loop_stop(own[qi].loop);
		ck_assert_int_eq(pthread_join(loop_threads[qi], NULL), 0);
		loop_free(own[qi].loop);
	}
	iommu_free(iommu);
	gmem_fini(&mem);
	log_set_sink(NULL);
}

/*
 * What happens in the middle.
 */

static void await_requests(uint64_t n)
{
	const uint64_t until = atomic_load(&done) + n;

	for (unsigned ms = 0; atomic_load(&done) < until; ms++) {
		ck_assert_msg(ms < PATIENCE_MS, "the disk is not served");
		(void)poll(NULL, 0, 1);
	}
}

/* Requests for it go on, and fail. */
static void take_page_away(void)
{
	const iova_t at = DATA_AT + any(DATA_PAGES) * PAGE;
	static uint8_t bytes[PAGE], now[PAGE];

	memset(bytes, (int)(1 + any(100)), sizeof(bytes));
	map(at, PAGE, false);
	ck_assert_int_eq(dma_write(&plain, at, bytes, sizeof(bytes)), 0);
	await_requests(any(2 * DATA_PAGES));
	ck_assert_int_eq(dma_read(&plain, at, now, sizeof(now)), 0);
	ck_assert_msg(memcmp(bytes, now, sizeof(now)) == 0,
		      "a page was written after its UNMAP");
	map(at, PAGE, true);
}

static void pause_and_go_on(void)
{
	pthread_mutex_lock(&d->lock);
	virtio_pause(d, true);
	ck_assert_uint_eq(virtio_flight(d), 0);
	virtio_pause(d, false);
	pthread_mutex_unlock(&d->lock);
	await_requests(1);
}

static void reset_one_queue(unsigned qi)
{
	struct vq *q = &d->vqs[qi];
	bool resetting = true;

	pthread_mutex_lock(&d->lock);
	virtio_queue_reset(d, q);
	while (resetting) {
		virtio_lock_queue(q);
		resetting = q->resetting;
		virtio_unlock_queue(q);
	}
	pthread_mutex_unlock(&d->lock);
	stand_still();
	pthread_mutex_lock(&d->lock);
	connect_queue(qi);
	pthread_mutex_unlock(&d->lock);
	atomic_store(&go, true);
	await_requests(1);
}

/* Nothing of the run before reaches memory any more. */
static void reset_and_start(void)
{
	static uint8_t bytes[PAGE], now[PAGE];
	const iova_t at = DATA_AT + any(DATA_PAGES) * PAGE;

	pthread_mutex_lock(&d->lock);
	virtio_reset(d);
	pthread_mutex_unlock(&d->lock);
	memset(bytes, 0x77, sizeof(bytes));
	ck_assert_int_eq(dma_write(&plain, at, bytes, sizeof(bytes)), 0);
	stand_still();
	ck_assert_int_eq(dma_read(&plain, at, now, sizeof(now)), 0);
	ck_assert(memcmp(bytes, now, sizeof(now)) == 0);
	start();
	await_requests(1);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t length_ms(void)
{
	const char *text = getenv("MOAT_STORM_SECONDS");

	return 1000 * (text ? strtoull(text, NULL, 0) : 1);
}

START_TEST(a_disk_in_a_storm_keeps_what_unmap_and_reset_promise)
{
	const uint64_t until = now_ms() + length_ms();
	pthread_t threads[QUEUES], looker;
	struct iommu_stats s;
	unsigned rounds = 0;

	up();
	start();
	for (unsigned qi = 0; qi < QUEUES; qi++)
		ck_assert_int_eq(pthread_create(&threads[qi], NULL, drive,
						(void *)(uintptr_t)qi),
				 0);
	ck_assert_int_eq(pthread_create(&looker, NULL, look, NULL), 0);
	do {
		for (unsigned n = any(6); n > 0; n--)
			take_page_away();
		pause_and_go_on();
		reset_one_queue(any(QUEUES));
		for (unsigned n = any(6); n > 0; n--)
			take_page_away();
		reset_and_start();
		rounds++;
	} while (now_ms() < until);
	stand_still();
	atomic_store(&over, true);
	for (unsigned qi = 0; qi < QUEUES; qi++)
		pthread_join(threads[qi], NULL);
	pthread_join(looker, NULL);
	iommu_get_stats(iommu, &s);
	if (getenv("MOAT_STORM_SECONDS"))
		fprintf(stderr,
			"%u rounds, %ju requests, %ju unmaps, %ju faults\n",
			rounds, (uintmax_t)atomic_load(&done),
			(uintmax_t)s.unmaps, (uintmax_t)s.faults);
	pthread_mutex_lock(&d->lock);
	virtio_reset(d);
	pthread_mutex_unlock(&d->lock);
	down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/disk_storm");
	TCase *tc = tcase_create("storm");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 0);
	tcase_add_test(tc,
		       a_disk_in_a_storm_keeps_what_unmap_and_reset_promise);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
