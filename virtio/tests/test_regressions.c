/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What guests did to other monitors, once each and by name.  The details
 * around each of these are in the tests of the part that is responsible.
 */
#include "virtio/device.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "virtio/tests/queue_fixture.h"

#define DATA 0x100000u

static struct fixture *f;
static struct virtio_dev *d;

static void setup(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fix_up(f, FIX_ALL, 8);
	d = f->d;
}

static void teardown(void)
{
	fix_fini(f);
	free(f);
}

/* The device still lives: after a reset it serves. */
static void check_recovers(void)
{
	fix_start(f, FIX_ALL, 8);
	for (unsigned i = 0; i < 20; i++) {
		fix_add(f);
		fix_kick(f);
		fix_take(f);
	}
}

/*
 * CVE-2026-5747: queue_size and addresses written after DRIVER_OK gave a
 * division by zero and writes past the ring.
 */
START_TEST(queue_registers_are_not_writable_while_the_device_runs)
{
	ck_assert(!virtio_queue_writable(d, f->q));
	/* Neither does clearing status bits get there. */
	virtio_set_status(d, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
				     VIRTIO_STATUS_FEATURES_OK);
	ck_assert(!virtio_queue_writable(d, f->q));
	ck_assert(d->status & VIRTIO_STATUS_DRIVER_OK);
}
END_TEST

START_TEST(queue_size_zero_never_runs)
{
	ck_assert(vqd_negotiate(d, FIX_ALL));
	f->q->size = 0;
	f->q->desc = f->q->avail = f->q->used = 0x1000;
	virtio_queue_enable(d, f->q);
	ck_assert(!f->q->enabled);
	ck_assert(!vqd_driver_ok(d));
	virtio_notify(d, 0);
	ck_assert_uint_eq(f->dev.kicks, 0);
	check_recovers();
}
END_TEST

/*
 * CVE-2026-45782: the same head, made available twice while in flight, was a
 * use after free in the asynchronous completion.
 */
START_TEST(head_made_available_twice_in_flight_is_refused)
{
	f->dev.hold = f->dev.hold_is_inflight = true;
	vqd_set_desc(&f->drv, 3, DATA, 16, VQ_DESC_F_WRITE, 0);
	vqd_offer(&f->drv, 3);
	vqd_offer(&f->drv, 3);
	virtio_notify(d, 0);
	ck_assert_uint_eq(f->dev.nheld, 1);
	ck_assert_int_eq(f->dev.last_pop, -EPROTO);
	ck_assert(fix_is_broken(f));
	/* The one in flight completes into nothing. */
	fake_dev_complete(&f->dev);
	ck_assert_uint_eq(vqd_used_idx(&f->drv), 0);
	f->dev.hold = false;
	check_recovers();
}
END_TEST

/* Cloud Hypervisor 7917, 7918; Firecracker 5353. */
START_TEST(queue_index_out_of_range_finds_nothing)
{
	static const uint32_t indices[] = {1, 64, 0xffff, 0x10000, UINT32_MAX};

	ck_assert_ptr_null(virtio_queue(d, indices[_i]));
	virtio_notify(d, indices[_i]);
}
END_TEST

/*
 * Cloud Hypervisor 7605, Firecracker 3149, vm-virtio 196: endless work, or a
 * deliberate panic.
 */
START_TEST(available_index_jump_ends_the_queue_not_the_monitor)
{
	static const uint16_t jumps[] = {9, 0x7fff, 0x8000, UINT16_MAX};

	vqd_set_avail_idx(&f->drv, jumps[_i]);
	virtio_notify(d, 0);
	ck_assert_int_eq(f->dev.last_pop, -EPROTO);
	ck_assert_uint_eq(f->dev.done, 0);
	ck_assert(fix_is_broken(f));
	check_recovers();
}
END_TEST

/* Cloud Hypervisor 8401: a chain too short for a status never came back. */
START_TEST(every_popped_head_comes_back)
{
	struct vqd_buf empty = {DATA, 0, false};
	uint32_t head, len;

	for (unsigned i = 0; i < 100; i++) {
		(void)vqd_add(&f->drv, &empty, 1);
		fix_kick(f);
		ck_assert(vqd_get_used(&f->drv, &head, &len));
		ck_assert_uint_eq(len, 0);
	}
}
END_TEST

