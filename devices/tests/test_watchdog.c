/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <sys/timerfd.h>
#include <time.h>

#include "core/bits.h"
#include "core/bus.h"
#include "core/err.h"
#include "core/loop.h"
#include "devices/platform.h"
#include "devices/watchdog.h"

#define BASE	 0x1000
#define PRELOAD1 0x0
#define PRELOAD2 0x4
#define RELOAD	 0xc

#define START	0x100
#define TIMEOUT 0x200

struct fake_machine {
	struct machine_events events;
	unsigned unfed;
};

static void note_unfed(struct machine_events *e)
{
	container_of(e, struct fake_machine, events)->unfed++;
}

static const struct machine_events_ops events_ops = {.unfed = note_unfed};

static struct bus bus;
static struct loop *loop;
static struct fake_machine machine;
static struct watchdog w;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void setup(void)
{
	machine = (struct fake_machine){.events.ops = &events_ops};
	bus_init(&bus);
	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	ck_assert_int_eq(watchdog_init(&w, loop, &lock, &machine.events, NULL),
			 0);
	w.region.base = BASE;
	ck_assert_int_eq(bus_attach(&bus, &w.region), 0);
}

static void teardown(void)
{
	bus_fini(&bus);
	watchdog_fini(&w);
	loop_free(loop);
}

static void out(uint64_t off, unsigned size, uint64_t val)
{
	bus_write(&bus, BASE + off, size, val);
}

static void unlock(void)
{
	out(RELOAD, 2, 0x80);
	out(RELOAD, 2, 0x86);
}

static void feed(void)
{
	unlock();
	out(RELOAD, 2, START);
}

/* Both stages of so many milliseconds, or nearly. */
static void set_stages(uint32_t first, uint32_t second)
{
	unlock();
	out(PRELOAD1, 4, first);
	unlock();
	out(PRELOAD2, 4, second);
}

static void enable(uint8_t more)
{
	pthread_mutex_lock(&lock);
	watchdog_set_lock(&w, WATCHDOG_LOCK_ENABLE | more);
	pthread_mutex_unlock(&lock);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void run_for(unsigned ms)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	const uint64_t end = now_ms() + ms;

	do {
		loop_poll(loop);
		(void)nanosleep(&tick, NULL);
	} while (now_ms() < end);
	loop_poll(loop);
}

/* Return: how long it took, some seconds at most. */
static uint64_t run_until_unfed(void)
{
	const uint64_t start = now_ms();

	while (machine.unfed == 0 && now_ms() < start + 10000)
		run_for(1);
	ck_assert_uint_eq(machine.unfed, 1);
	return now_ms() - start;
}

/* Is the stage that runs one of so many milliseconds, of which it has had few? */
static bool has_ms(uint64_t ms)
{
	struct itimerspec left;
	uint64_t left_ms;

	ck_assert_int_eq(timerfd_gettime(w.timer.watch.fd, &left), 0);
	left_ms = (uint64_t)left.it_value.tv_sec * 1000 +
		  (uint64_t)left.it_value.tv_nsec / 1000000;
	return left_ms <= ms && left_ms > ms * 3 / 4;
}

/* The shortest stage, again and again, is no work for the host. */
START_TEST(timer_that_runs_freely_takes_its_time)
{
	struct itimerspec left = {0};

	set_stages(0, 0);
	pthread_mutex_lock(&lock);
	watchdog_set_config(&w, WATCHDOG_CONFIG_FAST);
	watchdog_set_lock(&w, WATCHDOG_LOCK_ENABLE | WATCHDOG_LOCK_FREERUN);
	/* A busy host may look so late that a stage is over. */
	for (int i = 0; i < 100 && left.it_value.tv_nsec < 1000000; i++) {
		w.timer.fn(&w.timer);
		ck_assert_int_eq(timerfd_gettime(w.timer.watch.fd, &left), 0);
	}
	pthread_mutex_unlock(&lock);
	ck_assert_int_ge(left.it_value.tv_nsec, 1000000);
}
END_TEST

