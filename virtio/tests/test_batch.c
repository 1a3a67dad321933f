/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Many entries of a ring at once: read ahead by a kick, pushed together.
 */
#include "virtio/queue.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/loop.h"
#include "virtio/tests/queue_fixture.h"

/* Where fix_add()'s buffers are. */
#define DATA (FIX_RING + FIX_LEN)

static struct fixture *f;
static struct loop *loop;

static void make(uint16_t size)
{
	struct virtio_dev_env env = {.name = "fake0", .dma = &f->id};

	env.loop = loop;
	ck_assert_int_eq(fake_dev_init(&f->dev, &env, &size, 1, 16), 0);
	f->d = &f->dev.vdev;
	f->q = virtio_queue(f->d, 0);
	fake_transport_init(&f->transport, f->d);
	f->dev.hold = true;
}

/* A kick from the loop; the loop is this thread's. */
static void setup_size(uint16_t size)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 8, true);
	fake_dev_fini(&f->dev);
	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	make(size);
	fix_start(f, FIX_ALL, size);
}

static void setup(void)
{
	setup_size(8);
}

static void teardown(void)
{
	fix_fini(f);
	loop_free(loop);
	free(f);
}

/* Behind the test's own view from now on, all of the ring mapped. */
static void translate(void)
{
	fake_dma_map(&f->fake, 0, 0, FIX_MEM, DMA_READ | DMA_WRITE);
	f->q->dma = &f->fake.dma;
}

static void kick(void)
{
	vq_dispatch(f->q);
}

static void add(unsigned n)
{
	while (n--)
		fix_add(f);
}

static void check_broken(const char *why)
{
	ck_assert_int_eq(f->dev.last_pop, -EPROTO);
	ck_assert(fix_is_broken(f));
	ck_assert(fix_said(why));
}

static void push_held_more(unsigned n)
{
	while (n--)
		vq_push_more(f->q, fake_dev_take(&f->dev));
}

static unsigned take_all(void)
{
	uint32_t head, len;
	unsigned n = 0;

	while (vqd_get_used(&f->drv, &head, &len))
		n++;
	return n;
}

/*
 * Read ahead.
 */

START_TEST(kick_reads_its_entries_at_once)
{
	unsigned one, all;

	translate();
	add(1);
	one = f->fake.translations;
	kick();
	one = f->fake.translations - one;
	add(7);
	all = f->fake.translations;
	kick();
	all = f->fake.translations - all;
	ck_assert_uint_eq(f->dev.nheld, 8);
	/* Six descriptors more. */
	ck_assert_uint_eq(all, one + 6);
}
END_TEST

START_TEST(entries_are_read_around_the_end_of_the_ring)
{
	for (unsigned n = 0; n < 40; n++) {
		add(5);
		kick();
		ck_assert_uint_eq(f->dev.nheld, 5);
		while (f->dev.nheld)
			fake_dev_complete(&f->dev);
		ck_assert_uint_eq(take_all(), 5);
	}
	ck_assert(!fix_is_broken(f));
}
END_TEST

START_TEST(rings_longer_than_a_batch_are_read_whole)
{
	teardown();
	setup_size(64);
	for (unsigned n = 1; n <= 64; n++) {
		add(n);
		kick();
		ck_assert_uint_eq(f->dev.nheld, n);
		while (f->dev.nheld)
			fake_dev_complete(&f->dev);
		ck_assert_uint_eq(take_all(), n);
	}
}
END_TEST

