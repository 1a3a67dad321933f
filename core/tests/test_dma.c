/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/dma.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/tests/fake_dma.h"

#define PAGE   UINT64_C(4096)
#define NPAGES 300u
#define RW     (DMA_READ | DMA_WRITE)

/* IOVA of a buffer whose pages are scattered, and of the topmost page. */
#define BUF UINT64_C(0x7f0000000000)
#define TOP (-PAGE)

static const struct gmem_slot layout[] = {
	{.base = 0, .size = NPAGES / 2 * PAGE},
	{.base = NPAGES / 2 * PAGE, .size = (NPAGES - NPAGES / 2) * PAGE},
};

static struct gmem m;
static struct dma id;
static struct fake_dma f;
static uint8_t in[NPAGES * PAGE], out[NPAGES * PAGE];

static void setup(void)
{
	ck_assert_int_eq(gmem_init(&m, layout, 2, NULL), 0);
	dma_init(&id, &m);
	fake_dma_init(&f, &m);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + i / PAGE);
	memset(out, 0, sizeof(out));
}

static void teardown(void)
{
	fake_dma_fini(&f);
	gmem_fini(&m);
}

/*
 * Identity.
 */

START_TEST(identity_reaches_the_same_addresses)
{
	ck_assert_int_eq(dma_write(&id, 100, in, 8), 0);
	ck_assert_int_eq(gmem_read(&m, 100, out, 8), 0);
	ck_assert_mem_eq(out, in, 8);
	ck_assert_int_eq(dma_read(&id, 101, out, 7), 0);
	ck_assert_mem_eq(out, in + 1, 7);
}
END_TEST

START_TEST(identity_ends_where_memory_ends)
{
	uint16_t v;

	ck_assert_int_eq(dma_read(&id, NPAGES * PAGE - 1, out, 1), 0);
	ck_assert_int_eq(dma_read(&id, NPAGES * PAGE - 1, out, 2), -EFAULT);
	ck_assert_int_eq(dma_write(&id, NPAGES * PAGE, in, 1), -EFAULT);
	ck_assert_int_eq(dma_write(&id, UINT64_MAX, in, 2), -EFAULT);
	ck_assert_int_eq(dma_load16_acquire(&id, NPAGES * PAGE, &v), -EFAULT);
}
END_TEST

START_TEST(identity_iovecs_need_no_hold)
{
	struct iovec iov[2];
	struct dma_hold hold = {.cookie = 1};

	ck_assert_int_eq(
		dma_iov(&id, DMA_READ, 0, NPAGES * PAGE, iov, 2, &hold), 2);
	ck_assert_ptr_null(hold.dma);
	dma_done(&hold);
	ck_assert_int_eq(dma_iov(&id, DMA_READ, 0, NPAGES * PAGE, iov, 1,
				 &hold),
			 -E2BIG);
	ck_assert_int_eq(dma_iov(&id, DMA_READ, 1, NPAGES * PAGE, iov, 2,
				 &hold),
			 -EFAULT);
}
END_TEST

/*
 * Copies through a translation.
 */

START_TEST(a_scattered_buffer_is_one_for_the_device)
{
	fake_dma_scatter(&f, BUF, 0, NPAGES * PAGE, RW);
	ck_assert_int_eq(dma_write(&f.dma, BUF, in, sizeof(in)), 0);
	ck_assert_int_eq(dma_read(&f.dma, BUF, out, sizeof(out)), 0);
	ck_assert_mem_eq(out, in, sizeof(in));
	/* And it was scattered. */
	ck_assert_int_eq(gmem_read(&m, 0, out, PAGE), 0);
	ck_assert_mem_eq(out, in + sizeof(in) - PAGE, PAGE);
	ck_assert_uint_eq(fake_dma_holds(&f), 0);
	ck_assert_uint_eq(fake_dma_faults(&f), 0);
}
END_TEST

