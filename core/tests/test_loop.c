/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/loop.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/tests/fail.h"

#define MS UINT64_C(1000000)

/* A watch on an eventfd of its own, with something to do when it fires. */
struct bell {
	struct loop_watch w;
	int fd;
	unsigned fired;
	uint32_t events;
	bool keep; /* leave the eventfd signalled */
	void (*act)(struct bell *b);
};

static struct loop *l;
/* Of the watches of this round. */
static bool often;

/* Two watches whose events are in the same batch; which one comes first is
 * the kernel's choice. */
static struct bell *pair[2];
static unsigned pair_fired;

/* Seen by more than one thread. */
static atomic_bool in_handler, handler_done;
static atomic_uint served;

static void bell_fired(struct loop_watch *w, uint32_t events)
{
	struct bell *b = container_of(w, struct bell, w);

	b->fired++;
	b->events = events;
	if (!b->keep)
		eventfd_clear(b->fd);
	if (b->act)
		b->act(b);
}

static void bell_init(struct bell *b, void (*act)(struct bell *))
{
	*b = (struct bell){
		.w = {.fn = bell_fired, .often = often},
		.act = act,
		.fd = eventfd_new(),
	};
	ck_assert_int_ge(b->fd, 0);
	ck_assert_int_eq(loop_watch_add(l, &b->w, b->fd, EPOLLIN), 0);
}

static void bell_fini(struct bell *b)
{
	loop_watch_del(&b->w);
	close(b->fd);
}

static void stop(struct bell *b)
{
	(void)b;
	loop_stop(l);
}

/* Ends loop_run() when all that was ready before has had its turn. */
static void timer_stops(struct loop_timer *t)
{
	(void)t;
	loop_stop(l);
}

static void run_for(uint64_t ns)
{
	struct loop_timer t = {.fn = timer_stops};

	ck_assert_int_eq(loop_timer_add(l, &t), 0);
	loop_timer_set(&t, ns);
	loop_run(l);
	loop_timer_del(&t);
}

static void settle(void)
{
	run_for(5 * MS);
}

static void setup_any(void)
{
	ck_assert_int_eq(loop_new(&l, NULL), 0);
	pair_fired = 0;
	atomic_store(&in_handler, false);
	atomic_store(&handler_done, false);
	atomic_store(&served, 0);
}

static void setup(void)
{
	often = false;
	setup_any();
}

static void setup_often(void)
{
	often = true;
	setup_any();
}

static void teardown(void)
{
	loop_free(l);
}

/*
 * Stop.
 */

START_TEST(a_stop_that_came_first_counts)
{
	loop_stop(l);
	loop_run(l);
}
END_TEST

START_TEST(two_stops_are_one)
{
	struct bell b;

	loop_stop(l);
	loop_stop(l);
	loop_run(l);
	bell_init(&b, stop);
	eventfd_signal(b.fd);
	loop_run(l);
	ck_assert_uint_eq(b.fired, 1);
	bell_fini(&b);
}
END_TEST

START_TEST(a_stop_ends_the_run_before_the_next_event)
{
	struct bell b[8];
	unsigned fired = 0;

	for (unsigned i = 0; i < 8; i++) {
		bell_init(&b[i], stop);
		eventfd_signal(b[i].fd);
	}
	for (unsigned n = 1; n <= 8; n++) {
		loop_run(l);
		fired = 0;
		for (unsigned i = 0; i < 8; i++)
			fired += b[i].fired;
		ck_assert_uint_eq(fired, n);
	}
	for (unsigned i = 0; i < 8; i++)
		bell_fini(&b[i]);
}
END_TEST

START_TEST(null_can_be_freed)
{
	loop_free(NULL);
}
END_TEST

/*
 * Watches.
 */

static void stop_at_third(struct bell *b)
{
	if (b->fired == 3)
		loop_stop(l);
}

START_TEST(a_watch_fires_while_its_fd_is_ready)
{
	struct bell b;

	bell_init(&b, NULL);
	settle();
	ck_assert_uint_eq(b.fired, 0);
	eventfd_signal(b.fd);
	settle();
	ck_assert_uint_eq(b.fired, 1);
	ck_assert_uint_eq(b.events, EPOLLIN);
	b.keep = true;
	b.act = stop_at_third;
	eventfd_signal(b.fd);
	loop_run(l);
	ck_assert_uint_eq(b.fired, 3);
	bell_fini(&b);
}
END_TEST

