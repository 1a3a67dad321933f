/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Requests while the kernel has them, and whatever it may answer.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/blk/request.h"
#include "devices/tests/blk_fixture.h"

static struct blk_fixture f;

static void up(int ways)
{
	/* The test is the kernel, so no loop is needed. */
	blk_fix_up_fake(&f, (unsigned)ways & FIX_SCATTERED, BLK_ALL);
}

static struct blk_call transfer(uint32_t type, uint64_t sector, uint32_t len)
{
	return (struct blk_call){
		.type = type,
		.sector = sector,
		.data = {{vqd_alloc(f.drv, len), len, type == BLK_T_IN}},
		.ndata = 1,
	};
}

static void begin(struct blk_call *c)
{
	blk_begin(&f, c);
	ck_assert_uint_eq(fake_flying(&f), 1);
	ck_assert_uint_eq(vqd_used_idx(f.drv), f.drv->last_used);
}

static struct blk_call begin_range(uint32_t type, uint64_t sector, uint32_t n,
				   uint32_t flags)
{
	const struct blk_range_wire w = {
		.sector = le64_put(sector),
		.nsectors = le32_put(n),
		.flags = le32_put(flags),
	};
	struct blk_call c = {
		.type = type,
		.data = {{vqd_put(f.drv, &w, sizeof(w)), sizeof(w), false}},
		.ndata = 1,
	};

	begin(&c);
	return c;
}

static void assert_done(const struct blk_call *c, uint8_t status, uint32_t len)
{
	uint32_t head, used;

	ck_assert(vqd_get_used(f.drv, &head, &used));
	ck_assert_uint_eq(head, c->head);
	ck_assert_uint_eq(used, len);
	ck_assert_uint_eq(blk_status(&f, c), status);
	ck_assert_uint_eq(fake_flying(&f), 0);
	ck_assert_uint_eq(virtio_flight(f.dev.d), 0);
	ck_assert_uint_eq(fix_holds(&f.dev), 0);
}

static uint64_t iov_bytes(const struct blk_io *io)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < io->niov; i++) {
		ck_assert_uint_gt(io->iov[i].iov_len, 0);
		n += io->iov[i].iov_len;
	}
	return n;
}

/*
 * Answers of the kernel.
 */

START_TEST(transfer_holds_memory_until_the_kernel_is_done)
{
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 4, 8192);
	begin(&c);
	ck_assert_uint_eq(virtio_flight(f.dev.d), 1);
	if (_i & FIX_SCATTERED)
		ck_assert_uint_gt(fix_holds(&f.dev), 0);
	ck_assert_uint_eq(blk_status(&f, &c), NO_STATUS);
	fake_run(&f);
	assert_done(&c, BLK_S_OK, 8193);
	blk_assert_memory(&f, c.data[0].at, 4, 16);
	ck_assert_uint_eq(f.dev.transport.queue_irqs[0], 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(requests_finish_in_any_order)
{
	static const unsigned order[] = {2, 0, 1};
	struct blk_call c[3];
	struct list *newest;
	uint32_t head, len;

	up(_i);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = transfer(BLK_T_IN, i, 512);
		blk_begin(&f, &c[i]);
	}
	fix_lock(&f.dev); /* the newest first */
	newest = f.fake->flying.prev;
	list_remove(newest);
	list_insert(&f.fake->flying, newest);
	fix_unlock(&f.dev);
	for (unsigned i = 0; i < 3; i++) {
		fake_run(&f);
		ck_assert(vqd_get_used(f.drv, &head, &len));
		ck_assert_uint_eq(head, c[order[i]].head);
		blk_assert_memory(&f, c[order[i]].data[0].at, order[i], 1);
	}
	blk_fix_down(&f);
}
END_TEST

START_TEST(error_becomes_the_status)
{
	static const int errors[] = {EIO, ENOSPC, EFAULT, EDQUOT, EBADF};
	struct blk_call c;

	up(_i);
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		c = transfer(BLK_T_IN, 0, 512);
		begin(&c);
		fake_complete(&f, -errors[i]);
		assert_done(&c, BLK_S_IOERR, 0);
		c = transfer(BLK_T_OUT, 0, 512);
		begin(&c);
		fake_complete(&f, -errors[i]);
		assert_done(&c, BLK_S_IOERR, 1);
		c = (struct blk_call){.type = BLK_T_FLUSH};
		begin(&c);
		fake_complete(&f, -errors[i]);
		assert_done(&c, BLK_S_IOERR, 1);
	}
	blk_fix_down(&f);
}
END_TEST