START_TEST(any_start_and_length_in_a_scattered_buffer)
{
	static const size_t lens[] = {
		1,	  2,	     PAGE - 1,	    PAGE,      PAGE + 1,
		2 * PAGE, 16 * PAGE, 16 * PAGE + 1, 17 * PAGE, 33 * PAGE + 5};
	static const size_t starts[] = {0, 1, PAGE - 1, PAGE, 5 * PAGE + 17};

	fake_dma_scatter(&f, BUF, 0, NPAGES * PAGE, RW);
	ck_assert_int_eq(dma_write(&f.dma, BUF, in, sizeof(in)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(starts); j++) {
			memset(out, 0xee, lens[i] + 1);
			ck_assert_int_eq(dma_read(&f.dma, BUF + starts[j], out,
						  lens[i]),
					 0);
			ck_assert_mem_eq(out, in + starts[j], lens[i]);
			ck_assert_uint_eq(out[lens[i]], 0xee);
		}
	}
}
END_TEST

START_TEST(the_topmost_byte_is_reachable_and_the_one_after_is_not)
{
	fake_dma_map(&f, TOP, 0, PAGE, RW);
	fake_dma_map(&f, 0, PAGE, PAGE, RW);
	ck_assert_int_eq(dma_write(&f.dma, TOP, in, PAGE), 0);
	ck_assert_int_eq(dma_read(&f.dma, UINT64_MAX, out, 1), 0);
	ck_assert_uint_eq(out[0], in[PAGE - 1]);
	ck_assert_int_eq(dma_read(&f.dma, UINT64_MAX, out, 2), -EFAULT);
	ck_assert_int_eq(dma_write(&f.dma, TOP, in, PAGE + 1), -EFAULT);
	ck_assert_int_eq(dma_read(&f.dma, 1, out, SIZE_MAX), -EFAULT);
	ck_assert_int_eq(dma_read(&f.dma, 2, out, SIZE_MAX), -EFAULT);
}
END_TEST

START_TEST(nothing_needs_no_translation)
{
	struct iovec iov;
	struct dma_hold hold = {.cookie = 1};

	ck_assert_int_eq(dma_read(&f.dma, 0, NULL, 0), 0);
	ck_assert_int_eq(dma_write(&f.dma, UINT64_MAX, NULL, 0), 0);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_READ, 7, 0, &iov, 1, &hold), 0);
	ck_assert_ptr_null(hold.dma);
	ck_assert_uint_eq(f.translations, 0);
}
END_TEST

START_TEST(a_gap_in_the_mappings_faults)
{
	fake_dma_map(&f, BUF, 0, PAGE, RW);
	fake_dma_map(&f, BUF + 2 * PAGE, PAGE, PAGE, RW);
	ck_assert_int_eq(dma_read(&f.dma, BUF, out, PAGE + 1), -EFAULT);
	ck_assert_uint_eq(f.fault_at, BUF + PAGE);
	ck_assert_int_eq(dma_write(&f.dma, BUF + PAGE, in, 1), -EFAULT);
	ck_assert_int_eq(dma_read(&f.dma, BUF - 1, out, 1), -EFAULT);
	ck_assert_uint_eq(fake_dma_faults(&f), 3);
	ck_assert_uint_eq(out[0], 0);
}
END_TEST

START_TEST(permissions_are_asked_for)
{
	uint16_t v;

	fake_dma_map(&f, BUF, 0, PAGE, DMA_READ);
	fake_dma_map(&f, BUF + PAGE, PAGE, PAGE, DMA_WRITE);
	ck_assert_int_eq(dma_read(&f.dma, BUF, out, 1), 0);
	ck_assert_int_eq(dma_write(&f.dma, BUF, in, 1), -EFAULT);
	ck_assert_int_eq(dma_read(&f.dma, BUF + PAGE, out, 1), -EFAULT);
	ck_assert_int_eq(dma_write(&f.dma, BUF + PAGE, in, 1), 0);
	ck_assert_int_eq(dma_load16_acquire(&f.dma, BUF, &v), 0);
	ck_assert_int_eq(dma_store16_release(&f.dma, BUF, 1), -EFAULT);
	ck_assert_int_eq(dma_load16_acquire(&f.dma, BUF + PAGE, &v), -EFAULT);
	ck_assert_int_eq(dma_store16_release(&f.dma, BUF + PAGE, 1), 0);
}
END_TEST

