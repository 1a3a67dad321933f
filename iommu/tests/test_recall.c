/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The short way of a view: what it is taken for, and that whatever changes
 * translations closes it.
 */
#include "core/recall.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/bits.h"
#include "iommu/notice.h"
#include "iommu/tests/rig.h"

static struct rig rig;
static struct recall *recall;

static void map(iova_t at, gpa_t phys, uint32_t flags)
{
	ck_assert_int_eq(iommu_map(rig.i, 1, at, at + PAGE - 1, phys, flags),
			 IOMMU_OK);
}

static uint64_t recalled(void)
{
	return (atomic_load(&recall->uses) - atomic_load(&recall->vain)) /
	       RECALL_USE;
}

static int use(iova_t at, uint64_t len, enum dma_access access)
{
	struct iovec iov[4];
	struct dma_hold hold;
	int n = dma_iov(rig.dma[1], access, at, len, iov, 4, &hold);

	dma_done(&hold);
	return n;
}

/* Until the view needs no barriers, by accesses that fail. */
static void be_quick(void)
{
	for (unsigned k = 0; k < NOTICE_PATIENCE + 1; k++)
		ck_assert_int_eq(use(0x9000, 1, DMA_READ), -EFAULT);
	ck_assert_uint_ne(recall->heard, 0);
}

/* Page 5 is mapped and has been used until the view needs no barriers. */
static void setup(void)
{
	rig_init(&rig, NULL);
	iommu_set_fault_sink(rig.i, NULL);
	recall = rig.dma[1]->recall;
	ck_assert_int_eq(iommu_attach(rig.i, 1, 1, false), IOMMU_OK);
	map(0x5000, 0x6000, RW);
	for (unsigned k = 0; k < NOTICE_PATIENCE; k++)
		ck_assert_int_eq(use(0x5000, 1, DMA_READ), 1);
}

static void teardown(void)
{
	rig_fini(&rig);
}

static void expect_recall(iova_t at, uint64_t len, enum dma_access access)
{
	uint64_t before = recalled();

	ck_assert_int_eq(use(at, len, access), 1);
	ck_assert_uint_eq(recalled(), before + 1);
}

static void expect_no_recall(iova_t at, uint64_t len, enum dma_access access,
			     int want)
{
	uint64_t before = recalled();

	ck_assert_int_eq(use(at, len, access), want);
	ck_assert_uint_eq(recalled(), before);
}

START_TEST(page_that_was_used_is_recalled)
{
	struct dma_hold hold;
	struct iovec iov, direct;

	expect_recall(0x5000, 1, DMA_READ);
	expect_recall(0x5000, PAGE, DMA_WRITE);
	expect_recall(0x5fff, 1, DMA_WRITE);
	ck_assert_int_eq(
		dma_iov(rig.dma[1], DMA_READ, 0x5123, 0x45, &iov, 1, &hold), 1);
	ck_assert_int_eq(gmem_iov(&rig.mem, 0x6123, 0x45, &direct, 1), 1);
	ck_assert_ptr_eq(iov.iov_base, direct.iov_base);
	ck_assert_uint_eq(iov.iov_len, 0x45);
	dma_done(&hold);
	dma_done(&hold);
	ck_assert(recall_free(recall, RECALL_BULK));
	ck_assert(recall_free(recall, RECALL_INSTANT));
}
END_TEST

START_TEST(copies_and_words_are_recalled)
{
	uint64_t before = recalled();
	uint16_t word;
	uint64_t val = 0x1122334455667788;

	ck_assert_int_eq(dma_write(rig.dma[1], 0x5ff8, &val, 8), 0);
	val = 0;
	ck_assert_int_eq(dma_read(rig.dma[1], 0x5ff8, &val, 8), 0);
	ck_assert_uint_eq(val, 0x1122334455667788);
	ck_assert_int_eq(dma_load16_acquire(rig.dma[1], 0x5ffa, &word), 0);
	ck_assert_uint_eq(word, 0x5566);
	ck_assert_int_eq(dma_store16_release(rig.dma[1], 0x5ffe, 0xabcd), 0);
	ck_assert_uint_eq(recalled(), before + 4);
	ck_assert_int_eq(dma_load16_acquire(rig.dma[1], 0x5fff, &word),
			 -EINVAL);
	ck_assert_int_eq(gmem_read(&rig.mem, 0x6ff8, &val, 8), 0);
	ck_assert_uint_eq(val, 0xabcd334455667788);
	ck_assert(recall_free(recall, RECALL_BULK));
	ck_assert(recall_free(recall, RECALL_INSTANT));
}
END_TEST

