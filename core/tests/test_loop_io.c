/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Doorbells, and I/O by the loop's io_uring.  Where the host has none the
 * tests of I/O have nothing to look at.
 */
#include "core/loop.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "core/bits.h"
#include "core/fd.h"

static struct loop *l;
static pthread_t thread;
static bool threaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void setup(void)
{
	ck_assert_int_eq(loop_new(&l, NULL), 0);
	threaded = false;
}

static void teardown(void)
{
	if (threaded) {
		loop_stop(l);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	loop_free(l);
}

static void *loop_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void run_in_thread(void)
{
	ck_assert_int_eq(pthread_create(&thread, NULL, loop_main, l), 0);
	threaded = true;
}

static void timer_stops(struct loop_timer *t)
{
	(void)t;
	loop_stop(l);
}

/* Two rounds: watches are polled after the first. */
static void settle(void)
{
	struct loop_timer t = {.fn = timer_stops};

	ck_assert_int_eq(loop_timer_add(l, &t), 0);
	for (unsigned i = 0; i < 2; i++) {
		loop_timer_set(&t, 0);
		loop_run(l);
	}
	loop_timer_del(&t);
}

/*
 * Doorbells.
 */

struct bell {
	struct loop_watch w;
	int fd;
	atomic_uint fired;
};

static void bell_fired(struct loop_watch *w, uint32_t events)
{
	struct bell *b = container_of(w, struct bell, w);

	ck_assert(events & EPOLLIN);
	atomic_fetch_add(&b->fired, 1);
}

static void bell_init(struct bell *b)
{
	*b = (struct bell){.w.fn = bell_fired, .fd = eventfd_new()};
	b->w.lock = &lock;
	ck_assert_int_ge(b->fd, 0);
	ck_assert_int_eq(loop_watch_add(l, &b->w, b->fd, EPOLLIN | EPOLLET), 0);
}

static void bell_fini(struct bell *b)
{
	loop_watch_del(&b->w);
	close(b->fd);
}

START_TEST(a_bell_fires_after_each_signal_and_not_without)
{
	struct bell b;

	bell_init(&b);
	settle();
	ck_assert_uint_eq(b.fired, 0);
	for (unsigned i = 1; i <= 5; i++) {
		eventfd_signal(b.fd);
		settle();
		ck_assert_uint_eq(b.fired, i);
	}
	bell_fini(&b);
}
END_TEST

START_TEST(a_bell_that_rang_before_it_was_watched_fires)
{
	struct bell b = {.w.fn = bell_fired, .fd = eventfd_new()};

	eventfd_signal(b.fd);
	ck_assert_int_eq(loop_watch_add(l, &b.w, b.fd, EPOLLIN | EPOLLET), 0);
	settle();
	ck_assert_uint_ge(b.fired, 1);
	bell_fini(&b);
}
END_TEST

START_TEST(a_deleted_bell_is_silent)
{
	struct bell b;

	bell_init(&b);
	settle();
	loop_watch_del(&b.w);
	eventfd_signal(b.fd);
	settle();
	ck_assert_uint_eq(b.fired, 0);
	close(b.fd);
}
END_TEST

START_TEST(the_next_bell_in_the_same_slot_fires_for_itself_alone)
{
	struct bell old, b;

	bell_init(&old);
	settle();
	loop_watch_del(&old.w);
	bell_init(&b);
	eventfd_signal(old.fd);
	settle();
	ck_assert_uint_eq(b.fired, 0);
	eventfd_signal(b.fd);
	settle();
	ck_assert_uint_eq(b.fired, 1);
	ck_assert_uint_eq(old.fired, 0);
	bell_fini(&b);
	close(old.fd);
}
END_TEST

START_TEST(a_bell_goes_on_in_another_thread)
{
	struct bell b;

	bell_init(&b);
	for (unsigned i = 1; i <= 3; i++) {
		run_in_thread();
		eventfd_signal(b.fd);
		while (b.fired < i)
			sched_yield();
		loop_stop(l);
		pthread_join(thread, NULL);
		threaded = false;
		/* What it rang in the meantime may be told twice. */
		b.fired = i;
	}
	bell_fini(&b);
}
END_TEST

START_TEST(no_ring_of_the_bell_is_lost)
{
	struct bell b;

	bell_init(&b);
	run_in_thread();
	for (unsigned i = 0; i < 20000; i++) {
		unsigned before = b.fired;

		eventfd_signal(b.fd);
		while (b.fired == before)
			sched_yield();
	}
	pthread_mutex_lock(&lock);
	loop_watch_del(&b.w);
	pthread_mutex_unlock(&lock);
	loop_barrier(l);
	close(b.fd);
}
END_TEST

/*
 * I/O.
 */

#ifdef HAVE_LIBURING
#define IOS 1000u

struct disk {
	struct loop_io_user user;
	struct loop_watch start;
	int start_fd;
	struct loop_io ios[IOS];
	uint8_t bytes[IOS];
	unsigned n, done, batches;
	bool stop; /* the loop, when all are done */
};

static void io_done(struct loop_io_user *u, struct loop_io *io, int32_t result)
{
	struct disk *d = container_of(u, struct disk, user);

	ck_assert_ptr_eq(io->user, u);
	ck_assert_int_eq(result, 1);
	d->done++;
}

static void batch_done(struct loop_io_user *u)
{
	struct disk *d = container_of(u, struct disk, user);

	d->batches++;
	if (d->stop && d->done == d->n)
		loop_stop(l);
}

static void start_all(struct disk *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		struct io_uring_sqe *sqe = loop_io_get(&d->user);

		ck_assert_ptr_nonnull(sqe);
		io_uring_prep_read(sqe, d->user.fds[0], &d->bytes[i], 1, i);
		loop_io_put(&d->user, sqe, &d->ios[i]);
	}
}

