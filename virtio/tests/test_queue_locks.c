/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Queues under locks of their own: each on its loop's thread, and what the
 * driver does to the device in the middle.   virtio/device.h, "Threads"
 */
#include <check.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "virtio/tests/echo_dev.h"
#include "virtio/tests/fake_transport.h"
#include "virtio/tests/vq_driver.h"

#define MEM	    MIB(2)
#define RING_BASE   0x10000u
#define RING_LEN    0x40000u
#define SIZE	    64u
#define PATIENCE_MS 20000

#define FEATURES                                                     \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_EVENT_IDX) | \
	 BIT_ULL(VIRTIO_F_RING_RESET))

static struct gmem mem;
static struct dma id;
static struct echo_dev e;
static struct virtio_dev *d;
static struct fake_transport transport;
static struct vq_driver drv[ECHO_QUEUES];

static void quiet(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static void lock(void)
{
	pthread_mutex_lock(&d->lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&d->lock);
}

/* As a driver does from its reset on. */
static void start(void)
{
	bool ok;

	lock();
	ok = vqd_negotiate(d, FEATURES);
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		vqd_init(&drv[i], &id, RING_BASE + i * RING_LEN, RING_LEN,
			 SIZE);
		vqd_connect(&drv[i], d, i);
	}
	ok = ok && vqd_driver_ok(d);
	unlock();
	ck_assert(ok);
}

static void setup(void)
{
	const struct gmem_slot layout = {.base = 0, .size = MEM};

	log_set_sink(quiet);
	ck_assert_int_eq(gmem_init(&mem, &layout, 1, NULL), 0);
	dma_init(&id, &mem);
	echo_dev_init(&e, &id, SIZE);
	d = &e.vdev;
	fake_transport_init(&transport, d);
	start();
}

static void setup_running(void)
{
	setup();
	echo_dev_run(&e);
}

static void teardown(void)
{
	lock();
	virtio_reset(d);
	unlock();
	echo_dev_fini(&e);
	gmem_fini(&mem);
	log_set_sink(NULL);
}

static void send(unsigned qi, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct vqd_buf buf = {vqd_alloc(&drv[qi], 16), 16, true};

		(void)vqd_add(&drv[qi], &buf, 1);
	}
	eventfd_signal(d->vqs[qi].kick_fd);
}

/* Until @n more are used. */
static void receive(unsigned qi, unsigned n)
{
	uint32_t head, len;

	for (unsigned ms = 0; n > 0; ms++) {
		ck_assert_msg(ms < PATIENCE_MS, "queue %u is not served", qi);
		while (n > 0 && vqd_get_used(&drv[qi], &head, &len))
			n--;
		if (n > 0)
			(void)poll(NULL, 0, 1);
	}
}

static void wait_held(unsigned qi, unsigned n)
{
	for (unsigned ms = 0; echo_dev_held(&e, qi) != n; ms++) {
		ck_assert_msg(ms < PATIENCE_MS, "queue %u is not served", qi);
		(void)poll(NULL, 0, 1);
	}
}

/* @n chains of queue @qi in flight. */
static void fly(unsigned qi, unsigned n)
{
	echo_dev_hold(&e, qi, true);
	send(qi, n);
	wait_held(qi, n);
}

/*
 * A vCPU that holds d->lock from @entered to @done, but for the time that it
 * waits.
 */
struct caller {
	pthread_t thread;
	void (*fn)(void);
	bool entered, done;
};

static void *caller_thread(void *arg)
{
	struct caller *c = arg;

	lock();
	c->entered = true;
	c->fn();
	c->done = true;
	unlock();
	return NULL;
}

/* Returns when it waits. */
static void call(struct caller *c, void (*fn)(void))
{
	bool entered = false;

	*c = (struct caller){.fn = fn};
	ck_assert_int_eq(pthread_create(&c->thread, NULL, caller_thread, c), 0);
	while (!entered) {
		lock();
		entered = c->entered;
		ck_assert(!c->done);
		unlock();
	}
}

static bool is_done(struct caller *c)
{
	bool done;

	lock();
	done = c->done;
	unlock();
	return done;
}

static void join(struct caller *c)
{
	ck_assert_int_eq(pthread_join(c->thread, NULL), 0);
	ck_assert(c->done);
}

static void reset(void)
{
	virtio_reset(d);
}

static void pause_it(void)
{
	virtio_pause(d, true);
}

static bool needs_reset(void)
{
	bool is;

	lock();
	is = d->status & VIRTIO_STATUS_NEEDS_RESET && !d->running;
	unlock();
	return is;
}

static void wait_broken(void)
{
	for (unsigned ms = 0; !needs_reset(); ms++) {
		ck_assert_msg(ms < PATIENCE_MS, "it is not marked broken");
		(void)poll(NULL, 0, 1);
	}
}

/* More than the ring has room for. */
static void break_ring(unsigned qi)
{
	vqd_set_avail_idx(&drv[qi], (uint16_t)(drv[qi].published + SIZE + 1));
	eventfd_signal(d->vqs[qi].kick_fd);
}