START_TEST(near_items_are_one_recall)
{
	static const uint16_t numbers[] = {3, 0, 511, 512, 1};
	uint64_t before = recalled(), val[5] = {0};

	for (uint64_t n = 0; n < 4; n++)
		ck_assert_int_eq(gmem_write(&rig.mem, 0x6000 + n * 8, &n, 8),
				 0);
	ck_assert_uint_eq(dma_read_near(rig.dma[1], 0x5000, numbers, 5, 8, val),
			  3);
	ck_assert_uint_eq(val[0], 3);
	ck_assert_uint_eq(val[1], 0);
	ck_assert_uint_eq(recalled(), before + 1);
	ck_assert(recall_free(recall, RECALL_INSTANT));
}
END_TEST

START_TEST(items_are_not_near_without_a_mapping_to_read)
{
	static const uint16_t number;
	uint64_t val;

	map(0x7000, 0x7000, IOMMU_MAP_WRITE);
	ck_assert_uint_eq(
		dma_read_near(rig.dma[1], 0x7000, &number, 1, 8, &val), 0);
	ck_assert_uint_eq(
		dma_read_near(rig.dma[1], 0x5000, &number, 1, 8, &val), 1);
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x5000, 0x5fff), IOMMU_OK);
	be_quick();
	ck_assert_uint_eq(
		dma_read_near(rig.dma[1], 0x5000, &number, 1, 8, &val), 0);
	ck_assert(recall_free(recall, RECALL_INSTANT));
}
END_TEST

START_TEST(empty_long_and_wrapping_buffers_go_the_long_way)
{
	map(0x6000, 0x9000, RW);
	map(TOP - PAGE + 1, 0xa000, RW);
	expect_no_recall(0x5000, 0, DMA_READ, 0);
	expect_no_recall(0x5fff, 2, DMA_READ, 2);
	expect_no_recall(0x5000, PAGE + 1, DMA_READ, 2);
	expect_no_recall(0x5001, TOP, DMA_READ, -EFAULT);
	expect_recall(TOP - PAGE + 1, PAGE, DMA_READ);
	expect_recall(TOP, 1, DMA_READ);
	expect_no_recall(TOP, 2, DMA_READ, -EFAULT);
}
END_TEST

START_TEST(permissions_are_recalled_too)
{
	map(0x7000, 0x7000, IOMMU_MAP_READ);
	map(0x8000, 0x8000, IOMMU_MAP_WRITE);
	/* By their table, which is remembered. */
	expect_recall(0x7000, 1, DMA_READ);
	expect_recall(0x8000, 1, DMA_WRITE);
	expect_recall(0x7000, 1, DMA_READ);
	expect_recall(0x8000, 1, DMA_WRITE);
	expect_no_recall(0x7000, 1, DMA_WRITE, -EFAULT);
	expect_no_recall(0x8000, 1, DMA_READ, -EFAULT);
}
END_TEST

START_TEST(permissions_are_looked_up_in_a_remembered_table_too)
{
	map(0x7000, 0x7000, IOMMU_MAP_READ);
	map(0x8000, GIB(2), IOMMU_MAP_READ | IOMMU_MAP_WRITE); /* no RAM */
	expect_no_recall(0x7000, 1, DMA_WRITE, -EFAULT);
	expect_no_recall(0x8000, 1, DMA_WRITE, -EFAULT);
	expect_no_recall(0xa000, 1, DMA_WRITE, -EFAULT);
	ck_assert(recall_free(recall, RECALL_BULK));
	ck_assert(recall_free(recall, RECALL_INSTANT));
}
END_TEST

START_TEST(no_room_is_no_recall)
{
	uint64_t before = recalled();
	struct dma_hold hold;
	struct iovec iov;

	ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, 0x5000, 1, &iov, 0,
				 &hold),
			 -E2BIG);
	ck_assert_uint_eq(recalled(), before);
}
END_TEST

/* Pages that can be held by a word, and one more. */
enum { WORDS = RECALL_WORDS - RECALL_BULK, PAGES = WORDS + 1 };

static iova_t page(unsigned n)
{
	return MIB(1) + n * PAGE;
}

