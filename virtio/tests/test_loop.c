/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A device on its loop's thread, its driver on another.
 */
#include "core/loop.h"

#include <check.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/bits.h"
#include "core/fd.h"
#include "virtio/tests/queue_fixture.h"

#define DATA	 0x100000u
#define REQUESTS 200000u
#define LOST_MS	 20000 /* silence this long is a lost wake-up */

/* Bounds the ping-pong where threads are slow (sanitizers, loaded hosts). */
#define SECONDS 20

static struct fixture *f;
static struct virtio_dev *d;
static struct loop *loop;
static pthread_t thread;
static bool running;

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void make(bool inline_kick)
{
	struct virtio_dev_env env = {.name = "fake0", .dma = &f->id};
	const uint16_t size = 64;

	fake_dev_fini(&f->dev);
	env.loop = loop;
	ck_assert_int_eq(fake_dev_init(&f->dev, &env, &size, 1, 0), 0);
	f->q = virtio_queue(d, 0);
	f->q->inline_kick = inline_kick;
	fake_transport_init(&f->transport, d);
	f->transport.irq_fd = eventfd_new();
	ck_assert_int_ge(f->transport.irq_fd, 0);
}

static void setup(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 64, false);
	d = f->d;
	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	make(false);
	running = false;
}

static void run(void)
{
	ck_assert_int_eq(pthread_create(&thread, NULL, loop_thread, loop), 0);
	running = true;
}