START_TEST(a_watch_is_added_once)
{
	struct bell b;

	bell_init(&b, NULL);
	ck_assert_int_eq(loop_watch_add(l, &b.w, 0, EPOLLIN), -EEXIST);
	bell_fini(&b);
	loop_watch_del(&b.w);
}
END_TEST

START_TEST(an_fd_is_watched_once)
{
	struct bell b;
	struct loop_watch again = {.fn = bell_fired};

	bell_init(&b, NULL);
	ck_assert_int_eq(loop_watch_add(l, &again, b.fd, EPOLLIN), -EEXIST);
	loop_watch_set(&b.w, 0);
	ck_assert_int_eq(loop_watch_add(l, &again, b.fd, EPOLLIN), -EEXIST);
	ck_assert_ptr_null(again.loop);
	loop_watch_del(&b.w);
	ck_assert_int_eq(loop_watch_add(l, &again, b.fd, EPOLLIN), 0);
	loop_watch_del(&again);
	loop_watch_del(&again);
	close(b.fd);
}
END_TEST

START_TEST(fds_that_cannot_be_watched_are_refused)
{
	struct loop_watch w = {.fn = bell_fired, .often = often};
	AUTO_CLOSE int file = memfd_create("t", MFD_CLOEXEC);

	ck_assert_int_eq(loop_watch_add(l, &w, file, EPOLLIN), -EPERM);
	ck_assert_int_eq(loop_watch_add(l, &w, file, 0), -EPERM);
	ck_assert_int_eq(loop_watch_add(l, &w, -1, EPOLLIN), -EBADF);
	loop_watch_set(&w, EPOLLIN);
	loop_watch_del(&w);
}
END_TEST

START_TEST(a_paused_watch_stays_silent_until_it_goes_on)
{
	struct bell b;

	bell_init(&b, NULL);
	eventfd_signal(b.fd);
	loop_watch_set(&b.w, 0);
	settle();
	ck_assert_uint_eq(b.fired, 0);
	loop_watch_set(&b.w, EPOLLIN);
	settle();
	ck_assert_uint_eq(b.fired, 1);
	bell_fini(&b);
}
END_TEST

