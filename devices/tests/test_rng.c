/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/rng.h"
#include "devices/tests/dev_fixture.h"

#define REQUEST_MAX KIB(64)

static struct dev_fixture f;

static void up(int ways, uint64_t features)
{
	struct virtio_dev *d;

	fix_init(&f, (unsigned)ways);
	ck_assert_int_eq(rng_new(&d, &f.env, NULL), 0);
	fix_adopt(&f, d);
	fix_start(&f, features);
}

/* Bytes that are not 0; of n random ones all but about n/256. */
static unsigned filled(iova_t at, uint64_t len)
{
	static uint8_t buf[FIX_SPACE];
	unsigned n = 0;

	vqd_read(&f.drv[0], at, buf, len);
	for (uint64_t i = 0; i < len; i++)
		n += buf[i] != 0;
	return n;
}

START_TEST(buffer_is_filled_with_random_bytes)
{
	struct vqd_buf b = {.len = 4096, .write = true};

	up(_i, FIX_USUAL);
	b.at = vqd_alloc(&f.drv[0], 4096 + 1);
	ck_assert_uint_eq(fix_run(&f, 0, &b, 1), 4096);
	ck_assert_uint_gt(filled(b.at, 4096), 3900);
	ck_assert_uint_eq(filled(b.at + 4096, 1), 0);
	fix_lock(&f); /* the interrupt comes after the used buffer */
	ck_assert_uint_ge(f.transport.queue_irqs[0], 1);
	fix_unlock(&f);
	fix_fini(&f);
}
END_TEST

START_TEST(two_requests_differ)
{
	struct vqd_buf b = {.len = 32, .write = true};
	uint8_t first[32], second[32];

	up(_i, FIX_BASIC);
	b.at = vqd_alloc(&f.drv[0], 32);
	(void)fix_run(&f, 0, &b, 1);
	vqd_read(&f.drv[0], b.at, first, 32);
	(void)fix_run(&f, 0, &b, 1);
	vqd_read(&f.drv[0], b.at, second, 32);
	ck_assert_int_ne(memcmp(first, second, 32), 0);
	fix_fini(&f);
}
END_TEST

