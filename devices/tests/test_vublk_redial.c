/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A server that goes away and comes back, with requests under way.
 */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "devices/tests/vublk_rig.h"

static struct vublk_rig r;
static struct fb_req req;

static void setup(void)
{
	rig_init(&r);
}

static void teardown(void)
{
	rig_down(&r);
}

static bool nothing_in_flight(void *arg)
{
	(void)arg;
	return r.f.dev.d->inflight == 0;
}

static void wait_until_lost(void)
{
	fix_until(&r.f.dev, nothing_in_flight, NULL);
}

/* Begins two reads that the server has, one of them looked at. */
static void begin_two(struct blk_call *c)
{
	c[0] = rig_read(&r, 0, 11);
	c[1] = rig_read(&r, 0, 12);
	rig_take(&r, 0, &req);
	ck_assert(fb_wait(&r.b, 0));
}

static void assert_read(const struct blk_call *c, uint64_t sector)
{
	ck_assert_uint_eq(blk_status(&r.f, c), BLK_S_OK);
	blk_assert_memory(&r.f, c->data[0].at, sector, 1);
}

/* In whatever order. */
static void finish_two(const struct blk_call *c)
{
	uint32_t head, len;

	for (unsigned i = 0; i < 2; i++) {
		fix_wait(&r.f.dev, 0, &head, &len);
		ck_assert_uint_eq(len, BLK_SECTOR + 1);
	}
	assert_read(&c[0], 11);
	assert_read(&c[1], 12);
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
}

/*
 * It comes back.
 */

START_TEST(the_next_server_gets_what_the_last_one_had)
{
	struct blk_call c[2];

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	for (unsigned round = 0; round < 3; round++) {
		begin_two(c);
		fb_stop(&r.b);
		rig_next_server(&r);
		rig_serve(&r, 0);
		rig_serve(&r, 0);
		finish_two(c);
	}
}
END_TEST

START_TEST(the_next_server_gets_what_came_meanwhile)
{
	struct blk_call c[3];
	uint32_t head, len;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	begin_two(c);
	fb_stop(&r.b);
	wait_until_lost();
	c[2] = rig_read(&r, 0, 13);
	rig_next_server(&r);
	for (unsigned i = 0; i < 3; i++)
		rig_serve(&r, 0);
	fix_wait(&r.f.dev, 0, &head, &len);
	finish_two(c);
	assert_read(&c[2], 13);
}
END_TEST

START_TEST(every_queue_goes_on)
{
	struct blk_call c[FB_RINGS];

	r.config.queues = FB_RINGS;
	rig_up(&r, (unsigned)_i, RIG_DRIVER | BIT_ULL(BLK_F_MQ));
	for (unsigned i = 0; i < FB_RINGS; i++) {
		c[i] = rig_read(&r, i, i);
		ck_assert(fb_wait(&r.b, i));
	}
	fb_stop(&r.b);
	rig_next_server(&r);
	for (unsigned i = 0; i < FB_RINGS; i++) {
		rig_serve(&r, i);
		ck_assert_uint_eq(rig_wait(&r, i, &c[i]), BLK_S_OK);
	}
}
END_TEST

/* It is in the used ring, but the server did not live to say so. */
START_TEST(what_the_last_server_had_done_is_not_done_again)
{
	struct blk_call c[2];
	uint32_t head, len;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	begin_two(c);
	fb_put(&r.b, 0, req.head, rig_carry_out(&req));
	fb_stop(&r.b);
	fix_wait(&r.f.dev, 0, &head, &len);
	ck_assert_uint_eq(head, c[0].head);
	rig_next_server(&r);
	rig_take(&r, 0, &req);
	ck_assert(!fb_pop(&r.b, 0, &req));
	fb_push(&r.b, 0, req.head, rig_carry_out(&req));
	fix_wait(&r.f.dev, 0, &head, &len);
	ck_assert_uint_eq(head, c[1].head);
	assert_read(&c[0], 11);
	assert_read(&c[1], 12);
}
END_TEST