/* Cloud Hypervisor 7803: only the first descriptor of a request counted. */
START_TEST(request_in_bytes_is_the_request)
{
	struct vqd_buf bufs[8];
	uint32_t head, len;
	char back[4];

	for (unsigned i = 0; i < 8; i++)
		bufs[i] = (struct vqd_buf){DATA + 64 * i, 1, i >= 4};
	for (unsigned i = 0; i < 4; i++)
		vqd_write(&f->drv, bufs[i].at, &"wxyz"[i], 1);
	if (_i)
		(void)vqd_add_indirect(&f->drv, bufs, 8);
	else
		(void)vqd_add(&f->drv, bufs, 8);
	fix_kick(f);
	ck_assert(vqd_get_used(&f->drv, &head, &len));
	ck_assert_uint_eq(len, 4);
	for (unsigned i = 0; i < 4; i++)
		vqd_read(&f->drv, bufs[4 + i].at, &back[i], 1);
	ck_assert_mem_eq(back, "wxyz", 4);
}
END_TEST

/*
 * CVE-2021-45464 and the code around it: head out of range, endless chain,
 * long indirect table, only the first byte of a buffer checked.
 */
START_TEST(head_out_of_range_is_refused)
{
	vqd_offer(&f->drv, (uint16_t[]){8, 0x7fff, UINT16_MAX}[_i]);
	virtio_notify(d, 0);
	ck_assert_int_eq(f->dev.last_pop, -EPROTO);
	check_recovers();
}
END_TEST

START_TEST(endless_chain_is_refused)
{
	vqd_set_desc(&f->drv, 0, DATA, 1, VQ_DESC_F_NEXT, 1);
	vqd_set_desc(&f->drv, 1, DATA, 1, VQ_DESC_F_NEXT, 0);
	vqd_offer(&f->drv, 0);
	virtio_notify(d, 0);
	ck_assert_int_eq(f->dev.last_pop, -EPROTO);
	check_recovers();
}
END_TEST

START_TEST(indirect_table_of_257_entries_is_refused)
{
	for (unsigned i = 0; i < 257; i++)
		vqd_set_table_desc(&f->drv, DATA, i, DATA, 1,
				   i < 256 ? VQ_DESC_F_NEXT : 0,
				   (uint16_t)(i + 1));
	vqd_set_desc(&f->drv, 0, DATA, 257 * 16, VQ_DESC_F_INDIRECT, 0);
	vqd_offer(&f->drv, 0);
	virtio_notify(d, 0);
	ck_assert_int_eq(f->dev.last_pop, -EPROTO);
	check_recovers();
}
END_TEST

START_TEST(buffer_that_begins_in_ram_and_ends_past_it_is_not_touched)
{
	const uint8_t mark = 0xa5;
	struct iovec iov[2];
	struct vq_chain *c;
	uint8_t bytes[16] = {0}, last;
	uint64_t n;

	vqd_write(&f->drv, FIX_MEM - 1, &mark, 1);
	vqd_set_desc(&f->drv, 0, FIX_MEM - 1, 16, VQ_DESC_F_WRITE, 0);
	vqd_offer(&f->drv, 0);
	c = fix_pop(f);
	ck_assert_int_eq(vq_write(c, bytes, 16), -EFAULT);
	ck_assert_int_eq(vq_iov_write(c, 16, iov, 2, &n), -EFAULT);
	vqd_read(&f->drv, FIX_MEM - 1, &last, 1);
	ck_assert_uint_eq(last, mark);
	vq_push(f->q, c);
	fix_take(f);
}
END_TEST

/* OpenVMM 4045, 4036: a malformed queue kept its worker busy for ever. */
START_TEST(malformed_queue_is_dead_at_once_and_can_be_stopped)
{
	f->dev.suppress_kicks = _i;
	vqd_offer(&f->drv, UINT16_MAX);
	for (unsigned i = 0; i < 3; i++)
		virtio_notify(d, 0);
	ck_assert_uint_eq(f->dev.kicks, 1);
	virtio_reset(d);
	ck_assert_uint_eq(d->status, 0);
	check_recovers();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("virtio/regressions");
	TCase *t = tcase_create("regressions");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t,
		       queue_registers_are_not_writable_while_the_device_runs);
	tcase_add_test(t, queue_size_zero_never_runs);
	tcase_add_test(t, head_made_available_twice_in_flight_is_refused);
	tcase_add_loop_test(t, queue_index_out_of_range_finds_nothing, 0, 5);
	tcase_add_loop_test(
		t, available_index_jump_ends_the_queue_not_the_monitor, 0, 4);
	tcase_add_test(t, every_popped_head_comes_back);
	tcase_add_loop_test(t, request_in_bytes_is_the_request, 0, 2);
	tcase_add_loop_test(t, head_out_of_range_is_refused, 0, 3);
	tcase_add_test(t, endless_chain_is_refused);
	tcase_add_test(t, indirect_table_of_257_entries_is_refused);
	tcase_add_test(
		t, buffer_that_begins_in_ram_and_ends_past_it_is_not_touched);
	tcase_add_loop_test(
		t, malformed_queue_is_dead_at_once_and_can_be_stopped, 0, 2);
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