/*
 * Side by side.
 */

START_TEST(a_queue_is_served_while_all_other_locks_are_held)
{
	const unsigned served = (unsigned)_i;

	lock();
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		if (i != served)
			pthread_mutex_lock(d->vqs[i].lock);
	}
	send(served, 20);
	receive(served, 20);
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		if (i != served)
			pthread_mutex_unlock(d->vqs[i].lock);
	}
	unlock();
}
END_TEST

START_TEST(statistics_are_those_of_all_queues)
{
	struct vq_stats s;

	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		send(i, 5);
		receive(i, 5);
	}
	virtio_get_stats(d, &s);
	ck_assert_uint_eq(s.requests, 5 * ECHO_QUEUES);
	ck_assert_uint_eq(s.bytes_in, 16 * 5 * ECHO_QUEUES);
}
END_TEST

/* The registers of the others can be read: their device waits for nobody. */
START_TEST(registers_answer_while_a_reset_waits_for_queues)
{
	struct caller c;
	uint8_t status;

	fly(0, 2);
	fly(2, 1);
	call(&c, reset);
	lock();
	status = d->status;
	ck_assert(d->stopping);
	virtio_config_write(d, 0, 1, 0x55);
	ck_assert_uint_eq(d->config[0], 0);
	unlock();
	ck_assert_uint_ne(status, 0);
	echo_dev_complete(&e, 0);
	echo_dev_complete(&e, 0);
	ck_assert(!is_done(&c));
	echo_dev_complete(&e, 2);
	join(&c);
	lock();
	ck_assert_uint_eq(d->status, 0);
	ck_assert_uint_eq(virtio_flight(d), 0);
	unlock();
	/* What came back went into no ring. */
	ck_assert_uint_eq(vqd_used_idx(&drv[0]), 0);
	ck_assert_uint_eq(vqd_used_idx(&drv[2]), 0);
	echo_dev_hold(&e, 0, false);
	start();
	send(0, 1);
	receive(0, 1);
}
END_TEST

START_TEST(two_resets_end_together)
{
	struct caller one, two;

	fly(1, 1);
	call(&one, reset);
	call(&two, reset);
	echo_dev_complete(&e, 1);
	join(&one);
	join(&two);
}
END_TEST

START_TEST(queue_reset_ends_with_the_last_chain_and_disturbs_no_other)
{
	bool resetting, enabled;

	fly(1, 2);
	lock();
	virtio_queue_reset(d, &d->vqs[1]);
	unlock();
	send(0, 10);
	receive(0, 10);
	echo_dev_complete(&e, 1);
	lock();
	virtio_lock_queue(&d->vqs[1]);
	resetting = d->vqs[1].resetting;
	virtio_unlock_queue(&d->vqs[1]);
	unlock();
	ck_assert(resetting);
	echo_dev_complete(&e, 1);
	lock();
	virtio_lock_queue(&d->vqs[1]);
	resetting = d->vqs[1].resetting;
	enabled = d->vqs[1].enabled;
	virtio_unlock_queue(&d->vqs[1]);
	ck_assert(!resetting && !enabled);
	vqd_renew(&drv[1]);
	vqd_connect(&drv[1], d, 1);
	unlock();
	echo_dev_hold(&e, 1, false);
	send(1, 1);
	receive(1, 1);
}
END_TEST

/*
 * Pause.
 */

START_TEST(pause_waits_for_every_queue_and_keeps_pushes_back)
{
	struct caller c;

	fly(0, 1);
	fly(1, 1);
	call(&c, pause_it);
	echo_dev_complete(&e, (unsigned)_i);
	/* Time for a wait that ends too early to do so. */
	(void)poll(NULL, 0, 20);
	ck_assert(!is_done(&c));
	echo_dev_complete(&e, !_i);
	join(&c);
	ck_assert_uint_eq(vqd_used_idx(&drv[0]), 0);
	ck_assert_uint_eq(vqd_used_idx(&drv[1]), 0);
	/* Nothing new is taken. */
	send(2, 1);
	loop_barrier(e.queues[2].loop);
	ck_assert_uint_eq(vqd_used_idx(&drv[2]), 0);
	lock();
	virtio_pause(d, false);
	unlock();
	for (unsigned i = 0; i < ECHO_QUEUES; i++)
		receive(i, 1);
}
END_TEST

START_TEST(resuming_ends_the_wait_for_queues)
{
	struct caller c;

	fly(2, 1);
	call(&c, pause_it);
	lock();
	virtio_pause(d, false);
	unlock();
	join(&c);
	echo_dev_complete(&e, 2);
	receive(2, 1);
}
END_TEST

START_TEST(reset_of_a_paused_device_forgets_what_queues_kept)
{
	struct caller c;

	fly(0, 1);
	call(&c, pause_it);
	echo_dev_complete(&e, 0);
	join(&c);
	lock();
	virtio_reset(d);
	ck_assert(d->paused);
	virtio_pause(d, false);
	unlock();
	ck_assert_uint_eq(vqd_used_idx(&drv[0]), 0);
}
END_TEST

