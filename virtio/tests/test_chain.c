/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Cursors: copies, tails, bulk I/O, used.len.
 */
#include "virtio/queue.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "virtio/tests/queue_fixture.h"

#define DATA 0x100000u

static struct fixture *f;

static void setup(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_up(f, FIX_ALL, 64);
}

/*
 * The device sees [DATA, DATA + 128 KiB) in pages of reverse order; the ring
 * as it is.
 */
static void setup_scattered(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_init(f, 64, true);
	fake_dma_map(&f->fake, FIX_RING, FIX_RING, 0x10000,
		     DMA_READ | DMA_WRITE);
	fake_dma_scatter(&f->fake, DATA, DATA, 0x20000, DMA_READ | DMA_WRITE);
	fix_start(f, FIX_ALL, 64);
}

static void teardown(void)
{
	fix_fini(f);
	free(f);
}

static struct vq_chain *chain(const struct vqd_buf *bufs, unsigned n)
{
	(void)vqd_add(&f->drv, bufs, n);
	return fix_pop(f);
}

static uint32_t push_len(struct vq_chain *c)
{
	uint32_t head, len;

	vq_push(f->q, c);
	ck_assert(vqd_get_used(&f->drv, &head, &len));
	return len;
}

/* What the driver finds. */
static uint8_t byte_at(iova_t at)
{
	uint8_t b;

	vqd_read(&f->drv, at, &b, 1);
	return b;
}

static void fill(iova_t at, uint32_t len, uint8_t val)
{
	for (uint32_t i = 0; i < len; i++)
		vqd_write(&f->drv, at + i, &val, 1);
}

START_TEST(reads_cross_segments)
{
	struct vqd_buf bufs[3] = {
		{DATA, 3, false}, {DATA + 16, 1, false}, {DATA + 32, 4, false}};
	uint8_t got[8];
	struct vq_chain *c;

	vqd_write(&f->drv, DATA, "abc", 3);
	vqd_write(&f->drv, DATA + 16, "d", 1);
	vqd_write(&f->drv, DATA + 32, "efgh", 4);
	c = chain(bufs, 3);
	ck_assert_int_eq(vq_read(c, got, 2), 0);
	ck_assert_int_eq(vq_read(c, got + 2, 5), 0);
	ck_assert_uint_eq(c->in.left, 1);
	ck_assert_int_eq(vq_read(c, got + 7, 1), 0);
	ck_assert_mem_eq(got, "abcdefgh", 8);
	ck_assert_int_eq(vq_read(c, got, 1), -ENODATA);
	ck_assert_int_eq(vq_read(c, got, 0), 0);
	ck_assert_uint_eq(push_len(c), 0);
}
END_TEST

START_TEST(what_is_skipped_is_not_read)
{
	struct vqd_buf bufs[2] = {{DATA, 3, false}, {DATA + 16, 4, false}};
	uint8_t got[2];
	struct vq_chain *c;

	vqd_write(&f->drv, DATA, "abc", 3);
	vqd_write(&f->drv, DATA + 16, "defg", 4);
	c = chain(bufs, 2);
	ck_assert_int_eq(vq_skip_read(c, 4), 0);
	ck_assert_int_eq(vq_read(c, got, 2), 0);
	ck_assert_mem_eq(got, "ef", 2);
	ck_assert_int_eq(vq_skip_read(c, 2), -ENODATA);
	ck_assert_uint_eq(c->in.left, 1);
	ck_assert_int_eq(vq_skip_read(c, UINT64_MAX), -ENODATA);
	ck_assert_int_eq(vq_skip_read(c, 1), 0);
	ck_assert_int_eq(vq_skip_read(c, 0), 0);
	ck_assert_uint_eq(push_len(c), 0);
}
END_TEST

START_TEST(read_past_the_end_moves_nothing)
{
	struct vqd_buf buf = {DATA, 4, false};
	uint8_t got[5] = {9, 9, 9, 9, 9};
	struct vq_chain *c = chain(&buf, 1);

	ck_assert_int_eq(vq_read(c, got, 5), -ENODATA);
	ck_assert_uint_eq(c->in.left, 4);
	ck_assert_uint_eq(got[0], 9);
	ck_assert_int_eq(vq_read(c, got, SIZE_MAX), -ENODATA);
	(void)push_len(c);
}
END_TEST

START_TEST(read_that_faults_leaves_the_cursor)
{
	struct vqd_buf bufs[2] = {{DATA, 4, false}, {FIX_MEM, 4, false}};
	uint8_t got[8];
	struct vq_chain *c = chain(bufs, 2);

	ck_assert_int_eq(vq_read(c, got, 8), -EFAULT);
	ck_assert_uint_eq(c->in.left, 8);
	ck_assert_int_eq(vq_read(c, got, 4), 0);
	ck_assert_int_eq(vq_read(c, got, 1), -EFAULT);
	(void)push_len(c);
}
END_TEST