static void count_hup(struct loop_watch *w, uint32_t events)
{
	struct bell *b = container_of(w, struct bell, w);

	b->fired++;
	b->events = events;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

START_TEST(a_paused_watch_does_not_spin_on_a_hang_up)
{
	struct bell b = {.w = {.fn = count_hup, .often = often}};
	uint64_t before;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(loop_watch_add(l, &b.w, fds[0], 0), 0);
	close(fds[1]);
	before = cpu_ns();
	run_for(200 * MS);
	ck_assert_uint_lt(cpu_ns() - before, 20 * MS);
	ck_assert_uint_eq(b.fired, 0);
	/* And is told when it goes on. */
	loop_watch_set(&b.w, EPOLLIN);
	settle();
	ck_assert_uint_gt(b.fired, 0);
	ck_assert_uint_eq(b.events, EPOLLHUP);
	loop_watch_del(&b.w);
	close(fds[0]);
}
END_TEST

START_TEST(events_can_change)
{
	struct bell b;

	bell_init(&b, NULL);
	loop_watch_set(&b.w, EPOLLOUT);
	settle();
	ck_assert_uint_gt(b.fired, 0);
	ck_assert_uint_eq(b.events, EPOLLOUT);
	bell_fini(&b);
}
END_TEST

START_TEST(many_watches_each_get_their_own)
{
	static struct bell b[200];

	for (unsigned i = 0; i < 200; i++)
		bell_init(&b[i], NULL);
	for (unsigned i = 0; i < 200; i += 3)
		eventfd_signal(b[i].fd);
	settle();
	for (unsigned i = 0; i < 200; i++) {
		ck_assert_uint_eq(b[i].fired, i % 3 == 0);
		bell_fini(&b[i]);
	}
}
END_TEST

START_TEST(a_freed_loop_lets_its_watches_go)
{
	struct bell b;
	struct loop_timer t = {.fn = timer_stops};

	bell_init(&b, NULL);
	ck_assert_int_eq(loop_timer_add(l, &t), 0);
	loop_free(l);
	l = NULL;
	ck_assert_ptr_null(b.w.loop);
	loop_watch_set(&b.w, EPOLLIN);
	loop_timer_set(&t, 0);
	loop_timer_cancel(&t);
	loop_timer_del(&t);
	bell_fini(&b);
}
END_TEST

/*
 * Deletion while an event is on its way.
 */

static void delete_self(struct bell *b)
{
	loop_watch_del(&b->w);
}

START_TEST(a_watch_may_delete_itself)
{
	struct bell b;

	bell_init(&b, delete_self);
	b.keep = true;
	eventfd_signal(b.fd);
	settle();
	ck_assert_uint_eq(b.fired, 1);
	ck_assert_ptr_null(b.w.loop);
	close(b.fd);
}
END_TEST

static void free_self(struct bell *b)
{
	bell_fini(b);
	free(b);
}

START_TEST(a_watch_may_free_itself)
{
	struct bell *b = malloc(sizeof(*b));

	bell_init(b, free_self);
	eventfd_signal(b->fd);
	settle(); /* ASan looks */
}
END_TEST

static void pair_init(void (*act)(struct bell *))
{
	for (unsigned i = 0; i < 2; i++) {
		pair[i] = malloc(sizeof(*pair[i]));
		bell_init(pair[i], act);
		eventfd_signal(pair[i]->fd);
	}
}

static void pair_fini(void)
{
	for (unsigned i = 0; i < 2; i++) {
		if (pair[i])
			free_self(pair[i]);
		pair[i] = NULL;
	}
}

/* Whoever comes first frees the other. */
static void free_other(struct bell *b)
{
	const unsigned other = b == pair[0];

	pair_fired++;
	if (pair[other])
		free_self(pair[other]);
	pair[other] = NULL;
}

START_TEST(a_watch_freed_in_its_own_batch_does_not_fire)
{
	pair_init(free_other);
	settle();
	ck_assert_uint_eq(pair_fired, 1);
	pair_fini();
}
END_TEST

/* The other one's place is taken at once, by a watch that is not ready. */
static struct bell successor;

static void replace_other(struct bell *b)
{
	const unsigned other = b == pair[0];

	pair_fired++;
	free_self(pair[other]);
	pair[other] = NULL;
	bell_init(&successor, NULL);
}

START_TEST(a_successor_in_the_same_slot_does_not_get_the_old_event)
{
	pair_init(replace_other);
	settle();
	ck_assert_uint_eq(pair_fired, 1);
	ck_assert_uint_eq(successor.fired, 0);
	eventfd_signal(successor.fd);
	settle();
	ck_assert_uint_eq(successor.fired, 1);
	bell_fini(&successor);
	pair_fini();
}
END_TEST

static void pause_other(struct bell *b)
{
	pair_fired++;
	loop_watch_set(&pair[b == pair[0]]->w, 0);
}

START_TEST(a_watch_paused_in_its_own_batch_does_not_fire)
{
	pair_init(pause_other);
	settle();
	ck_assert_uint_eq(pair_fired, 1);
	pair_fini();
}
END_TEST

/*
 * Timers.
 */

struct tick {
	struct loop_timer t;
	unsigned fired;
	uint64_t again; /* rearm with this delay if not 0 */
};

static void tick_fired(struct loop_timer *t)
{
	struct tick *k = container_of(t, struct tick, t);

	k->fired++;
	if (k->again)
		loop_timer_set(t, k->again);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

START_TEST(a_timer_fires_once_and_not_early)
{
	const uint64_t start = now_ns();
	struct tick k = {.t.fn = tick_fired};

	ck_assert_int_eq(loop_timer_add(l, &k.t), 0);
	ck_assert_int_eq(loop_timer_add(l, &k.t), -EEXIST);
	settle();
	ck_assert_uint_eq(k.fired, 0);
	loop_timer_set(&k.t, 20 * MS);
	while (k.fired == 0)
		settle();
	ck_assert_uint_ge(now_ns() - start, 20 * MS);
	settle();
	ck_assert_uint_eq(k.fired, 1);
	loop_timer_del(&k.t);
	loop_timer_del(&k.t);
}
END_TEST

START_TEST(a_delay_of_zero_fires_at_once)
{
	struct tick k = {.t.fn = tick_fired};

	ck_assert_int_eq(loop_timer_add(l, &k.t), 0);
	loop_timer_set(&k.t, 0);
	settle();
	ck_assert_uint_eq(k.fired, 1);
	loop_timer_del(&k.t);
}
END_TEST

START_TEST(the_longest_delay_does_not_wrap)
{
	struct tick k = {.t.fn = tick_fired};

	ck_assert_int_eq(loop_timer_add(l, &k.t), 0);
	loop_timer_set(&k.t, UINT64_MAX);
	settle();
	ck_assert_uint_eq(k.fired, 0);
	loop_timer_del(&k.t);
}
END_TEST

START_TEST(a_cancelled_timer_does_not_fire)
{
	struct tick k = {.t.fn = tick_fired};

	ck_assert_int_eq(loop_timer_add(l, &k.t), 0);
	loop_timer_set(&k.t, 1);
	usleep(1000); /* expired, but not yet read */
	loop_timer_cancel(&k.t);
	settle();
	ck_assert_uint_eq(k.fired, 0);
	loop_timer_set(&k.t, 1);
	usleep(1000);
	loop_timer_set(&k.t, 1000 * 1000 * MS);
	settle();
	ck_assert_uint_eq(k.fired, 0);
	loop_timer_del(&k.t);
}
END_TEST

START_TEST(a_timer_may_rearm_itself)
{
	struct tick k = {.t.fn = tick_fired, .again = 1};

	ck_assert_int_eq(loop_timer_add(l, &k.t), 0);
	loop_timer_set(&k.t, 1);
	while (k.fired < 3)
		settle();
	loop_timer_del(&k.t);
}
END_TEST

static void tick_frees_itself(struct loop_timer *t)
{
	struct tick *k = container_of(t, struct tick, t);

	loop_timer_del(t);
	free(k);
}

START_TEST(a_timer_may_free_itself)
{
	struct tick *k = calloc(1, sizeof(*k));

	k->t.fn = tick_frees_itself;
	ck_assert_int_eq(loop_timer_add(l, &k->t), 0);
	loop_timer_set(&k->t, 0);
	settle();
}
END_TEST

START_TEST(a_zeroed_timer_can_be_deleted)
{
	struct loop_timer t = {0};

	loop_timer_del(&t);
	loop_timer_cancel(&t);
	loop_timer_set(&t, 1);
	ck_assert_int_ge(fcntl(0, F_GETFD), 0);
}
END_TEST

/*
 * More than one thread.
 */

static void *run(void *arg)
{
	(void)arg;
	loop_run(l);
	return NULL;
}

static pthread_t start(void)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, run, NULL), 0);
	return t;
}