/*
 * A broken ring.
 */

START_TEST(one_broken_ring_breaks_the_device)
{
	fly(0, 2);
	break_ring(1);
	wait_broken();
	lock();
	ck_assert_uint_eq(transport.config_irqs, 1);
	unlock();
	/* No queue takes anything any more, ... */
	send(2, 1);
	loop_barrier(e.queues[2].loop);
	ck_assert_uint_eq(vqd_used_idx(&drv[2]), 0);
	/* ... what is in flight comes back, and a reset helps. */
	echo_dev_complete(&e, 0);
	echo_dev_complete(&e, 0);
	ck_assert_uint_eq(vqd_used_idx(&drv[0]), 0);
	echo_dev_hold(&e, 0, false);
	start();
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		send(i, 3);
		receive(i, 3);
	}
}
END_TEST

/* The loop that marks the device wants its lock while the reset waits. */
START_TEST(ring_that_breaks_while_a_reset_waits_is_forgotten)
{
	struct caller c;

	fly(0, 1);
	lock();
	break_ring(1);
	/* Until its queue has seen it: the device's loop then stands at our
	 * lock. */
	for (bool seen = false; !seen;) {
		virtio_lock_queue(&d->vqs[1]);
		seen = d->vqs[1].broken;
		virtio_unlock_queue(&d->vqs[1]);
	}
	unlock();
	call(&c, reset);
	echo_dev_complete(&e, 0);
	join(&c);
	echo_dev_hold(&e, 0, false);
	start();
	send(1, 1);
	receive(1, 1);
	ck_assert(!needs_reset());
}
END_TEST

/* The device's loop comes late: nobody runs it before. */
START_TEST(trouble_of_a_run_before_is_none)
{
	break_ring(1);
	loop_poll(e.queues[1].loop);
	loop_poll(e.queues[1].loop);
	ck_assert(d->vqs[1].broken);
	ck_assert(!needs_reset());
	start();
	loop_poll(e.loop);
	loop_poll(e.loop);
	ck_assert(!needs_reset());
	/* ... but of this one. */
	break_ring(0);
	loop_poll(e.queues[0].loop);
	loop_poll(e.queues[0].loop);
	loop_poll(e.loop);
	loop_poll(e.loop);
	ck_assert(needs_reset());
}
END_TEST

/* Not even if the driver mends the ring before anybody has looked. */
START_TEST(broken_queue_stands_still)
{
	break_ring(1);
	loop_poll(e.queues[1].loop);
	loop_poll(e.queues[1].loop);
	vqd_set_avail_idx(&drv[1], drv[1].published);
	send(1, 1);
	send(2, 1);
	for (unsigned i = 1; i < ECHO_QUEUES; i++) {
		loop_poll(e.queues[i].loop);
		loop_poll(e.queues[i].loop);
	}
	ck_assert_uint_eq(vqd_used_idx(&drv[1]), 0);
	/* The others do not, until the device's loop comes. */
	receive(2, 1);
	loop_poll(e.loop);
	loop_poll(e.loop);
	ck_assert(needs_reset());
}
END_TEST

/* A reset of the queue does not mend the device. */
START_TEST(queue_reset_keeps_a_broken_queue_broken)
{
	break_ring(1);
	loop_poll(e.queues[1].loop);
	loop_poll(e.queues[1].loop);
	lock();
	virtio_queue_reset(d, &d->vqs[1]);
	ck_assert(!d->vqs[1].enabled);
	unlock();
	loop_poll(e.loop);
	loop_poll(e.loop);
	ck_assert(needs_reset());
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/queue_locks");
	TCase *t = tcase_create("queues");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup_running, teardown);
	tcase_add_loop_test(t, a_queue_is_served_while_all_other_locks_are_held,
			    0, ECHO_QUEUES);
	tcase_add_test(t, statistics_are_those_of_all_queues);
	tcase_add_test(t, registers_answer_while_a_reset_waits_for_queues);
	tcase_add_test(t, two_resets_end_together);
	tcase_add_test(
		t, queue_reset_ends_with_the_last_chain_and_disturbs_no_other);
	tcase_add_loop_test(
		t, pause_waits_for_every_queue_and_keeps_pushes_back, 0, 2);
	tcase_add_test(t, resuming_ends_the_wait_for_queues);
	tcase_add_test(t, reset_of_a_paused_device_forgets_what_queues_kept);
	tcase_add_test(t, one_broken_ring_breaks_the_device);
	tcase_add_test(t, ring_that_breaks_while_a_reset_waits_is_forgotten);
	suite_add_tcase(s, t);
	t = tcase_create("trouble");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, trouble_of_a_run_before_is_none);
	tcase_add_test(t, broken_queue_stands_still);
	tcase_add_test(t, queue_reset_keeps_a_broken_queue_broken);
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