/* A page each; the last one goes the long way. */
static void hold_pages(struct dma_hold *holds)
{
	struct iovec iov;

	for (unsigned n = 0; n < PAGES; n++) {
		ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, page(n), 1, &iov,
					 1, &holds[n]),
				 1);
		ck_assert((holds[n].word > 0) == (n < WORDS));
	}
}

START_TEST(hold_beyond_the_words_goes_the_long_way_and_all_are_seen)
{
	struct dma_hold holds[PAGES];
	uint64_t before = recalled();

	for (unsigned n = 0; n < PAGES; n++)
		map(page(n), page(n), RW);
	hold_pages(holds);
	ck_assert_uint_eq(recalled(), before + WORDS);
	iommu_stop_waiting(rig.i, true); /* a wait tells instead of waiting */
	for (unsigned n = 0; n < PAGES; n++) {
		const iova_t at = page(n);

		ck_assert_int_eq(iommu_unmap(rig.i, 1, at, at + PAGE - 1),
				 IOMMU_DEVERR);
		dma_done(&holds[n]);
		map(at, at, RW);
		ck_assert_int_eq(iommu_unmap(rig.i, 1, at, at + PAGE - 1),
				 IOMMU_OK);
	}
}
END_TEST

START_TEST(words_come_back_in_any_order)
{
	struct dma_hold holds[PAGES];

	for (unsigned n = 0; n < PAGES; n++)
		map(page(n), page(n), RW);
	for (unsigned step = 1; step < PAGES; step += 2) {
		hold_pages(holds);
		for (unsigned n = 0; n < PAGES; n++)
			dma_done(&holds[n * step % PAGES]);
		for (unsigned w = 0; w < RECALL_WORDS; w++)
			ck_assert(recall_free(recall, w));
	}
}
END_TEST

/* Each page in a part of the address space that is not remembered. */
START_TEST(pages_looked_up_anew_are_held_by_words_too)
{
	struct dma_hold holds[WORDS];
	struct iovec iov;

	for (unsigned n = 0; n < WORDS; n++) {
		map(MIB(4) * (n + 1), page(n), RW);
		ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, MIB(4) * (n + 1),
					 1, &iov, 1, &holds[n]),
				 1);
		ck_assert(holds[n].word > 0);
	}
	iommu_stop_waiting(rig.i, true);
	for (unsigned n = 0; n < WORDS; n++) {
		const iova_t at = MIB(4) * (n + 1);

		ck_assert_int_eq(iommu_unmap(rig.i, 1, at, at + PAGE - 1),
				 IOMMU_DEVERR);
		dma_done(&holds[n]);
		map(at, page(n), RW);
		ck_assert_int_eq(iommu_unmap(rig.i, 1, at, at + PAGE - 1),
				 IOMMU_OK);
	}
}
END_TEST

START_TEST(copy_is_recalled_beside_a_hold)
{
	uint64_t before = recalled();
	struct dma_hold hold;
	struct iovec iov;
	uint64_t val;

	ck_assert_int_eq(
		dma_iov(rig.dma[1], DMA_READ, 0x5000, 1, &iov, 1, &hold), 1);
	ck_assert_int_eq(dma_read(rig.dma[1], 0x5000, &val, 8), 0);
	ck_assert_uint_eq(recalled(), before + 2);
	ck_assert(!recall_free(recall, RECALL_BULK));
	ck_assert(recall_free(recall, RECALL_INSTANT));
	dma_done(&hold);
}
END_TEST

/* One entry shows all of it, until smaller ones stand in its place. */
START_TEST(big_leaf_is_recalled_and_so_are_pages_after_it)
{
	ck_assert_int_eq(iommu_map(rig.i, 1, MIB(4), MIB(6) - 1, MIB(2), RW),
			 IOMMU_OK);
	ck_assert_int_eq(use(MIB(4), 1, DMA_READ), 1);
	expect_recall(MIB(6) - 1, 1, DMA_WRITE);
	ck_assert_int_eq(use(MIB(4) + 1, MIB(1), DMA_READ), 1);
	ck_assert_int_eq(iommu_unmap(rig.i, 1, MIB(4), MIB(6) - 1), IOMMU_OK);
	be_quick();
	expect_no_recall(MIB(4), 1, DMA_READ, -EFAULT);
	map(MIB(4) + PAGE, 0x8000, RW);
	map(MIB(4), 0x7000, RW);
	ck_assert_uint_eq(rig_where(&rig, 1, MIB(4) + PAGE), 0x8000);
	expect_recall(MIB(4), 1, DMA_READ);
}
END_TEST