START_TEST(short_transfers_are_gone_on_with)
{
	static const unsigned parts[] = {1, 511, 512, 1000, 4097};
	struct blk_call c;
	uint64_t at = 40 * 512, left = 3 * 4096;

	up(_i);
	c = transfer(BLK_T_IN, 40, 3 * 4096);
	begin(&c);
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		struct blk_io *io = fake_first(&f);

		ck_assert_uint_eq(io->at, at);
		ck_assert_uint_eq(io->len, left);
		ck_assert_uint_eq(iov_bytes(io), left);
		fake_complete(&f, parts[i]);
		at += parts[i];
		left -= parts[i];
		ck_assert_uint_eq(fake_flying(&f), 1);
	}
	ck_assert_uint_eq(iov_bytes(fake_first(&f)), left);
	fake_complete(&f, (int64_t)left);
	assert_done(&c, BLK_S_OK, 3 * 4096 + 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(data_of_short_reads_lands_in_its_place)
{
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 40, 3 * 4096);
	begin(&c);
	while (fake_flying(&f)) {
		struct blk_io *io = fake_first(&f);
		struct blk_io part = *io;
		struct iovec first = io->iov[0];

		first.iov_len = min_u64(first.iov_len, 1000);
		part.iov = &first;
		part.niov = 1;
		part.len = first.iov_len;
		fake_complete(&f, blk_io_run(&part, f.fake->engine.env.image));
	}
	assert_done(&c, BLK_S_OK, 3 * 4096 + 1);
	blk_assert_memory(&f, c.data[0].at, 40, 24);
	blk_fix_down(&f);
}
END_TEST

/* The bytes that did arrive are reported, no more. */
START_TEST(error_after_a_short_read_reports_what_came)
{
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 0, 8192);
	begin(&c);
	fake_complete(&f, 5000);
	fake_complete(&f, -EIO);
	assert_done(&c, BLK_S_IOERR, 5000);
	blk_fix_down(&f);
}
END_TEST

START_TEST(no_progress_is_an_error)
{
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 0, 512);
	begin(&c);
	fake_complete(&f, 0);
	assert_done(&c, BLK_S_IOERR, 0);
	c = transfer(BLK_T_OUT, 0, 512);
	begin(&c);
	fake_complete(&f, 0);
	assert_done(&c, BLK_S_IOERR, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(more_than_was_asked_for_is_an_error)
{
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 0, 512);
	begin(&c);
	fake_complete(&f, 513);
	assert_done(&c, BLK_S_IOERR, 0);
	blk_fix_down(&f);
}
END_TEST

START_TEST(progress_starts_the_count_of_tries_anew)
{
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 0, 512);
	begin(&c);
	for (unsigned i = 0; i < 512; i++) {
		for (unsigned k = 0; k < 10; k++)
			fake_complete(&f, -EAGAIN);
		fake_complete(&f, 1);
	}
	assert_done(&c, BLK_S_OK, 513);
	blk_fix_down(&f);
}
END_TEST

START_TEST(interrupted_operations_are_tried_again_for_a_while)
{
	static const uint32_t types[] = {BLK_T_IN, BLK_T_FLUSH};
	static const int errors[] = {EINTR, EAGAIN};
	struct blk_call c;
	unsigned n;

	up(_i);
	for (unsigned i = 0; i < 4; i++) {
		c = transfer(types[i / 2], 0, 512);
		begin(&c);
		for (n = 0; n < 3; n++)
			fake_complete(&f, -errors[i % 2]);
		fake_run(&f);
		ck_assert_uint_eq(blk_status(&f, &c), BLK_S_OK);
		(void)vqd_get_used(f.drv, &(uint32_t){0}, &(uint32_t){0});
		c = transfer(types[i / 2], 0, 512);
		begin(&c);
		for (n = 0; fake_flying(&f) && n < 1000; n++)
			fake_complete(&f, -errors[i % 2]);
		ck_assert_uint_lt(n, 100);
		ck_assert_uint_eq(blk_status(&f, &c), BLK_S_IOERR);
		(void)vqd_get_used(f.drv, &(uint32_t){0}, &(uint32_t){0});
	}
	blk_fix_down(&f);
}
END_TEST

