/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Descriptors: which chains are taken, which break the device.
 * [virtio 1.2, 2.7.4, 2.7.5]
 */
#include "virtio/queue.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "virtio/tests/queue_fixture.h"

#define N VQ_DESC_F_NEXT
#define W VQ_DESC_F_WRITE
#define I VQ_DESC_F_INDIRECT

#define DATA  0x100000u /* buffers lie here */
#define TABLE 0x180000u /* indirect tables, here */

static struct fixture *f;

static void setup(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_up(f, FIX_ALL, 8);
}

static void setup_large(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_up(f, FIX_ALL, 1024);
}

static void teardown(void)
{
	fix_fini(f);
	free(f);
}

static void desc(unsigned i, uint64_t at, uint32_t len, uint16_t flags,
		 uint16_t next)
{
	vqd_set_desc(&f->drv, i, at, len, flags, next);
}

static void entry(unsigned i, uint64_t at, uint32_t len, uint16_t flags,
		  uint16_t next)
{
	vqd_set_table_desc(&f->drv, TABLE, i, at, len, flags, next);
}

/* Offer head 0 and take it. */
static struct vq_chain *take(void)
{
	vqd_offer(&f->drv, 0);
	return fix_pop(f);
}

static void check_breaks(int expect, const char *why)
{
	struct vq_chain *c = NULL;

	vqd_offer(&f->drv, 0);
	ck_assert_int_eq(vq_pop(f->q, &c), expect);
	ck_assert_ptr_null(c);
	ck_assert(fix_is_broken(f));
	ck_assert(fix_said(why));
	ck_assert_uint_eq(f->q->inflight, 0);
}

START_TEST(halves_are_split_at_the_first_writable_descriptor)
{
	struct vq_chain *c;

	desc(0, DATA, 10, N, 3);
	desc(3, DATA + 0x100, 20, N, 1);
	desc(1, DATA + 0x200, 30, W | N, 7);
	desc(7, DATA + 0x300, 40, W, 0);
	c = take();
	ck_assert_uint_eq(c->head, 0);
	ck_assert_uint_eq(c->nsegs, 4);
	ck_assert_uint_eq(c->nreadable, 2);
	ck_assert_uint_eq(c->in.left, 30);
	ck_assert_uint_eq(c->out.left, 70);
	ck_assert_uint_eq(c->segs[2].at, DATA + 0x200);
	ck_assert_uint_eq(c->segs[3].len, 40);
	vq_push(f->q, c);
}
END_TEST

START_TEST(chain_may_have_one_half_only)
{
	struct vq_chain *c;

	desc(0, DATA, 10, _i ? W : 0, 0);
	c = take();
	ck_assert_uint_eq(c->in.left, _i ? 0 : 10);
	ck_assert_uint_eq(c->out.left, _i ? 10 : 0);
	vq_push(f->q, c);
}
END_TEST

START_TEST(readable_after_writable_breaks)
{
	desc(0, DATA, 10, W | N, 1);
	desc(1, DATA, 10, 0, 0);
	check_breaks(-EPROTO, "readable descriptor after");
}
END_TEST

START_TEST(empty_readable_after_writable_breaks_too)
{
	desc(0, DATA, 10, W | N, 1);
	desc(1, DATA, 0, 0, 0);
	check_breaks(-EPROTO, "readable descriptor after");
}
END_TEST

START_TEST(empty_descriptors_are_skipped)
{
	struct vq_chain *c;
	uint8_t two[2] = {0};

	desc(0, UINT64_MAX, 0, N, 1);
	desc(1, DATA, 1, N, 2);
	desc(2, DATA + 1, 0, N, 3);
	desc(3, DATA + 8, 1, N, 4);
	desc(4, DATA, 0, W | N, 5);
	desc(5, DATA + 16, 2, W, 0);
	c = take();
	ck_assert_uint_eq(c->nsegs, 3);
	ck_assert_uint_eq(c->nreadable, 2);
	ck_assert_int_eq(vq_read_obj(c, &two), 0);
	ck_assert_int_eq(vq_write_obj(c, &two), 0);
	vq_push(f->q, c);
}
END_TEST

