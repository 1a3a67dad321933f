/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The next mapping from here, and what is seen of endpoints.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/dma.h"
#include "iommu/pgtable.h"
#include "iommu/tests/rig.h"

static struct pt_pool pool;
static struct pgtable table;
static struct rig rig;

static void setup(void)
{
	pool = (struct pt_pool){.max = MIB(64)};
	pgtable_init(&table, 12, &pool);
	rig_init(&rig, NULL);
}

static void teardown(void)
{
	pgtable_fini(&table);
	ck_assert_uint_eq(pool.used, 0);
	pt_pool_fini(&pool);
	rig_fini(&rig);
}

static void map(iova_t first, iova_t last, gpa_t phys)
{
	struct pt_change change;

	ck_assert_int_eq(pgtable_map(&table, first, last, phys,
				     PT_READ | PT_WRITE, &change),
			 0);
}

static void next_is(iova_t from, iova_t first, iova_t last, gpa_t phys)
{
	struct pt_mapping m;

	ck_assert_msg(pgtable_next(&table, from, &m), "none from %#lx", from);
	ck_assert_uint_eq(m.first, first);
	ck_assert_uint_eq(m.last, last);
	ck_assert_uint_eq(m.phys, phys);
	ck_assert_uint_eq(m.perms, PT_READ | PT_WRITE);
}

static void no_next(iova_t from)
{
	struct pt_mapping m;

	ck_assert_msg(!pgtable_next(&table, from, &m), "%#lx", m.first);
}

START_TEST(empty_table_has_no_next)
{
	no_next(0);
	no_next(TOP);
}
END_TEST

START_TEST(first_page_is_next_of_itself_alone)
{
	map(0, PAGE - 1, 0x5000);
	next_is(0, 0, PAGE - 1, 0x5000);
	no_next(1);
	no_next(PAGE);
	no_next(TOP);
}
END_TEST

START_TEST(topmost_page_is_found_from_everywhere)
{
	const iova_t top = TOP - PAGE + 1;

	map(top, TOP, 0x7000);
	next_is(0, top, TOP, 0x7000);
	next_is(top, top, TOP, 0x7000);
	no_next(top + 1);
	no_next(TOP);
}
END_TEST

START_TEST(holes_are_passed_over)
{
	map(PAGE, 2 * PAGE - 1, 0x1000);
	map(5 * PAGE, 6 * PAGE - 1, 0x2000);
	map(MIB(2) - PAGE, MIB(2) - 1, 0x3000); /* last entry of a node */
	map(GIB(3), GIB(3) + PAGE - 1, 0x4000);
	next_is(0, PAGE, 2 * PAGE - 1, 0x1000);
	next_is(PAGE, PAGE, 2 * PAGE - 1, 0x1000);
	next_is(PAGE + 1, 5 * PAGE, 6 * PAGE - 1, 0x2000);
	next_is(6 * PAGE, MIB(2) - PAGE, MIB(2) - 1, 0x3000);
	next_is(MIB(2), GIB(3), GIB(3) + PAGE - 1, 0x4000);
	no_next(GIB(3) + PAGE);
}
END_TEST

START_TEST(neighbours_stay_apart_by_their_borders)
{
	/* Contiguous on both sides, two of them in one node. */
	map(0, 2 * PAGE - 1, 0x10000);
	map(2 * PAGE, 5 * PAGE - 1, 0x12000);
	map(5 * PAGE, MIB(2) + PAGE - 1, 0x15000);
	next_is(0, 0, 2 * PAGE - 1, 0x10000);
	next_is(2 * PAGE, 2 * PAGE, 5 * PAGE - 1, 0x12000);
	next_is(5 * PAGE, 5 * PAGE, MIB(2) + PAGE - 1, 0x15000);
	no_next(MIB(2));
}
END_TEST

START_TEST(large_leaves_and_small_ones_are_one_mapping)
{
	/* Pages, 2 MiB leaves, a 1 GiB leaf, 2 MiB leaves, pages. */
	map(GIB(1) - MIB(2) - PAGE, GIB(2) + MIB(4) + PAGE - 1, 0x3000);
	map(MIB(2), MIB(4) - 1, MIB(6));
	next_is(0, MIB(2), MIB(4) - 1, MIB(6));
	next_is(MIB(4), GIB(1) - MIB(2) - PAGE, GIB(2) + MIB(4) + PAGE - 1,
		0x3000);
	/* From the middle of a mapping it is not found again. */
	no_next(GIB(1));
	no_next(GIB(2) + MIB(4));
}
END_TEST

START_TEST(whole_space_is_one_mapping)
{
	map(0, TOP, 0);
	next_is(0, 0, TOP, 0);
	no_next(1);
	no_next(TOP);
}
END_TEST

START_TEST(deep_addresses_are_in_order)
{
	/* A different top bit each: compressed paths that part high up. */
	for (unsigned bit = 12; bit < 64; bit++)
		map(BIT_ULL(bit), BIT_ULL(bit) + PAGE - 1, BIT_ULL(bit));
	for (unsigned bit = 12; bit < 64; bit++)
		next_is(bit == 12 ? 0 : BIT_ULL(bit - 1) + 1, BIT_ULL(bit),
			BIT_ULL(bit) + PAGE - 1, BIT_ULL(bit));
	no_next(BIT_ULL(63) + 1);
}
END_TEST

static void attach(uint32_t domain, uint32_t ep, bool bypass)
{
	ck_assert_int_eq(iommu_attach(rig.i, domain, ep, bypass), IOMMU_OK);
}