static void finish(pthread_t t)
{
	loop_stop(l);
	pthread_join(t, NULL);
}

START_TEST(a_stop_from_another_thread_wakes_the_loop)
{
	pthread_t t = start();

	usleep(2000);
	finish(t);
}
END_TEST

/* A device as another thread sees it. */
struct device {
	pthread_mutex_t lock;
	struct bell bell;
	struct tick tick;
	bool gone; /* nothing may fire any more */
	unsigned late;
};

static void device_rung(struct bell *b)
{
	struct device *d = container_of(b, struct device, bell);

	d->late += d->gone;
}

static void device_ticked(struct loop_timer *t)
{
	struct device *d = container_of(t, struct device, tick.t);

	d->late += d->gone;
	loop_timer_set(t, 1);
}

static struct device *device_new(void)
{
	struct device *d = calloc(1, sizeof(*d));

	pthread_mutex_init(&d->lock, NULL);
	d->bell = (struct bell){
		.w = {.fn = bell_fired, .lock = &d->lock, .often = often},
		.act = device_rung,
		.keep = true,
		.fd = eventfd_new()};
	d->tick.t = (struct loop_timer){.fn = device_ticked, .lock = &d->lock};
	ck_assert_int_eq(loop_watch_add(l, &d->bell.w, d->bell.fd, EPOLLIN), 0);
	pthread_mutex_lock(&d->lock);
	ck_assert_int_eq(loop_timer_add(l, &d->tick.t), 0);
	loop_timer_set(&d->tick.t, 1);
	pthread_mutex_unlock(&d->lock);
	eventfd_signal(d->bell.fd);
	return d;
}

START_TEST(a_watch_deleted_under_its_lock_never_fires_again)
{
	pthread_t t = start();

	for (unsigned i = 0; i < 300; i++) {
		struct device *d = device_new();

		if (i % 3 == 0)
			sched_yield();
		else if (i % 3 == 1)
			usleep(50);
		pthread_mutex_lock(&d->lock);
		loop_watch_del(&d->bell.w);
		loop_timer_del(&d->tick.t);
		d->gone = true;
		pthread_mutex_unlock(&d->lock);
		loop_barrier(l);
		ck_assert_uint_eq(d->late, 0);
		close(d->bell.fd);
		pthread_mutex_destroy(&d->lock);
		free(d); /* ASan and TSan look */
	}
	finish(t);
}
END_TEST