/* UNMAP does not wait for a server that is not there. */
START_TEST(requests_that_wait_hold_no_memory)
{
	struct blk_call c[2];

	rig_up(&r, FIX_SCATTERED, RIG_DRIVER);
	begin_two(c);
	ck_assert_uint_gt(fix_holds(&r.f.dev), 0);
	fb_stop(&r.b);
	wait_until_lost();
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
}
END_TEST

START_TEST(memory_that_is_gone_meanwhile_is_an_io_error)
{
	struct blk_call c = {.type = BLK_T_IN, .ndata = 1};
	iova_t page;

	rig_up(&r, FIX_SCATTERED, RIG_DRIVER);
	page = align_up(vqd_alloc(r.f.drv, 2 * 4096), 4096);
	c.data[0] = (struct vqd_buf){page, BLK_SECTOR, true};
	blk_begin(&r.f, &c);
	ck_assert(fb_wait(&r.b, 0));
	fb_stop(&r.b);
	wait_until_lost();
	fake_dma_unmap(&r.f.dev.view, page, 4096);
	rig_next_server(&r);
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_IOERR);
}
END_TEST

START_TEST(the_next_server_is_told_of_the_cache)
{
	rig_up(&r, (unsigned)_i, RIG_DRIVER & ~BIT_ULL(BLK_F_FLUSH));
	fb_wait_writes(&r.b, 1);
	fb_stop(&r.b);
	rig_next_server(&r);
	fb_wait_writes(&r.b, 1);
	ck_assert_uint_eq(r.b.written.region[0], 0);
}
END_TEST

static bool has_grown(void *arg)
{
	(void)arg;
	return virtio_config_read(r.f.dev.d, 0, 8) == 2 * RIG_SECTORS &&
	       r.f.dev.transport.config_irqs == 1;
}

START_TEST(an_image_that_grew_meanwhile_is_told_to_the_driver)
{
	const uint64_t capacity = 2 * RIG_SECTORS;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	fb_stop(&r.b);
	rig_server(&r.b);
	memcpy(r.b.config, &capacity, 8);
	fb_listen(&r.b, r.path);
	fix_until(&r.f.dev, has_grown, NULL);
}
END_TEST

/*
 * It comes back in a bad way.
 */

static const enum vhu_request words[] = {
	VHU_GET_FEATURES,     VHU_GET_PROTOCOL_FEATURES,
	VHU_GET_QUEUE_NUM,    VHU_SET_BACKEND_REQ_FD,
	VHU_GET_CONFIG,	      VHU_SET_FEATURES,
	VHU_SET_MEM_TABLE,    VHU_SET_VRING_ADDR,
	VHU_SET_VRING_ENABLE,
};

START_TEST(one_that_hangs_up_while_it_is_met_is_not_the_last)
{
	struct blk_call c[2];

	rig_up(&r, 0, RIG_DRIVER);
	begin_two(c);
	fb_stop(&r.b);
	rig_server(&r.b);
	r.b.prank = (struct fb_prank){.request = words[_i], .hang_up = true};
	fb_listen(&r.b, r.path);
	fb_wait_end(&r.b);
	rig_next_server(&r);
	rig_serve(&r, 0);
	rig_serve(&r, 0);
	finish_two(c);
}
END_TEST

START_TEST(one_that_cannot_do_as_much_is_not_taken)
{
	struct blk_call c[2];

	rig_up(&r, 0, RIG_DRIVER);
	begin_two(c);
	fb_stop(&r.b);
	rig_server(&r.b);
	switch (_i) {
	case 0:
		r.b.features &= ~BIT_ULL(BLK_F_FLUSH);
		break;
	case 1:
		r.b.features &= ~BIT_ULL(BLK_F_DISCARD);
		break;
	case 2:
		r.b.protocol &= ~BIT_ULL(VHU_PROTOCOL_F_CONFIG);
		break;
	case 3:
		r.b.config_max = 8;
		break;
	}
	fb_listen(&r.b, r.path);
	fb_wait_end(&r.b);
	ck_assert(!r.b.rings[0].enabled);
	rig_next_server(&r);
	rig_serve(&r, 0);
	rig_serve(&r, 0);
	finish_two(c);
}
END_TEST