START_TEST(buffer_over_tables_is_one_piece_where_memory_is)
{
	struct dma_hold hold;
	struct iovec iov[3];

	for (iova_t at = MIB(2) - 2 * PAGE; at < MIB(2) + PAGE; at += PAGE)
		map(at, MIB(1) + at, RW);
	map(MIB(2) + PAGE, 0x8000, RW);
	ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, MIB(2) - 2 * PAGE + 8,
				 4 * PAGE - 16, iov, 3, &hold),
			 2);
	ck_assert_uint_eq(iov[0].iov_len, 3 * PAGE - 8);
	ck_assert_uint_eq(iov[1].iov_len, PAGE - 8);
	ck_assert_uint_eq(gmem_at(&rig.mem, iov[0].iov_base),
			  MIB(3) - 2 * PAGE + 8);
	ck_assert_uint_eq(gmem_at(&rig.mem, iov[1].iov_base), 0x8000);
	dma_done(&hold);
	ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, MIB(2) - PAGE, 3 * PAGE,
				 iov, 1, &hold),
			 -E2BIG);
	ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, MIB(2) - PAGE, 4 * PAGE,
				 iov, 3, &hold),
			 -EFAULT);
}
END_TEST

START_TEST(unmapped_page_is_forgotten_and_others_are_not)
{
	map(0x7000, 0x7000, RW);
	(void)use(0x7000, 1, DMA_READ);
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x5000, 0x5fff), IOMMU_OK);
	be_quick();
	expect_no_recall(0x5000, 1, DMA_READ, -EFAULT);
	map(0x5000, 0x8000, RW);
	ck_assert_uint_eq(rig_where(&rig, 1, 0x5000), 0x8000);
	ck_assert_uint_eq(rig_where(&rig, 1, 0x7000), 0x7000);
}
END_TEST

static void op_detach(void)
{
	ck_assert_int_eq(iommu_detach(rig.i, 1, 1), IOMMU_OK);
}

static void op_move(void)
{
	ck_assert_int_eq(iommu_attach(rig.i, 2, 1, false), IOMMU_OK);
}

static void op_reset(void)
{
	iommu_reset(rig.i);
}

static void op_unmap_all(void)
{
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0, TOP), IOMMU_OK);
}

static void (*const ops[])(void) = {op_detach, op_move, op_reset, op_unmap_all};

START_TEST(whatever_takes_the_page_away_closes_the_short_way)
{
	expect_recall(0x5000, 1, DMA_READ);
	ops[_i]();
	be_quick();
	expect_no_recall(0x5000, 1, DMA_READ, -EFAULT);
}
END_TEST

START_TEST(end_of_bypass_closes_the_short_way)
{
	ck_assert_int_eq(iommu_detach(rig.i, 1, 1), IOMMU_OK);
	iommu_set_bypass(rig.i, true);
	for (unsigned k = 0; k < NOTICE_PATIENCE + 1; k++)
		ck_assert_int_eq(use(0x5000, 1, DMA_READ), 1);
	expect_recall(0x5000, 1, DMA_READ);
	iommu_set_bypass(rig.i, false);
	be_quick();
	expect_no_recall(0x5000, 1, DMA_READ, -EFAULT);
}
END_TEST

/* Tags have room for so many ages; what is older must not come back. */
START_TEST(forgotten_windows_do_not_come_back_when_ages_begin_anew)
{
	struct iovec iov;
	uint64_t before;

	recall->age = RECALL_AGE;
	ck_assert_int_eq(use(0x5000, 1, DMA_READ), 1);
	recall->age = -RECALL_AGE; /* the last one */
	ck_assert_int_eq(iommu_detach(rig.i, 1, 1), IOMMU_OK);
	be_quick();
	ck_assert_uint_eq(recall->age, RECALL_AGE);
	before = atomic_load(&recall->uses);
	ck_assert(!dma_recall(rig.dma[1], RECALL_BULK, DMA_READ, 0x5000, 1,
			      &iov));
	ck_assert_uint_eq(atomic_load(&recall->uses), before);
}
END_TEST