START_TEST(a_watch_paused_under_its_lock_is_silent)
{
	pthread_t t = start();
	struct device *d = device_new();

	for (unsigned i = 0; i < 300; i++) {
		pthread_mutex_lock(&d->lock);
		d->gone = false;
		loop_watch_set(&d->bell.w, EPOLLIN);
		loop_timer_set(&d->tick.t, 1);
		pthread_mutex_unlock(&d->lock);
		sched_yield();
		pthread_mutex_lock(&d->lock);
		loop_watch_set(&d->bell.w, 0);
		loop_timer_cancel(&d->tick.t);
		d->gone = true;
		pthread_mutex_unlock(&d->lock);
		sched_yield();
	}
	finish(t);
	ck_assert_uint_eq(d->late, 0);
	loop_watch_del(&d->bell.w);
	loop_timer_del(&d->tick.t);
	close(d->bell.fd);
	free(d);
}
END_TEST

static void slow(struct bell *b)
{
	(void)b;
	atomic_store(&in_handler, true);
	usleep(20000);
	atomic_store(&handler_done, true);
}

START_TEST(the_barrier_waits_for_a_handler_that_runs)
{
	pthread_t t = start();
	struct bell b;

	bell_init(&b, slow);
	eventfd_signal(b.fd);
	while (!atomic_load(&in_handler))
		sched_yield();
	loop_watch_del(&b.w);
	loop_barrier(l);
	ck_assert(atomic_load(&handler_done));
	finish(t);
	close(b.fd);
}
END_TEST

static void barrier_inside(struct bell *b)
{
	(void)b;
	loop_barrier(l);
	loop_stop(l);
}

START_TEST(the_barrier_does_not_wait_for_itself)
{
	struct bell b;

	loop_barrier(l); /* nobody runs it */
	bell_init(&b, barrier_inside);
	eventfd_signal(b.fd);
	loop_run(l);
	bell_fini(&b);
}
END_TEST

static void serve(struct bell *b)
{
	(void)b;
	atomic_fetch_add(&served, 1);
}

START_TEST(a_watch_added_while_the_loop_waits_is_served)
{
	pthread_t t = start();
	struct bell b;

	usleep(2000);
	bell_init(&b, serve);
	eventfd_signal(b.fd);
	while (atomic_load(&served) == 0)
		sched_yield();
	loop_watch_del(&b.w);
	finish(t);
	close(b.fd);
}
END_TEST

static void serve_byte(struct loop_watch *w, uint32_t events)
{
	uint8_t byte;

	ck_assert_uint_eq(events, EPOLLIN);
	ck_assert_int_eq(read(w->fd, &byte, 1), 1);
	atomic_fetch_add(&served, 1);
}

/* What its thread has begun, others could end only later. */
START_TEST(a_loop_that_ends_has_no_hold_of_a_file)
{
	struct loop_watch w = {.fn = serve_byte, .often = often};
	struct pollfd writer = {.events = POLLOUT};
	int ends[2];
	pthread_t t;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	writer.fd = ends[1];
	ck_assert_int_eq(loop_watch_add(l, &w, ends[0], EPOLLIN), 0);
	for (unsigned i = 1; i <= 3; i++) {
		t = start();
		ck_assert_int_eq(write(ends[1], &w, 1), 1);
		while (atomic_load(&served) < i)
			sched_yield();
		finish(t);
	}
	loop_watch_del(&w);
	close(ends[0]);
	ck_assert_int_eq(poll(&writer, 1, 0), 1);
	ck_assert_int_eq(writer.revents & POLLERR, POLLERR);
	close(ends[1]);
}
END_TEST

/*
 * Failures.
 */

START_TEST(each_way_to_fail_leaves_no_loop)
{
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		struct loop *made = NULL;
		struct err e = {0};
		int r;

		fail_arm(n);
		r = loop_new(&made, &e);
		failed = fail_disarm();
		ck_assert_int_eq(r, failed ? -ENOMEM : 0);
		if (failed)
			ck_assert_str_eq(e.msg, "cannot make an event loop: "
						"Cannot allocate memory");
		else
			ck_assert_uint_gt(n, 3);
		ck_assert(failed == !made);
		loop_free(made);
	}
}
END_TEST