START_TEST(readable_half_cannot_be_written_nor_the_other_read)
{
	struct vqd_buf bufs[2] = {{DATA, 4, false}, {DATA + 16, 4, true}};
	uint8_t eight[8] = {0};
	struct vq_chain *c = chain(bufs, 2);

	ck_assert_int_eq(vq_read(c, eight, 8), -ENODATA);
	ck_assert_int_eq(vq_write(c, eight, 8), -ENODATA);
	(void)push_len(c);
}
END_TEST

START_TEST(writes_cross_segments_and_count)
{
	struct vqd_buf bufs[2] = {{DATA, 3, true}, {DATA + 16, 3, true}};
	struct vq_chain *c = chain(bufs, 2);

	ck_assert_int_eq(vq_write(c, "abcd", 4), 0);
	ck_assert_uint_eq(c->out.left, 2);
	ck_assert_uint_eq(byte_at(DATA + 2), 'c');
	ck_assert_uint_eq(byte_at(DATA + 3), 0);
	ck_assert_uint_eq(byte_at(DATA + 16), 'd');
	ck_assert_int_eq(vq_write(c, "xyz", 3), -ENODATA);
	ck_assert_uint_eq(push_len(c), 4);
}
END_TEST

START_TEST(write_that_faults_does_not_count)
{
	struct vqd_buf bufs[2] = {{DATA, 4, true}, {FIX_MEM, 4, true}};
	struct vq_chain *c = chain(bufs, 2);

	ck_assert_int_eq(vq_write(c, "12345678", 8), -EFAULT);
	ck_assert_uint_eq(c->out.left, 8);
	ck_assert_uint_eq(push_len(c), 0);
}
END_TEST

/*
 * Tails.
 */

START_TEST(tail_is_at_the_end_and_not_counted_behind_a_gap)
{
	struct vqd_buf bufs[2] = {{DATA, 8, true}, {DATA + 16, 1, true}};
	struct vq_chain *c = chain(bufs, 2);

	ck_assert_int_eq(vq_write_tail(c, "S", 1), 0);
	ck_assert_uint_eq(c->out.left, 8);
	ck_assert_uint_eq(byte_at(DATA + 16), 'S');
	/* [virtio 1.2, 2.7.8.2]: len covers bytes that were written. */
	ck_assert_uint_eq(push_len(c), 0);
}
END_TEST

START_TEST(tail_behind_a_full_half_counts)
{
	struct vqd_buf bufs[2] = {{DATA, 8, true}, {DATA + 16, 1, true}};
	struct vq_chain *c = chain(bufs, 2);

	ck_assert_int_eq(vq_write_tail(c, "S", 1), 0);
	ck_assert_int_eq(vq_write(c, "12345678", 8), 0);
	ck_assert_int_eq(vq_write(c, "9", 1), -ENODATA);
	ck_assert_uint_eq(byte_at(DATA + 16), 'S');
	ck_assert_uint_eq(push_len(c), 9);
}
END_TEST

START_TEST(tail_alone_counts)
{
	struct vqd_buf buf = {DATA, 4, true};
	struct vq_chain *c = chain(&buf, 1);

	ck_assert_int_eq(vq_write_tail(c, "tail", 4), 0);
	ck_assert_uint_eq(push_len(c), 4);
}
END_TEST

START_TEST(tails_stack_and_cross_segments)
{
	struct vqd_buf bufs[3] = {
		{DATA, 2, true}, {DATA + 16, 2, true}, {DATA + 32, 2, true}};
	struct vq_chain *c = chain(bufs, 3);

	ck_assert_int_eq(vq_write_tail(c, "345", 3), 0);
	ck_assert_int_eq(vq_write_tail(c, "12", 2), 0);
	ck_assert_int_eq(vq_write_tail(c, "xy", 2), -ENODATA);
	ck_assert_int_eq(vq_write(c, "0", 1), 0);
	ck_assert_uint_eq(byte_at(DATA), '0');
	ck_assert_uint_eq(byte_at(DATA + 1), '1');
	ck_assert_uint_eq(byte_at(DATA + 16), '2');
	ck_assert_uint_eq(byte_at(DATA + 17), '3');
	ck_assert_uint_eq(byte_at(DATA + 32), '4');
	ck_assert_uint_eq(byte_at(DATA + 33), '5');
	ck_assert_uint_eq(push_len(c), 6);
}
END_TEST

