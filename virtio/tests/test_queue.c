/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Rings: indices, heads, lost mappings, runs, set-up.   [virtio 1.2, 2.7]
 */
#include "virtio/queue.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
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

/* An 8-byte request: 4 to read, 4 to write. */
static uint16_t add_echo(uint32_t val)
{
	struct vqd_buf bufs[2] = {
		{vqd_put(&f->drv, &val, sizeof(val)), 4, false},
		{vqd_alloc(&f->drv, 4), 4, true},
	};

	return vqd_add(&f->drv, bufs, 2);
}

START_TEST(request_comes_back_with_its_head_and_length)
{
	uint32_t head, len;
	uint16_t sent;

	setup(_i ? FIX_ALL : FIX_PLAIN, 8);
	sent = add_echo(0x11223344);
	fix_kick(f);
	ck_assert(vqd_get_used(&f->drv, &head, &len));
	ck_assert_uint_eq(head, sent);
	ck_assert_uint_eq(len, 4);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 1);
	ck_assert(!vqd_get_used(&f->drv, &head, &len));
}
END_TEST

START_TEST(queue_counts_what_it_does)
{
	struct virtio_stat own[VIRTIO_STATS_MAX];
	struct vq_stats s;

	setup(FIX_ALL, 8);
	for (unsigned i = 0; i < 3; i++)
		(void)add_echo(i);
	fix_kick(f);
	(void)add_echo(3);
	fix_kick(f);
	virtio_get_stats(f->d, &s);
	ck_assert_uint_eq(s.kicks, 2);
	ck_assert_uint_eq(s.requests, 4);
	ck_assert_uint_eq(s.bytes_out, 16);
	ck_assert_uint_eq(s.bytes_in, 16);
	ck_assert_uint_eq(s.interrupts, f->transport.queue_irqs[0]);
	ck_assert_uint_eq(virtio_get_own_stats(f->d, own), 0);
	/* ... and a reset does not take it back. */
	virtio_reset(f->d);
	virtio_get_stats(f->d, &s);
	ck_assert_uint_eq(s.requests, 4);
}
END_TEST

START_TEST(indices_go_round_the_ring_and_past_2_16)
{
	setup(_i ? FIX_ALL : FIX_PLAIN, 4);
	for (unsigned i = 0; i < 70000; i++) {
		fix_add(f);
		ck_assert(vqd_wants_kick(&f->drv));
		virtio_notify(f->d, 0);
		fix_take(f);
		ck_assert(!vqd_interrupts_on(&f->drv));
	}
	ck_assert_uint_eq(f->transport.queue_irqs[0], 70000);
	ck_assert(!fix_is_broken(f));
}
END_TEST

START_TEST(full_ring_is_taken_whole)
{
	setup(FIX_ALL, 8);
	for (unsigned i = 0; i < 8; i++)
		fix_add(f);
	for (unsigned i = 0; i < 8; i++)
		fix_use(f);

	struct vq_chain *c;

	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 8);
}
END_TEST

/*
 * Broken rings: the device asks for a reset and stays alive.
 */

static void check_broken(int expect)
{
	struct vq_chain *c = NULL;

	ck_assert_int_eq(vq_pop(f->q, &c), expect);
	ck_assert_ptr_null(c);
	ck_assert(fix_is_broken(f));
	ck_assert_uint_eq(f->transport.config_irqs, 1);
	/* Dead until reset, quietly. */
	ck_assert_int_eq(vq_pop(f->q, &c), 0);
	ck_assert_uint_eq(f->transport.config_irqs, 1);
	fix_start(f, FIX_ALL, f->drv.size);
	fix_add(f);
	fix_use(f);
	fix_take(f);
}

START_TEST(available_index_may_be_a_whole_ring_ahead)
{
	setup(FIX_ALL, 8);
	vqd_set_avail_idx(&f->drv, 8);

	struct vq_chain *c;

	/* All slots name head 0, so the second one breaks. */
	ck_assert_int_eq(vq_pop(f->q, &c), 1);
	vq_drop(f->q, c);
}
END_TEST

START_TEST(available_index_one_past_a_ring_ahead_breaks)
{
	setup(FIX_ALL, 8);
	vqd_set_avail_idx(&f->drv, 9);
	check_broken(-EPROTO);
}
END_TEST

START_TEST(available_index_that_steps_back_breaks)
{
	setup(FIX_ALL, 8);
	fix_add(f);
	fix_use(f);
	vqd_set_avail_idx(&f->drv, 0);
	check_broken(-EPROTO);
}
END_TEST