START_TEST(a_translation_to_no_memory_moves_nothing)
{
	fake_dma_map(&f, BUF, 0, PAGE, RW);
	fake_dma_map(&f, BUF + PAGE, NPAGES * PAGE, PAGE, RW);
	ck_assert_int_eq(dma_write(&f.dma, BUF, in, 2 * PAGE), -EFAULT);
	ck_assert_int_eq(gmem_read(&m, 0, out, PAGE), 0);
	for (size_t i = 0; i < PAGE; i++)
		ck_assert_uint_eq(out[i], 0);
	ck_assert_uint_eq(fake_dma_holds(&f), 0);
}
END_TEST

START_TEST(a_fault_in_the_middle_writes_nothing_behind_it)
{
	const uint8_t zero[4] = {0};

	fake_dma_scatter(&f, BUF, 0, 40 * PAGE, RW);
	fake_dma_unmap(&f, BUF + 30 * PAGE, PAGE);
	ck_assert_int_eq(dma_write(&f.dma, BUF, in, 40 * PAGE), -EFAULT);
	ck_assert_int_eq(dma_read(&f.dma, BUF + 31 * PAGE, out, 4), 0);
	ck_assert_mem_eq(out, zero, 4);
	ck_assert_uint_eq(fake_dma_holds(&f), 0);
	ck_assert_uint_eq(fake_dma_faults(&f), 1);
}
END_TEST

START_TEST(a_translation_that_fails_on_demand_is_a_fault)
{
	fake_dma_map(&f, BUF, 0, PAGE, RW);
	f.fault_in = 2;
	ck_assert_int_eq(dma_read(&f.dma, BUF, out, 1), 0);
	ck_assert_int_eq(dma_read(&f.dma, BUF, out, 1), -EFAULT);
	ck_assert_int_eq(dma_read(&f.dma, BUF, out, 1), 0);
}
END_TEST

/*
 * Words.
 */

START_TEST(words_go_through_the_translation)
{
	uint16_t v = 7;

	fake_dma_map(&f, BUF, PAGE, PAGE, RW);
	ck_assert_int_eq(dma_store16_release(&f.dma, BUF + PAGE - 2, 0x1234),
			 0);
	ck_assert_int_eq(gmem_load16_acquire(&m, 2 * PAGE - 2, &v), 0);
	ck_assert_uint_eq(v, 0x1234);
	v = 7;
	ck_assert_int_eq(dma_load16_acquire(&f.dma, BUF + PAGE - 2, &v), 0);
	ck_assert_uint_eq(v, 0x1234);
	v = 7;
	ck_assert_int_eq(dma_load16_acquire(&f.dma, BUF + PAGE, &v), -EFAULT);
	ck_assert_int_eq(dma_load16_acquire(&f.dma, BUF + 1, &v), -EINVAL);
	ck_assert_int_eq(dma_store16_release(&f.dma, BUF + PAGE - 1, 1),
			 -EINVAL);
	ck_assert_uint_eq(v, 7);
	ck_assert_uint_eq(fake_dma_holds(&f), 0);
}
END_TEST

/*
 * Bulk I/O.
 */

/* Where a table of 16-byte items is, in front of the end of a page. */
#define TABLE (3 * PAGE - 5 * 16)

