/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Several queues, on one loop and on loops of their own.
 */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/loop.h"
#include "devices/tests/blk_fixture.h"

#define QUEUES 4u
#define BLOCK  4096u
/* Rounds that each queue's driver makes beside the others. */
#define ROUNDS 300u

#define FEATURES (BLK_ALL | BIT_ULL(BLK_F_MQ))

static struct blk_fixture f;
static struct loop *loops[QUEUES];
static struct virtio_queue_env envs[QUEUES];
static pthread_t threads[QUEUES];
static unsigned nloops;

static void *loop_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* @own: a loop for each queue, and a lock */
static void up_limited(bool own, unsigned ways, uint64_t iops)
{
	blk_fix_image(&f, DISK_BYTES);
	nloops = 0;
	if (own) {
		fix_init(&f.dev, ways | FIX_LOOPED);
		for (; nloops < QUEUES; nloops++) {
			ck_assert_int_eq(loop_new(&loops[nloops], NULL), 0);
			ck_assert_int_eq(pthread_create(&threads[nloops], NULL,
							loop_main,
							loops[nloops]),
					 0);
			envs[nloops].loop = loops[nloops];
		}
		f.dev.env.queues = envs;
	}
	blk_fix_up_as(&f, ways, FEATURES,
		      (struct blk_config){.queues = QUEUES, .iops = iops});
	ck_assert(f.dev.d->queue_locks == own);
}

static void up(bool own, unsigned ways)
{
	up_limited(own, ways, 0);
}

/* The device goes while its loops run. */
static void down(void)
{
	blk_fix_down(&f);
	while (nloops > 0) {
		loop_stop(loops[--nloops]);
		pthread_join(threads[nloops], NULL);
		loop_free(loops[nloops]);
	}
}

START_TEST(number_of_queues_is_in_the_configuration)
{
	struct blk_config_wire w;

	up(false, (unsigned)_i);
	memcpy(&w, f.dev.d->config, sizeof(w));
	ck_assert_uint_eq(le16_get(w.num_queues), QUEUES);
	ck_assert_uint_eq(f.dev.d->nvqs, QUEUES);
	down();
}
END_TEST

START_TEST(one_queue_offers_no_more)
{
	blk_fix_up(&f, (unsigned)_i, BLK_ALL);
	ck_assert(!(f.dev.d->offered >> BLK_F_MQ & 1));
	blk_fix_down(&f);
}
END_TEST

START_TEST(each_queue_reads_the_disk)
{
	up(_i & 1, (unsigned)_i & FIX_SCATTERED);
	for (unsigned q = 0; q < QUEUES; q++) {
		iova_t at;

		blk_fix_queue(&f, q);
		at = vqd_alloc(f.drv, BLOCK);
		ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 8 * q, at, BLOCK),
				  BLK_S_OK);
		blk_assert_memory(&f, at, 8 * q, 8);
	}
	down();
}
END_TEST

/* I/O and all: nothing else of the device is needed. */
START_TEST(queue_reads_while_all_other_locks_are_held)
{
	const unsigned served = (unsigned)_i;
	iova_t at;

	up(true, FIX_SCATTERED);
	fix_lock(&f.dev);
	for (unsigned q = 0; q < QUEUES; q++) {
		if (q != served)
			pthread_mutex_lock(f.dev.d->vqs[q].lock);
	}
	blk_fix_queue(&f, served);
	at = vqd_alloc(f.drv, BLOCK);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 8 * i, at, BLOCK),
				  BLK_S_OK);
	blk_assert_memory(&f, at, 72, 8);
	for (unsigned q = 0; q < QUEUES; q++) {
		if (q != served)
			pthread_mutex_unlock(f.dev.d->vqs[q].lock);
	}
	fix_unlock(&f.dev);
	down();
}
END_TEST

/* 200 a second, 20 at once, and one more for each queue: 52 take more than 120
 * ms. */
START_TEST(limit_is_for_all_queues_together)
{
	struct blk_call c = {.type = BLK_T_IN, .ndata = 1};
	struct timespec from, to;
	struct vq_stats s;
	uint32_t head, len;
	int64_t ms;

	up_limited(_i & 1, FIX_LOOPED, 200);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned q = 0; q < QUEUES; q++) {
		blk_fix_queue(&f, q);
		for (unsigned k = 0; k < 13; k++) {
			c.data[0] = (struct vqd_buf){vqd_alloc(f.drv, BLOCK),
						     BLOCK, true};
			blk_begin(&f, &c);
		}
	}
	for (unsigned q = 0; q < QUEUES; q++)
		for (unsigned k = 0; k < 13; k++)
			fix_wait(&f.dev, q, &head, &len);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ms = (to.tv_sec - from.tv_sec) * 1000 +
	     (to.tv_nsec - from.tv_nsec) / 1000000;
	ck_assert_int_ge(ms, 120);
	virtio_get_stats(f.dev.d, &s);
	ck_assert_uint_gt(s.throttled, 0);
	down();
}
END_TEST