START_TEST(chain_of_nothing_is_a_chain)
{
	struct vq_chain *c;
	uint32_t head, len;
	uint8_t byte;

	desc(0, DATA, 0, 0, 0);
	c = take();
	ck_assert_uint_eq(c->nsegs, 0);
	ck_assert_int_eq(vq_read_obj(c, &byte), -ENODATA);
	ck_assert_int_eq(vq_write_obj(c, &byte), -ENODATA);
	ck_assert_int_eq(vq_write_tail(c, &byte, 1), -ENODATA);
	vq_push(f->q, c);
	ck_assert(vqd_get_used(&f->drv, &head, &len));
	ck_assert_uint_eq(len, 0);
}
END_TEST

/*
 * Length.   [virtio 1.2, 2.7.5.2, 2.7.5.3.1]
 */

static void link_ring(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		desc(i, DATA + i, 1, (uint16_t)(i + 1 < n ? W | N : W),
		     (uint16_t)(i + 1));
}

START_TEST(chain_as_long_as_the_queue_is_taken)
{
	link_ring(8);
	vq_push(f->q, take());
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 1);
}
END_TEST

START_TEST(loop_breaks)
{
	/* To itself, to the first, into the middle. */
	link_ring(8);
	desc(7, DATA, 1, W | N, (uint16_t[]){7, 0, 3}[_i]);
	check_breaks(-EPROTO, "longer than the queue");
}
END_TEST

START_TEST(loop_of_empty_descriptors_breaks)
{
	desc(0, DATA, 0, N, 0);
	check_breaks(-EPROTO, "longer than the queue");
}
END_TEST

START_TEST(next_outside_the_table_breaks)
{
	desc(0, DATA, 1, N, (uint16_t[]){8, 9, UINT16_MAX}[_i]);
	check_breaks(-EPROTO, "next descriptor outside");
}
END_TEST

START_TEST(next_without_its_flag_is_ignored)
{
	desc(0, DATA, 1, 0, UINT16_MAX);
	vq_push(f->q, take());
}
END_TEST

START_TEST(lengths_sum_to_4_gib_less_one)
{
	struct vq_chain *c;

	desc(0, DATA, UINT32_MAX - 1, W | N, 1);
	desc(1, DATA, 1, W, 0);
	c = take();
	ck_assert_uint_eq(c->out.left, UINT32_MAX);
	vq_push(f->q, c);
}
END_TEST

START_TEST(lengths_that_sum_to_4_gib_break)
{
	desc(0, DATA, UINT32_MAX, _i ? W | N : N, 1);
	desc(1, DATA, 1, W, 0);
	check_breaks(-EPROTO, "4 GiB");
}
END_TEST

START_TEST(buffer_may_end_at_the_last_byte)
{
	struct vq_chain *c;
	uint8_t byte;

	desc(0, UINT64_MAX - 15, 16, 0, 0);
	c = take();
	/* Not reachable, but that is the device's to find out. */
	ck_assert_int_eq(vq_read_obj(c, &byte), -EFAULT);
	vq_push(f->q, c);
	ck_assert(!fix_is_broken(f));
}
END_TEST

START_TEST(buffer_that_wraps_breaks)
{
	desc(0, UINT64_MAX - 14, 16, 0, 0);
	check_breaks(-EPROTO, "past the end of memory");
}
END_TEST

/*
 * Indirect tables.   [virtio 1.2, 2.7.5.3]
 */

START_TEST(indirect_table_of_one_is_taken)
{
	struct vq_chain *c;

	entry(0, DATA, 7, W, 0);
	desc(0, TABLE, 16, I, 0);
	c = take();
	ck_assert_uint_eq(c->nsegs, 1);
	ck_assert_uint_eq(c->out.left, 7);
	vq_push(f->q, c);
}
END_TEST

START_TEST(indirect_table_as_long_as_the_queue_is_taken)
{
	struct vq_chain *c;

	for (unsigned i = 0; i < 8; i++)
		entry(i, DATA + i, 1, i < 7 ? N : 0, (uint16_t)(i + 1));
	desc(0, TABLE, 128, I, 0);
	c = take();
	ck_assert_uint_eq(c->in.left, 8);
	vq_push(f->q, c);
}
END_TEST

START_TEST(indirect_table_longer_than_the_queue_breaks)
{
	entry(0, DATA, 1, 0, 0);
	desc(0, TABLE, _i ? 0xfffffff0 : 144, I, 0);
	check_breaks(-EPROTO, "table longer than the queue");
}
END_TEST