/* It would do so for ever. */
START_TEST(one_that_breaks_its_ring_is_not_asked_again)
{
	struct blk_call c[2];
	uint32_t head, len;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	begin_two(c);
	fb_push(&r.b, 0, 99, 0);
	for (unsigned i = 0; i < 2; i++) {
		fix_wait(&r.f.dev, 0, &head, &len);
		ck_assert_uint_eq(blk_status(&r.f, &c[i]), BLK_S_IOERR);
	}
	c[0] = rig_read(&r, 0, 1);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_IOERR);
}
END_TEST

/*
 * It does not come back.
 */

START_TEST(requests_fail_when_the_time_is_over_and_work_when_it_comes)
{
	struct blk_call c[2];
	uint32_t head, len;

	r.config.wait_ms = 1000;
	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	begin_two(c);
	fb_stop(&r.b);
	for (unsigned i = 0; i < 2; i++) {
		fix_wait(&r.f.dev, 0, &head, &len);
		ck_assert_uint_eq(blk_status(&r.f, &c[i]), BLK_S_IOERR);
	}
	c[0] = rig_read(&r, 0, 1);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_IOERR);
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);

	rig_next_server(&r);
	/* It hears of that only when requests do not fail any more. */
	fb_wait_writes(&r.b, 1);
	c[0] = rig_read(&r, 0, 11);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_OK);
	/* From then on there is time again. */
	begin_two(c);
	fb_stop(&r.b);
	rig_next_server(&r);
	rig_serve(&r, 0);
	rig_serve(&r, 0);
	finish_two(c);
}
END_TEST

START_TEST(without_a_redial_requests_fail_at_once)
{
	struct blk_call c[2];
	uint32_t head, len;

	r.config.wait_ms = 0;
	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	begin_two(c);
	fb_stop(&r.b);
	for (unsigned i = 0; i < 2; i++) {
		fix_wait(&r.f.dev, 0, &head, &len);
		ck_assert_uint_eq(blk_status(&r.f, &c[i]), BLK_S_IOERR);
	}
	c[0] = rig_read(&r, 0, 1);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_IOERR);
}
END_TEST

/* Each comes in time, and none does anything. */
START_TEST(servers_that_come_and_go_get_no_more_time)
{
	struct blk_call c[2];
	uint32_t head, len;

	r.config.wait_ms = 500;
	rig_up(&r, 0, RIG_DRIVER);
	begin_two(c);
	for (unsigned i = 0; i < 200; i++) {
		fb_stop(&r.b);
		if (vqd_get_used(r.f.drv, &head, &len))
			break;
		rig_next_server(&r);
	}
	/* That was one of the two, whichever was refused first. */
	fix_wait(&r.f.dev, 0, &head, &len);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(blk_status(&r.f, &c[i]), BLK_S_IOERR);
}
END_TEST

/*
 * Something else happens while it is away.
 */

static void reset(void)
{
	fix_lock(&r.f.dev);
	virtio_reset(r.f.dev.d);
	fix_unlock(&r.f.dev);
}

START_TEST(a_reset_does_not_wait_and_forgets_what_waited)
{
	struct blk_call c[2];

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	begin_two(c);
	fb_stop(&r.b);
	wait_until_lost();
	reset();
	fix_start(&r.f.dev, RIG_DRIVER);
	rig_next_server(&r);
	ck_assert(!fb_pop(&r.b, 0, &req));
	c[0] = rig_read(&r, 0, 20);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_OK);
	ck_assert(!fb_pop(&r.b, 0, &req));
}
END_TEST

static void *reset_main(void *arg)
{
	(void)arg;
	reset();
	return NULL;
}

static bool stopping(void *arg)
{
	(void)arg;
	return r.f.dev.d->stopping;
}

