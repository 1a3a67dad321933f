/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Who tells whom, and when not: interrupts, kicks, the event index.
 */
#include "virtio/queue.h"

#include <check.h>
#include <stdlib.h>

#include "virtio/tests/queue_fixture.h"

static struct fixture *f;

static void setup(uint64_t features, uint16_t size)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_up(f, features, size);
}

static void teardown(void)
{
	if (!f)
		return;
	fix_fini(f);
	free(f);
	f = NULL;
}

static void no_setup(void)
{
	f = NULL;
}

/*
 * Interrupts.   [virtio 1.2, 2.7.7]
 */

START_TEST(no_interrupt_flag_is_obeyed)
{
	setup(FIX_PLAIN, 8);
	vqd_interrupts_off(&f->drv);
	fix_add(f);
	fix_use(f);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	ck_assert(vqd_interrupts_on(&f->drv));
	fix_add(f);
	fix_use(f);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
}
END_TEST

/* [virtio 1.2, 2.7.7.2]: with the event index the flags mean nothing. */
START_TEST(no_interrupt_flag_is_ignored_with_event_index)
{
	setup(FIX_ALL, 8);
	vqd_set_avail_flags(&f->drv, VQ_AVAIL_F_NO_INTERRUPT);
	fix_add(f);
	fix_use(f);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
}
END_TEST

START_TEST(batch_interrupts_once)
{
	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	for (unsigned i = 0; i < 5; i++)
		fix_add(f);
	for (unsigned i = 0; i < 5; i++)
		fix_use(f);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
}
END_TEST

START_TEST(signal_without_a_push_is_nothing)
{
	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
}
END_TEST

/* used_event = n: interrupt when the used index goes from n to n + 1. */
START_TEST(interrupt_comes_at_the_used_event_and_not_before)
{
	setup(FIX_ALL, 8);
	vqd_set_used_event(&f->drv, 2);
	for (unsigned i = 0; i < 6; i++) {
		fix_add(f);
		fix_use(f);
		vq_signal(f->q);
		ck_assert_uint_eq(f->transport.queue_irqs[0], i >= 2);
	}
}
END_TEST

START_TEST(used_event_inside_a_batch_interrupts)
{
	/* Events at the first, the last and just outside of a batch 0..3. */
	static const struct {
		uint16_t event;
		unsigned irqs;
	} cases[] = {{0, 1}, {2, 1}, {3, 0}, {UINT16_MAX, 0}};

	setup(FIX_ALL, 8);
	vqd_set_used_event(&f->drv, cases[_i].event);
	for (unsigned i = 0; i < 3; i++) {
		fix_add(f);
		fix_use(f);
	}
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], cases[_i].irqs);
}
END_TEST

static void run_to(uint16_t used)
{
	while (f->q->next_used != used) {
		uint32_t head, len;

		fix_add(f);
		fix_use(f);
		ck_assert(vqd_get_used(&f->drv, &head, &len));
		vqd_set_used_event(&f->drv, f->drv.last_used);
		vq_signal(f->q);
	}
}

START_TEST(used_event_wraps_with_the_index)
{
	unsigned before;

	setup(FIX_ALL, 8);
	run_to(UINT16_MAX);
	before = f->transport.queue_irqs[0];
	/* 65535 -> 0 -> 1; the event is at 0. */
	vqd_set_used_event(&f->drv, 0);
	fix_add(f);
	fix_use(f);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], before);
	fix_add(f);
	fix_use(f);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], before + 1);
}
END_TEST

START_TEST(batch_of_2_16_interrupts_though_the_index_is_the_same)
{
	setup(FIX_ALL, 8);
	vqd_set_used_event(&f->drv, 5);
	for (unsigned i = 0; i < 65536; i++) {
		fix_add(f);
		fix_use(f);
		fix_take(f);
	}
	ck_assert_uint_eq(f->q->next_used, 0);
	vq_signal(f->q);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
}
END_TEST

START_TEST(no_transport_is_no_trouble)
{
	setup(FIX_ALL, 8);
	virtio_attach(f->d, NULL);
	fix_add(f);
	fix_kick(f);
	fix_take(f);
	virtio_broken(f->d, "test");
	virtio_config_changed(f->d);
	virtio_reset(f->d);
}
END_TEST

/*
 * Kicks.   [virtio 1.2, 2.7.10]
 */

START_TEST(empty_ring_asks_for_a_kick_at_the_next_buffer)
{
	struct vq_chain *c;

	setup(FIX_ALL, 8);
	for (unsigned i = 0; i < 20; i++) {
		fix_add(f);
		ck_assert(vqd_wants_kick(&f->drv));
		/* More while the device is at it: no kick. */
		fix_add(f);
		ck_assert(!vqd_wants_kick(&f->drv));
		fix_use(f);
		fix_use(f);
		ck_assert_int_eq(vq_pop(f->q, &c), 0);
		ck_assert_uint_eq(vqd_avail_event(&f->drv), f->drv.avail_idx);
		fix_take(f);
		fix_take(f);
	}
}
END_TEST