/*
 * Linux makes a ring shorter for want of memory, or because it is told to; its
 * tables stay as long as what the device has promised to take.
 */
START_TEST(indirect_table_may_be_longer_than_a_ring_made_shorter)
{
	struct vq_chain *c;

	fix_start(f, FIX_ALL, 4);
	for (unsigned i = 0; i < 8; i++)
		entry(i, DATA + i, 1, i < 7 ? N : 0, (uint16_t)(i + 1));
	desc(0, TABLE, 128, I, 0);
	c = take();
	ck_assert_uint_eq(c->in.left, 8);
	vq_push(f->q, c);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 1);
}
END_TEST

START_TEST(loop_in_a_ring_made_shorter_breaks)
{
	fix_start(f, FIX_ALL, 4);
	link_ring(4);
	desc(3, DATA, 1, W | N, 0);
	check_breaks(-EPROTO, "longer than the queue");
}
END_TEST

START_TEST(indirect_table_of_broken_length_breaks)
{
	static const uint32_t lens[] = {0, 1, 15, 17, 24, 127, UINT32_MAX};

	entry(0, DATA, 1, 0, 0);
	desc(0, TABLE, lens[_i], I, 0);
	check_breaks(-EPROTO, "table of a broken length");
}
END_TEST

START_TEST(indirect_table_that_wraps_breaks)
{
	desc(0, UINT64_MAX - 14, 16, I, 0);
	check_breaks(-EPROTO, "table past the end");
}
END_TEST

START_TEST(indirect_table_that_is_not_reachable_breaks)
{
	desc(0, FIX_MEM, 16, I, 0);
	check_breaks(-EFAULT, "not reachable");
}
END_TEST

/* Nothing behind its end is read. */
START_TEST(indirect_table_may_end_with_memory)
{
	struct vq_chain *c;

	vqd_set_table_desc(&f->drv, FIX_MEM - 32, 0, DATA, 1, N, 1);
	vqd_set_table_desc(&f->drv, FIX_MEM - 32, 1, DATA, 2, 0, 0);
	desc(0, FIX_MEM - 32, 32, I, 0);
	c = take();
	ck_assert_uint_eq(c->in.left, 3);
	vq_push(f->q, c);
}
END_TEST

/* Entries run over the end of memory: those in use are there. */
START_TEST(indirect_table_half_reachable_breaks)
{
	entry(0, DATA, 1, 0, 0);
	desc(0, FIX_MEM - 16, 32, I, 0);
	check_breaks(-EFAULT, "not reachable");
}
END_TEST

START_TEST(indirect_with_next_breaks)
{
	entry(0, DATA, 1, 0, 0);
	desc(0, TABLE, 16, I | N, 1);
	desc(1, DATA, 1, 0, 0);
	check_breaks(-EPROTO, "with a next descriptor");
}
END_TEST

START_TEST(indirect_in_indirect_breaks)
{
	entry(0, TABLE, 16, I, 0);
	desc(0, TABLE, 16, I, 0);
	check_breaks(-EPROTO, "in an indirect table");
}
END_TEST

/* [virtio 1.2, 2.7.5.3.2] */
START_TEST(indirect_table_may_follow_ordinary_descriptors)
{
	struct vq_chain *c;

	desc(0, DATA, 1, N, 5);
	desc(5, DATA + 8, 2, N, 2);
	desc(2, TABLE, 48, I, 0);
	entry(0, DATA + 16, 4, N, 1);
	entry(1, DATA + 24, 8, W | N, 2);
	entry(2, DATA + 32, 16, W, 0);
	c = take();
	ck_assert_uint_eq(c->nsegs, 5);
	ck_assert_uint_eq(c->in.left, 7);
	ck_assert_uint_eq(c->out.left, 24);
	vq_push(f->q, c);
}
END_TEST

START_TEST(direction_is_checked_across_the_indirect_table)
{
	desc(0, DATA, 1, W | N, 1);
	desc(1, TABLE, 16, I, 0);
	entry(0, DATA, 1, 0, 0);
	check_breaks(-EPROTO, "readable descriptor after");
}
END_TEST

/* The limit is the chain's, however it is split. */
START_TEST(ordinary_and_indirect_count_together)
{
	for (unsigned i = 0; i < 8; i++)
		entry(i, DATA, 1, i < 7 ? N : 0, (uint16_t)(i + 1));
	desc(0, DATA, 1, N, 1);
	desc(1, TABLE, 128, I, 0);
	check_breaks(-EPROTO, "chain longer than");
}
END_TEST