static void *unmapper(void *arg)
{
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x5000, 0x5fff), IOMMU_OK);
	atomic_store((_Atomic bool *)arg, true);
	return NULL;
}

START_TEST(unmap_waits_for_a_recalled_hold)
{
	_Atomic bool done = false;
	struct dma_hold hold;
	struct iovec iov;
	pthread_t t;

	ck_assert_int_eq(
		dma_iov(rig.dma[1], DMA_READ, 0x5000, 1, &iov, 1, &hold), 1);
	ck_assert(hold.word > 0);
	ck_assert_int_eq(pthread_create(&t, NULL, unmapper, &done), 0);
	usleep(20000);
	ck_assert(!atomic_load(&done));
	dma_done(&hold);
	pthread_join(t, NULL);
	ck_assert(atomic_load(&done));
}
END_TEST

START_TEST(unmap_beside_a_recalled_hold_does_not_wait)
{
	struct dma_hold hold;
	struct iovec iov;

	map(0x4000, 0x4000, RW);
	map(0x6000, 0x6000, RW);
	ck_assert_int_eq(
		dma_iov(rig.dma[1], DMA_READ, 0x5000, 1, &iov, 1, &hold), 1);
	ck_assert(hold.word > 0);
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x4000, 0x4fff), IOMMU_OK);
	ck_assert_int_eq(iommu_unmap(rig.i, 1, 0x6000, 0x6fff), IOMMU_OK);
	dma_done(&hold);
}
END_TEST

/* Regions may begin anywhere; the window around one is not remembered. */
START_TEST(identity_beside_a_reserved_byte_is_not_recalled)
{
	static const struct iommu_resv_region byte = {IOMMU_RESV_RESERVED,
						      0x5800, 0x5800};
	struct iommu_config c = rig_config();

	rig_fini(&rig);
	c.resv = &byte;
	c.bypass = true;
	rig_init(&rig, &c);
	recall = rig.dma[1]->recall;
	for (unsigned k = 0; k < NOTICE_PATIENCE + 1; k++)
		ck_assert_int_eq(use(0x5000, 1, DMA_READ), 1);
	expect_no_recall(0x5000, 1, DMA_READ, 1);
	expect_no_recall(0x5800, 1, DMA_READ, -EFAULT);
	expect_no_recall(0x57ff, 2, DMA_READ, -EFAULT);
	expect_recall(MIB(2), 1, DMA_READ);
	expect_recall(MIB(4) - 1, 1, DMA_READ);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/recall");
	TCase *t = tcase_create("recall");
	SRunner *r = srunner_create(s);
	int failed;

	if (!notice_able())
		return 77; /* no system call, no short way */
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, page_that_was_used_is_recalled);
	tcase_add_test(t, copies_and_words_are_recalled);
	tcase_add_test(t, near_items_are_one_recall);
	tcase_add_test(t, items_are_not_near_without_a_mapping_to_read);
	tcase_add_test(t, empty_long_and_wrapping_buffers_go_the_long_way);
	tcase_add_test(t, permissions_are_recalled_too);
	tcase_add_test(t, permissions_are_looked_up_in_a_remembered_table_too);
	tcase_add_test(t, no_room_is_no_recall);
	tcase_add_test(
		t, hold_beyond_the_words_goes_the_long_way_and_all_are_seen);
	tcase_add_test(t, words_come_back_in_any_order);
	tcase_add_test(t, pages_looked_up_anew_are_held_by_words_too);
	tcase_add_test(t, copy_is_recalled_beside_a_hold);
	tcase_add_test(t, big_leaf_is_recalled_and_so_are_pages_after_it);
	tcase_add_test(t, buffer_over_tables_is_one_piece_where_memory_is);
	tcase_add_test(t, unmapped_page_is_forgotten_and_others_are_not);
	tcase_add_loop_test(t,
			    whatever_takes_the_page_away_closes_the_short_way,
			    0, ARRAY_SIZE(ops));
	tcase_add_test(t, end_of_bypass_closes_the_short_way);
	tcase_add_test(t,
		       forgotten_windows_do_not_come_back_when_ages_begin_anew);
	tcase_add_test(t, unmap_waits_for_a_recalled_hold);
	tcase_add_test(t, unmap_beside_a_recalled_hold_does_not_wait);
	tcase_add_test(t, identity_beside_a_reserved_byte_is_not_recalled);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
