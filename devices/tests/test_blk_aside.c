/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Discards of a block device that takes its time: the kernel's part, ioctl(2),
 * is this file's.
 */
#include <check.h>
#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/loop.h"
#include "devices/blk/aside.h"
#include "devices/blk/engine.h"
#include "devices/blk/image.h"

#define SKIPPED 77

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the queue's */
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
static struct blk_io *last_done;
static int64_t last_result;

/* The device. */
static pthread_mutex_t device = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t device_changed = PTHREAD_COND_INITIALIZER;
static unsigned begun, allowed;

static struct loop *loop;
static pthread_t loop_thread;
static struct blk_image image = {.fd = -1, .direct_fd = -1};
static struct blk_engine *engine;

int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_ioctl(int fd, unsigned long request, ...);

/* Discard number n, from 1, waits until that many are allowed; the second one
 * fails. */
static int discard(void)
{
	unsigned n;

	pthread_mutex_lock(&device);
	n = ++begun;
	pthread_cond_broadcast(&device_changed);
	while (allowed < n)
		pthread_cond_wait(&device_changed, &device);
	pthread_mutex_unlock(&device);
	errno = EIO;
	return n == 2 ? -1 : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return request == BLKDISCARD ? discard()
				     : __real_ioctl(fd, request, arg);
}

static void allow(unsigned n)
{
	pthread_mutex_lock(&device);
	allowed = n;
	pthread_cond_broadcast(&device_changed);
	pthread_mutex_unlock(&device);
}

static void wait_begun(unsigned n)
{
	pthread_mutex_lock(&device);
	while (begun < n)
		pthread_cond_wait(&device_changed, &device);
	pthread_mutex_unlock(&device);
}

static void on_done(struct blk_engine_user *u, struct blk_io *io,
		    int64_t result)
{
	(void)u;
	last_done = io;
	last_result = result;
	pthread_cond_broadcast(&finished);
}

static void on_batch_done(struct blk_engine_user *u)
{
	(void)u;
}

static const struct blk_engine_user_ops user_ops = {
	.done = on_done,
	.batch_done = on_batch_done,
};
static struct blk_engine_user user = {&user_ops};

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static int open_engine(void)
{
	const struct blk_engine_env env = {
		.loop = loop,
		.lock = &lock,
		.image = &image,
		.user = &user,
		.depth = 8,
	};

	return blk_uring_new(&engine, &env);
}

static void setup(void)
{
	begun = allowed = 0;
	last_done = NULL;
	image.fd = memfd_create("image", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(image.fd, 8192), 0);
	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	ck_assert_int_eq(open_engine(), 0);
	ck_assert_int_eq(pthread_create(&loop_thread, NULL, run, loop), 0);
}

static void free_engine(void)
{
	if (engine)
		engine->ops->free(engine);
	engine = NULL;
}

static void teardown(void)
{
	free_engine();
	loop_stop(loop);
	ck_assert_int_eq(pthread_join(loop_thread, NULL), 0);
	loop_free(loop);
	close(image.fd);
}

static void put(struct blk_io *io)
{
	pthread_mutex_lock(&lock);
	engine->ops->queue(engine, io);
	engine->ops->submit(engine);
	pthread_mutex_unlock(&lock);
}

static void wait_done(const struct blk_io *io, int64_t result)
{
	pthread_mutex_lock(&lock);
	while (last_done != io)
		pthread_cond_wait(&finished, &lock);
	ck_assert_int_eq(last_result, result);
	pthread_mutex_unlock(&lock);
}

static struct blk_io discards[] = {
	{.op = BLK_OP_DISCARD, .len = 4096},
	{.op = BLK_OP_DISCARD, .at = 4096, .len = 4096},
};

START_TEST(a_slow_discard_holds_nobody_up)
{
	char bytes[512];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct blk_io read = {.op = BLK_OP_READ,
			      .len = sizeof(bytes),
			      .iov = &iov,
			      .niov = 1};

	put(&discards[0]);
	wait_begun(1);
	put(&read);
	wait_done(&read, sizeof(bytes));
	allow(1);
	wait_done(&discards[0], 0);
}
END_TEST

START_TEST(each_discard_has_its_own_result)
{
	put(&discards[0]);
	put(&discards[1]);
	allow(1);
	wait_done(&discards[0], 0);
	allow(2);
	wait_done(&discards[1], -EIO);
}
END_TEST

START_TEST(a_reset_ends_what_has_not_begun)
{
	put(&discards[0]);
	put(&discards[1]);
	wait_begun(1);
	pthread_mutex_lock(&lock);
	engine->ops->cancel(engine);
	pthread_mutex_unlock(&lock);
	wait_done(&discards[1], -ECANCELED);
	allow(2);
	wait_done(&discards[0], 0);
	ck_assert_uint_eq(begun, 1);
}
END_TEST

static void never(struct loop_watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	ck_abort_msg("what nobody waits for is told of");
}

static struct blk_aside aside;
static _Atomic bool gone;

static void *end_aside(void *arg)
{
	(void)arg;
	blk_aside_fini(&aside);
	atomic_store(&gone, true);
	return NULL;
}

static void wait_ending(void)
{
	bool ending;

	do {
		sched_yield();
		pthread_mutex_lock(&aside.lock);
		ending = aside.ending;
		pthread_mutex_unlock(&aside.lock);
	} while (!ending);
}

START_TEST(the_end_waits_for_the_one_that_is_under_way)
{
	pthread_t thread;

	blk_aside_init(&aside, &image, never, &lock);
	ck_assert_int_eq(blk_aside_put(&aside, loop, &discards[0]), 0);
	ck_assert_int_eq(blk_aside_put(&aside, loop, &discards[1]), 0);
	wait_begun(1);
	ck_assert_int_eq(pthread_create(&thread, NULL, end_aside, NULL), 0);
	wait_ending();
	ck_assert(!atomic_load(&gone));
	allow(2);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(begun, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("devices/blk_aside");
	TCase *tc = tcase_create("discards");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_slow_discard_holds_nobody_up);
	tcase_add_test(tc, each_discard_has_its_own_result);
	tcase_add_test(tc, a_reset_ends_what_has_not_begun);
	tcase_add_test(tc, the_end_waits_for_the_one_that_is_under_way);
	suite_add_tcase(s, tc);
	return s;
}

/* Is there an io_uring? */
static bool can_run(void)
{
	bool can;

	if (loop_new(&loop, NULL))
		return false;
	can = open_engine() == 0;
	free_engine();
	loop_free(loop);
	return can;
}

int main(void)
{
	SRunner *sr;
	int failed;

	if (!can_run())
		return SKIPPED;
	sr = srunner_create(suite());
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
