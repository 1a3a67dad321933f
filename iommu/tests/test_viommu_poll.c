/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The device with a thread that polls its request queue.
 */
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "iommu/tests/viommu_rig.h"

/* Longer than any test: the thread keeps the ring. */
#define FOR_EVER 1000000000u

/* Where a busy host shall not make a test last. */
#define LATE_US 1000

static struct vrig v;

static const uint64_t features[] = {
	VRIG_FEATURES,
	VRIG_FEATURES | BIT_ULL(VIRTIO_F_EVENT_IDX),
};

static void up(int i)
{
	vrig_up(&v, features[i] | BIT_ULL(VIRTIO_F_INDIRECT_DESC));
	v.req.event_idx = i == 1;
}

static void start_with(unsigned window_us, unsigned late_us, unsigned call_us,
		       int i)
{
	const struct viommu_poll_times times = {window_us, late_us, call_us};

	vrig_init_polled(&v, &times);
	vrig_loop_start(&v);
	up(i);
}

/* The host is never late. */
static void start(unsigned window_us, int i)
{
	start_with(window_us, FOR_EVER, FOR_EVER, i);
}

static void teardown(void)
{
	vrig_fini(&v);
}

static struct viommu_poll_stats polled(void)
{
	struct viommu_stats s;

	viommu_get_stats(v.d, &s);
	return s.poll;
}