/* A queue alone is reset; the others go on. */
START_TEST(queue_reset_leaves_the_others_alone)
{
	iova_t at;

	up(_i & 1, (unsigned)_i & FIX_SCATTERED);
	fix_lock(&f.dev);
	virtio_queue_reset(f.dev.d, virtio_queue(f.dev.d, 1));
	ck_assert(!f.dev.d->vqs[1].enabled);
	fix_unlock(&f.dev);
	blk_fix_queue(&f, 2);
	at = vqd_alloc(f.drv, BLOCK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 8, at, BLOCK), BLK_S_OK);
	/* ... and comes back. */
	fix_lock(&f.dev);
	vqd_renew(&f.dev.drv[1]);
	vqd_connect(&f.dev.drv[1], f.dev.d, 1);
	fix_unlock(&f.dev);
	blk_fix_queue(&f, 1);
	at = vqd_alloc(f.drv, BLOCK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 8, at, BLOCK), BLK_S_OK);
	down();
}
END_TEST

/* A driver for each queue; every queue has sectors of its own. */
static struct blk_fixture mines[QUEUES];

static void *drive(void *arg)
{
	const unsigned q = (unsigned)(uintptr_t)arg;
	struct blk_fixture *mine = &mines[q];
	uint32_t head, len;
	iova_t at;

	at = vqd_alloc(mine->drv, BLOCK);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct blk_call c = {
			.type = i % 3 == 2 ? BLK_T_OUT : BLK_T_IN,
			.sector = 1000 * q + 8 * (i % 100),
			.data = {{at, BLOCK, i % 3 != 2}},
			.ndata = 1,
		};

		/* What is read is written back later, where it was. */
		if (c.type == BLK_T_OUT)
			c.sector -= 8;
		if (c.type == BLK_T_OUT && i % 100 == 0)
			continue;
		blk_begin(mine, &c);
		while (!vqd_get_used(mine->drv, &head, &len))
			sched_yield();
		if (head != c.head || blk_status(mine, &c) != BLK_S_OK)
			return (void *)1;
	}
	return NULL;
}

START_TEST(queues_are_served_side_by_side)
{
	pthread_t drivers[QUEUES];
	struct vq_stats s;
	void *failed;

	up(_i & 1, FIX_LOOPED | ((unsigned)_i & FIX_SCATTERED));
	for (unsigned q = 0; q < QUEUES; q++)
		vqd_interrupts_off(&f.dev.drv[q]);
	/* A driver of its own for the fixture's functions.  The view in it
	 * counts. */
	fix_lock(&f.dev);
	virtio_lock_queues(f.dev.d);
	for (unsigned q = 0; q < QUEUES; q++) {
		mines[q] = f;
		blk_fix_queue(&mines[q], q);
	}
	virtio_unlock_queues(f.dev.d);
	fix_unlock(&f.dev);
	for (unsigned q = 0; q < QUEUES; q++)
		ck_assert_int_eq(pthread_create(&drivers[q], NULL, drive,
						(void *)(uintptr_t)q),
				 0);
	for (unsigned q = 0; q < QUEUES; q++) {
		pthread_join(drivers[q], &failed);
		ck_assert_ptr_null(failed);
	}
	for (unsigned q = 0; q < QUEUES; q++)
		blk_assert_image(&f, 1000 * q, 808);
	virtio_get_stats(f.dev.d, &s);
	ck_assert_uint_ge(s.requests, QUEUES * (ROUNDS - 10));
	ck_assert_uint_eq(s.errors, 0);
	down();
}
END_TEST

START_TEST(resets_with_all_queues_busy)
{
	up(_i & 1, FIX_LOOPED | ((unsigned)_i & FIX_SCATTERED));
	for (unsigned i = 0; i < 50; i++) {
		for (unsigned q = 0; q < QUEUES; q++) {
			struct blk_call c = {
				.type = BLK_T_IN,
				.sector = q,
				.ndata = 1,
			};

			blk_fix_queue(&f, q);
			for (unsigned k = 0; k < 4; k++) {
				c.data[0] = (struct vqd_buf){
					vqd_alloc(f.drv, BLOCK), BLOCK, true};
				blk_begin(&f, &c);
			}
		}
		fix_start(&f.dev, FEATURES);
	}
	blk_fix_queue(&f, 3);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 3, vqd_alloc(f.drv, BLOCK),
				 BLOCK),
			  BLK_S_OK);
	down();
}
END_TEST