/* A driver's transfer in pieces: each is held only while it flies. */
START_TEST(large_transfer_flies_piece_by_piece)
{
	struct blk_call c;
	unsigned pieces = 0;

	up(FIX_SCATTERED);
	c = transfer(BLK_T_IN, 0, 300 * 4096);
	begin(&c);
	while (fake_flying(&f)) {
		struct blk_io *io = fake_first(&f);

		ck_assert_uint_le(io->niov, BLK_IOV_MAX);
		ck_assert_uint_eq(iov_bytes(io), io->len);
		ck_assert_uint_gt(fix_holds(&f.dev), 0);
		pieces++;
		fake_run(&f);
	}
	ck_assert_uint_ge(pieces, 3);
	assert_done(&c, BLK_S_OK, 300 * 4096 + 1);
	blk_assert_memory(&f, c.data[0].at, 0, 300 * 8);
	blk_fix_down(&f);
}
END_TEST

/* Page by page, a hold is a page: only those of the piece that flies. */
START_TEST(pieces_that_have_landed_are_held_no_more)
{
	static struct vqd_buf b[202];
	const struct blk_header_wire h = {.sector = le64_put(0)};
	iova_t at;

	up(FIX_SCATTERED);
	b[0] = (struct vqd_buf){vqd_put(f.drv, &h, sizeof(h)), sizeof(h),
				false};
	at = align_up(vqd_alloc(f.drv, 201 * 4096), 4096);
	for (unsigned i = 1; i <= 200; i++)
		b[i] = (struct vqd_buf){at + (i - 1) * 4096, 4096, true};
	b[201] = (struct vqd_buf){vqd_alloc(f.drv, 1), 1, true};
	(void)vqd_add(f.drv, b, 202);
	fix_kick(&f.dev, 0);
	ck_assert_uint_eq(fake_first(&f)->niov, BLK_IOV_MAX);
	ck_assert_uint_eq(fix_holds(&f.dev), BLK_IOV_MAX);
	fake_run(&f);
	ck_assert_uint_eq(fake_first(&f)->niov, 200 - BLK_IOV_MAX);
	ck_assert_uint_eq(fix_holds(&f.dev), 200 - BLK_IOV_MAX);
	fake_run(&f);
	ck_assert_uint_eq(fix_holds(&f.dev), 0);
	blk_assert_memory(&f, at, 0, 1600);
	blk_fix_down(&f);
}
END_TEST

/* Unmapped between two pieces: the rest is not touched. */
START_TEST(memory_that_goes_between_two_pieces_is_an_error)
{
	struct blk_call c;

	up(FIX_SCATTERED);
	c = transfer(BLK_T_IN, 0, 300 * 4096);
	begin(&c);
	fake_dma_unmap(&f.dev.view, align_down(c.data[0].at + 250 * 4096, 4096),
		       4096);
	while (fake_flying(&f))
		fake_run(&f);
	ck_assert_uint_eq(blk_status(&f, &c), BLK_S_IOERR);
	ck_assert_uint_ge(fake_dma_faults(&f.dev.view), 1);
	blk_fix_down(&f);
}
END_TEST

/* Reads of a sector each, with one kick. */
static void begin_reads(struct blk_call *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct blk_header_wire h = {.sector = le64_put(i)};
		struct vqd_buf b[3];

		c[i] = transfer(BLK_T_IN, i, 512);
		b[0] = (struct vqd_buf){vqd_put(f.drv, &h, sizeof(h)),
					sizeof(h), false};
		b[1] = c[i].data[0];
		b[2] = (struct vqd_buf){vqd_alloc(f.drv, 1), 1, true};
		(void)vqd_stage(f.drv, b, 3);
	}
	vqd_publish(f.drv);
	fix_kick(&f.dev, 0);
	ck_assert_uint_eq(fake_flying(&f), n);
}