START_TEST(each_stage_has_its_own_time)
{
	set_stages(100 << 10, 500 << 10);
	enable(0);
	ck_assert(has_ms(100000));
	pthread_mutex_lock(&lock);
	w.timer.fn(&w.timer);
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(w.stage, WATCHDOG_SECOND);
	ck_assert(has_ms(500000));
	feed();
	ck_assert(has_ms(100000));
	pthread_mutex_lock(&lock);
	watchdog_set_config(&w, WATCHDOG_CONFIG_FAST);
	pthread_mutex_unlock(&lock);
	set_stages(0xfffff, 1);
	feed();
	ck_assert(has_ms(1000));
}
END_TEST

START_TEST(enabling_it_once_more_does_not_feed_it)
{
	set_stages(100 << 10, 100 << 10);
	enable(0);
	set_stages(500 << 10, 500 << 10);
	enable(0);
	ck_assert(has_ms(100000));
}
END_TEST

START_TEST(a_reset_ends_the_wait_and_forgets_all_settings)
{
	struct itimerspec left;

	set_stages(100 << 10, 100 << 10);
	enable(0);
	out(RELOAD, 2, 0x80);
	pthread_mutex_lock(&lock);
	watchdog_set_config(&w, WATCHDOG_CONFIG_FAST);
	watchdog_reset(&w);
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(timerfd_gettime(w.timer.watch.fd, &left), 0);
	ck_assert_int_eq(left.it_value.tv_sec, 0);
	ck_assert_int_eq(left.it_value.tv_nsec, 0);
	ck_assert_int_eq(w.stage, WATCHDOG_RESTS);
	ck_assert_uint_eq(w.config, 0);
	ck_assert_uint_eq(w.preload[0], 0xfffff);
	ck_assert_uint_eq(w.preload[1], 0xfffff);
	/* The word that was said counts no more. */
	out(RELOAD, 2, 0x86);
	out(PRELOAD1, 4, 1);
	ck_assert_uint_eq(w.preload[0], 0xfffff);
}
END_TEST

START_TEST(a_watchdog_that_nobody_enabled_rests)
{
	set_stages(1, 1);
	feed();
	run_for(50);
	ck_assert_uint_eq(machine.unfed, 0);
}
END_TEST

START_TEST(a_guest_that_stops_feeding_it_is_told_after_both_stages)
{
	set_stages(50, 30);
	enable(0);
	ck_assert_uint_ge(run_until_unfed(), 75);
	ck_assert_uint_eq(bus_read(&bus, BASE + RELOAD, 2), TIMEOUT);
	ck_assert_uint_eq(bus_read(&bus, BASE + PRELOAD1, 4), 0);
	/* Once. */
	run_for(100);
	ck_assert_uint_eq(machine.unfed, 1);
}
END_TEST

START_TEST(a_guest_that_feeds_it_is_left_alone)
{
	set_stages(1000, 1000);
	enable(0);
	for (unsigned i = 0; i < 100; i++) {
		run_for(5);
		feed();
	}
	ck_assert_uint_eq(machine.unfed, 0);
	ck_assert_uint_eq(bus_read(&bus, BASE + RELOAD, 2), 0);
	ck_assert_int_eq(w.stage, WATCHDOG_FIRST);
}
END_TEST

START_TEST(feeding_in_the_second_stage_is_in_time)
{
	set_stages(10, 10000);
	enable(0);
	while (w.stage != WATCHDOG_SECOND)
		run_for(1);
	feed();
	ck_assert_int_eq(w.stage, WATCHDOG_FIRST);
	ck_assert_uint_eq(machine.unfed, 0);
}
END_TEST

/* Each is a way to write without having said both words, in order. */
START_TEST(what_is_written_without_the_magic_is_not_taken)
{
	set_stages(1000, 1000);
	switch (_i) {
	case 0:
		break;
	case 1:
		out(RELOAD, 2, 0x80);
		break;
	case 2:
		out(RELOAD, 2, 0x86);
		break;
	case 3:
		out(RELOAD, 2, 0x86);
		out(RELOAD, 2, 0x80);
		break;
	case 4: /* the words are good for one write */
		unlock();
		out(0x8, 4, 0);
		break;
	case 5:
		out(RELOAD, 2, 0x80);
		out(PRELOAD2, 4, 0x86);
		break;
	}
	out(PRELOAD1, 4, 1);
	ck_assert_uint_eq(w.preload[0], 1000);
}
END_TEST