START_TEST(statistics_count_what_was_done)
{
	const unsigned ways = (unsigned)_i;
	struct vq_stats s;
	iova_t at;

	blk_fix_up(&f, ways, BLK_ALL);
	at = vqd_alloc(f.drv, BLOCK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 0, at, BLOCK), BLK_S_OK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 0, at, BLOCK), BLK_S_OK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, DISK_SECTORS, at, BLOCK),
			  BLK_S_IOERR);
	virtio_get_stats(f.dev.d, &s);
	ck_assert_uint_eq(s.requests, 3);
	ck_assert_uint_eq(s.errors, 1);
	/* Statuses and headers count, data that did not move does not. */
	ck_assert_uint_eq(s.bytes_in, BLOCK + 1 + 1);
	ck_assert_uint_eq(s.bytes_out, BLOCK + 3 * 16);
	ck_assert_uint_ge(s.kicks, 3);
	ck_assert_uint_eq(s.full, 0);
	blk_fix_down(&f);
}
END_TEST

static uint8_t flush(unsigned queue, int64_t result)
{
	struct blk_call c = {.type = BLK_T_FLUSH};
	uint32_t head, len;

	blk_fix_queue(&f, queue);
	blk_begin(&f, &c);
	fake_complete(&f, result);
	ck_assert(vqd_get_used(f.drv, &head, &len));
	return blk_status(&f, &c);
}

/* The host's kernel says once that it has lost what was written. */
START_TEST(each_queue_hears_of_a_flush_that_failed)
{
	blk_fix_up_fakes(&f, (unsigned)_i & FIX_SCATTERED, FEATURES, QUEUES);
	ck_assert_uint_eq(flush(0, 0), BLK_S_OK);
	ck_assert_uint_eq(flush(1, -EIO), BLK_S_IOERR);
	ck_assert_uint_eq(flush(1, 0), BLK_S_OK);
	ck_assert_uint_eq(flush(0, 0), BLK_S_IOERR);
	ck_assert_uint_eq(flush(0, 0), BLK_S_OK);
	ck_assert_uint_eq(flush(2, -EIO), BLK_S_IOERR);
	/* Of both, at once. */
	ck_assert_uint_eq(flush(3, 0), BLK_S_IOERR);
	ck_assert_uint_eq(flush(3, 0), BLK_S_OK);
	/* A driver that begins has flushed nothing. */
	fix_start(&f.dev, FEATURES);
	for (unsigned q = 0; q < QUEUES; q++)
		ck_assert_uint_eq(flush(q, 0), BLK_S_OK);
	blk_fix_down(&f);
}
END_TEST

START_TEST(flushes_that_were_under_way_hear_of_it_too)
{
	struct blk_call c[3] = {{.type = BLK_T_FLUSH},
				{.type = BLK_T_FLUSH},
				{.type = BLK_T_FLUSH}};

	blk_fix_up_fakes(&f, (unsigned)_i & FIX_SCATTERED, FEATURES, QUEUES);
	blk_begin(&f, &c[0]);
	blk_begin(&f, &c[1]);
	fake_complete(&f, -EIO);
	blk_begin(&f, &c[2]);
	fake_complete(&f, 0);
	fake_complete(&f, 0);
	ck_assert_uint_eq(blk_status(&f, &c[0]), BLK_S_IOERR);
	ck_assert_uint_eq(blk_status(&f, &c[1]), BLK_S_IOERR);
	ck_assert_uint_eq(blk_status(&f, &c[2]), BLK_S_OK);
	blk_fix_down(&f);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("devices/blk_queues");
	TCase *tc = tcase_create("queues");

	tcase_add_loop_test(tc, number_of_queues_is_in_the_configuration, 0,
			    FIX_WAYS);
	tcase_add_loop_test(tc, one_queue_offers_no_more, 0, FIX_WAYS);
	tcase_add_loop_test(tc, each_queue_reads_the_disk, 0, 4);
	tcase_add_loop_test(tc, queue_reads_while_all_other_locks_are_held, 0,
			    QUEUES);
	tcase_add_loop_test(tc, limit_is_for_all_queues_together, 0, 2);
	tcase_add_loop_test(tc, queue_reset_leaves_the_others_alone, 0, 4);
	tcase_add_loop_test(tc, queues_are_served_side_by_side, 0, 2);
	tcase_add_loop_test(tc, resets_with_all_queues_busy, 0, 2);
	tcase_add_loop_test(tc, statistics_count_what_was_done, 0, FIX_WAYS);
	tcase_add_loop_test(tc, each_queue_hears_of_a_flush_that_failed, 0, 2);
	tcase_add_loop_test(tc, flushes_that_were_under_way_hear_of_it_too, 0,
			    2);
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