START_TEST(last_head_is_taken_and_one_past_breaks)
{
	setup(FIX_ALL, 8);
	vqd_set_desc(&f->drv, 7, FIX_RING, 1, VQ_DESC_F_WRITE, 0);
	vqd_offer(&f->drv, 7);
	fix_use(f);
	vqd_offer(&f->drv, 8);
	check_broken(-EPROTO);
}
END_TEST

START_TEST(head_65535_breaks)
{
	setup(FIX_ALL, 8);
	vqd_offer(&f->drv, UINT16_MAX);
	check_broken(-EPROTO);
}
END_TEST

START_TEST(head_in_flight_breaks_and_returned_head_does_not)
{
	struct vq_chain *c;

	setup(FIX_ALL, 8);
	fix_add(f);
	fix_use(f);
	vqd_offer(&f->drv, 0);
	c = fix_pop(f);
	vqd_offer(&f->drv, 0);

	struct vq_chain *again;

	ck_assert_int_eq(vq_pop(f->q, &again), -EPROTO);
	ck_assert(fix_is_broken(f));
	vq_push(f->q, c);
	/* Nothing is written by a broken device. */
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 1);
	ck_assert_uint_eq(f->q->inflight, 0);
}
END_TEST

START_TEST(dropped_head_stays_taken_until_reset)
{
	setup(FIX_ALL, 8);
	fix_add(f);
	vq_drop(f->q, fix_pop(f));
	vqd_offer(&f->drv, 0);
	check_broken(-EPROTO);
}
END_TEST

/* A ring whose page @_i has no mapping: each access of each kind fails. */
START_TEST(ring_that_loses_its_mapping_breaks_the_device)
{
	const iova_t pages[3] = {FIX_RING, FIX_RING + 0x1000,
				 FIX_RING + 0x2000};
	struct vq_chain *c;

	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 8, true);
	fake_dma_map(&f->fake, FIX_RING, FIX_RING, 0x10000,
		     DMA_READ | DMA_WRITE);
	fix_start(f, _i >= 3 ? FIX_PLAIN : FIX_ALL, 8);
	fix_add(f);
	fix_add(f);
	c = fix_pop(f);
	fake_dma_unmap(&f->fake, pages[_i % 3], 0x1000);
	if (_i % 3 == 2) {
		vq_push(f->q, c);
	} else {
		struct vq_chain *next;

		ck_assert_int_eq(vq_pop(f->q, &next), -EFAULT);
		vq_push(f->q, c);
	}
	ck_assert(fix_is_broken(f));
	ck_assert_uint_eq(f->q->inflight, 0);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 0);
}
END_TEST

START_TEST(signal_without_mapping_breaks_the_device)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 8, true);
	fake_dma_map(&f->fake, FIX_RING, FIX_RING, 0x10000,
		     DMA_READ | DMA_WRITE);
	fix_start(f, _i ? FIX_ALL : FIX_PLAIN, 8);
	fix_add(f);
	fix_use(f);
	fake_dma_unmap(&f->fake, f->drv.avail, 0x1000);
	vq_signal(f->q);
	ck_assert(fix_is_broken(f));
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
}
END_TEST

START_TEST(ring_lies_in_scattered_pages)
{
	/* 1024 entries: table 16 KiB, available ring over 2 KiB, used 8 KiB.
	 * The CPU's view has the same pages at the same addresses. */
	static struct fake_dma cpu;

	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 1024, true);
	fake_dma_init(&cpu, &f->mem);
	fake_dma_scatter(&cpu, 0xffff0000, 0x40000, 0x40000,
			 DMA_READ | DMA_WRITE);
	fake_dma_scatter(&f->fake, 0xffff0000, 0x40000, 0x40000,
			 DMA_READ | DMA_WRITE);
	ck_assert(vqd_negotiate(f->d, FIX_ALL));
	vqd_init(&f->drv, &cpu.dma, 0xffff0000, 0x40000, 1024);
	vqd_connect(&f->drv, f->d, 0);
	ck_assert(vqd_driver_ok(f->d));
	for (unsigned i = 0; i < 2048; i++) {
		add_echo(i);
		fix_kick(f);
		fix_take(f);
	}
	ck_assert(!fix_is_broken(f));
	ck_assert_uint_eq(f->dev.done, 2048);
	fake_dma_fini(&cpu);
}
END_TEST