START_TEST(one_byte_is_one_byte)
{
	struct vqd_buf b = {.len = 1, .write = true};
	unsigned n = 0;

	up(_i, FIX_USUAL);
	b.at = vqd_alloc(&f.drv[0], 2);
	for (unsigned i = 0; i < 40; i++) {
		ck_assert_uint_eq(fix_run(&f, 0, &b, 1), 1);
		n += filled(b.at, 1);
		ck_assert_uint_eq(filled(b.at + 1, 1), 0);
	}
	ck_assert_uint_gt(n, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(scattered_buffers_are_filled_in_order)
{
	struct vqd_buf b[5];
	iova_t at;

	up(_i, FIX_USUAL);
	at = vqd_alloc(&f.drv[0], 5 * 1000);
	for (unsigned i = 0; i < 5; i++)
		b[i] = (struct vqd_buf){at + i * 1000, 999, true};
	ck_assert_uint_eq(fix_run(&f, 0, b, 5), 5 * 999);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_gt(filled(b[i].at, 999), 900);
		ck_assert_uint_eq(filled(b[i].at + 999, 1), 0);
	}
	fix_fini(&f);
}
END_TEST

START_TEST(large_request_is_cut_to_64_kib)
{
	struct vqd_buf b = {.len = 256 * 1024, .write = true};

	up(_i, FIX_USUAL);
	b.at = vqd_alloc(&f.drv[0], b.len);
	ck_assert_uint_eq(fix_run(&f, 0, &b, 1), REQUEST_MAX);
	ck_assert_uint_eq(filled(b.at + REQUEST_MAX, b.len - REQUEST_MAX), 0);
	fix_fini(&f);
}
END_TEST

/* The most a chain can have, over and over the same memory. */
START_TEST(gigabytes_of_buffers_cost_64_kib)
{
	struct vqd_buf b[16];
	iova_t at;

	up(_i, FIX_USUAL);
	at = vqd_alloc(&f.drv[0], MIB(1));
	for (unsigned i = 0; i < 16; i++)
		b[i] = (struct vqd_buf){at, 0x0fffffff, true};
	ck_assert_uint_eq(fix_run(&f, 0, b, 16), REQUEST_MAX);
	fix_fini(&f);
}
END_TEST

START_TEST(largest_length_outside_memory_is_used_with_0)
{
	struct vqd_buf b = {FIX_NOWHERE, UINT32_MAX, true};

	up(_i, FIX_USUAL);
	ck_assert_uint_eq(fix_run(&f, 0, &b, 1), 0);
	ck_assert(!fix_is_broken(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(only_what_was_written_before_a_fault_is_reported)
{
	struct vqd_buf b[2] = {{.len = 1024, .write = true},
			       {FIX_NOWHERE, 1024, true}};

	up(_i, FIX_USUAL);
	b[0].at = vqd_alloc(&f.drv[0], 1024);
	ck_assert_uint_eq(fix_run(&f, 0, b, 2), 1024);
	ck_assert_uint_gt(filled(b[0].at, 1024), 950);
	fix_fini(&f);
}
END_TEST

START_TEST(readable_buffer_is_returned_untouched)
{
	struct vqd_buf b = {.len = 64};

	up(_i, FIX_USUAL);
	b.at = vqd_alloc(&f.drv[0], 64);
	ck_assert_uint_eq(fix_run(&f, 0, &b, 1), 0);
	ck_assert_uint_eq(filled(b.at, 64), 0);
	fix_fini(&f);
}
END_TEST

START_TEST(full_ring_is_served_with_one_kick)
{
	struct vqd_buf b = {.len = 16, .write = true};
	uint32_t head, len;

	up(_i, FIX_USUAL);
	b.at = vqd_alloc(&f.drv[0], 16);
	for (unsigned i = 0; i < f.drv[0].size; i++)
		(void)vqd_stage(&f.drv[0], &b, 1);
	vqd_publish(&f.drv[0]);
	fix_kick(&f, 0);
	for (unsigned i = 0; i < f.drv[0].size; i++) {
		fix_wait(&f, 0, &head, &len);
		ck_assert_uint_eq(len, 16);
	}
	fix_fini(&f);
}
END_TEST

static bool broken(void *arg)
{
	return ((struct virtio_dev *)arg)->status & VIRTIO_STATUS_NEEDS_RESET;
}

START_TEST(broken_ring_needs_a_reset_and_works_after_it)
{
	struct vqd_buf b = {.len = 16, .write = true};

	up(_i, FIX_USUAL);
	vqd_offer(&f.drv[0], 0xffff);
	fix_force_kick(&f, 0);
	fix_until(&f, broken, f.d);
	fix_start(&f, FIX_USUAL);
	b.at = vqd_alloc(&f.drv[0], 16);
	ck_assert_uint_eq(fix_run(&f, 0, &b, 1), 16);
	fix_fini(&f);
}
END_TEST

START_TEST(ring_reset_is_done_at_once)
{
	struct vqd_buf b = {.len = 16, .write = true};
	struct vq *q;

	up(_i, FIX_USUAL);
	q = &f.d->vqs[0];
	fix_lock(&f);
	virtio_queue_reset(f.d, q);
	ck_assert(!q->resetting && !q->enabled);
	vqd_renew(&f.drv[0]);
	vqd_connect(&f.drv[0], f.d, 0);
	fix_unlock(&f);
	b.at = vqd_alloc(&f.drv[0], 16);
	ck_assert_uint_eq(fix_run(&f, 0, &b, 1), 16);
	fix_fini(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/rng");
	TCase *tc = tcase_create("rng");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
#define ADD(t) tcase_add_loop_test(tc, t, 0, FIX_WAYS)
	ADD(buffer_is_filled_with_random_bytes);
	ADD(two_requests_differ);
	ADD(one_byte_is_one_byte);
	ADD(scattered_buffers_are_filled_in_order);
	ADD(large_request_is_cut_to_64_kib);
	ADD(gigabytes_of_buffers_cost_64_kib);
	ADD(largest_length_outside_memory_is_used_with_0);
	ADD(only_what_was_written_before_a_fault_is_reported);
	ADD(readable_buffer_is_returned_untouched);
	ADD(full_ring_is_served_with_one_kick);
	ADD(broken_ring_needs_a_reset_and_works_after_it);
	ADD(ring_reset_is_done_at_once);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