START_TEST(batch_is_submitted_once)
{
	struct blk_call c[8];
	unsigned submits;

	up(_i);
	submits = f.fake->submits;
	begin_reads(c, 8);
	ck_assert_uint_eq(f.fake->submits, submits + 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(batch_of_answers_is_seen_at_once)
{
	struct blk_engine_user *u;
	struct blk_call c[8];
	struct blk_io *io;

	up(_i);
	u = f.fake->engine.env.user;
	begin_reads(c, 8);
	while ((io = fake_first(&f)) != NULL) {
		fix_lock(&f.dev);
		list_remove(&io->node);
		f.fake->nflying--;
		u->ops->done(u, io, (int64_t)io->len);
		fix_unlock(&f.dev);
		ck_assert_uint_eq(vqd_used_idx(f.drv), 0);
	}
	fix_lock(&f.dev);
	u->ops->batch_done(u);
	fix_unlock(&f.dev);
	ck_assert_uint_eq(vqd_used_idx(f.drv), 8);
	blk_fix_down(&f);
}
END_TEST

/*
 * Stability.   [virtio 1.2, 5.2.6.2]
 */

START_TEST(writes_are_volatile_with_flush_and_stable_without)
{
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_OUT, 0, 512);
	begin(&c);
	ck_assert(!fake_first(&f)->stable);
	fake_run(&f);
	assert_done(&c, BLK_S_OK, 1);
	fix_start(&f.dev, BLK_ALL & ~BIT_ULL(BLK_F_FLUSH));
	c = transfer(BLK_T_OUT, 0, 512);
	begin(&c);
	ck_assert(fake_first(&f)->stable);
	fake_run(&f);
	assert_done(&c, BLK_S_OK, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(flush_is_a_sync)
{
	struct blk_call c = {.type = BLK_T_FLUSH};

	up(_i);
	begin(&c);
	ck_assert_int_eq(fake_first(&f)->op, BLK_OP_SYNC);
	fake_run(&f);
	assert_done(&c, BLK_S_OK, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(zeroes_are_synced_when_flush_is_not_negotiated)
{
	struct blk_call c;

	up(_i);
	fix_start(&f.dev, BLK_ALL & ~BIT_ULL(BLK_F_FLUSH));
	c = begin_range(BLK_T_WRITE_ZEROES, 8, 8, 0);
	fake_complete(&f, 0);
	ck_assert_uint_eq(fake_flying(&f), 1);
	ck_assert_int_eq(fake_first(&f)->op, BLK_OP_SYNC);
	fake_complete(&f, -EIO);
	assert_done(&c, BLK_S_IOERR, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(written_zeros_are_synced_when_flush_is_not_negotiated)
{
	struct blk_call c;

	up(_i);
	fix_start(&f.dev, BLK_ALL & ~BIT_ULL(BLK_F_FLUSH));
	c = begin_range(BLK_T_WRITE_ZEROES, 8, 8, 0);
	fake_complete(&f, -EOPNOTSUPP);
	ck_assert_int_eq(fake_first(&f)->op, BLK_OP_WRITE);
	fake_run(&f);
	ck_assert_uint_eq(fake_flying(&f), 1);
	ck_assert_int_eq(fake_first(&f)->op, BLK_OP_SYNC);
	fake_run(&f);
	assert_done(&c, BLK_S_OK, 1);
	blk_assert_zeros(&f, 8, 8);
	blk_fix_down(&f);
}
END_TEST

/*
 * Ranges.
 */

START_TEST(ranges_become_fallocate)
{
	struct blk_call c;
	struct blk_io *io;

	up(_i);
	c = begin_range(BLK_T_DISCARD, 8, 16, 0);
	io = fake_first(&f);
	ck_assert_int_eq(io->op, BLK_OP_FALLOCATE);
	ck_assert_uint_eq(io->at, 8 * 512);
	ck_assert_uint_eq(io->len, 16 * 512);
	ck_assert_int_eq(io->mode, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE);
	fake_complete(&f, 0);
	assert_done(&c, BLK_S_OK, 1);
	c = begin_range(BLK_T_WRITE_ZEROES, 8, 16, 0);
	ck_assert_int_eq(fake_first(&f)->mode,
			 FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE);
	fake_complete(&f, 0);
	assert_done(&c, BLK_S_OK, 1);
	c = begin_range(BLK_T_WRITE_ZEROES, 8, 16, BLK_RANGE_UNMAP);
	ck_assert_int_eq(fake_first(&f)->mode,
			 FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE);
	fake_complete(&f, 0);
	assert_done(&c, BLK_S_OK, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(host_that_cannot_discard_need_not)
{
	struct blk_call c;

	up(_i);
	c = begin_range(BLK_T_DISCARD, 8, 16, 0);
	fake_complete(&f, -EOPNOTSUPP);
	assert_done(&c, BLK_S_OK, 1);
	blk_assert_image(&f, 8, 16);
	c = begin_range(BLK_T_DISCARD, 8, 16, 0);
	fake_complete(&f, -EIO);
	assert_done(&c, BLK_S_IOERR, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(host_that_cannot_clear_is_written_zeros)
{
	struct blk_call c;
	struct blk_io *io;

	up(_i);
	c = begin_range(BLK_T_WRITE_ZEROES, 9, 300, 0);
	fake_complete(&f, -EOPNOTSUPP);
	io = fake_first(&f);
	ck_assert_int_eq(io->op, BLK_OP_WRITE);
	ck_assert_uint_eq(io->at, 9 * 512);
	ck_assert_uint_eq(iov_bytes(io), 300 * 512);
	fake_run(&f);
	assert_done(&c, BLK_S_OK, 1);
	blk_assert_image(&f, 8, 1);
	blk_assert_zeros(&f, 9, 300);
	blk_assert_image(&f, 309, 1);
	blk_fix_down(&f);
}
END_TEST

/* The largest range: longer than what goes into one write. */
START_TEST(large_range_is_written_piece_by_piece)
{
	const uint32_t n = BLK_WRITE_ZEROES_SECTORS_MAX;
	struct blk_call c;
	uint64_t at = 512, end = ((uint64_t)n + 1) * 512;

	blk_fix_up_large(&f, (unsigned)_i & FIX_SCATTERED, BLK_ALL, GIB(2));
	c = begin_range(BLK_T_WRITE_ZEROES, 1, n, 0);
	fake_complete(&f, -EOPNOTSUPP);
	while (fake_flying(&f)) {
		struct blk_io *io = fake_first(&f);

		ck_assert_int_eq(io->op, BLK_OP_WRITE);
		ck_assert_uint_eq(io->at, at);
		ck_assert_uint_le(io->niov, BLK_IOV_MAX);
		ck_assert_uint_eq(iov_bytes(io), io->len);
		at += io->len;
		fake_complete(&f, (int64_t)io->len);
	}
	ck_assert_uint_eq(at, end);
	assert_done(&c, BLK_S_OK, 1);
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 1, n + 1, 0),
			  BLK_S_IOERR);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 0,
				    BLK_DISCARD_SECTORS_MAX + 1, 0),
			  BLK_S_IOERR);
	blk_fix_down(&f);
}
END_TEST

START_TEST(zeros_written_short_are_gone_on_with)
{
	struct blk_call c;

	up(_i);
	c = begin_range(BLK_T_WRITE_ZEROES, 9, 300, BLK_RANGE_UNMAP);
	fake_complete(&f, -EINVAL);
	while (fake_flying(&f)) {
		struct blk_io part = *fake_first(&f);
		struct iovec first = part.iov[0];

		first.iov_len = min_u64(first.iov_len, 10000);
		part.iov = &first;
		part.niov = 1;
		fake_complete(&f, blk_io_run(&part, f.fake->engine.env.image));
	}
	assert_done(&c, BLK_S_OK, 1);
	blk_assert_image(&f, 8, 1);
	blk_assert_zeros(&f, 9, 300);
	blk_assert_image(&f, 309, 1);
	blk_fix_down(&f);
}
END_TEST

/*
 * Reset while the kernel is at it.
 */

struct resetter {
	pthread_t thread;
	bool done; /* under the device's lock */
};

static void *reset_main(void *arg)
{
	struct resetter *r = arg;

	fix_lock(&f.dev);
	virtio_reset(f.dev.d);
	r->done = true;
	fix_unlock(&f.dev);
	return NULL;
}

static bool is_stopping(void *arg)
{
	return ((struct virtio_dev *)arg)->stopping;
}

static void begin_reset(struct resetter *r)
{
	*r = (struct resetter){0};
	ck_assert_int_eq(pthread_create(&r->thread, NULL, reset_main, r), 0);
	fix_until(&f.dev, is_stopping, f.dev.d);
}

static bool is_done(struct resetter *r)
{
	bool done;

	fix_lock(&f.dev);
	done = r->done;
	fix_unlock(&f.dev);
	return done;
}

static void end_reset(struct resetter *r)
{
	ck_assert_int_eq(pthread_join(r->thread, NULL), 0);
	ck_assert(r->done);
}

START_TEST(reset_waits_for_what_the_kernel_has)
{
	struct blk_call a, b;
	struct resetter r;
	unsigned cancels;

	up(_i);
	a = transfer(BLK_T_IN, 1, 512);
	b = transfer(BLK_T_OUT, 2, 512);
	blk_begin(&f, &a);
	blk_begin(&f, &b);
	cancels = f.fake->cancels;
	begin_reset(&r);
	ck_assert_uint_eq(f.fake->cancels, cancels + 1);
	ck_assert(!is_done(&r));
	fake_complete(&f, 512);
	ck_assert(!is_done(&r));
	fake_complete(&f, 512);
	end_reset(&r);
	ck_assert_uint_eq(fix_holds(&f.dev), 0);
	/* Nothing was told to a driver that is gone. */
	ck_assert_uint_eq(vqd_used_idx(f.drv), 0);
	ck_assert_uint_eq(f.dev.transport.queue_irqs[0], 0);

	fix_start(&f.dev, BLK_ALL);
	a = transfer(BLK_T_IN, 3, 512);
	begin(&a);
	fake_run(&f);
	assert_done(&a, BLK_S_OK, 513);
	blk_assert_memory(&f, a.data[0].at, 3, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(reset_ends_a_transfer_between_two_pieces)
{
	struct resetter r;
	struct blk_call c;

	up(FIX_SCATTERED);
	for (unsigned i = 0; i < 3; i++) { /* a slot that has been used */
		c = transfer(BLK_T_IN, 0, 512);
		begin(&c);
		fake_run(&f);
		assert_done(&c, BLK_S_OK, 513);
	}
	c = transfer(BLK_T_IN, 0, 300 * 4096);
	begin(&c);
	begin_reset(&r);
	fake_run(&f); /* the first piece */
	end_reset(&r);
	ck_assert_uint_ne(blk_status(&f, &c), BLK_S_OK);
	ck_assert_uint_eq(fake_flying(&f), 0);
	ck_assert_uint_eq(fix_holds(&f.dev), 0);
	blk_fix_down(&f);
}
END_TEST

START_TEST(requests_that_come_during_a_reset_are_not_taken)
{
	struct resetter r;
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 1, 512);
	begin(&c);
	begin_reset(&r);
	c = transfer(BLK_T_OUT, 2, 512);
	blk_begin(&f, &c);
	fix_force_kick(&f.dev, 0);
	ck_assert_uint_eq(fake_flying(&f), 1);
	fake_complete(&f, 512);
	end_reset(&r);
	blk_fix_down(&f);
}
END_TEST

START_TEST(ring_reset_is_done_when_the_kernel_is)
{
	struct blk_call a, b;
	struct vq *q;

	up(_i);
	q = &f.dev.d->vqs[0];
	a = transfer(BLK_T_IN, 1, 512);
	b = transfer(BLK_T_OUT, 2, 512);
	blk_begin(&f, &a);
	blk_begin(&f, &b);
	fix_lock(&f.dev);
	virtio_queue_reset(f.dev.d, q);
	ck_assert(q->resetting);
	fix_unlock(&f.dev);
	fake_complete(&f, 512);
	ck_assert(q->resetting);
	fake_complete(&f, 512);
	ck_assert(!q->resetting && !q->enabled);
	ck_assert_uint_eq(vqd_used_idx(f.drv), 0);

	fix_lock(&f.dev);
	vqd_renew(f.drv);
	vqd_connect(f.drv, f.dev.d, 0);
	fix_unlock(&f.dev);
	a = transfer(BLK_T_IN, 3, 512);
	begin(&a);
	fake_run(&f);
	assert_done(&a, BLK_S_OK, 513);
	blk_fix_down(&f);
}
END_TEST

START_TEST(ring_broken_with_requests_in_flight_recovers_by_reset)
{
	struct resetter r;
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 1, 512);
	begin(&c);
	vqd_offer(f.drv, 0xffff);
	fix_force_kick(&f.dev, 0);
	ck_assert(fix_is_broken(&f.dev));
	begin_reset(&r);
	fake_complete(&f, 512);
	end_reset(&r);
	ck_assert_uint_eq(vqd_used_idx(f.drv), 0);
	fix_start(&f.dev, BLK_ALL);
	c = transfer(BLK_T_IN, 3, 512);
	begin(&c);
	fake_run(&f);
	assert_done(&c, BLK_S_OK, 513);
	blk_fix_down(&f);
}
END_TEST

/* The same head while it is in flight: the ring's fault, not ours. */
START_TEST(head_offered_twice_breaks_the_ring_only)
{
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 1, 512);
	begin(&c);
	vqd_offer(f.drv, c.head);
	fix_force_kick(&f.dev, 0);
	ck_assert(fix_is_broken(&f.dev));
	ck_assert_uint_eq(fake_flying(&f), 1);
	blk_fix_down(&f);
}
END_TEST

static void *pause_main(void *arg)
{
	struct resetter *r = arg;

	fix_lock(&f.dev);
	virtio_pause(f.dev.d, true);
	r->done = true;
	fix_unlock(&f.dev);
	return NULL;
}

static bool is_paused(void *arg)
{
	return ((struct virtio_dev *)arg)->paused;
}

START_TEST(pause_waits_and_keeps_completions_back)
{
	struct resetter r = {0};
	struct blk_call c;

	up(_i);
	c = transfer(BLK_T_IN, 1, 512);
	begin(&c);
	ck_assert_int_eq(pthread_create(&r.thread, NULL, pause_main, &r), 0);
	fix_until(&f.dev, is_paused, f.dev.d);
	ck_assert(!is_done(&r));
	fake_run(&f);
	end_reset(&r);
	ck_assert_uint_eq(vqd_used_idx(f.drv), 0);
	fix_lock(&f.dev);
	virtio_pause(f.dev.d, false);
	fix_unlock(&f.dev);
	assert_done(&c, BLK_S_OK, 513);
	blk_fix_down(&f);
}
END_TEST

#define ADD(t) tcase_add_loop_test(tc, t, 0, 2)
#define ONE(t) tcase_add_test(tc, t)

static TCase *answers(void)
{
	TCase *tc = tcase_create("answers");

	ADD(transfer_holds_memory_until_the_kernel_is_done);
	ADD(requests_finish_in_any_order);
	ADD(error_becomes_the_status);
	ADD(short_transfers_are_gone_on_with);
	ADD(data_of_short_reads_lands_in_its_place);
	ADD(error_after_a_short_read_reports_what_came);
	ADD(no_progress_is_an_error);
	ADD(more_than_was_asked_for_is_an_error);
	ADD(progress_starts_the_count_of_tries_anew);
	ADD(interrupted_operations_are_tried_again_for_a_while);
	ONE(large_transfer_flies_piece_by_piece);
	ONE(pieces_that_have_landed_are_held_no_more);
	ONE(memory_that_goes_between_two_pieces_is_an_error);
	ADD(batch_is_submitted_once);
	ADD(batch_of_answers_is_seen_at_once);
	ADD(writes_are_volatile_with_flush_and_stable_without);
	ADD(flush_is_a_sync);
	ADD(zeroes_are_synced_when_flush_is_not_negotiated);
	ADD(written_zeros_are_synced_when_flush_is_not_negotiated);
	ADD(ranges_become_fallocate);
	ADD(host_that_cannot_discard_need_not);
	ADD(host_that_cannot_clear_is_written_zeros);
	ADD(large_range_is_written_piece_by_piece);
	ADD(zeros_written_short_are_gone_on_with);
	return tc;
}

static TCase *resets(void)
{
	TCase *tc = tcase_create("resets");

	ADD(reset_waits_for_what_the_kernel_has);
	ONE(reset_ends_a_transfer_between_two_pieces);
	ADD(requests_that_come_during_a_reset_are_not_taken);
	ADD(ring_reset_is_done_when_the_kernel_is);
	ADD(ring_broken_with_requests_in_flight_recovers_by_reset);
	ADD(head_offered_twice_breaks_the_ring_only);
	ADD(pause_waits_and_keeps_completions_back);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("devices/blk_flight");
	TCase *cases[] = {answers(), resets()};
	SRunner *sr = srunner_create(s);
	int failed;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		tcase_set_timeout(cases[i], 60);
		suite_add_tcase(s, cases[i]);
	}
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