/* Permissions: the device only reads the table and the available ring. */
START_TEST(device_never_writes_what_is_the_drivers)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 8, true);
	fake_dma_map(&f->fake, FIX_RING, FIX_RING, 0x2000, DMA_READ);
	fake_dma_map(&f->fake, FIX_RING + 0x2000, FIX_RING + 0x2000, 0x10000,
		     DMA_WRITE);
	fix_start(f, _i ? FIX_ALL : FIX_PLAIN, 8);
	f->dev.suppress_kicks = true;
	for (unsigned i = 0; i < 100; i++) {
		struct vqd_buf buf = {FIX_RING + 0x4000, 16, true};

		(void)vqd_add(&f->drv, &buf, 1);
		fix_kick(f);
		fix_take(f);
	}
	ck_assert_uint_eq(fake_dma_faults(&f->fake), 0);
	ck_assert_uint_eq(f->dev.done, 100);
}
END_TEST

/*
 * Chains and runs.
 */

START_TEST(pool_gives_the_same_chains_again)
{
	struct vq_chain *first[8];

	setup(FIX_ALL, 8);
	for (unsigned round = 0; round < 3; round++) {
		unsigned made = 0;

		for (unsigned i = 0; i < 8; i++)
			fix_add(f);
		for (unsigned i = 0; i < 8; i++)
			first[i] = fix_pop(f);
		for (unsigned i = 0; i < 8; i++) {
			vq_push(f->q, first[i]);
			fix_take(f);
		}
		for (struct vq_chain *c = f->q->made; c; c = c->next_made)
			made++;
		ck_assert_uint_eq(made, 8);
	}
}
END_TEST

START_TEST(chains_come_back_in_any_order)
{
	struct vq_chain *c[4];
	uint32_t head, len;

	setup(FIX_ALL, 4);
	for (unsigned i = 0; i < 4; i++)
		fix_add(f);
	for (unsigned i = 0; i < 4; i++)
		c[i] = fix_pop(f);
	for (unsigned i = 4; i-- > 0;)
		vq_push(f->q, c[i]);
	for (unsigned i = 4; i-- > 0;) {
		ck_assert(vqd_get_used(&f->drv, &head, &len));
		ck_assert_uint_eq(head, i);
	}
}
END_TEST

START_TEST(stale_chain_touches_neither_buffers_nor_the_new_ring)
{
	struct vq_chain *c, *fresh;
	struct iovec iov;
	uint64_t n;
	uint8_t byte = 1;

	setup(FIX_ALL, 8);
	fix_add(f);
	c = fix_pop(f);
	fix_start(f, FIX_ALL, 8);
	fix_add(f);
	fresh = fix_pop(f);
	ck_assert_uint_eq(fresh->head, c->head);

	ck_assert_int_eq(vq_write(c, &byte, 1), -EFAULT);
	ck_assert_int_eq(vq_read(c, &byte, 0), -EFAULT);
	ck_assert_int_eq(vq_write_tail(c, &byte, 1), -EFAULT);
	ck_assert_int_eq(vq_write_zero(c, 1), -EFAULT);
	ck_assert_int_eq(vq_iov_write(c, 1, &iov, 1, &n), -EFAULT);
	vq_push(f->q, c);
	vq_signal(f->q);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	ck_assert_uint_eq(f->transport.queue_irqs[0], 0);
	/* The head of the new run is still in flight. */
	vq_push(f->q, fresh);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 1);
	ck_assert_uint_eq(f->q->inflight, 0);
}
END_TEST

START_TEST(chain_on_a_list_of_the_devices_is_taken_off_it)
{
	struct list mine;
	struct vq_chain *c;

	setup(FIX_ALL, 8);
	list_init(&mine);
	fix_add(f);
	c = fix_pop(f);
	list_append(&mine, &c->node);
	vq_push(f->q, c);
	ck_assert(list_empty(&mine));
}
END_TEST

START_TEST(queue_is_freed_with_chains_in_flight)
{
	setup(FIX_ALL, 8);
	fix_add(f);
	(void)fix_pop(f);
	/* The address sanitizer has the verdict. */
}
END_TEST

/*
 * Set-up.   [virtio 1.2, 2.7]
 */

static int check_ring(uint16_t size, iova_t desc, iova_t avail, iova_t used)
{
	f->q->size = size;
	f->q->desc = desc;
	f->q->avail = avail;
	f->q->used = used;
	return vq_check(f->q);
}

