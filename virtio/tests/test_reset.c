/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Reset of the device and of one queue, pause; what is in flight meanwhile.
 * [virtio 1.2, 2.4, 2.6]
 */
#include "virtio/device.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "core/bits.h"
#include "virtio/tests/queue_fixture.h"

static struct fixture *f;
static struct virtio_dev *d;

static void setup(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_up(f, FIX_ALL, 8);
	d = f->d;
}

static void teardown(void)
{
	fix_fini(f);
	free(f);
}

/* @n chains that the device holds; in flight or idle. */
static void hold(unsigned n, bool inflight)
{
	f->dev.hold = true;
	f->dev.hold_is_inflight = inflight;
	for (unsigned i = 0; i < n; i++)
		fix_add(f);
	virtio_notify(d, 0);
	ck_assert_uint_eq(f->dev.nheld, n);
}

/*
 * Another thread, as a vCPU: with the lock held from @entered to @done, but
 * for the time it waits.  So whoever has the lock and sees one without the
 * other has seen it wait.
 */
struct caller {
	pthread_t thread;
	void (*fn)(struct virtio_dev *d);
	bool entered, done;
};

static void *caller_thread(void *arg)
{
	struct caller *c = arg;

	pthread_mutex_lock(&d->lock);
	c->entered = true;
	c->fn(d);
	c->done = true;
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static void reset(struct virtio_dev *dev)
{
	virtio_set_status(dev, 0);
	ck_assert_uint_eq(dev->status, 0);
}

static void pause_dev(struct virtio_dev *dev)
{
	virtio_pause(dev, true);
}

/* Returns with the lock held and the caller waiting. */
static void start(struct caller *c, void (*fn)(struct virtio_dev *d))
{
	*c = (struct caller){.fn = fn};
	ck_assert_int_eq(pthread_create(&c->thread, NULL, caller_thread, c), 0);
	for (;;) {
		pthread_mutex_lock(&d->lock);
		if (c->entered)
			break;
		pthread_mutex_unlock(&d->lock);
		sched_yield();
	}
	ck_assert(!c->done);
}

static void join(struct caller *c)
{
	ck_assert_int_eq(pthread_join(c->thread, NULL), 0);
	ck_assert(c->done);
}

static void unlock(void)
{
	pthread_mutex_unlock(&d->lock);
}

/*
 * The device.
 */

START_TEST(reset_gives_idle_chains_back)
{
	hold(3, false);
	virtio_reset(d);
	ck_assert_uint_eq(f->dev.stops, 2); /* one by fix_up() */
	ck_assert_uint_eq(f->q->inflight, 0);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	ck_assert(!f->q->enabled && !f->q->running);
	ck_assert_uint_eq(f->q->desc | f->q->avail | f->q->used, 0);
	ck_assert_uint_eq(f->q->size, f->q->size_max);
}
END_TEST

START_TEST(device_that_never_started_is_stopped_too)
{
	unsigned before;

	virtio_reset(d);
	before = f->dev.stops;
	virtio_reset(d);
	ck_assert_uint_eq(f->dev.stops, before + 1);
}
END_TEST

START_TEST(reset_waits_for_io_in_flight)
{
	uint8_t running = d->status;
	struct caller t;

	hold(2, true);
	start(&t, reset);
	/* [virtio 1.2, 2.4.1]: status is 0 when it is done, not before. */
	ck_assert_uint_eq(d->status, running);
	fake_dev_complete(&f->dev);
	unlock();
	sched_yield();
	pthread_mutex_lock(&d->lock);
	ck_assert(!t.done);
	ck_assert_uint_eq(d->status, running);
	fake_dev_complete(&f->dev);
	unlock();
	join(&t);
	ck_assert_uint_eq(d->status, 0);
	ck_assert_uint_eq(f->transport.resets, 2); /* one by fix_up() */
	/* What was in flight went into no ring and made no interrupt. */
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	ck_assert_uint_eq(f->q->inflight, 0);
}
END_TEST

START_TEST(second_reset_waits_for_the_same_end)
{
	struct caller one, two;

	hold(1, true);
	start(&one, reset);
	unlock();
	start(&two, reset);
	fake_dev_complete(&f->dev);
	unlock();
	join(&one);
	join(&two);
	ck_assert_uint_eq(f->dev.stops, 2); /* one by fix_up() */
}
END_TEST

START_TEST(registers_are_deaf_while_a_reset_waits)
{
	const struct vq before = *f->q;
	uint8_t running = d->status;
	struct vq_chain *c;
	struct caller t;

	d->config_wmask[0] = 0xff;
	hold(1, true);
	start(&t, reset);
	virtio_set_status(d, running | VIRTIO_STATUS_FAILED);
	ck_assert_uint_eq(d->status, running);
	virtio_set_driver_features(d, 0, 0);
	ck_assert_uint_eq(d->driver_features, FIX_ALL);
	virtio_config_write(d, 0, 1, 0x77);
	ck_assert_uint_eq(d->config[0], 0);
	ck_assert(!virtio_queue_writable(d, f->q));
	virtio_queue_enable(d, f->q);
	virtio_queue_reset(d, f->q);
	ck_assert(!f->q->resetting);
	ck_assert_uint_eq(f->q->desc, before.desc);
	fix_add(f);
	virtio_notify(d, 0);
	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	ck_assert_uint_eq(f->dev.nheld, 1);
	virtio_config_changed(d);
	ck_assert_uint_eq(f->transport.config_irqs, 0);
	fake_dev_complete(&f->dev);
	unlock();
	join(&t);
}
END_TEST

START_TEST(broken_device_resets_and_works_again)
{
	hold(2, false);
	virtio_broken(d, "test");
	f->dev.hold = false;
	fix_start(f, FIX_ALL, 8);
	fix_add(f);
	fix_kick(f);
	fix_take(f);
	ck_assert_uint_eq(f->q->inflight, 0);
}
END_TEST

START_TEST(ring_of_the_next_run_may_lie_elsewhere)
{
	struct vq_chain *c;

	fix_add(f);
	fix_use(f);
	fix_add(f);
	c = fix_pop(f);
	ck_assert(vqd_negotiate(d, FIX_ALL));
	vqd_init(&f->drv, &f->id, FIX_RING + 0x20000, FIX_LEN - 0x20000, 4);
	vqd_connect(&f->drv, d, 0);
	ck_assert(vqd_driver_ok(d));
	vq_push(f->q, c);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	for (unsigned i = 0; i < 10; i++) {
		fix_add(f);
		fix_use(f);
		fix_take(f);
	}
}
END_TEST

/*
 * One queue.
 */

static void check_renewed(void)
{
	ck_assert(!f->q->resetting);
	ck_assert(!f->q->enabled);
	ck_assert(!f->q->running);
	ck_assert_uint_eq(f->q->size, f->q->size_max);
	ck_assert_uint_eq(f->q->desc, 0);
	ck_assert(virtio_queue_writable(d, f->q));
	ck_assert(d->running);
}

static void run_again(void)
{
	f->dev.hold = false;
	vqd_init(&f->drv, &f->id, FIX_RING, FIX_LEN, 4);
	vqd_connect(&f->drv, d, 0);
	ck_assert(f->q->enabled && f->q->running);
	ck_assert(!virtio_queue_writable(d, f->q));
	for (unsigned i = 0; i < 6; i++) {
		fix_add(f);
		fix_kick(f);
		fix_take(f);
	}
}

/* [virtio 1.2, 2.6.1] */
START_TEST(queue_reset_is_done_when_the_device_has_no_chain)
{
	fix_add(f);
	fix_kick(f);
	hold(2, false);
	virtio_queue_reset(d, f->q);
	ck_assert_uint_eq(f->dev.queue_stops, 1);
	ck_assert_uint_eq(f->dev.stops, 1); /* by fix_up() */
	check_renewed();
	run_again();
}
END_TEST

START_TEST(queue_reset_goes_on_until_chains_are_back)
{
	struct vq_chain *c;

	hold(2, true);
	virtio_queue_reset(d, f->q);
	for (unsigned i = 0; i < 2; i++) {
		/* Not over yet.   [virtio 1.2, 4.1.4.3.1] */
		ck_assert(f->q->resetting);
		ck_assert(f->q->enabled);
		ck_assert(!virtio_queue_writable(d, f->q));
		virtio_notify(d, 0);
		ck_assert_int_eq(vq_pop(f->q, &c), 0);
		virtio_queue_reset(d, f->q);
		fake_dev_complete(&f->dev);
		/* Not used, not notified. */
		ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
		ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	}
	ck_assert_uint_eq(f->dev.queue_stops, 1);
	check_renewed();
	run_again();
}
END_TEST

START_TEST(queue_reset_not_negotiated_is_ignored)
{
	fix_start(f, FIX_ALL & ~BIT_ULL(VIRTIO_F_RING_RESET), 8);
	virtio_queue_reset(d, f->q);
	ck_assert(f->q->enabled && f->q->running && !f->q->resetting);
}
END_TEST

START_TEST(queue_not_enabled_is_not_reset)
{
	ck_assert(vqd_negotiate(d, FIX_ALL));
	ck_assert(vqd_driver_ok(d));
	virtio_queue_reset(d, f->q);
	ck_assert(!f->q->resetting);
	/* Else it would be a way to set it up after DRIVER_OK. */
	ck_assert(!virtio_queue_writable(d, f->q));
}
END_TEST

START_TEST(queue_reset_before_driver_ok_disables)
{
	ck_assert(vqd_negotiate(d, FIX_ALL));
	vqd_renew(&f->drv);
	vqd_connect(&f->drv, d, 0);
	virtio_queue_reset(d, f->q);
	ck_assert(!f->q->enabled);
	ck_assert_uint_eq(f->dev.queue_stops, 0);
	ck_assert(virtio_queue_writable(d, f->q));
}
END_TEST

START_TEST(device_reset_ends_a_queue_reset)
{
	struct caller t;

	hold(1, true);
	virtio_queue_reset(d, f->q);
	ck_assert(f->q->resetting);
	start(&t, reset);
	fake_dev_complete(&f->dev);
	unlock();
	join(&t);
	ck_assert(!f->q->resetting);
	ck_assert(!f->q->renewed);
	ck_assert(vqd_negotiate(d, FIX_ALL));
	ck_assert(vqd_driver_ok(d));
	ck_assert(!virtio_queue_writable(d, f->q));
}
END_TEST

START_TEST(bad_ring_after_queue_reset_breaks_the_device)
{
	virtio_queue_reset(d, f->q);
	f->q->size = 8;
	f->q->desc = 8;
	virtio_queue_enable(d, f->q);
	ck_assert(fix_is_broken(f));
	ck_assert(!f->q->enabled);
}
END_TEST

START_TEST(other_queues_go_on_during_a_queue_reset)
{
	const struct virtio_dev_env env = {.name = "fake1", .dma = &f->id};
	const uint16_t sizes[2] = {8, 8};
	static struct vq_driver drv[2];
	struct vqd_buf buf = {FIX_RING + FIX_LEN, 16, true};
	uint32_t head, len;

	fake_dev_fini(&f->dev);
	ck_assert_int_eq(fake_dev_init(&f->dev, &env, sizes, 2, 0), 0);
	ck_assert(vqd_negotiate(d, FIX_ALL));
	for (unsigned i = 0; i < 2; i++) {
		vqd_init(&drv[i], &f->id, FIX_RING + i * 0x10000, 0x10000, 8);
		vqd_connect(&drv[i], d, i);
	}
	ck_assert(vqd_driver_ok(d));
	f->dev.hold = f->dev.hold_is_inflight = true;
	(void)vqd_add(&drv[0], &buf, 1);
	virtio_notify(d, 0);
	f->dev.hold = false;
	virtio_queue_reset(d, virtio_queue(d, 0));
	ck_assert(virtio_queue(d, 0)->resetting);

	(void)vqd_add(&drv[1], &buf, 1);
	virtio_notify(d, 1);
	ck_assert(vqd_get_used(&drv[1], &head, &len));
	fake_dev_complete(&f->dev);
	ck_assert(!virtio_queue(d, 0)->resetting);
	ck_assert(virtio_queue(d, 1)->running);
}
END_TEST

/*
 * Pause.
 */

START_TEST(paused_device_takes_nothing_and_catches_up)
{
	struct vq_chain *c;

	virtio_pause(d, true);
	fix_add(f);
	fix_kick(f);
	ck_assert_uint_eq(f->dev.kicks, 0);
	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	ck_assert(!vq_kicks_on(f->q));
	vq_kicks_off(f->q);
	virtio_pause(d, false);
	fix_take(f);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
}
END_TEST

START_TEST(pushes_of_a_paused_device_wait_in_order)
{
	uint32_t head, len;

	hold(3, false);
	virtio_pause(d, true);
	for (unsigned i = 0; i < 3; i++)
		fake_dev_complete(&f->dev);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	ck_assert_uint_eq(f->q->inflight, 3);
	virtio_pause(d, false);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(vqd_get_used(&f->drv, &head, &len));
		ck_assert_uint_eq(head, i);
	}
	ck_assert_uint_eq(f->q->inflight, 0);
}
END_TEST