/* In each chain another descriptor is the first one. */
START_TEST(descriptors_read_ahead_are_those_of_their_heads)
{
	struct vq_chain *c;

	for (unsigned i = 0; i < 8; i++)
		vqd_set_desc(&f->drv, i, DATA + i, 1 + i, 2, 0);
	for (unsigned i = 0; i < 8; i++)
		vqd_set_avail_slot(&f->drv, (uint16_t)i, (uint16_t)(5 * i % 8));
	vqd_set_avail_idx(&f->drv, 8);
	kick();
	ck_assert_uint_eq(f->dev.nheld, 8);
	for (unsigned i = 0; i < 8; i++) {
		c = fake_dev_take(&f->dev);
		ck_assert_uint_eq(c->head, 5 * i % 8);
		ck_assert_uint_eq(c->nsegs, 1);
		ck_assert_uint_eq(c->segs[0].at, DATA + 5 * i % 8);
		ck_assert_uint_eq(c->segs[0].len, 1 + 5 * i % 8);
		vq_push(f->q, c);
	}
}
END_TEST

START_TEST(chain_may_go_back_to_the_front_of_the_table)
{
	for (unsigned i = 0; i < 2; i++) {
		vqd_set_desc(&f->drv, i, DATA + i, 10 + i, 2, 0);
		vqd_set_desc(&f->drv, i + 4, DATA + i, 20 + i, 2 | 1,
			     (uint16_t)i);
		vqd_offer(&f->drv, (uint16_t)(i + 4));
	}
	kick();
	for (unsigned i = 0; i < 2; i++) {
		struct vq_chain *c = fake_dev_take(&f->dev);

		ck_assert_uint_eq(c->nsegs, 2);
		ck_assert_uint_eq(c->segs[0].len, 20 + i);
		ck_assert_uint_eq(c->segs[1].len, 10 + i);
		vq_push(f->q, c);
	}
}
END_TEST

START_TEST(chains_of_several_descriptors_follow_the_one_read_ahead)
{
	struct vqd_buf bufs[3] = {
		{DATA, 1, false}, {DATA + 16, 2, false}, {DATA + 32, 3, true}};

	(void)vqd_stage(&f->drv, bufs, 3);
	(void)vqd_stage(&f->drv, bufs, 2);
	vqd_publish(&f->drv);
	kick();
	ck_assert_uint_eq(f->dev.nheld, 2);
	for (unsigned n = 3; n >= 2; n--) {
		struct vq_chain *c = fake_dev_take(&f->dev);

		ck_assert_uint_eq(c->nsegs, n);
		for (unsigned i = 0; i < n; i++)
			ck_assert_uint_eq(c->segs[i].len, i + 1);
		vq_push(f->q, c);
	}
}
END_TEST

START_TEST(bad_head_breaks_when_its_turn_comes)
{
	static const uint16_t bad[] = {8, UINT16_MAX};

	add(2);
	vqd_offer(&f->drv, bad[_i]);
	add(1);
	kick();
	ck_assert_uint_eq(f->dev.nheld, 2);
	check_broken("head outside the table");
}
END_TEST

START_TEST(head_offered_twice_to_one_kick_breaks)
{
	add(2);
	vqd_offer(&f->drv, 0);
	kick();
	ck_assert_uint_eq(f->dev.nheld, 2);
	check_broken("head is in flight already");
}
END_TEST

/* Kicks have their share of pops; who does not take it all leaves entries. */
static void leave_entries(void)
{
	struct vq_chain *c;

	add(3);
	f->q->budget = 1;
	ck_assert_int_eq(vq_pop(f->q, &c), 1);
	ck_assert_uint_eq(c->head, 0);
	vq_drop(f->q, c);
	ck_assert_uint_eq(f->q->ahead.n - f->q->ahead.at, 2);
}

START_TEST(what_a_kick_has_left_is_read_again)
{
	leave_entries();
	f->dev.pause_in_kick = true; /* takes nothing */
	kick();
	virtio_pause(f->d, false);
	f->dev.pause_in_kick = false;
	vqd_set_avail_slot(&f->drv, 1, 2);
	vqd_set_avail_slot(&f->drv, 2, 1);
	kick();
	ck_assert_uint_eq(f->dev.nheld, 2);
	for (unsigned head = 2; head >= 1; head--) {
		struct vq_chain *c = fake_dev_take(&f->dev);

		ck_assert_uint_eq(c->head, head);
		vq_push(f->q, c);
	}
}
END_TEST