START_TEST(a_reset_ends_when_the_server_goes)
{
	struct blk_call c[2];
	pthread_t t;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	begin_two(c);
	ck_assert_int_eq(pthread_create(&t, NULL, reset_main, NULL), 0);
	fix_until(&r.f.dev, stopping, NULL);
	fb_stop(&r.b);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
	fix_start(&r.f.dev, RIG_DRIVER);
	rig_next_server(&r);
	c[0] = rig_read(&r, 0, 20);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_OK);
}
END_TEST

/* A request of each of two queues; the second is reset when the server has
 * gone, or before. */
static void begin_on_two(struct blk_call *c, unsigned ways)
{
	r.config.queues = 2;
	rig_up(&r, ways,
	       RIG_DRIVER | BIT_ULL(BLK_F_MQ) | BIT_ULL(VIRTIO_F_RING_RESET));
	c[0] = rig_read(&r, 0, 11);
	c[1] = rig_read(&r, 1, 12);
	ck_assert(fb_wait(&r.b, 0));
	ck_assert(fb_wait(&r.b, 1));
}

static void reset_second(void)
{
	fix_lock(&r.f.dev);
	virtio_queue_reset(r.f.dev.d, &r.f.dev.d->vqs[1]);
	fix_unlock(&r.f.dev);
}

/* Caller holds the device's lock. */
static bool second_is_reset(void *arg)
{
	const struct vq *q = &r.f.dev.d->vqs[1];

	(void)arg;
	return !q->resetting && !q->enabled;
}

/* The next server is given what the first queue had, and nothing else. */
static void finish_first(const struct blk_call *c)
{
	fix_until(&r.f.dev, second_is_reset, NULL);
	rig_next_server(&r);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_OK);
	ck_assert(!fb_pop(&r.b, 1, &req));
	ck_assert_uint_eq(vqd_used_idx(&r.f.dev.drv[1]), 0);
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
}

START_TEST(a_queue_reset_forgets_what_waited_of_its_queue_alone)
{
	struct blk_call c[2];

	begin_on_two(c, (unsigned)_i);
	fb_stop(&r.b);
	wait_until_lost();
	reset_second();
	finish_first(c);
}
END_TEST

START_TEST(a_queue_reset_ends_when_the_server_goes)
{
	struct blk_call c[2];

	begin_on_two(c, (unsigned)_i);
	reset_second();
	fix_lock(&r.f.dev);
	ck_assert(!second_is_reset(NULL));
	fix_unlock(&r.f.dev);
	fb_stop(&r.b);
	finish_first(c);
}
END_TEST

START_TEST(a_server_that_does_not_finish_for_a_queue_reset_is_given_up)
{
	struct blk_call c[2];

	r.config.patience_ms = 50;
	begin_on_two(c, (unsigned)_i);
	reset_second();
	fix_until(&r.f.dev, second_is_reset, NULL);
	fb_stop(&r.b);
	finish_first(c);
}
END_TEST

/* It has the connection and does nothing with it. */
START_TEST(a_server_that_does_not_finish_for_a_reset_may_come_again)
{
	struct blk_call c[2];

	r.config.patience_ms = 50;
	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	begin_two(c);
	reset();
	fb_stop(&r.b);
	fix_start(&r.f.dev, RIG_DRIVER);
	rig_next_server(&r);
	c[0] = rig_read(&r, 0, 20);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_OK);
}
END_TEST

static void pause_device(bool pause)
{
	fix_lock(&r.f.dev);
	virtio_pause(r.f.dev.d, pause);
	fix_unlock(&r.f.dev);
}