START_TEST(each_way_to_fail_leaves_no_watch)
{
	AUTO_CLOSE int fd = eventfd_new();
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		struct loop_watch w = {.fn = bell_fired, .often = often};
		int r;

		fail_arm(n);
		r = loop_watch_add(l, &w, fd, EPOLLIN);
		failed = fail_disarm();
		ck_assert_int_eq(r, failed ? -ENOMEM : 0);
		ck_assert(failed == !w.loop);
		loop_watch_del(&w);
	}
	failed = true;
	for (unsigned n = 1; failed; n++) {
		struct tick k = {.t.fn = tick_fired};
		int r;

		fail_arm(n);
		r = loop_timer_add(l, &k.t);
		failed = fail_disarm();
		ck_assert_int_eq(r, failed ? -ENOMEM : 0);
		loop_timer_set(&k.t, 0);
		settle();
		ck_assert_uint_eq(k.fired, !failed);
		loop_timer_del(&k.t);
		ck_assert_int_ge(fcntl(0, F_GETFD), 0);
	}
}
END_TEST

START_TEST(poll_serves_what_is_ready_and_does_not_wait)
{
	struct bell a, b;

	bell_init(&a, NULL);
	bell_init(&b, NULL);
	loop_poll(l);
	ck_assert_uint_eq(a.fired + b.fired, 0);
	eventfd_signal(a.fd);
	loop_poll(l);
	ck_assert_uint_eq(a.fired, 1);
	ck_assert_uint_eq(b.fired, 0);
	bell_fini(&a);
	bell_fini(&b);
}
END_TEST

static TCase *loops(void)
{
	TCase *tc = tcase_create("loops");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_stop_that_came_first_counts);
	tcase_add_test(tc, two_stops_are_one);
	tcase_add_test(tc, null_can_be_freed);
	tcase_add_test(tc, an_fd_is_watched_once);
	tcase_add_test(tc, each_way_to_fail_leaves_no_loop);
	return tc;
}

/* Polled by epoll, or by the ring. */
static TCase *watches(const char *name, void (*set_up)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up, teardown);
	tcase_add_test(tc, a_stop_ends_the_run_before_the_next_event);
	tcase_add_test(tc, poll_serves_what_is_ready_and_does_not_wait);
	tcase_add_test(tc, a_watch_fires_while_its_fd_is_ready);
	tcase_add_test(tc, a_watch_is_added_once);
	tcase_add_test(tc, fds_that_cannot_be_watched_are_refused);
	tcase_add_test(tc, a_paused_watch_stays_silent_until_it_goes_on);
	tcase_add_test(tc, a_paused_watch_does_not_spin_on_a_hang_up);
	tcase_add_test(tc, events_can_change);
	tcase_add_test(tc, many_watches_each_get_their_own);
	tcase_add_test(tc, a_freed_loop_lets_its_watches_go);
	tcase_add_test(tc, a_watch_may_delete_itself);
	tcase_add_test(tc, a_watch_may_free_itself);
	tcase_add_test(tc, a_watch_freed_in_its_own_batch_does_not_fire);
	tcase_add_test(tc,
		       a_successor_in_the_same_slot_does_not_get_the_old_event);
	tcase_add_test(tc, a_watch_paused_in_its_own_batch_does_not_fire);
	tcase_add_test(tc, each_way_to_fail_leaves_no_watch);
	return tc;
}

static TCase *timers(void)
{
	TCase *tc = tcase_create("timers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_timer_fires_once_and_not_early);
	tcase_add_test(tc, a_delay_of_zero_fires_at_once);
	tcase_add_test(tc, the_longest_delay_does_not_wrap);
	tcase_add_test(tc, a_cancelled_timer_does_not_fire);
	tcase_add_test(tc, a_timer_may_rearm_itself);
	tcase_add_test(tc, a_timer_may_free_itself);
	tcase_add_test(tc, a_zeroed_timer_can_be_deleted);
	return tc;
}

static TCase *threads(const char *name, void (*set_up)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_stop_from_another_thread_wakes_the_loop);
	tcase_add_test(tc, a_watch_deleted_under_its_lock_never_fires_again);
	tcase_add_test(tc, a_watch_paused_under_its_lock_is_silent);
	tcase_add_test(tc, the_barrier_waits_for_a_handler_that_runs);
	tcase_add_test(tc, the_barrier_does_not_wait_for_itself);
	tcase_add_test(tc, a_watch_added_while_the_loop_waits_is_served);
	tcase_add_test(tc, a_loop_that_ends_has_no_hold_of_a_file);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("core/loop");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, loops());
	suite_add_tcase(s, watches("watches", setup));
	suite_add_tcase(s, watches("watches that fire often", setup_often));
	suite_add_tcase(s, timers());
	suite_add_tcase(s, threads("threads", setup));
	suite_add_tcase(s, threads("threads, often", setup_often));
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