static void on_start(struct loop_watch *w, uint32_t events)
{
	struct disk *d = container_of(w, struct disk, start);

	(void)events;
	ck_assert(loop_io_here(&d->user));
	start_all(d);
}

/* False: there is no ring here. */
static bool disk_init(struct disk *d, unsigned n)
{
	memset(d, 0, sizeof(*d));
	d->n = n;
	d->user.done = io_done;
	d->user.batch_done = batch_done;
	d->user.lock = &lock;
	d->user.fds[1] = -1;
	d->user.fds[0] = memfd_create("disk", MFD_CLOEXEC);
	for (unsigned i = 0; i < IOS; i++)
		ck_assert_int_eq(
			write(d->user.fds[0], &(uint8_t){(uint8_t)i}, 1), 1);
	if (loop_io_open(l, &d->user)) {
		close(d->user.fds[0]);
		return false;
	}
	d->start_fd = eventfd_new();
	d->start.fn = on_start;
	d->start.lock = &lock;
	ck_assert_int_eq(loop_watch_add(l, &d->start, d->start_fd,
					EPOLLIN | EPOLLET),
			 0);
	eventfd_signal(d->start_fd);
	return true;
}

static void disk_fini(struct disk *d)
{
	pthread_mutex_lock(&lock);
	loop_watch_del(&d->start);
	pthread_mutex_unlock(&lock);
	loop_io_close(&d->user);
	close(d->start_fd);
	close(d->user.fds[0]);
}

static struct disk disks[2];

START_TEST(more_reads_than_the_ring_has_entries_come_back)
{
	struct disk *d = &disks[0];

	if (!disk_init(d, IOS))
		return;
	d->stop = true;
	loop_run(l);
	ck_assert_uint_eq(d->done, IOS);
	ck_assert_uint_lt(d->batches, IOS / 10);
	for (unsigned i = 0; i < IOS; i++)
		ck_assert_uint_eq(d->bytes[i], (uint8_t)i);
	disk_fini(d);
}
END_TEST

START_TEST(closing_waits_for_the_kernel_and_nobody_is_told)
{
	struct disk *d = &disks[0];

	if (!disk_init(d, 100))
		return;
	run_in_thread();
	pthread_mutex_lock(&lock);
	while (d->user.pending == 0 && d->done == 0) {
		pthread_mutex_unlock(&lock);
		sched_yield();
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	disk_fini(d);
	ck_assert_uint_eq(d->user.pending, 0);
}
END_TEST

/* Closed while nobody runs the loop; the other user's reads are kept. */
START_TEST(closing_one_user_loses_nothing_of_the_other)
{
	struct disk *a = &disks[0], *b = &disks[1];

	if (!disk_init(a, 50) || !disk_init(b, 50))
		return;
	while (a->done < 50 || b->done < 50)
		settle();
	a->done = b->done = 0;
	start_all(b);
	start_all(a);
	disk_fini(a);
	ck_assert_uint_eq(a->done, 0);
	b->stop = true;
	loop_run(l);
	ck_assert_uint_eq(b->done, 50);
	disk_fini(b);
}
END_TEST

START_TEST(files_beyond_those_with_numbers_work_too)
{
	static struct disk many[70];

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		if (!disk_init(&many[i], 1))
			return;
	settle();
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		disk_fini(&many[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		ck_assert_uint_le(many[i].done, 1);
}
END_TEST
#endif

static Suite *suite(void)
{
	Suite *s = suite_create("core/loop_io");
	TCase *tc = tcase_create("bells");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_bell_fires_after_each_signal_and_not_without);
	tcase_add_test(tc, a_bell_that_rang_before_it_was_watched_fires);
	tcase_add_test(tc, a_deleted_bell_is_silent);
	tcase_add_test(tc,
		       the_next_bell_in_the_same_slot_fires_for_itself_alone);
	tcase_add_test(tc, a_bell_goes_on_in_another_thread);
	tcase_add_test(tc, no_ring_of_the_bell_is_lost);
	suite_add_tcase(s, tc);
#ifdef HAVE_LIBURING
	tc = tcase_create("io");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, more_reads_than_the_ring_has_entries_come_back);
	tcase_add_test(tc, closing_waits_for_the_kernel_and_nobody_is_told);
	tcase_add_test(tc, closing_one_user_loses_nothing_of_the_other);
	tcase_add_test(tc, files_beyond_those_with_numbers_work_too);
	suite_add_tcase(s, tc);
#endif
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