START_TEST(pause_waits_for_io_in_flight)
{
	struct caller t;

	hold(1, true);
	start(&t, pause_dev);
	ck_assert_uint_eq(d->inflight, 1);
	fake_dev_complete(&f->dev);
	unlock();
	join(&t);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	virtio_pause(d, false);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 1);
}
END_TEST

START_TEST(resuming_ends_the_wait_of_a_pause)
{
	struct caller t;

	hold(1, true);
	start(&t, pause_dev);
	virtio_pause(d, false);
	unlock();
	join(&t);
	ck_assert_uint_eq(d->inflight, 1);
	fake_dev_complete(&f->dev);
	fix_take(f);
}
END_TEST

START_TEST(reset_of_a_paused_device_forgets_what_waits)
{
	hold(2, false);
	virtio_pause(d, true);
	fake_dev_complete(&f->dev);
	virtio_reset(d);
	ck_assert(d->paused);
	ck_assert_uint_eq(f->q->inflight, 0);
	virtio_pause(d, false);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
}
END_TEST

START_TEST(device_may_be_set_up_while_paused)
{
	f->dev.hold = false;
	virtio_pause(d, true);
	fix_start(f, FIX_ALL, 8);
	fix_add(f);
	fix_kick(f);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	virtio_pause(d, false);
	fix_take(f);
}
END_TEST