static void teardown(void)
{
	if (running) {
		loop_stop(loop);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	close(f->transport.irq_fd);
	fix_fini(f);
	loop_free(loop);
	free(f);
}

/* As a vCPU would. */
static void start(uint64_t features)
{
	pthread_mutex_lock(&d->lock);
	fix_start(f, features, 64);
	pthread_mutex_unlock(&d->lock);
}

static void reset(void)
{
	pthread_mutex_lock(&d->lock);
	virtio_reset(d);
	pthread_mutex_unlock(&d->lock);
}

static void ring_bell(void)
{
	eventfd_signal(f->q->kick_fd);
}

static atomic_bool round_done;

static void on_round(struct loop_timer *t)
{
	(void)t;
	atomic_store(&round_done, true);
}

/* What was signalled before has had its turn afterwards. */
static void let_the_loop_go_round(void)
{
	struct loop_timer t = {.fn = on_round};

	ck_assert_int_eq(loop_timer_add(loop, &t), 0);
	atomic_store(&round_done, false);
	loop_timer_set(&t, 0);
	while (!atomic_load(&round_done))
		sched_yield();
	loop_timer_del(&t);
	loop_barrier(loop);
}

static void wait_irq(void)
{
	struct pollfd p = {.fd = f->transport.irq_fd, .events = POLLIN};

	ck_assert_msg(poll(&p, 1, LOST_MS) == 1, "lost wake-up");
	(void)eventfd_clear(f->transport.irq_fd);
}

static uint64_t seconds(void)
{
	struct timespec t;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (uint64_t)t.tv_sec;
}

/*
 * Each head has 32 bytes of its own: 8 that go, 8 that come back.
 */
static void send(uint64_t val, bool indirect)
{
	iova_t at = DATA + 64 * (iova_t)f->drv.free_head;
	iova_t table = DATA + 0x10000 + 64 * (iova_t)f->drv.free_head;
	struct vqd_buf bufs[2] = {{at, 8, false}, {at + 16, 8, true}};

	vqd_write(&f->drv, at, &val, 8);
	if (indirect)
		(void)vqd_stage_indirect(&f->drv, table, bufs, 2);
	else
		(void)vqd_stage(&f->drv, bufs, 2);
}

static unsigned receive(uint64_t *sum)
{
	uint32_t head, len;
	unsigned n = 0;

	while (vqd_get_used(&f->drv, &head, &len)) {
		uint64_t back;

		ck_assert_uint_eq(len, 8);
		vqd_read(&f->drv, DATA + 64 * (iova_t)head + 16, &back, 8);
		*sum += back;
		n++;
	}
	return n;
}

/* Waits in the way Linux does: events off, take all, events on, look again. */
static void ping_pong(bool indirect)
{
	uint64_t sent = 0, back = 0, sum_sent = 0, sum_back = 0;
	uint64_t end = seconds() + SECONDS;
	unsigned seed = 1;

	while (back < REQUESTS && (sent != back || seconds() < end)) {
		unsigned batch = 1 + (unsigned)rand_r(&seed) % 16;

		for (; batch && sent < REQUESTS && seconds() < end &&
		       f->drv.nfree >= 2;
		     batch--) {
			sum_sent += ++sent;
			send(sent, indirect);
		}
		vqd_publish(&f->drv);
		if (vqd_wants_kick(&f->drv))
			ring_bell();

		unsigned n = receive(&sum_back);

		back += n;
		if (n || sent == back)
			continue;
		if (!vqd_interrupts_on(&f->drv))
			wait_irq();
		vqd_interrupts_off(&f->drv);
	}
	ck_assert_uint_eq(back, sent);
	ck_assert_uint_eq(sum_back, sum_sent);
}

START_TEST(ping_pong_loses_no_wake_up)
{
	static const uint64_t features[] = {FIX_PLAIN, FIX_ALL};

	run();
	f->dev.suppress_kicks = _i & 2;
	start(features[_i & 1]);
	ping_pong(_i & 1);
	reset();
}
END_TEST

/* A reset in the middle, again and again; a count that nobody kept ends up
 * as a hang or under a sanitizer. */
START_TEST(reset_in_the_middle_of_requests)
{
	run();
	for (unsigned round = 0; round < 300; round++) {
		start(FIX_ALL);
		for (unsigned i = 0; i < round % 32; i++)
			send(i, false);
		vqd_publish(&f->drv);
		ring_bell();
		if (round % 3)
			sched_yield();
		if (round % 2)
			reset();
	}
	reset();
	ck_assert_uint_eq(f->q->inflight, 0);
}
END_TEST

/* The loop waits for the device's lock when the watch, and then the lock, go
 * away; the sanitizers look on. */
START_TEST(device_goes_while_the_loop_runs)
{
	run();
	for (unsigned i = 0; i < 200; i++) {
		start(FIX_ALL);
		pthread_mutex_lock(&d->lock);
		ring_bell();
		/* Time for the loop to wake and come to the lock. */
		(void)poll(NULL, 0, i % 3);
		virtio_reset(d);
		pthread_mutex_unlock(&d->lock);
		close(f->transport.irq_fd);
		make(false);
	}
}
END_TEST

START_TEST(kick_before_driver_ok_is_served_after_it)
{
	run();
	ring_bell();
	start(FIX_ALL);
	send(7, false);
	vqd_publish(&f->drv);
	ring_bell();
	wait_irq();
	reset();
}
END_TEST

START_TEST(kick_after_reset_is_nothing)
{
	run();
	start(FIX_ALL);
	reset();
	ck_assert_ptr_null(f->q->kick_watch.loop);
	f->dev.kicks = 0;
	ring_bell();
	loop_barrier(loop);
	ck_assert_uint_eq(f->dev.kicks, 0);
}
END_TEST

START_TEST(kicks_of_a_paused_device_are_served_when_it_resumes)
{
	run();
	start(FIX_ALL);
	pthread_mutex_lock(&d->lock);
	virtio_pause(d, true);
	pthread_mutex_unlock(&d->lock);
	send(7, false);
	vqd_publish(&f->drv);
	/* The doorbell is watched by then. */
	let_the_loop_go_round();
	ring_bell();
	let_the_loop_go_round();
	pthread_mutex_lock(&d->lock);
	ck_assert_uint_eq(f->dev.kicks, 0);
	virtio_pause(d, false);
	pthread_mutex_unlock(&d->lock);
	wait_irq();
	reset();
}
END_TEST

START_TEST(inline_queue_is_not_watched)
{
	close(f->transport.irq_fd);
	make(true);
	start(FIX_ALL);
	ck_assert_ptr_null(f->q->kick_watch.loop);
	send(7, false);
	vqd_publish(&f->drv);
	virtio_notify(d, 0);
	fix_take(f);
	vq_kick_later(f->q); /* nobody would come */
	ck_assert(!eventfd_clear(f->q->kick_fd));
}
END_TEST

/*
 * A guest that adds a buffer for each one that is taken.  The device below
 * plays both sides, on the loop's thread.
 */
struct flood {
	struct virtio_dev vdev;
	unsigned kicks, pops;
	bool suppress;
};

static int flood_start(struct virtio_dev *dev)
{
	(void)dev;
	return 0;
}

static void flood_stop(struct virtio_dev *dev)
{
	(void)dev;
}

static void flood_kick(struct virtio_dev *dev, unsigned qi)
{
	struct flood *flood = container_of(dev, struct flood, vdev);
	struct vq *q = &dev->vqs[qi];
	unsigned before = flood->pops;
	struct vq_chain *c;

	do {
		if (flood->suppress)
			vq_kicks_off(q);
		while (vq_pop(q, &c) == 1) {
			vq_push(q, c);
			fix_take(f);
			fix_add(f);
			flood->pops++;
		}
	} while (flood->suppress && vq_kicks_on(q));
	ck_assert_uint_eq(flood->pops - before, q->size);
	if (++flood->kicks == 10)
		loop_stop(loop);
}

START_TEST(guest_that_never_stops_adding_does_not_keep_the_loop)
{
	static const struct virtio_dev_ops ops = {
		.id = FAKE_DEV_ID,
		.name = "flood",
		.start = flood_start,
		.stop = flood_stop,
		.kick = flood_kick,
		.free = virtio_dev_fini,
	};
	const struct virtio_dev_env env = {
		.name = "flood0", .dma = &f->id, .loop = loop};
	const uint16_t size = 8;
	struct flood flood = {.suppress = _i};

	ck_assert_int_eq(virtio_dev_init(&flood.vdev, &ops, &env, 0, &size, 1,
					 0, NULL),
			 0);
	ck_assert(vqd_negotiate(&flood.vdev, FIX_ALL & ~BIT_ULL(40)));
	vqd_init(&f->drv, &f->id, FIX_RING, FIX_LEN, size);
	vqd_connect(&f->drv, &flood.vdev, 0);
	ck_assert(vqd_driver_ok(&flood.vdev));
	fix_add(f);
	eventfd_signal(flood.vdev.vqs[0].kick_fd);
	loop_run(loop);
	ck_assert_uint_eq(flood.kicks, 10);
	ck_assert_uint_eq(flood.pops, 80);
	virtio_reset(&flood.vdev);
	virtio_dev_free(&flood.vdev);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/loop");
	TCase *t = tcase_create("loop");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, ping_pong_loses_no_wake_up, 0, 4);
	tcase_add_test(t, reset_in_the_middle_of_requests);
	tcase_add_test(t, device_goes_while_the_loop_runs);
	tcase_add_test(t, kick_before_driver_ok_is_served_after_it);
	tcase_add_test(t, kick_after_reset_is_nothing);
	tcase_add_test(t, kicks_of_a_paused_device_are_served_when_it_resumes);
	tcase_add_test(t, inline_queue_is_not_watched);
	tcase_add_loop_test(
		t, guest_that_never_stops_adding_does_not_keep_the_loop, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