START_TEST(size_is_a_power_of_two_up_to_what_is_offered)
{
	static const struct {
		uint16_t size;
		int expect;
	} cases[] = {
		{0, -EPROTO},	  {1, 0},	  {2, 0},
		{3, -EPROTO},	  {255, -EPROTO}, {256, 0},
		{257, -EPROTO},	  {512, -EPROTO}, {UINT16_MAX, -EPROTO},
		{32768, -EPROTO},
	};

	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 256, false);
	ck_assert_int_eq(check_ring(cases[_i].size, 0x1000, 0x2000, 0x3000),
			 cases[_i].expect);
}
END_TEST

START_TEST(ring_addresses_are_aligned)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 256, false);
	ck_assert_int_eq(check_ring(8, 0x1010, 0x2002, 0x3004), 0);
	ck_assert_int_eq(check_ring(8, 0x1008, 0x2002, 0x3004), -EPROTO);
	ck_assert_int_eq(check_ring(8, 0x1010, 0x2001, 0x3004), -EPROTO);
	ck_assert_int_eq(check_ring(8, 0x1010, 0x2002, 0x3002), -EPROTO);
}
END_TEST

START_TEST(ring_may_end_at_the_last_byte_and_may_not_wrap)
{
	/* Sizes for 8 entries, event word included. */
	const iova_t desc = -(iova_t)128, avail = -(iova_t)22,
		     used = -(iova_t)72;

	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 256, false);
	ck_assert_int_eq(check_ring(8, desc, 0, 0), 0);
	ck_assert_int_eq(check_ring(8, desc + 16, 0, 0), -EPROTO);
	ck_assert_int_eq(check_ring(8, 0, avail, 0), 0);
	ck_assert_int_eq(check_ring(8, 0, avail + 2, 0), -EPROTO);
	ck_assert_int_eq(check_ring(8, 0, 0, used), 0);
	ck_assert_int_eq(check_ring(8, 0, 0, used + 4), -EPROTO);
}
END_TEST

START_TEST(queue_of_one_entry_works)
{
	setup(FIX_ALL, 1);
	for (unsigned i = 0; i < 10; i++) {
		fix_add(f);
		fix_kick(f);
		fix_take(f);
	}
	ck_assert_uint_eq(f->dev.done, 10);
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
	Suite *s = suite_create("virtio/queue");
	TCase *t;

	t = add_case(s, "rings");
	tcase_add_loop_test(t, request_comes_back_with_its_head_and_length, 0,
			    2);
	tcase_add_test(t, queue_counts_what_it_does);
	tcase_add_loop_test(t, indices_go_round_the_ring_and_past_2_16, 0, 2);
	tcase_add_test(t, full_ring_is_taken_whole);
	tcase_add_test(t, ring_lies_in_scattered_pages);
	tcase_add_loop_test(t, device_never_writes_what_is_the_drivers, 0, 2);

	t = add_case(s, "broken rings");
	tcase_add_test(t, available_index_may_be_a_whole_ring_ahead);
	tcase_add_test(t, available_index_one_past_a_ring_ahead_breaks);
	tcase_add_test(t, available_index_that_steps_back_breaks);
	tcase_add_test(t, last_head_is_taken_and_one_past_breaks);
	tcase_add_test(t, head_65535_breaks);
	tcase_add_test(t, head_in_flight_breaks_and_returned_head_does_not);
	tcase_add_test(t, dropped_head_stays_taken_until_reset);
	tcase_add_loop_test(t, ring_that_loses_its_mapping_breaks_the_device, 0,
			    6);
	tcase_add_loop_test(t, signal_without_mapping_breaks_the_device, 0, 2);

	t = add_case(s, "runs");
	tcase_add_test(t, pool_gives_the_same_chains_again);
	tcase_add_test(t, chains_come_back_in_any_order);
	tcase_add_test(t, stale_chain_touches_neither_buffers_nor_the_new_ring);
	tcase_add_test(t, chain_on_a_list_of_the_devices_is_taken_off_it);
	tcase_add_test(t, queue_is_freed_with_chains_in_flight);

	t = add_case(s, "set-up");
	tcase_add_loop_test(t, size_is_a_power_of_two_up_to_what_is_offered, 0,
			    10);
	tcase_add_test(t, ring_addresses_are_aligned);
	tcase_add_test(t, ring_may_end_at_the_last_byte_and_may_not_wrap);
	tcase_add_test(t, queue_of_one_entry_works);

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