START_TEST(what_was_read_ahead_is_forgotten_by_a_reset)
{
	leave_entries();
	virtio_reset(f->d);
	fix_start(f, FIX_ALL, 8);
	vqd_set_desc(&f->drv, 7, DATA, 16, 2, 0);
	vqd_offer(&f->drv, 7);
	f->q->budget = 8;
	ck_assert_uint_eq(fix_pop(f)->head, 7);
}
END_TEST

/*
 * The available ring goes on in a page that the device does not reach: what is
 * in the first page is taken.
 */
START_TEST(entries_in_reach_are_taken_before_one_that_is_not)
{
	const iova_t end = FIX_RING + 0x9000; /* of the page */

	translate();
	virtio_reset(f->d);
	ck_assert(vqd_negotiate(f->d, FIX_ALL));
	vqd_init(&f->drv, &f->id, FIX_RING, FIX_LEN, 8);
	f->drv.avail = end - 4 - 2 * 3; /* three entries */
	vqd_connect(&f->drv, f->d, 0);
	ck_assert(vqd_driver_ok(f->d));
	fake_dma_unmap(&f->fake, end, 0x1000);
	add(5);
	kick();
	ck_assert_uint_eq(f->dev.nheld, 3);
	ck_assert_int_eq(f->dev.last_pop, -EFAULT);
	ck_assert(fix_is_broken(f));
}
END_TEST

/*
 * Pushed together.
 */

START_TEST(pushes_of_many_are_seen_with_the_signal)
{
	uint32_t head, len;

	add(3);
	kick();
	push_held_more(3);
	ck_assert_uint_eq(f->q->inflight, 0);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 3);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(vqd_get_used(&f->drv, &head, &len));
		ck_assert_uint_eq(head, i);
		ck_assert_uint_eq(len, 0);
	}
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 3);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
}
END_TEST

START_TEST(plain_push_shows_those_before_it)
{
	add(3);
	kick();
	push_held_more(2);
	vq_push(f->q, fake_dev_take(&f->dev));
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 3);
	ck_assert_uint_eq(take_all(), 3);
}
END_TEST

/* However many: a frame may take more buffers than a batch has. */
START_TEST(full_batch_is_not_seen_without_a_signal)
{
	uint32_t head, len;

	teardown();
	setup_size(64);
	add(64);
	kick();
	push_held_more(2 * VQ_BATCH + 1);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 2 * VQ_BATCH + 1);
	push_held_more(VQ_BATCH);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 2 * VQ_BATCH + 1);
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 3 * VQ_BATCH + 1);
	for (unsigned i = 0; i < 3 * VQ_BATCH + 1; i++) {
		ck_assert(vqd_get_used(&f->drv, &head, &len));
		ck_assert_uint_eq(head, i);
	}
	ck_assert(!vqd_get_used(&f->drv, &head, &len));
}
END_TEST

START_TEST(elements_are_written_around_the_end_of_the_ring)
{
	unsigned translations;

	translate();
	for (unsigned n = 0; n < 40; n++) {
		add(5);
		kick();
		translations = f->fake.translations;
		push_held_more(5);
		ck_assert_uint_eq(f->fake.translations, translations);
		vq_signal(f->q);
		/* Elements, in two pieces at most, index, used_event. */
		ck_assert_uint_le(f->fake.translations, translations + 4);
		ck_assert_uint_eq(take_all(), 5);
	}
	ck_assert(!fix_is_broken(f));
}
END_TEST

/* used_event lies within the batch. */
START_TEST(event_index_in_the_middle_of_a_batch_interrupts)
{
	add(4);
	kick();
	vqd_set_used_event(&f->drv, (uint16_t)_i);
	push_held_more(4);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], _i < 4);
}
END_TEST