/* Neither does it touch memory when a server comes, or the time is over. */
START_TEST(a_pause_does_not_wait_and_is_kept)
{
	struct blk_call c[2];
	uint32_t head, len;

	r.config.wait_ms = _i ? VUBLK_WAIT_MS : 20;
	rig_up(&r, FIX_SCATTERED, RIG_DRIVER);
	begin_two(c);
	pause_device(false);
	fix_lock(&r.f.dev);
	r.f.dev.d->paused = true; /* as if it were waiting */
	fix_unlock(&r.f.dev);
	fb_stop(&r.b);
	wait_until_lost();
	pause_device(true);
	if (_i) {
		rig_next_server(&r);
		ck_assert(!fb_pop(&r.b, 0, &req));
	} else {
		const struct timespec ms = {.tv_nsec = 60000000};

		(void)nanosleep(&ms, NULL);
	}
	ck_assert_uint_eq(blk_status(&r.f, &c[0]), NO_STATUS);
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
	pause_device(false);
	if (_i) {
		rig_serve(&r, 0);
		rig_serve(&r, 0);
		finish_two(c);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		fix_wait(&r.f.dev, 0, &head, &len);
		ck_assert_uint_eq(blk_status(&r.f, &c[i]), BLK_S_IOERR);
	}
}
END_TEST

/* Nobody is there; somebody is there and says nothing. */
START_TEST(a_device_is_freed_while_its_server_is_looked_for)
{
	struct blk_call c[2];

	rig_up(&r, (unsigned)(_i & 1), RIG_DRIVER);
	begin_two(c);
	fb_stop(&r.b);
	wait_until_lost();
	if (_i & 2) {
		rig_server(&r.b);
		r.b.prank = (struct fb_prank){
			.request = VHU_GET_CONFIG,
			.silent = true,
		};
		fb_listen(&r.b, r.path);
	}
}
END_TEST

static void add_back(TCase *t)
{
	tcase_add_loop_test(t, the_next_server_gets_what_the_last_one_had, 0,
			    2);
	tcase_add_loop_test(t, the_next_server_gets_what_came_meanwhile, 0, 2);
	tcase_add_loop_test(t, every_queue_goes_on, 0, 2);
	tcase_add_loop_test(t, what_the_last_server_had_done_is_not_done_again,
			    0, 2);
	tcase_add_test(t, requests_that_wait_hold_no_memory);
	tcase_add_test(t, memory_that_is_gone_meanwhile_is_an_io_error);
	tcase_add_loop_test(t, the_next_server_is_told_of_the_cache, 0, 2);
	tcase_add_loop_test(
		t, an_image_that_grew_meanwhile_is_told_to_the_driver, 0, 2);
	tcase_add_loop_test(t,
			    one_that_hangs_up_while_it_is_met_is_not_the_last,
			    0, ARRAY_SIZE(words));
	tcase_add_loop_test(t, one_that_cannot_do_as_much_is_not_taken, 0, 4);
	tcase_add_loop_test(t, one_that_breaks_its_ring_is_not_asked_again, 0,
			    2);
}

static void add_away(TCase *t)
{
	tcase_add_loop_test(
		t, requests_fail_when_the_time_is_over_and_work_when_it_comes,
		0, 2);
	tcase_add_loop_test(t, without_a_redial_requests_fail_at_once, 0, 2);
	tcase_add_test(t, servers_that_come_and_go_get_no_more_time);
	tcase_add_loop_test(t, a_reset_does_not_wait_and_forgets_what_waited, 0,
			    2);
	tcase_add_loop_test(t, a_reset_ends_when_the_server_goes, 0, 2);
	tcase_add_loop_test(
		t, a_server_that_does_not_finish_for_a_reset_may_come_again, 0,
		2);
	tcase_add_loop_test(
		t, a_queue_reset_forgets_what_waited_of_its_queue_alone, 0, 2);
	tcase_add_loop_test(t, a_queue_reset_ends_when_the_server_goes, 0, 2);
	tcase_add_loop_test(
		t, a_server_that_does_not_finish_for_a_queue_reset_is_given_up,
		0, 2);
	tcase_add_loop_test(t, a_pause_does_not_wait_and_is_kept, 0, 2);
	tcase_add_loop_test(t, a_device_is_freed_while_its_server_is_looked_for,
			    0, 4);
}

int main(void)
{
	Suite *s = suite_create("devices/vublk_redial");
	TCase *t = tcase_create("vublk_redial");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	add_back(t);
	add_away(t);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