START_TEST(tail_that_faults_changes_nothing)
{
	struct vqd_buf bufs[2] = {{DATA, 4, true}, {FIX_MEM, 1, true}};
	struct vq_chain *c = chain(bufs, 2);

	ck_assert_int_eq(vq_write_tail(c, "S", 1), -EFAULT);
	ck_assert_uint_eq(c->out.left, 5);
	ck_assert_uint_eq(push_len(c), 0);
}
END_TEST

START_TEST(short_bulk_read_sets_the_length_back)
{
	struct vqd_buf bufs[2] = {{DATA, 8, true}, {DATA + 16, 1, true}};
	struct vq_chain *c = chain(bufs, 2);
	struct iovec iov[4];
	uint64_t n;

	ck_assert_int_eq(vq_write_tail(c, "S", 1), 0);
	ck_assert_int_eq(vq_iov_write(c, 8, iov, 4, &n), 1);
	c->written = 5;
	ck_assert_uint_eq(push_len(c), 5);
}
END_TEST

START_TEST(zeros_stop_at_the_end)
{
	struct vqd_buf bufs[2] = {{DATA, 5000, true}, {DATA + 8192, 9, true}};
	struct vq_chain *c;

	fill(DATA, 8192 + 16, 0xff);
	c = chain(bufs, 2);
	ck_assert_int_eq(vq_write(c, "a", 1), 0);
	ck_assert_int_eq(vq_write_tail(c, "z", 1), 0);
	ck_assert_int_eq(vq_write_zero(c, UINT64_MAX), 0);
	ck_assert_uint_eq(c->out.left, 0);
	ck_assert_uint_eq(byte_at(DATA), 'a');
	ck_assert_uint_eq(byte_at(DATA + 1), 0);
	ck_assert_uint_eq(byte_at(DATA + 4999), 0);
	ck_assert_uint_eq(byte_at(DATA + 5000), 0xff);
	ck_assert_uint_eq(byte_at(DATA + 8192 + 7), 0);
	ck_assert_uint_eq(byte_at(DATA + 8192 + 8), 'z');
	ck_assert_uint_eq(byte_at(DATA + 8192 + 9), 0xff);
	ck_assert_uint_eq(push_len(c), 5009);
}
END_TEST

/*
 * Bulk I/O.
 */

static uint64_t iov_sum(const struct iovec *iov, int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

START_TEST(iovecs_cover_segments)
{
	struct vqd_buf bufs[3] = {
		{DATA, 3, true}, {DATA + 16, 1, true}, {DATA + 32, 4, true}};
	struct vq_chain *c = chain(bufs, 3);
	struct iovec iov[4];
	uint64_t n = 0;

	ck_assert_int_eq(vq_iov_write(c, 6, iov, 4, &n), 3);
	ck_assert_uint_eq(n, 6);
	ck_assert_uint_eq(iov_sum(iov, 3), 6);
	memcpy(iov[0].iov_base, "abc", 3);
	ck_assert_uint_eq(byte_at(DATA + 2), 'c');
	ck_assert_uint_eq(c->out.left, 2);
	ck_assert_uint_eq(push_len(c), 6);
}
END_TEST

START_TEST(iovecs_stop_when_there_is_no_room)
{
	struct vqd_buf bufs[3] = {
		{DATA, 3, false}, {DATA + 16, 1, false}, {DATA + 32, 4, false}};
	struct vq_chain *c = chain(bufs, 3);
	struct iovec iov[2];
	uint64_t n = 0;

	ck_assert_int_eq(vq_iov_read(c, 8, iov, 2, &n), 2);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(vq_iov_read(c, 4, iov, 2, &n), 1);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(vq_iov_read(c, 1, iov, 2, &n), -ENODATA);
	ck_assert_int_eq(vq_iov_read(c, 0, iov, 2, &n), 0);
	ck_assert_uint_eq(n, 0);
	(void)push_len(c);
}
END_TEST

START_TEST(iovec_that_faults_holds_nothing)
{
	struct vqd_buf bufs[2] = {{DATA, 4096, true},
				  {DATA + 0x20000, 1, true}};
	struct vq_chain *c = chain(bufs, 2);
	struct iovec iov[8];
	uint64_t n = 77;

	ck_assert_int_eq(vq_iov_write(c, 4097, iov, 8, &n), -EFAULT);
	ck_assert_uint_eq(n, 77);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 0);
	ck_assert_uint_eq(c->out.left, 4097);
	ck_assert_uint_eq(push_len(c), 0);
}
END_TEST

START_TEST(fault_keeps_the_holds_of_earlier_calls)
{
	struct vqd_buf bufs[2] = {{DATA, 16, true}, {DATA + 0x20000, 1, true}};
	struct vq_chain *c = chain(bufs, 2);
	struct iovec iov[8];
	uint64_t n;

	ck_assert_int_eq(vq_iov_write(c, 16, iov, 8, &n), 1);
	ck_assert_int_eq(vq_iov_write(c, 1, iov, 8, &n), -EFAULT);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 1);
	vq_end_holds(c);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 0);
	(void)push_len(c);
}
END_TEST