/* [virtio 1.2, 2.7.5.3.2] */
START_TEST(write_flag_of_the_table_is_ignored)
{
	struct vq_chain *c;

	entry(0, DATA, 5, 0, 0);
	desc(0, TABLE, 16, I | W, 0);
	c = take();
	ck_assert_uint_eq(c->in.left, 5);
	vq_push(f->q, c);
}
END_TEST

START_TEST(loop_in_the_indirect_table_breaks)
{
	entry(0, DATA, 1, N, 1);
	entry(1, DATA, 1, N, 0);
	desc(0, TABLE, 32, I, 0);
	check_breaks(-EPROTO, "chain longer than");
}
END_TEST

START_TEST(next_outside_the_indirect_table_breaks)
{
	/* Inside of the queue's, but that does not count. */
	entry(0, DATA, 1, N, 2);
	desc(0, TABLE, 32, I, 0);
	check_breaks(-EPROTO, "next descriptor outside");
}
END_TEST

START_TEST(indirect_not_negotiated_breaks)
{
	fix_start(f, FIX_PLAIN, 8);
	entry(0, DATA, 1, 0, 0);
	desc(0, TABLE, 16, I, 0);
	check_breaks(-EPROTO, "not negotiated");
}
END_TEST

/* More than one window, links all over the place. */
START_TEST(large_indirect_table_in_any_order)
{
	struct vq_chain *c;
	unsigned at = 0;

	/* 517 is prime to 1024: every entry is reached once. */
	for (unsigned i = 0; i < 1024; i++) {
		unsigned next = (at + 517) % 1024;

		entry(at, DATA + i, 1, i < 1023 ? N : 0, (uint16_t)next);
		at = next;
	}
	desc(0, TABLE, 1024 * 16, I, 0);
	c = take();
	ck_assert_uint_eq(c->nsegs, 1024);
	for (unsigned i = 0; i < 1024; i++)
		ck_assert_uint_eq(c->segs[i].at, DATA + i);
	vq_push(f->q, c);
}
END_TEST

START_TEST(indirect_table_across_scattered_pages)
{
	static struct fake_dma cpu;
	static struct vqd_buf bufs[600];
	struct vq_chain *c;
	iova_t table;

	fix_fini(f);
	fix_init(f, 1024, true);
	fake_dma_init(&cpu, &f->mem);
	fake_dma_scatter(&cpu, 0, 0, 0x80000, DMA_READ | DMA_WRITE);
	fake_dma_scatter(&f->fake, 0, 0, 0x80000, DMA_READ | DMA_WRITE);
	ck_assert(vqd_negotiate(f->d, FIX_ALL));
	vqd_init(&f->drv, &cpu.dma, 0, 0x80000, 1024);
	vqd_connect(&f->drv, f->d, 0);
	ck_assert(vqd_driver_ok(f->d));
	for (unsigned i = 0; i < 600; i++)
		bufs[i] = (struct vqd_buf){i, 1, false};
	/* Not at a page's begin: an entry crosses into the next page. */
	table = vqd_alloc(&f->drv, 600 * 16 + 8) + 8;
	(void)vqd_stage_indirect(&f->drv, table, bufs, 600);
	vqd_publish(&f->drv);
	c = fix_pop(f);
	ck_assert_uint_eq(c->nsegs, 600);
	for (unsigned i = 0; i < 600; i++)
		ck_assert_uint_eq(c->segs[i].at, i);
	vq_push(f->q, c);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 0);
	fake_dma_fini(&cpu);
}
END_TEST

/*
 * A view that rewrites the table as soon as it has been read: whoever reads
 * a descriptor twice sees two.
 */
struct flipping_dma {
	struct dma dma;
	struct fixture *f;
	bool flip;
	unsigned desc_reads;
};

static int flip_translate(struct dma *d, iova_t at, uint64_t len,
			  enum dma_access access, struct dma_slice *slices,
			  unsigned max, struct dma_hold *hold)
{
	struct flipping_dma *v = container_of(d, struct flipping_dma, dma);

	(void)access, (void)max, (void)hold;
	slices[0] = (struct dma_slice){at, len};
	if (at >= FIX_RING && at < FIX_RING + 8 * 16) {
		v->desc_reads++;
		v->flip = true;
	}
	return 1;
}