START_TEST(kicks_off_means_no_kick_until_on)
{
	struct vq_chain *c;

	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	fix_add(f);
	ck_assert(vqd_wants_kick(&f->drv));
	vq_kicks_off(f->q);
	fix_use(f);
	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	fix_add(f);
	ck_assert(!vqd_wants_kick(&f->drv));
	ck_assert(vq_kicks_on(f->q));
	fix_use(f);
	ck_assert(!vq_kicks_on(f->q));
	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	fix_add(f);
	ck_assert(vqd_wants_kick(&f->drv));
	ck_assert(vq_kicks_on(f->q));
}
END_TEST

START_TEST(kicks_on_without_off_looks_at_the_ring)
{
	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	ck_assert(!vq_kicks_on(f->q));
	fix_add(f);
	ck_assert(vq_kicks_on(f->q));
}
END_TEST

/* The ring was found empty, so a kick for the next buffer is asked for. */
START_TEST(disarmed_queue_gets_not_even_the_first_kick)
{
	struct vq_chain *c;

	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	for (unsigned n = 0; n < 3; n++) {
		ck_assert_int_eq(vq_pop(f->q, &c), 0);
		vq_kicks_off(f->q);
		vq_disarm(f->q);
		vq_disarm(f->q);
		for (unsigned k = 0; k < 20; k++) {
			fix_add(f);
			ck_assert(!vqd_wants_kick(&f->drv));
			fix_use(f);
			fix_take(f);
		}
		ck_assert(!vq_kicks_on(f->q));
		fix_add(f);
		ck_assert(vqd_wants_kick(&f->drv));
		fix_use(f);
		fix_take(f);
	}
}
END_TEST

START_TEST(disarmed_queue_that_was_not_used_asks_for_a_kick_again)
{
	struct vq_chain *c;

	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	vq_kicks_off(f->q);
	vq_disarm(f->q);
	ck_assert(!vq_kicks_on(f->q));
	fix_add(f);
	ck_assert(vqd_wants_kick(&f->drv));
}
END_TEST

START_TEST(peek_sees_what_pop_would_find)
{
	struct vq_peek p;

	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	ck_assert(vq_peek_begin(f->q, &p));
	ck_assert(!vq_peek(&p));
	fix_add(f);
	ck_assert(vq_peek(&p));
	fix_use(f);
	ck_assert(vq_peek_begin(f->q, &p));
	ck_assert(!vq_peek(&p));
	/* A jump is for vq_pop() to find. */
	vqd_set_avail_idx(&f->drv, 1000);
	ck_assert(vq_peek(&p));
	p.at = UINT64_MAX - 1;
	ck_assert(vq_peek(&p));
}
END_TEST

START_TEST(peek_does_not_begin_where_nothing_can_be_popped)
{
	struct vq_peek p;

	setup(FIX_ALL, 8);
	virtio_pause(f->d, true);
	ck_assert(!vq_peek_begin(f->q, &p));
	virtio_pause(f->d, false);
	ck_assert(vq_peek_begin(f->q, &p));
	virtio_broken(f->d, "test");
	ck_assert(!vq_peek_begin(f->q, &p));
	virtio_reset(f->d);
	ck_assert(!vq_peek_begin(f->q, &p));
}
END_TEST

START_TEST(broken_device_neither_kicks_nor_signals)
{
	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	fix_add(f);
	fix_add(f);

	struct vq_chain *c = fix_pop(f);

	virtio_broken(f->d, "test");
	vq_push(f->q, c);
	vq_kicks_off(f->q);
	ck_assert(!vq_kicks_on(f->q));
	vq_signal(f->q);
	virtio_notify(f->d, 0);
	ck_assert_uint_eq(f->dev.kicks, 0);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	ck_assert_uint_eq(vqd_used_flags(&f->drv), 0);
}
END_TEST

/*
 * The other side acts just before or after one of the device's accesses: a
 * view that does something when the device gets at a certain word.
 */
struct spying_dma {
	struct dma dma;
	iova_t at;
	bool before; /* else after */
	void (*act)(void);
	unsigned accesses;
};

static struct spying_dma spy;

static int spy_translate(struct dma *d, iova_t at, uint64_t len,
			 enum dma_access access, struct dma_slice *slices,
			 unsigned max, struct dma_hold *hold)
{
	(void)d, (void)access, (void)max, (void)hold;
	slices[0] = (struct dma_slice){at, len};
	if (at == spy.at && spy.before && !spy.accesses++)
		spy.act();
	return 1;
}

static void spy_release(struct dma *d, struct dma_hold *hold)
{
	(void)d;
	if (hold->first == spy.at && !spy.before && !spy.accesses++)
		spy.act();
}

static void watch(iova_t at, bool before, void (*act)(void))
{
	static const struct dma_ops ops = {.translate = spy_translate,
					   .release = spy_release};

	spy = (struct spying_dma){.dma = {.ops = &ops, .mem = &f->mem},
				  .at = at,
				  .before = before,
				  .act = act};
	f->q->dma = &spy.dma;
}