START_TEST(preloads_have_20_bits)
{
	set_stages(UINT32_MAX, 0x100000);
	ck_assert_uint_eq(w.preload[0], 0xfffff);
	ck_assert_uint_eq(w.preload[1], 0);
	/* No time at all is still an end, and no crash. */
	set_stages(0, 0);
	enable(0);
	(void)run_until_unfed();
}
END_TEST

START_TEST(disabling_it_ends_the_wait_unless_it_is_locked)
{
	set_stages(20, 20);
	enable(_i ? WATCHDOG_LOCK_LOCKED : 0);
	pthread_mutex_lock(&lock);
	watchdog_set_lock(&w, 0);
	pthread_mutex_unlock(&lock);
	if (_i) {
		(void)run_until_unfed();
		return;
	}
	run_for(100);
	ck_assert_uint_eq(machine.unfed, 0);
}
END_TEST

START_TEST(without_its_output_it_only_notes_that_it_was_late)
{
	pthread_mutex_lock(&lock);
	watchdog_set_config(&w, WATCHDOG_CONFIG_NO_REBOOT);
	pthread_mutex_unlock(&lock);
	set_stages(5, 5);
	enable(0);
	while (bus_read(&bus, BASE + RELOAD, 2) != TIMEOUT)
		run_for(1);
	ck_assert_uint_eq(machine.unfed, 0);
	/* ... and forgets it when it is told. */
	unlock();
	out(RELOAD, 2, TIMEOUT);
	ck_assert_uint_eq(bus_read(&bus, BASE + RELOAD, 2), 0);
}
END_TEST

START_TEST(fast_ticks_are_microseconds)
{
	pthread_mutex_lock(&lock);
	watchdog_set_config(&w, WATCHDOG_CONFIG_FAST);
	pthread_mutex_unlock(&lock);
	set_stages(50000, 30000);
	enable(0);
	ck_assert_uint_ge(run_until_unfed(), 70);
}
END_TEST

START_TEST(a_free_running_one_ends_nothing)
{
	set_stages(2, 2);
	enable(WATCHDOG_LOCK_FREERUN);
	run_for(60);
	ck_assert_uint_eq(machine.unfed, 0);
	ck_assert_int_eq(w.stage, WATCHDOG_FIRST);
}
END_TEST

START_TEST(a_reset_stops_and_unlocks_it_and_keeps_that_it_was_late)
{
	set_stages(2, 2);
	enable(WATCHDOG_LOCK_LOCKED);
	(void)run_until_unfed();
	pthread_mutex_lock(&lock);
	watchdog_reset(&w);
	pthread_mutex_unlock(&lock);
	ck_assert_uint_eq(bus_read(&bus, BASE + RELOAD, 2), TIMEOUT);
	set_stages(2, 2);
	run_for(30);
	ck_assert_uint_eq(machine.unfed, 1);
	enable(0);
	run_for(30);
	ck_assert_uint_eq(machine.unfed, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/watchdog");
	TCase *t = tcase_create("watchdog");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, each_stage_has_its_own_time);
	tcase_add_test(t, timer_that_runs_freely_takes_its_time);
	tcase_add_test(t, enabling_it_once_more_does_not_feed_it);
	tcase_add_test(t, a_reset_ends_the_wait_and_forgets_all_settings);
	tcase_add_test(t, a_watchdog_that_nobody_enabled_rests);
	tcase_add_test(t,
		       a_guest_that_stops_feeding_it_is_told_after_both_stages);
	tcase_add_test(t, a_guest_that_feeds_it_is_left_alone);
	tcase_add_test(t, feeding_in_the_second_stage_is_in_time);
	tcase_add_loop_test(t, what_is_written_without_the_magic_is_not_taken,
			    0, 6);
	tcase_add_test(t, preloads_have_20_bits);
	tcase_add_loop_test(t, disabling_it_ends_the_wait_unless_it_is_locked,
			    0, 2);
	tcase_add_test(t, without_its_output_it_only_notes_that_it_was_late);
	tcase_add_test(t, fast_ticks_are_microseconds);
	tcase_add_test(t, a_free_running_one_ends_nothing);
	tcase_add_test(t,
		       a_reset_stops_and_unlocks_it_and_keeps_that_it_was_late);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