START_TEST(head_that_the_driver_has_not_seen_back_breaks)
{
	add(1);
	kick();
	push_held_more(1);
	vqd_offer(&f->drv, 0);
	kick();
	check_broken("head is in flight already");
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
}
END_TEST

static void two_are_not_seen_yet(void)
{
	add(2);
	kick();
	push_held_more(2);
}

/* After a reset: they never are, and the next one is. */
static void only_the_next_is_seen(void)
{
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	add(1);
	kick();
	push_held_more(1);
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 1);
}

START_TEST(reset_forgets_what_is_not_seen_yet)
{
	two_are_not_seen_yet();
	virtio_reset(f->d);
	fix_start(f, FIX_ALL, 8);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	only_the_next_is_seen();
}
END_TEST

START_TEST(queue_reset_forgets_what_is_not_seen_yet)
{
	two_are_not_seen_yet();
	vq_begin_reset(f->q);
	ck_assert(!f->q->resetting);
	vqd_renew(&f->drv);
	vqd_connect(&f->drv, f->d, 0);
	only_the_next_is_seen();
}
END_TEST

START_TEST(paused_device_shows_nothing_before_it_resumes)
{
	uint32_t head, len;

	add(3);
	kick();
	push_held_more(1);
	virtio_pause(f->d, true);
	push_held_more(2);
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	virtio_pause(f->d, false);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(vqd_get_used(&f->drv, &head, &len));
		ck_assert_uint_eq(head, i);
	}
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
}
END_TEST

START_TEST(batch_without_its_mapping_breaks_the_device)
{
	translate();
	add(2);
	kick();
	push_held_more(2);
	fake_dma_unmap(&f->fake, align_down(f->drv.used, 0x1000), 0x1000);
	vq_signal(f->q);
	ck_assert(fix_is_broken(f));
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	ck_assert_uint_eq(f->q->inflight, 0);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 0);
}
END_TEST

static TCase *ahead(void)
{
	TCase *t = tcase_create("read ahead");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, kick_reads_its_entries_at_once);
	tcase_add_test(t, entries_are_read_around_the_end_of_the_ring);
	tcase_add_test(t, rings_longer_than_a_batch_are_read_whole);
	tcase_add_test(t, descriptors_read_ahead_are_those_of_their_heads);
	tcase_add_test(t,
		       chains_of_several_descriptors_follow_the_one_read_ahead);
	tcase_add_test(t, chain_may_go_back_to_the_front_of_the_table);
	tcase_add_loop_test(t, bad_head_breaks_when_its_turn_comes, 0, 2);
	tcase_add_test(t, head_offered_twice_to_one_kick_breaks);
	tcase_add_test(t, what_a_kick_has_left_is_read_again);
	tcase_add_test(t, what_was_read_ahead_is_forgotten_by_a_reset);
	tcase_add_test(t, entries_in_reach_are_taken_before_one_that_is_not);
	return t;
}

static TCase *pushed(void)
{
	TCase *t = tcase_create("pushed together");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pushes_of_many_are_seen_with_the_signal);
	tcase_add_test(t, plain_push_shows_those_before_it);
	tcase_add_test(t, full_batch_is_not_seen_without_a_signal);
	tcase_add_test(t, elements_are_written_around_the_end_of_the_ring);
	tcase_add_loop_test(t, event_index_in_the_middle_of_a_batch_interrupts,
			    0, 6);
	tcase_add_test(t, head_that_the_driver_has_not_seen_back_breaks);
	tcase_add_test(t, reset_forgets_what_is_not_seen_yet);
	tcase_add_test(t, queue_reset_forgets_what_is_not_seen_yet);
	tcase_add_test(t, paused_device_shows_nothing_before_it_resumes);
	tcase_add_test(t, batch_without_its_mapping_breaks_the_device);
	return t;
}

int main(void)
{
	Suite *s = suite_create("virtio/batch");
	SRunner *r;
	int failed;

	suite_add_tcase(s, ahead());
	suite_add_tcase(s, pushed());
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