START_TEST(mappings_come_in_pages)
{
	struct iommu_mapping m[3];

	attach(7, 1, false);
	attach(7, 2, false);
	for (unsigned n = 0; n < 4; n++)
		ck_assert_int_eq(iommu_map(rig.i, 7, 2 * n * PAGE,
					   2 * n * PAGE + PAGE - 1, 0x1000,
					   n == 3 ? IOMMU_MAP_READ : RW),
				 IOMMU_OK);
	ck_assert_int_eq(iommu_mappings(rig.i, 1, 0, m, 3), 3);
	ck_assert_uint_eq(m[2].first, 4 * PAGE);
	ck_assert_uint_eq(m[2].last, 5 * PAGE - 1);
	ck_assert_uint_eq(m[2].flags, RW);
	ck_assert_int_eq(iommu_mappings(rig.i, 2, m[2].last + 1, m, 3), 1);
	ck_assert_uint_eq(m[0].first, 6 * PAGE);
	ck_assert_uint_eq(m[0].phys, 0x1000);
	ck_assert_uint_eq(m[0].flags, IOMMU_MAP_READ);
	ck_assert_int_eq(iommu_mappings(rig.i, 1, 7 * PAGE, m, 3), 0);
	/* Nothing is asked for; nobody is attached; nobody is there. */
	ck_assert_int_eq(iommu_mappings(rig.i, 1, 0, m, 0), 0);
	ck_assert_int_eq(iommu_mappings(rig.i, 3, 0, m, 3), 0);
	ck_assert_int_eq(iommu_mappings(rig.i, 4, 0, m, 3), -ENOENT);
}
END_TEST

START_TEST(mapping_that_ends_at_the_top_is_the_last)
{
	struct iommu_mapping m[3];

	attach(1, 1, false);
	ck_assert_int_eq(iommu_map(rig.i, 1, 0, PAGE - 1, 0, RW), IOMMU_OK);
	ck_assert_int_eq(iommu_map(rig.i, 1, TOP - PAGE + 1, TOP, 0, RW),
			 IOMMU_OK);
	ck_assert_int_eq(iommu_mappings(rig.i, 1, 0, m, 3), 2);
}
END_TEST

START_TEST(state_tells_domains_and_counters)
{
	struct iommu_endpoint_state s;
	uint64_t word;

	attach(7, 1, false);
	attach(9, 2, true);
	ck_assert_int_eq(iommu_map(rig.i, 7, 0, 3 * PAGE - 1, 0, RW), IOMMU_OK);
	ck_assert_int_eq(dma_read(rig.dma[1], 0, &word, 8), 0);
	ck_assert_int_eq(dma_read(rig.dma[1], 0, &word, 8), 0);
	ck_assert_int_eq(dma_read(rig.dma[1], MIB(1), &word, 8), -EFAULT);
	ck_assert(iommu_endpoint_state(rig.i, 0, &s));
	ck_assert_uint_eq(s.id, 1);
	ck_assert(s.attached && !s.bypass);
	ck_assert_uint_eq(s.domain, 7);
	ck_assert_uint_eq(s.mappings, 1);
	ck_assert_uint_eq(s.mapped_bytes, 3 * PAGE);
	ck_assert_uint_eq(s.translations, 3);
	ck_assert_uint_eq(s.cache_hits, 1);
	ck_assert_uint_eq(s.cache_misses, 2);
	ck_assert_uint_eq(s.faults, 1);
	ck_assert(iommu_endpoint_state(rig.i, 1, &s));
	ck_assert_uint_eq(s.domain, 9);
	ck_assert(s.attached && s.bypass);
	ck_assert_uint_eq(s.faults, 0);
	ck_assert(iommu_endpoint_state(rig.i, 2, &s));
	ck_assert(!s.attached && !s.bypass);
	iommu_set_bypass(rig.i, true);
	ck_assert(iommu_endpoint_state(rig.i, 2, &s));
	ck_assert(!s.attached && s.bypass);
	ck_assert(!iommu_endpoint_state(rig.i, 3, &s));
}
END_TEST

/* A use in vain, of which whoever sums has met the second number only. */
START_TEST(counters_that_go_on_while_they_are_summed_do_not_wrap)
{
	struct iommu_endpoint_state s;

	recall_in_vain(rig.dma[1]->recall);
	ck_assert(iommu_endpoint_state(rig.i, 0, &s));
	ck_assert_uint_eq(s.translations, 0);
	ck_assert_uint_eq(s.cache_hits, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/snapshot");
	TCase *tc = tcase_create("snapshot");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, empty_table_has_no_next);
	tcase_add_test(tc, first_page_is_next_of_itself_alone);
	tcase_add_test(tc, topmost_page_is_found_from_everywhere);
	tcase_add_test(tc, holes_are_passed_over);
	tcase_add_test(tc, neighbours_stay_apart_by_their_borders);
	tcase_add_test(tc, large_leaves_and_small_ones_are_one_mapping);
	tcase_add_test(tc, whole_space_is_one_mapping);
	tcase_add_test(tc, deep_addresses_are_in_order);
	tcase_add_test(tc, mappings_come_in_pages);
	tcase_add_test(tc, mapping_that_ends_at_the_top_is_the_last);
	tcase_add_test(tc, state_tells_domains_and_counters);
	tcase_add_test(tc,
		       counters_that_go_on_while_they_are_summed_do_not_wrap);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
