/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Limits: the buckets with a clock of the test's, and a disk that obeys them.
 */
#include "devices/blk/limit.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "devices/tests/blk_fixture.h"

#define SECOND UINT64_C(1000000000)
#define BLOCK  4096u

static struct blk_fixture f;

START_TEST(no_limit_never_waits)
{
	struct blk_limit l;

	blk_limit_init(&l, 0, 0, 5);
	ck_assert(!blk_limit_is_on(&l));
	for (unsigned i = 0; i < 1000; i++) {
		ck_assert_uint_eq(blk_limit_wait(&l, 5), 0);
		blk_limit_pay(&l, UINT32_MAX);
	}
}
END_TEST

/* As many as the rate in a second, after the first burst. */
START_TEST(rate_is_kept_over_time)
{
	const uint64_t rate = _i ? 1 : 1000;
	struct blk_limit l;
	uint64_t now = 0, wait, passed = 0;

	blk_limit_init(&l, 0, rate, now);
	while (now < 100 * SECOND) {
		wait = blk_limit_wait(&l, now);
		if (wait == 0) {
			blk_limit_pay(&l, BLOCK);
			passed++;
		}
		now += wait;
	}
	ck_assert_uint_ge(passed, 100 * rate);
	ck_assert_uint_le(passed, 100 * rate + rate / 10 + 2);
}
END_TEST

START_TEST(bytes_are_paid_as_they_come)
{
	struct blk_limit l;
	uint64_t now = 0, wait, bytes = 0;

	blk_limit_init(&l, 1 << 20, 0, now);
	while (now < 100 * SECOND) {
		wait = blk_limit_wait(&l, now);
		if (wait == 0) {
			uint64_t n = 512 + bytes % 300000;

			blk_limit_pay(&l, n);
			bytes += n;
		}
		now += wait;
	}
	ck_assert_uint_ge(bytes, UINT64_C(100) << 20);
	ck_assert_uint_le(bytes, (UINT64_C(101) << 20));
}
END_TEST

/* Larger than what a second brings: it passes, and the next one waits. */
START_TEST(largest_request_passes_and_is_paid_for)
{
	struct blk_limit l;
	uint64_t wait;

	blk_limit_init(&l, 1 << 20, 0, 0);
	ck_assert_uint_eq(blk_limit_wait(&l, 0), 0);
	blk_limit_pay(&l, UINT32_MAX);
	wait = blk_limit_wait(&l, 0);
	ck_assert_uint_ge(wait, 4095 * SECOND);
	ck_assert_uint_eq(blk_limit_wait(&l, wait), 0);
}
END_TEST

START_TEST(time_that_stands_or_goes_back_brings_nothing)
{
	struct blk_limit l;

	blk_limit_init(&l, 0, 10, SECOND);
	blk_limit_pay(&l, 0);
	ck_assert_uint_gt(blk_limit_wait(&l, SECOND), 0);
	ck_assert_uint_gt(blk_limit_wait(&l, 0), 0);
	ck_assert_uint_eq(blk_limit_wait(&l, 2 * SECOND), 0);
}
END_TEST

START_TEST(largest_rates_and_times_do_not_wrap)
{
	struct blk_limit l;

	blk_limit_init(&l, BLK_LIMIT_BPS_MAX, BLK_LIMIT_IOPS_MAX, 0);
	for (unsigned i = 0; i < 100; i++)
		blk_limit_pay(&l, UINT32_MAX);
	ck_assert_uint_gt(blk_limit_wait(&l, 0), 0);
	ck_assert_uint_eq(blk_limit_wait(&l, UINT64_MAX), 0);
}
END_TEST

/*
 * A disk.
 */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void up(uint64_t bps, uint64_t iops)
{
	blk_fix_image(&f, DISK_BYTES);
	blk_fix_up_as(&f, FIX_LOOPED | FIX_SCATTERED, BLK_ALL,
		      (struct blk_config){.bps = bps, .iops = iops});
}

static void begin(struct blk_call *c, uint32_t len)
{
	*c = (struct blk_call){.type = BLK_T_IN, .ndata = 1};
	c->data[0] = (struct vqd_buf){vqd_alloc(f.drv, len), len, true};
	blk_begin(&f, c);
}

/* 200 a second, 20 at once: 50 take at least 150 ms. */
START_TEST(disk_takes_its_time_and_loses_nothing)
{
	const uint64_t from = now_ns();
	static struct blk_call c[50];
	struct vq_stats s;
	uint32_t head, len;

	up(0, 200);
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
		begin(&c[i], BLOCK);
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
		fix_wait(&f.dev, 0, &head, &len);
	ck_assert_uint_ge(now_ns() - from, 140 * SECOND / 1000);
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
		ck_assert_uint_eq(blk_status(&f, &c[i]), BLK_S_OK);
	virtio_get_stats(f.dev.d, &s);
	ck_assert_uint_eq(s.requests, ARRAY_SIZE(c));
	ck_assert_uint_gt(s.throttled, 0);
	blk_fix_down(&f);
}
END_TEST

static bool is_throttled(void *arg)
{
	(void)arg;
	return f.dev.d->vqs[0].stats.throttled > 0 &&
	       virtio_flight(f.dev.d) == 0;
}

/* One in a hundred seconds: an UNMAP would not wait for it, nor a reset. */
START_TEST(what_waits_holds_no_memory_and_a_reset_ends_it)
{
	struct blk_call first, second;
	uint32_t head, len;

	up(1 << 20, 0);
	/* A debt of a second. */
	begin(&first, 1 << 20);
	fix_wait(&f.dev, 0, &head, &len);
	begin(&second, BLOCK);
	fix_until(&f.dev, is_throttled, NULL);
	ck_assert_uint_eq(fix_holds(&f.dev), 0);
	ck_assert_uint_eq(f.dev.d->vqs[0].inflight, 0);
	ck_assert_uint_eq(blk_status(&f, &second), NO_STATUS);
	fix_start(&f.dev, BLK_ALL);
	ck_assert_uint_eq(vqd_used_idx(f.drv), 0);
	blk_fix_down(&f);
}
END_TEST

/* 4 MiB of them, which a host may have to write, at 1 MiB a second. */
START_TEST(zeroes_are_paid_for)
{
	struct blk_call second;

	up(1 << 20, 0);
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 0, DISK_SECTORS, 0),
			  BLK_S_OK);
	begin(&second, BLOCK);
	fix_until(&f.dev, is_throttled, NULL);
	ck_assert_uint_eq(blk_status(&f, &second), NO_STATUS);
	blk_fix_down(&f);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("devices/blk_limit");
	TCase *tc = tcase_create("buckets");

	tcase_add_test(tc, no_limit_never_waits);
	tcase_add_loop_test(tc, rate_is_kept_over_time, 0, 2);
	tcase_add_test(tc, bytes_are_paid_as_they_come);
	tcase_add_test(tc, largest_request_passes_and_is_paid_for);
	tcase_add_test(tc, time_that_stands_or_goes_back_brings_nothing);
	tcase_add_test(tc, largest_rates_and_times_do_not_wrap);
	suite_add_tcase(s, tc);
	tc = tcase_create("disk");
	tcase_add_test(tc, disk_takes_its_time_and_loses_nothing);
	tcase_add_test(tc, what_waits_holds_no_memory_and_a_reset_ends_it);
	tcase_add_test(tc, zeroes_are_paid_for);
	suite_add_tcase(s, tc);
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