/* Comes when the bytes have been copied. */
static void flip_release(struct dma *d, struct dma_hold *hold)
{
	struct flipping_dma *v = container_of(d, struct flipping_dma, dma);

	(void)hold;
	if (!v->flip)
		return;
	for (unsigned i = 0; i < 8; i++)
		vqd_set_desc(&v->f->drv, i, UINT64_MAX, UINT32_MAX, W | N | I,
			     UINT16_MAX);
	v->flip = false;
}

START_TEST(descriptor_is_read_once)
{
	static const struct dma_ops ops = {.translate = flip_translate,
					   .release = flip_release};
	struct flipping_dma v = {.dma = {.ops = &ops, .mem = &f->mem}, .f = f};
	struct vq_chain *c;

	desc(0, DATA, 24, W, 0);
	f->q->dma = &v.dma;
	c = take();
	ck_assert_uint_eq(v.desc_reads, 1);
	ck_assert_uint_eq(c->nsegs, 1);
	ck_assert_uint_eq(c->out.left, 24);
	ck_assert_int_eq(vq_write_zero(c, 24), 0);
	vq_push(f->q, c);
	ck_assert_uint_eq(v.desc_reads, 1);
	f->q->dma = &f->id;
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/walk");
	TCase *t = tcase_create("chains");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, halves_are_split_at_the_first_writable_descriptor);
	tcase_add_loop_test(t, chain_may_have_one_half_only, 0, 2);
	tcase_add_test(t, readable_after_writable_breaks);
	tcase_add_test(t, empty_readable_after_writable_breaks_too);
	tcase_add_test(t, empty_descriptors_are_skipped);
	tcase_add_test(t, chain_of_nothing_is_a_chain);
	tcase_add_test(t, chain_as_long_as_the_queue_is_taken);
	tcase_add_loop_test(t, loop_breaks, 0, 3);
	tcase_add_test(t, loop_of_empty_descriptors_breaks);
	tcase_add_loop_test(t, next_outside_the_table_breaks, 0, 3);
	tcase_add_test(t, next_without_its_flag_is_ignored);
	tcase_add_test(t, lengths_sum_to_4_gib_less_one);
	tcase_add_loop_test(t, lengths_that_sum_to_4_gib_break, 0, 2);
	tcase_add_test(t, buffer_may_end_at_the_last_byte);
	tcase_add_test(t, buffer_that_wraps_breaks);
	tcase_add_test(t, descriptor_is_read_once);
	suite_add_tcase(s, t);

	t = tcase_create("indirect tables");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, indirect_table_of_one_is_taken);
	tcase_add_test(t, indirect_table_as_long_as_the_queue_is_taken);
	tcase_add_test(t,
		       indirect_table_may_be_longer_than_a_ring_made_shorter);
	tcase_add_test(t, loop_in_a_ring_made_shorter_breaks);
	tcase_add_loop_test(t, indirect_table_longer_than_the_queue_breaks, 0,
			    2);
	tcase_add_loop_test(t, indirect_table_of_broken_length_breaks, 0, 7);
	tcase_add_test(t, indirect_table_that_wraps_breaks);
	tcase_add_test(t, indirect_table_that_is_not_reachable_breaks);
	tcase_add_test(t, indirect_table_may_end_with_memory);
	tcase_add_test(t, indirect_table_half_reachable_breaks);
	tcase_add_test(t, indirect_with_next_breaks);
	tcase_add_test(t, indirect_in_indirect_breaks);
	tcase_add_test(t, indirect_table_may_follow_ordinary_descriptors);
	tcase_add_test(t, direction_is_checked_across_the_indirect_table);
	tcase_add_test(t, ordinary_and_indirect_count_together);
	tcase_add_test(t, write_flag_of_the_table_is_ignored);
	tcase_add_test(t, loop_in_the_indirect_table_breaks);
	tcase_add_test(t, next_outside_the_indirect_table_breaks);
	tcase_add_test(t, indirect_not_negotiated_breaks);
	suite_add_tcase(s, t);

	t = tcase_create("large indirect tables");
	tcase_add_checked_fixture(t, setup_large, teardown);
	tcase_add_test(t, large_indirect_table_in_any_order);
	tcase_add_test(t, indirect_table_across_scattered_pages);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