static bool kick_wanted;

static void add_and_ask(void)
{
	fix_add(f);
	kick_wanted = vqd_wants_kick(&f->drv);
}

/* Whenever the buffer comes, it is kicked or seen. */
START_TEST(buffer_that_comes_while_the_device_arms_is_not_lost)
{
	struct vq_chain *c = NULL;
	bool before = _i & 1, seen;

	setup(FIX_ALL, 8);
	fix_add(f);
	(void)vqd_wants_kick(&f->drv);
	fix_use(f);
	/* It sees an empty ring and writes avail_event. */
	watch(f->drv.used + 4 + 8 * 8, before, add_and_ask);
	seen = vq_pop(f->q, &c) == 1;
	ck_assert_uint_ge(spy.accesses, 1);
	ck_assert(kick_wanted || seen);
	if (before)
		ck_assert(!kick_wanted);
	if (seen)
		vq_push(f->q, c);
}
END_TEST

START_TEST(buffer_that_comes_while_kicks_go_on_is_not_lost)
{
	bool before = _i & 1, seen;

	setup(_i & 2 ? FIX_ALL : FIX_PLAIN, 8);
	fix_add(f);
	(void)vqd_wants_kick(&f->drv);
	vq_kicks_off(f->q);
	fix_use(f);
	watch(_i & 2 ? f->drv.used + 4 + 8 * 8 : f->drv.used, before,
	      add_and_ask);
	seen = vq_kicks_on(f->q);
	ck_assert_uint_ge(spy.accesses, 1);
	ck_assert(kick_wanted || seen);
}
END_TEST

static bool driver_sees_it;

static void want_interrupts(void)
{
	driver_sees_it = vqd_interrupts_on(&f->drv);
}

/* Whenever the driver asks for one, it gets it or sees the used chain. */
START_TEST(interrupt_asked_for_around_a_push_is_not_lost)
{
	/* used.idx is written; used_event, or the flags, are read. */
	const iova_t used_idx = FIX_RING + 0x2000 + 2;
	const iova_t asked = FIX_RING + 0x1000 + (_i & 2 ? 4 + 2 * 8 : 0);

	setup(_i & 2 ? FIX_ALL : FIX_PLAIN, 8);
	vqd_interrupts_off(&f->drv);
	fix_add(f);
	ck_assert_uint_eq(f->drv.avail, FIX_RING + 0x1000);
	ck_assert_uint_eq(f->drv.used, FIX_RING + 0x2000);
	watch(_i & 1 ? asked : used_idx, _i & 4, want_interrupts);
	fix_use(f);
	vq_signal(f->q);
	ck_assert_uint_ge(spy.accesses, 1);
	ck_assert(driver_sees_it || f->transport.queue_irqs[0]);
}
END_TEST

static TCase *add_case(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, no_setup, teardown);
	suite_add_tcase(s, t);
	return t;
}

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/kicks");
	TCase *t;

	t = add_case(s, "interrupts");
	tcase_add_test(t, no_interrupt_flag_is_obeyed);
	tcase_add_test(t, no_interrupt_flag_is_ignored_with_event_index);
	tcase_add_loop_test(t, batch_interrupts_once, 0, 2);
	tcase_add_loop_test(t, signal_without_a_push_is_nothing, 0, 2);
	tcase_add_test(t, interrupt_comes_at_the_used_event_and_not_before);
	tcase_add_loop_test(t, used_event_inside_a_batch_interrupts, 0, 4);
	tcase_add_test(t, used_event_wraps_with_the_index);
	tcase_add_test(t,
		       batch_of_2_16_interrupts_though_the_index_is_the_same);
	tcase_add_test(t, no_transport_is_no_trouble);

	t = add_case(s, "kicks");
	tcase_add_test(t, empty_ring_asks_for_a_kick_at_the_next_buffer);
	tcase_add_loop_test(t, kicks_off_means_no_kick_until_on, 0, 2);
	tcase_add_loop_test(t, kicks_on_without_off_looks_at_the_ring, 0, 2);
	tcase_add_loop_test(t, disarmed_queue_gets_not_even_the_first_kick, 0,
			    2);
	tcase_add_loop_test(
		t, disarmed_queue_that_was_not_used_asks_for_a_kick_again, 0,
		2);
	tcase_add_loop_test(t, peek_sees_what_pop_would_find, 0, 2);
	tcase_add_test(t, peek_does_not_begin_where_nothing_can_be_popped);
	tcase_add_loop_test(t, broken_device_neither_kicks_nor_signals, 0, 2);
	t = add_case(s, "races");
	tcase_add_loop_test(
		t, buffer_that_comes_while_the_device_arms_is_not_lost, 0, 2);
	tcase_add_loop_test(t, buffer_that_comes_while_kicks_go_on_is_not_lost,
			    0, 4);
	tcase_add_loop_test(t, interrupt_asked_for_around_a_push_is_not_lost, 0,
			    8);

	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());

	srunner_run_all(r, CK_NORMAL);

	int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