static uint64_t kicks(void)
{
	struct vq_stats s;

	virtio_get_stats(v.d, &s);
	return s.kicks;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void add_map(iova_t page, iova_t *ret_reply)
{
	uint8_t b[36];

	vrig_put_map(b, 1, page, page + PAGE - 1, 0, RW);
	vrig_add(&v, b, sizeof(b), 4, ret_reply);
}

static void add_unmap(iova_t page, iova_t *ret_reply)
{
	uint8_t b[28];

	vrig_put_unmap(b, 1, page, page + PAGE - 1);
	vrig_add(&v, b, sizeof(b), 4, ret_reply);
}

static bool is_used(void)
{
	uint32_t head, len;

	if (!vqd_get_used(&v.req, &head, &len))
		return false;
	ck_assert_uint_eq(len, 4);
	return true;
}

/* Answered, and with this status. */
static void expect_answer(iova_t reply, enum iommu_status status)
{
	uint8_t tail[4];

	while (!is_used())
		sched_yield();
	vqd_read(&v.req, reply, tail, sizeof(tail));
	ck_assert_uint_eq(tail[0], status);
}

/* Ring, wanted or not. */
static void attach_by_kick(void)
{
	iova_t buffers = v.req.heap, reply;
	uint8_t b[20];

	vrig_put_attach(b, 1, 1, 0);
	vrig_add(&v, b, sizeof(b), 4, &reply);
	(void)vqd_wants_kick(&v.req);
	vrig_ring(&v);
	expect_answer(reply, IOMMU_OK);
	v.req.heap = buffers;
}

/* The ring is empty and no vCPU serves: then it is the thread's. */
static bool is_polled(void)
{
	bool off;

	pthread_mutex_lock(&v.d->lock);
	off = v.d->vqs[0].kicks_are_off;
	pthread_mutex_unlock(&v.d->lock);
	return off;
}

/* Requests are served in exits until the thread has the ring; it keeps it if
 * the window is long. */
static void have_polled(void)
{
	do {
		attach_by_kick();
		sched_yield();
	} while (!is_polled());
}

START_TEST(requests_that_are_polled_need_no_kick)
{
	uint64_t before;

	start(FOR_EVER, _i);
	have_polled();
	before = kicks();
	for (unsigned n = 0; n < 200; n++) {
		iova_t reply;

		add_map(n * PAGE, &reply);
		ck_assert(!vqd_wants_kick(&v.req));
		expect_answer(reply, IOMMU_OK);
	}
	ck_assert_uint_ge(polled().requests, 200);
	ck_assert_uint_eq(kicks(), before);
}
END_TEST

START_TEST(statistics_tell_how_requests_were_served)
{
	struct virtio_stat stats[VIRTIO_STATS_MAX];
	iova_t reply;

	start(FOR_EVER, _i);
	have_polled();
	add_map(0, &reply);
	expect_answer(reply, IOMMU_OK);
	ck_assert_uint_eq(virtio_get_own_stats(v.d, stats), 3);
	ck_assert_str_eq(stats[0].name, "polled");
	ck_assert_uint_ge(stats[0].value, 1);
	ck_assert_str_eq(stats[1].name, "turns");
	ck_assert_uint_eq(stats[1].value, 1);
	ck_assert_str_eq(stats[2].name, "late");
	ck_assert_uint_eq(stats[2].value, 0);
}
END_TEST

START_TEST(without_times_all_is_served_in_exits)
{
	struct virtio_stat stats[VIRTIO_STATS_MAX];

	start_with(0, 0, 0, _i);
	for (unsigned n = 0; n < 100; n++)
		attach_by_kick();
	ck_assert_uint_eq(polled().turns, 0);
	ck_assert_uint_eq(kicks(), 100);
	ck_assert_uint_eq(virtio_get_own_stats(v.d, stats), 0);
}
END_TEST

START_TEST(ring_that_is_not_used_is_given_back)
{
	iova_t reply;

	start(1000, _i);
	attach_by_kick();
	while (polled().turns == 0)
		sched_yield();
	for (bool map = true;; map = !map) {
		usleep(1000);
		if (map)
			add_map(0, &reply);
		else
			add_unmap(0, &reply);
		if (vqd_wants_kick(&v.req))
			break;
		expect_answer(reply, IOMMU_OK);
	}
	vrig_ring(&v);
	expect_answer(reply, IOMMU_OK);
}
END_TEST

START_TEST(kick_that_comes_all_the_same_is_served)
{
	uint64_t before;

	start(FOR_EVER, _i);
	have_polled();
	before = kicks();
	for (unsigned n = 0; n < 200; n++) {
		iova_t reply;

		add_map(n * PAGE, &reply);
		vrig_ring(&v);
		expect_answer(reply, IOMMU_OK);
		/* That exit has not switched kicks on. */
		ck_assert(!vqd_wants_kick(&v.req));
	}
	ck_assert_uint_eq(kicks(), before + 200);
}
END_TEST

/* Any gap is too long here: so is the first one. */
START_TEST(thread_that_was_not_running_gives_the_ring_back_and_stays_away)
{
	uint64_t begin = now_ns();

	start_with(FOR_EVER, 0, FOR_EVER, _i);
	attach_by_kick();
	while (polled().lates == 0)
		sched_yield();
	for (unsigned n = 0; n < 1000; n++) {
		iova_t reply;

		add_map(n * PAGE, &reply);
		ck_assert(vqd_wants_kick(&v.req) || polled().turns > 1);
		vrig_ring(&v);
		expect_answer(reply, IOMMU_OK);
	}
	ck_assert_uint_le(polled().turns,
			  1 + (now_ns() - begin) / BACKOFF_MIN_NS);
}
END_TEST

START_TEST(thread_that_comes_late_does_not_take_the_ring)
{
	start_with(FOR_EVER, FOR_EVER, 0, _i);
	attach_by_kick();
	while (polled().lates == 0)
		sched_yield();
	for (unsigned n = 0; n < 1000; n++)
		attach_by_kick();
	ck_assert_uint_eq(polled().turns, 0);
	ck_assert_uint_eq(kicks(), 1001);
}
END_TEST

START_TEST(times_are_the_defaults_but_for_what_is_given)
{
	struct viommu_poll_times t = viommu_poll_times(0, 0);

	ck_assert_uint_eq(t.window_us, 100);
	ck_assert_uint_eq(t.late_us, 100);
	ck_assert_uint_eq(t.call_us, 2000);
	t = viommu_poll_times(3000, 50);
	ck_assert_uint_eq(t.window_us, 3000);
	ck_assert_uint_eq(t.late_us, 50);
	ck_assert_uint_eq(t.call_us, 2000);
	/* Gaps that are nothing special are none while it wakes up. */
	t = viommu_poll_times(0, 20000);
	ck_assert_uint_eq(t.window_us, 100);
	ck_assert_uint_eq(t.late_us, 20000);
	ck_assert_uint_eq(t.call_us, 20000);
}
END_TEST

START_TEST(looking_in_vain_makes_it_come_less_often)
{
	start(1, _i);
	for (unsigned n = 0; n < 300; n++) {
		attach_by_kick();
		usleep(100);
	}
	ck_assert_uint_lt(polled().turns, 100);
}
END_TEST

/*
 * The hand-over.
 */

static unsigned random_below(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % n;
}

/* As a vCPU that computes; no sleep, which takes longer than the window. */
static void spin_for(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

/* A busy host may take long to let the thread run. */
static bool used_both_ways(uint64_t kicks_before)
{
	return polled().requests > 0 && kicks() > kicks_before;
}

/*
 * Requests at any moment around the end of the window.  One that nobody is
 * responsible for is not answered, and the test runs into its limit.
 */
START_TEST(no_kick_is_lost_around_the_hand_over)
{
	enum { WINDOW_US = 50, REQUESTS = 20000 };
	unsigned seed = 1;
	uint64_t before;
	iova_t buffers;

	start_with(WINDOW_US, LATE_US, FOR_EVER, _i);
	attach_by_kick();
	buffers = v.req.heap;
	before = kicks();
	for (unsigned n = 0; n < REQUESTS || !used_both_ways(before); n++) {
		iova_t reply;

		v.req.heap = buffers;
		if (n % 2)
			add_unmap(0, &reply);
		else
			add_map(0, &reply);
		if (vqd_wants_kick(&v.req))
			vrig_ring(&v);
		expect_answer(reply, IOMMU_OK);
		spin_for(random_below(&seed, 2 * WINDOW_US * 1000));
	}
}
END_TEST

static pthread_mutex_t driver = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned sent, answered;
static iova_t heap;

static void take_answers(void)
{
	while (is_used())
		atomic_fetch_add(&answered, 1);
}

/* Caller has the driver's lock. */
static void send_one(unsigned page, bool map)
{
	iova_t reply;

	/* Nothing is in the ring: the buffers can be used again. */
	if (answered == sent)
		v.req.heap = heap;
	if (map)
		add_map(page * PAGE, &reply);
	else
		add_unmap(page * PAGE, &reply);
	sent++;
}

static void *vcpu_main(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg, seed = id;

	for (unsigned n = 0; n < 4000; n++) {
		unsigned mine;
		bool kick;

		pthread_mutex_lock(&driver);
		take_answers();
		send_one(id * 64, n % 2 == 0);
		mine = sent;
		kick = vqd_wants_kick(&v.req);
		pthread_mutex_unlock(&driver);
		if (kick)
			vrig_ring(&v);
		while (answered < mine) {
			pthread_mutex_lock(&driver);
			take_answers();
			pthread_mutex_unlock(&driver);
		}
		spin_for(random_below(&seed, 100000));
	}
	return NULL;
}

START_TEST(no_kick_of_many_vcpus_is_lost)
{
	pthread_t vcpus[3];

	start_with(50, LATE_US, FOR_EVER, _i);
	attach_by_kick();
	while (polled().turns == 0)
		sched_yield();
	sent = answered = 0;
	heap = v.req.heap;
	for (unsigned n = 0; n < ARRAY_SIZE(vcpus); n++)
		ck_assert_int_eq(pthread_create(&vcpus[n], NULL, vcpu_main,
						(void *)(uintptr_t)(n + 1)),
				 0);
	for (unsigned n = 0; n < ARRAY_SIZE(vcpus); n++)
		pthread_join(vcpus[n], NULL);
	ck_assert_uint_eq(answered, 3 * 4000);
}
END_TEST

/*
 * The device stops, or may not touch memory.  The thread keeps the ring unless
 * it is told, so whoever does not tell it waits until the test's limit.
 */

START_TEST(reset_takes_the_ring_from_the_thread)
{
	start(FOR_EVER, _i);
	for (unsigned n = 1; n <= 100; n++) {
		iova_t reply;

		have_polled();
		/* Perhaps it is being served. */
		if (n % 2)
			add_map(0, &reply);
		vrig_reset(&v);
		ck_assert_uint_eq(vrig_mappings(&v), 0);
		up(_i);
	}
}
END_TEST

START_TEST(nothing_is_polled_while_bus_mastering_is_off)
{
	start(FOR_EVER, _i);
	for (unsigned n = 1; n <= 100; n++) {
		iova_t reply;

		have_polled();
		pthread_mutex_lock(&v.d->lock);
		virtio_pause(v.d, true);
		pthread_mutex_unlock(&v.d->lock);
		add_map(n * PAGE, &reply);
		sched_yield();
		ck_assert(!is_used());
		pthread_mutex_lock(&v.d->lock);
		virtio_pause(v.d, false);
		pthread_mutex_unlock(&v.d->lock);
		/* Going on looks at the ring. */
		expect_answer(reply, IOMMU_OK);
		vrig_reset(&v);
		up(_i);
	}
}
END_TEST

START_TEST(nothing_is_polled_when_the_machine_stops)
{
	iova_t reply;

	start(FOR_EVER, _i);
	have_polled();
	iommu_stop_waiting(v.rig.i, true);
	/* It is away when nothing is in flight. */
	pthread_mutex_lock(&v.d->lock);
	while (v.d->inflight)
		(void)pthread_cond_wait(&v.d->idle, &v.d->lock);
	pthread_mutex_unlock(&v.d->lock);
	add_map(0, &reply);
	vrig_ring(&v);
	usleep(1000);
	ck_assert(!is_used());
	iommu_stop_waiting(v.rig.i, false);
	vrig_ring(&v);
	expect_answer(reply, IOMMU_OK);
}
END_TEST

START_TEST(ring_that_breaks_while_it_is_polled_is_left_alone)
{
	start(FOR_EVER, _i);
	for (unsigned n = 1; n <= 10; n++) {
		have_polled();
		vqd_set_avail_idx(&v.req, (uint16_t)(v.req.published + 257));
		pthread_mutex_lock(&v.d->lock);
		while (v.d->running || v.d->inflight)
			(void)pthread_cond_wait(&v.d->idle, &v.d->lock);
		ck_assert(v.d->status & VIRTIO_STATUS_NEEDS_RESET);
		pthread_mutex_unlock(&v.d->lock);
		vrig_reset(&v);
		up(_i);
	}
}
END_TEST

START_TEST(device_is_freed_while_it_is_polled)
{
	start(FOR_EVER, _i);
	have_polled();
	/* teardown() */
}
END_TEST

/* Nobody takes it: it stays with the process until the end. */
START_TEST(signals_are_not_for_the_thread)
{
	const struct viommu_poll_times times = {FOR_EVER, FOR_EVER, FOR_EVER};
	sigset_t set, pending, old;

	vrig_init_polled(&v, &times);
	up(_i);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	ck_assert_int_eq(kill(getpid(), SIGUSR2), 0);
	have_polled();
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert_int_eq(sigismember(&pending, SIGUSR2), 1);
	(void)signal(SIGUSR2, SIG_IGN);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)signal(SIGUSR2, SIG_DFL);
}
END_TEST

/*
 * What the thread waits for.
 */

static void hold_page(struct dma_hold *hold)
{
	struct iovec iov;
	iova_t reply;

	attach_by_kick();
	add_map(0, &reply);
	vrig_ring(&v);
	expect_answer(reply, IOMMU_OK);
	while (polled().turns < 1)
		sched_yield();
	ck_assert_int_eq(dma_iov(v.rig.dma[1], DMA_WRITE, 0, 8, &iov, 1, hold),
			 1);
}

/* The thread has taken the mapping away, and waits for the hold. */
static void unmap_held(iova_t *ret_reply)
{
	(void)vqd_wants_kick(&v.req);
	add_unmap(0, ret_reply);
	ck_assert(!vqd_wants_kick(&v.req));
	vrig_wait_mapped(&v, 0);
	usleep(1000);
	ck_assert(!is_used());
}

START_TEST(thread_that_waits_for_a_hold_keeps_no_lock)
{
	struct dma_hold hold;
	iova_t reply;

	start(FOR_EVER, _i);
	hold_page(&hold);
	unmap_held(&reply);
	/* The device's, and the registers'. */
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	/* Another vCPU that rings does not wait for it. */
	vrig_ring(&v);
	dma_done(&hold);
	expect_answer(reply, IOMMU_OK);
}
END_TEST

/* Serving takes as long as it takes: the thread is not late by that. */
START_TEST(wait_for_a_hold_is_no_lateness)
{
	struct dma_hold hold;
	iova_t reply;

	start_with(FOR_EVER, 200000, FOR_EVER, _i);
	hold_page(&hold);
	unmap_held(&reply);
	usleep(300000);
	dma_done(&hold);
	expect_answer(reply, IOMMU_OK);
	usleep(1000); /* it looks again */
	ck_assert_uint_eq(polled().lates, 0);
}
END_TEST

START_TEST(stop_of_the_machine_breaks_the_thread_s_wait)
{
	struct dma_hold hold;
	iova_t reply;

	start(FOR_EVER, _i);
	hold_page(&hold);
	unmap_held(&reply);
	iommu_stop_waiting(v.rig.i, true);
	expect_answer(reply, IOMMU_DEVERR);
	iommu_stop_waiting(v.rig.i, false);
	dma_done(&hold);
}
END_TEST

static void add_indirect(const void *request, uint32_t len)
{
	const struct vqd_buf bufs[] = {
		{vqd_put(&v.req, request, len), len, false},
		{vqd_alloc(&v.req, 4), 4, true},
	};

	vqd_add_indirect(&v.req, bufs, ARRAY_SIZE(bufs));
}

/* As many as are a share, all in the ring before the first one is done. */
START_TEST(share_that_the_thread_has_done_leaves_kicks_off)
{
	struct dma_hold hold;
	unsigned n = 0;
	uint8_t b[28];

	start(FOR_EVER, _i);
	hold_page(&hold);
	(void)vqd_wants_kick(&v.req);
	pthread_mutex_lock(&v.d->lock);
	vrig_put_unmap(b, 1, 0, PAGE - 1);
	add_indirect(b, 28);
	vrig_put_attach(b, 1, 1, 0);
	while (v.req.nfree > 0)
		add_indirect(b, 20);
	(void)vqd_wants_kick(&v.req);
	pthread_mutex_unlock(&v.d->lock);
	dma_done(&hold);
	while (n < 256) {
		if (is_used())
			n++;
		else
			sched_yield();
	}
	while (!is_polled())
		sched_yield();
	add_indirect(b, 20);
	ck_assert(!vqd_wants_kick(&v.req));
	while (!is_used())
		sched_yield();
}
END_TEST

/* As at the end of a run: the thread did not run while the vCPUs were stopped,
 * goes on when the stop has been taken back, and the I/O never ends. */
START_TEST(end_of_the_run_ends_a_thread_that_has_missed_the_stop)
{
	struct dma_hold hold;
	iova_t reply;

	start(FOR_EVER, _i);
	hold_page(&hold);
	(void)vqd_wants_kick(&v.req);
	pthread_mutex_lock(&v.d->lock);
	add_unmap(0, &reply);
	ck_assert(!vqd_wants_kick(&v.req));
	usleep(5000); /* it sees that, and then the lock */
	iommu_stop_waiting(v.rig.i, true);
	iommu_stop_waiting(v.rig.i, false);
	pthread_mutex_unlock(&v.d->lock);
	vrig_wait_mapped(&v, 0);
	iommu_stop_waiting(v.rig.i, true);
	viommu_end(v.d);
	expect_answer(reply, IOMMU_DEVERR);
	iommu_stop_waiting(v.rig.i, false);
	dma_done(&hold);
}
END_TEST

static void *reset_main(void *arg)
{
	vrig_reset(&v);
	atomic_store((_Atomic bool *)arg, true);
	return NULL;
}

static bool is_stopping(void)
{
	bool stopping;

	pthread_mutex_lock(&v.d->lock);
	stopping = v.d->stopping;
	pthread_mutex_unlock(&v.d->lock);
	return stopping;
}

START_TEST(reset_waits_for_what_the_thread_serves)
{
	_Atomic bool back = false;
	struct dma_hold hold;
	pthread_t thread;
	iova_t reply;

	start(FOR_EVER, _i);
	hold_page(&hold);
	unmap_held(&reply);
	ck_assert_int_eq(pthread_create(&thread, NULL, reset_main, &back), 0);
	while (!is_stopping())
		sched_yield();
	ck_assert(!atomic_load(&back));
	dma_done(&hold);
	pthread_join(thread, NULL);
	ck_assert(!is_used());
}
END_TEST

/* Requests are left in the ring: the thread does not stay for them. */
START_TEST(flood_does_not_keep_a_machine_that_stops)
{
	iova_t reply;

	start(FOR_EVER, _i);
	have_polled();
	for (unsigned n = 0; n < 1000; n++) {
		while (v.req.nfree < 2)
			take_answers();
		add_map(n * PAGE, &reply);
		if (vqd_wants_kick(&v.req))
			vrig_ring(&v);
	}
	iommu_stop_waiting(v.rig.i, true);
	/* Enough that some are left. */
	while (v.req.nfree >= 2)
		add_map(0, &reply);
	pthread_mutex_lock(&v.d->lock);
	while (v.d->inflight)
		(void)pthread_cond_wait(&v.d->idle, &v.d->lock);
	pthread_mutex_unlock(&v.d->lock);
	iommu_stop_waiting(v.rig.i, false);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/viommu_poll");
	TCase *t = tcase_create("viommu_poll");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_set_timeout(t, 60);
	/* Without the event index, and with it. */
	tcase_add_loop_test(t, requests_that_are_polled_need_no_kick, 0, 2);
	tcase_add_loop_test(t, statistics_tell_how_requests_were_served, 0, 2);
	tcase_add_loop_test(t, without_times_all_is_served_in_exits, 0, 2);
	tcase_add_loop_test(t, ring_that_is_not_used_is_given_back, 0, 2);
	tcase_add_loop_test(t, kick_that_comes_all_the_same_is_served, 0, 2);
	tcase_add_loop_test(
		t,
		thread_that_was_not_running_gives_the_ring_back_and_stays_away,
		0, 2);
	tcase_add_loop_test(t, thread_that_comes_late_does_not_take_the_ring, 0,
			    2);
	tcase_add_loop_test(t, looking_in_vain_makes_it_come_less_often, 0, 2);
	tcase_add_loop_test(t, no_kick_is_lost_around_the_hand_over, 0, 2);
	tcase_add_loop_test(t, no_kick_of_many_vcpus_is_lost, 0, 2);
	tcase_add_loop_test(t, reset_takes_the_ring_from_the_thread, 0, 2);
	tcase_add_loop_test(t, nothing_is_polled_while_bus_mastering_is_off, 0,
			    2);
	tcase_add_loop_test(t, nothing_is_polled_when_the_machine_stops, 0, 2);
	tcase_add_loop_test(
		t, ring_that_breaks_while_it_is_polled_is_left_alone, 0, 2);
	tcase_add_loop_test(t, device_is_freed_while_it_is_polled, 0, 2);
	tcase_add_loop_test(t, signals_are_not_for_the_thread, 0, 2);
	tcase_add_loop_test(t, thread_that_waits_for_a_hold_keeps_no_lock, 0,
			    2);
	tcase_add_loop_test(t, wait_for_a_hold_is_no_lateness, 0, 2);
	tcase_add_loop_test(t, stop_of_the_machine_breaks_the_thread_s_wait, 0,
			    2);
	tcase_add_loop_test(t, share_that_the_thread_has_done_leaves_kicks_off,
			    0, 2);
	tcase_add_loop_test(
		t, end_of_the_run_ends_a_thread_that_has_missed_the_stop, 0, 2);
	tcase_add_loop_test(t, reset_waits_for_what_the_thread_serves, 0, 2);
	tcase_add_loop_test(t, flood_does_not_keep_a_machine_that_stops, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("times");
	tcase_add_test(t, times_are_the_defaults_but_for_what_is_given);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