START_TEST(buffer_in_pieces_gives_a_piece_for_each_page)
{
	struct vqd_buf buf = {DATA + 100, 0x8000, true};
	struct vq_chain *c = chain(&buf, 1);
	struct iovec iov[16];
	uint64_t n = 0;

	ck_assert_int_eq(vq_iov_write(c, 0x8000, iov, 16, &n), 9);
	ck_assert_uint_eq(n, 0x8000);
	ck_assert_uint_eq(iov[0].iov_len, 4096 - 100);
	ck_assert_uint_eq(iov[8].iov_len, 100);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 1);
	vq_push(f->q, c);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 0);
}
END_TEST

/* A whole buffer that has more pieces than there is room for, bit by bit. */
START_TEST(buffer_in_too_many_pieces_is_taken_in_parts)
{
	const unsigned max = (unsigned)_i + 1;
	struct vqd_buf buf = {DATA, 0x20000, true};
	struct vq_chain *c = chain(&buf, 1);
	struct iovec iov[8];
	uint64_t done = 0;

	while (done < 0x20000) {
		uint64_t n = 0;
		int r = vq_iov_write(c, 0x20000 - done, iov, max, &n);

		ck_assert_int_gt(r, 0);
		ck_assert_int_le(r, (int)max);
		ck_assert_uint_eq(iov_sum(iov, r), n);
		for (int i = 0; i < r; i++)
			memset(iov[i].iov_base, 0x5a, iov[i].iov_len);
		done += n;
	}
	ck_assert_uint_eq(c->out.left, 0);
	for (iova_t at = DATA; at < DATA + 0x20000; at++)
		ck_assert_uint_eq(byte_at(at), 0x5a);
	ck_assert_uint_eq(push_len(c), 0x20000);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 0);
}
END_TEST

START_TEST(drop_and_stop_end_holds)
{
	struct vqd_buf buf = {DATA, 4096, true};
	struct vq_chain *c = chain(&buf, 1);
	struct iovec iov[1];
	uint64_t n;

	ck_assert_int_eq(vq_iov_write(c, 4096, iov, 1, &n), 1);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 1);
	if (_i)
		virtio_reset(f->d);
	vq_drop(f->q, c);
	ck_assert_uint_eq(fake_dma_holds(&f->fake), 0);
}
END_TEST

START_TEST(queue_that_is_freed_ends_holds)
{
	struct vqd_buf buf = {DATA, 4096, true};
	struct vq_chain *c = chain(&buf, 1);
	struct iovec iov[1];
	uint64_t n;

	ck_assert_int_eq(vq_iov_write(c, 4096, iov, 1, &n), 1);
	/* fake_dma_fini() asserts. */
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/chain");
	TCase *t = tcase_create("copies");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, reads_cross_segments);
	tcase_add_test(t, what_is_skipped_is_not_read);
	tcase_add_test(t, read_past_the_end_moves_nothing);
	tcase_add_test(t, read_that_faults_leaves_the_cursor);
	tcase_add_test(t, readable_half_cannot_be_written_nor_the_other_read);
	tcase_add_test(t, writes_cross_segments_and_count);
	tcase_add_test(t, write_that_faults_does_not_count);
	tcase_add_test(t, tail_is_at_the_end_and_not_counted_behind_a_gap);
	tcase_add_test(t, tail_behind_a_full_half_counts);
	tcase_add_test(t, tail_alone_counts);
	tcase_add_test(t, tails_stack_and_cross_segments);
	tcase_add_test(t, tail_that_faults_changes_nothing);
	tcase_add_test(t, short_bulk_read_sets_the_length_back);
	tcase_add_test(t, zeros_stop_at_the_end);
	tcase_add_test(t, iovecs_cover_segments);
	tcase_add_test(t, iovecs_stop_when_there_is_no_room);
	suite_add_tcase(s, t);

	t = tcase_create("translated");
	tcase_add_checked_fixture(t, setup_scattered, teardown);
	tcase_add_test(t, iovec_that_faults_holds_nothing);
	tcase_add_test(t, fault_keeps_the_holds_of_earlier_calls);
	tcase_add_test(t, buffer_in_pieces_gives_a_piece_for_each_page);
	tcase_add_loop_test(t, buffer_in_too_many_pieces_is_taken_in_parts, 0,
			    8);
	tcase_add_loop_test(t, drop_and_stop_end_holds, 0, 2);
	tcase_add_test(t, queue_that_is_freed_ends_holds);
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