START_TEST(queue_reset_of_a_paused_device_does_not_wait_for_resume)
{
	hold(1, true);
	virtio_pause(d, false);
	d->paused = true; /* without the wait */
	fake_dev_complete(&f->dev);
	ck_assert_uint_eq(f->q->inflight, 1);
	virtio_queue_reset(d, f->q);
	check_renewed();
	virtio_pause(d, false);
	run_again();
}
END_TEST

START_TEST(pause_twice_is_pause_and_waits_twice)
{
	struct caller one, two;

	virtio_pause(d, false);
	hold(1, true);
	start(&one, pause_dev);
	unlock();
	start(&two, pause_dev);
	fake_dev_complete(&f->dev);
	unlock();
	join(&one);
	join(&two);
	virtio_pause(d, false);
	fix_take(f);
}
END_TEST

START_TEST(pause_in_the_middle_of_a_resume_counts)
{
	const struct virtio_dev_env env = {.name = "fake1", .dma = &f->id};
	const uint16_t sizes[2] = {8, 8};
	static struct vq_driver drv[2];

	fake_dev_fini(&f->dev);
	ck_assert_int_eq(fake_dev_init(&f->dev, &env, sizes, 2, 0), 0);
	ck_assert(vqd_negotiate(d, FIX_ALL));
	for (unsigned i = 0; i < 2; i++) {
		vqd_init(&drv[i], &f->id, FIX_RING + i * 0x10000, 0x10000, 8);
		vqd_connect(&drv[i], d, i);
	}
	ck_assert(vqd_driver_ok(d));
	f->dev.hold = true;
	(void)vqd_add(&drv[1], &(struct vqd_buf){FIX_RING + FIX_LEN, 16, true},
		      1);
	virtio_notify(d, 1);
	virtio_pause(d, true);
	fake_dev_complete(&f->dev);
	f->dev.pause_in_kick = true;
	virtio_pause(d, false);
	ck_assert(d->paused);
	ck_assert_uint_eq(vqd_used_idx(&drv[1]), 0);
	f->dev.pause_in_kick = false;
	virtio_pause(d, false);
	ck_assert_uint_eq(vqd_used_idx(&drv[1]), 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/reset");
	TCase *t = tcase_create("device");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, reset_gives_idle_chains_back);
	tcase_add_test(t, device_that_never_started_is_stopped_too);
	tcase_add_test(t, reset_waits_for_io_in_flight);
	tcase_add_test(t, second_reset_waits_for_the_same_end);
	tcase_add_test(t, registers_are_deaf_while_a_reset_waits);
	tcase_add_test(t, broken_device_resets_and_works_again);
	tcase_add_test(t, ring_of_the_next_run_may_lie_elsewhere);
	suite_add_tcase(s, t);

	t = tcase_create("queue");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, queue_reset_is_done_when_the_device_has_no_chain);
	tcase_add_test(t, queue_reset_goes_on_until_chains_are_back);
	tcase_add_test(t, queue_reset_not_negotiated_is_ignored);
	tcase_add_test(t, queue_not_enabled_is_not_reset);
	tcase_add_test(t, queue_reset_before_driver_ok_disables);
	tcase_add_test(t, device_reset_ends_a_queue_reset);
	tcase_add_test(t, bad_ring_after_queue_reset_breaks_the_device);
	tcase_add_test(t, other_queues_go_on_during_a_queue_reset);
	suite_add_tcase(s, t);

	t = tcase_create("pause");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, paused_device_takes_nothing_and_catches_up);
	tcase_add_test(t, pushes_of_a_paused_device_wait_in_order);
	tcase_add_test(t, pause_waits_for_io_in_flight);
	tcase_add_test(t, resuming_ends_the_wait_of_a_pause);
	tcase_add_test(t, reset_of_a_paused_device_forgets_what_waits);
	tcase_add_test(t, device_may_be_set_up_while_paused);
	tcase_add_test(t,
		       queue_reset_of_a_paused_device_does_not_wait_for_resume);
	tcase_add_test(t, pause_twice_is_pause_and_waits_twice);
	tcase_add_test(t, pause_in_the_middle_of_a_resume_counts);
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