START_TEST(items_in_the_page_of_the_first_one_are_read_at_once)
{
	static const uint16_t numbers[] = {4, 0, 3, 5, 1};

	ck_assert_int_eq(gmem_write(&m, TABLE, in, 10 * 16), 0);
	ck_assert_uint_eq(dma_read_near(&id, TABLE, numbers, 5, 16, out), 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_mem_eq(out + i * 16, in + numbers[i] * 16, 16);
	ck_assert_uint_eq(out[3 * 16], 0);
	/* In the page after it, and one in front of it. */
	ck_assert_uint_eq(dma_read_near(&id, TABLE, numbers + 3, 2, 16, out),
			  1);
	ck_assert_mem_eq(out, in + 5 * 16, 16);
}
END_TEST

START_TEST(item_across_two_pages_is_not_near)
{
	static const uint16_t numbers[] = {0, 1};

	ck_assert_uint_eq(dma_read_near(&id, PAGE - 24, numbers, 2, 16, out),
			  1);
	ck_assert_uint_eq(dma_read_near(&id, PAGE - 8, numbers, 2, 16, out), 0);
	ck_assert_uint_eq(dma_read_near(&id, 0, numbers, 1, PAGE, out), 1);
	ck_assert_uint_eq(dma_read_near(&id, 0, numbers, 1, PAGE + 1, out), 0);
}
END_TEST

START_TEST(nothing_is_near_outside_memory_or_where_it_would_take_long)
{
	static const uint16_t number;

	ck_assert_uint_eq(
		dma_read_near(&id, NPAGES * PAGE, &number, 1, 16, out), 0);
	ck_assert_uint_eq(dma_read_near(&id, 0, &number, 0, 16, out), 0);
	fake_dma_map(&f, 0, 0, PAGE, RW);
	ck_assert_uint_eq(dma_read_near(&f.dma, 0, &number, 1, 16, out), 0);
	ck_assert_uint_eq(f.translations, 0);
}
END_TEST

START_TEST(iovecs_hold_their_range_until_done)
{
	struct iovec iov[4];
	struct dma_hold hold;

	fake_dma_scatter(&f, BUF, 0, 4 * PAGE, RW);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_WRITE, BUF + 8, 3 * PAGE, iov, 4,
				 &hold),
			 4);
	ck_assert_uint_eq(fake_dma_holds(&f), 1);
	ck_assert_ptr_eq(hold.dma, &f.dma);
	ck_assert_uint_eq(hold.first, BUF + 8);
	ck_assert_uint_eq(hold.last, BUF + 3 * PAGE + 7);
	ck_assert_ptr_eq(iov[0].iov_base, m.slots[0].host + 3 * PAGE + 8);
	ck_assert_uint_eq(iov[0].iov_len, PAGE - 8);
	ck_assert_ptr_eq(iov[3].iov_base, m.slots[0].host);
	ck_assert_uint_eq(iov[3].iov_len, 8);
	dma_done(&hold);
	ck_assert_uint_eq(fake_dma_holds(&f), 0);
	dma_done(&hold);
	ck_assert_uint_eq(fake_dma_holds(&f), 0);
}
END_TEST

START_TEST(iovecs_that_fail_hold_nothing)
{
	struct iovec iov[4];
	struct dma_hold hold;

	fake_dma_scatter(&f, BUF, 0, 4 * PAGE, DMA_READ);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_READ, BUF, 4 * PAGE, iov, 3,
				 &hold),
			 -E2BIG);
	ck_assert_ptr_null(hold.dma);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_READ, BUF, 1, iov, 0, &hold),
			 -E2BIG);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_WRITE, BUF, 1, iov, 4, &hold),
			 -EFAULT);
	ck_assert_ptr_null(hold.dma);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_READ, UINT64_MAX, 2, iov, 4,
				 &hold),
			 -EFAULT);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_READ, BUF, UINT64_MAX, iov, 4,
				 &hold),
			 -EFAULT);
	dma_done(&hold);
	/* The page goes away from under a mapping to no memory, too. */
	fake_dma_map(&f, 0, NPAGES * PAGE, PAGE, DMA_READ);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_READ, 0, 1, iov, 4, &hold),
			 -EFAULT);
	ck_assert_ptr_null(hold.dma);
	ck_assert_uint_eq(fake_dma_holds(&f), 0);
}
END_TEST

/* A translator that merges: two slices, whatever the length. */
static int wide_translate(struct dma *d, iova_t at, uint64_t len,
			  enum dma_access access, struct dma_slice *slices,
			  unsigned max, struct dma_hold *hold)
{
	const uint64_t head = len / 2;

	(void)d, (void)access, (void)hold;
	ck_assert_uint_ge(max, 1);
	if (max < 2)
		return -E2BIG;
	slices[0] = (struct dma_slice){at - BUF, head};
	slices[1] = (struct dma_slice){at - BUF + head, len - head};
	return 2;
}

static void wide_release(struct dma *d, struct dma_hold *hold)
{
	(void)d, (void)hold;
}

START_TEST(a_slice_across_two_slots_needs_two_iovecs)
{
	const struct dma_ops ops = {.translate = wide_translate,
				    .release = wide_release};
	struct dma wide = {.ops = &ops, .mem = &m};
	const gpa_t seam = NPAGES / 2 * PAGE;
	const iova_t at = BUF + seam - 24;
	struct iovec iov[3];
	struct dma_hold hold;

	ck_assert_int_eq(dma_iov(&wide, DMA_READ, at, 32, iov, 3, &hold), 3);
	ck_assert_ptr_eq(iov[0].iov_base, m.slots[0].host + seam - 24);
	ck_assert_ptr_eq(iov[1].iov_base, m.slots[0].host + seam - 8);
	ck_assert_ptr_eq(iov[2].iov_base, m.slots[1].host);
	dma_done(&hold);
	for (unsigned max = 0; max < 3; max++) {
		ck_assert_int_eq(dma_iov(&wide, DMA_READ, at, 32, iov, max,
					 &hold),
				 -E2BIG);
		ck_assert_ptr_null(hold.dma);
	}
	ck_assert_int_eq(dma_write(&wide, BUF, in, sizeof(in)), 0);
	ck_assert_int_eq(dma_read(&wide, BUF, out, sizeof(out)), 0);
	ck_assert_mem_eq(out, in, sizeof(in));
}
END_TEST

START_TEST(iovecs_end_at_their_largest_count)
{
	static struct iovec iov[2 * DMA_IOV_MAX];
	struct dma_hold hold;

	fake_dma_scatter(&f, BUF, 0, NPAGES * PAGE, RW);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_READ, BUF, DMA_IOV_MAX * PAGE, iov,
				 2 * DMA_IOV_MAX, &hold),
			 DMA_IOV_MAX);
	dma_done(&hold);
	ck_assert_int_eq(dma_iov(&f.dma, DMA_READ, BUF, DMA_IOV_MAX * PAGE + 1,
				 iov, 2 * DMA_IOV_MAX, &hold),
			 -E2BIG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/dma");
	TCase *tc = tcase_create("dma");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, identity_reaches_the_same_addresses);
	tcase_add_test(tc, identity_ends_where_memory_ends);
	tcase_add_test(tc, identity_iovecs_need_no_hold);
	tcase_add_test(tc, a_scattered_buffer_is_one_for_the_device);
	tcase_add_test(tc, any_start_and_length_in_a_scattered_buffer);
	tcase_add_test(tc,
		       the_topmost_byte_is_reachable_and_the_one_after_is_not);
	tcase_add_test(tc, nothing_needs_no_translation);
	tcase_add_test(tc, a_gap_in_the_mappings_faults);
	tcase_add_test(tc, permissions_are_asked_for);
	tcase_add_test(tc, a_translation_to_no_memory_moves_nothing);
	tcase_add_test(tc, a_fault_in_the_middle_writes_nothing_behind_it);
	tcase_add_test(tc, a_translation_that_fails_on_demand_is_a_fault);
	tcase_add_test(tc, words_go_through_the_translation);
	tcase_add_test(tc, items_in_the_page_of_the_first_one_are_read_at_once);
	tcase_add_test(tc, item_across_two_pages_is_not_near);
	tcase_add_test(
		tc, nothing_is_near_outside_memory_or_where_it_would_take_long);
	tcase_add_test(tc, iovecs_hold_their_range_until_done);
	tcase_add_test(tc, iovecs_that_fail_hold_nothing);
	tcase_add_test(tc, a_slice_across_two_slots_needs_two_iovecs);
	tcase_add_test(tc, iovecs_end_at_their_largest_count);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
