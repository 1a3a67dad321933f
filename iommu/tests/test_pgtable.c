/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/pgtable.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"

#define PAGE UINT64_C(4096)
#define TOP  (~UINT64_C(0))
#define RW   (PT_READ | PT_WRITE)

static struct pt_pool pool;
static struct pgtable table;
static struct pt_change change;

static void setup(void)
{
	pool = (struct pt_pool){.max = MIB(64)};
	pgtable_init(&table, 12, &pool);
}

static void teardown(void)
{
	pgtable_fini(&table);
	pt_pool_fini(&pool);
	ck_assert_uint_eq(pool.used, 0);
}

static void map(iova_t first, iova_t last, gpa_t phys)
{
	ck_assert(!pgtable_mapped(&table, first, last));
	ck_assert_int_eq(pgtable_map(&table, first, last, phys, RW, &change),
			 0);
}

static int unmap(iova_t first, iova_t last)
{
	int r = pgtable_unmap(&table, first, last, &change);

	pgtable_reap(&table);
	return r;
}

static void expect(iova_t at, gpa_t phys)
{
	struct pt_leaf leaf;

	ck_assert_msg(pgtable_lookup(&table, at, &leaf), "%#lx", at);
	ck_assert_uint_eq(leaf.phys + (at - leaf.first), phys);
}

static void expect_none(iova_t at)
{
	struct pt_leaf leaf;

	ck_assert_msg(!pgtable_lookup(&table, at, &leaf), "%#lx", at);
}

static uint64_t nodes(void)
{
	return pool.used / sizeof(struct pt_node);
}

START_TEST(empty_table_maps_nothing)
{
	expect_none(0);
	expect_none(TOP);
	ck_assert(!pgtable_mapped(&table, 0, TOP));
	ck_assert_int_eq(unmap(0, TOP), 0);
	ck_assert(!change.any);
}
END_TEST

START_TEST(first_page_of_the_space)
{
	map(0, PAGE - 1, 0x5000);
	expect(0, 0x5000);
	expect(PAGE - 1, 0x5fff);
	expect_none(PAGE);
	ck_assert_int_eq(unmap(0, PAGE - 1), 0);
	ck_assert_uint_eq(change.mappings, 1);
	ck_assert_uint_eq(change.bytes, PAGE);
	expect_none(0);
	ck_assert_uint_eq(nodes(), 0);
}
END_TEST

START_TEST(topmost_page_of_the_space)
{
	map(TOP - PAGE + 1, TOP, 0x5000);
	expect(TOP, 0x5fff);
	expect(TOP - PAGE + 1, 0x5000);
	expect_none(TOP - PAGE);
	ck_assert_uint_eq(nodes(), 1);
	ck_assert_int_eq(unmap(TOP - PAGE + 1, TOP), 0);
	expect_none(TOP);
}
END_TEST

START_TEST(whole_space_is_a_few_big_leaves)
{
	struct pt_leaf leaf;

	map(0, TOP, 0);
	ck_assert_uint_eq(nodes(), 1);
	expect(0, 0);
	expect(UINT32_MAX, UINT32_MAX);
	expect(BIT_ULL(63), BIT_ULL(63));
	expect(TOP, TOP);
	ck_assert(pgtable_lookup(&table, TOP, &leaf));
	ck_assert_uint_eq(leaf.last, TOP);
	ck_assert(pgtable_mapped(&table, 12345, 12345));
	ck_assert_int_eq(unmap(0, TOP), 0);
	ck_assert_uint_eq(change.mappings, 1);
	ck_assert_uint_eq(change.bytes, 0); /* 2^64 */
	ck_assert_uint_eq(nodes(), 0);
}
END_TEST

START_TEST(aperture_without_msi_region)
{
	map(0, 0xfedfffff, 0);
	map(0xfef00000, TOP, 0xfef00000);
	expect(0xfedfffff, 0xfedfffff);
	expect_none(0xfee00000);
	expect_none(0xfeefffff);
	expect(0xfef00000, 0xfef00000);
	expect(TOP, TOP);
	ck_assert_uint_lt(nodes(), 16);
	ck_assert_int_eq(unmap(0, TOP), 0);
	ck_assert_uint_eq(change.mappings, 2);
	ck_assert_uint_eq(nodes(), 0);
}
END_TEST

START_TEST(aligned_2m_and_1g_are_one_entry_each)
{
	struct pt_leaf leaf;

	map(GIB(4), GIB(5) - 1, 0x7000); /* physically misaligned */
	ck_assert_uint_eq(nodes(), 1);
	ck_assert(pgtable_lookup(&table, GIB(4) + 5, &leaf));
	ck_assert_uint_eq(leaf.first, GIB(4));
	ck_assert_uint_eq(leaf.last, GIB(5) - 1);
	ck_assert_uint_eq(leaf.phys, 0x7000);
	map(GIB(5), GIB(5) + MIB(2) - 1, 0x9000);
	ck_assert(pgtable_lookup(&table, GIB(5), &leaf));
	ck_assert_uint_eq(leaf.last, GIB(5) + MIB(2) - 1);
	ck_assert_uint_eq(nodes(), 2);
}
END_TEST

START_TEST(misaligned_terabyte_is_a_few_entries)
{
	map(PAGE, PAGE + GIB(1024) - 1, 0x3000);
	ck_assert_uint_lt(nodes(), 12);
	expect(PAGE, 0x3000);
	expect(PAGE + GIB(1024) - 1, 0x3000 + GIB(1024) - 1);
	expect(GIB(700) + 123, GIB(700) + 123 - PAGE + 0x3000);
	expect_none(0);
	expect_none(PAGE + GIB(1024));
	ck_assert_int_eq(unmap(PAGE, PAGE + GIB(1024) - 1), 0);
	ck_assert_uint_eq(change.bytes, GIB(1024));
	ck_assert_uint_eq(nodes(), 0);
}
END_TEST

START_TEST(deep_addresses_do_not_make_deep_tables)
{
	/* As Linux hands them out: downwards from the top. */
	for (unsigned n = 1; n <= 1024; n++)
		map(TOP - n * PAGE + 1, TOP - (n - 1) * PAGE, n * PAGE);
	ck_assert_uint_eq(nodes(), 3); /* two of pages, one above */
	for (unsigned n = 1; n <= 1024; n++)
		expect(TOP - n * PAGE + 1, n * PAGE);
}
END_TEST

START_TEST(distant_addresses_share_no_path)
{
	map(0, PAGE - 1, 0x1000);
	map(TOP - PAGE + 1, TOP, 0x2000);
	map(GIB(4), GIB(4) + PAGE - 1, 0x3000);
	expect(0, 0x1000);
	expect(TOP, 0x2fff);
	expect(GIB(4), 0x3000);
	expect_none(GIB(4) + PAGE);
	expect_none(GIB(8));
	expect_none(BIT_ULL(63));
	ck_assert_int_eq(unmap(0, PAGE - 1), 0);
	ck_assert_int_eq(unmap(GIB(4), GIB(4) + PAGE - 1), 0);
	expect(TOP, 0x2fff);
	ck_assert_int_eq(unmap(TOP - PAGE + 1, TOP), 0);
	ck_assert_uint_eq(nodes(), 0);
}
END_TEST

START_TEST(dense_pages_cost_few_bytes_each)
{
	for (unsigned n = 0; n < 65536; n++)
		map(n * PAGE, n * PAGE + PAGE - 1, n * PAGE);
	ck_assert_uint_le(pool.used, 10 * 65536);
}
END_TEST

START_TEST(neighbours_stay_apart)
{
	map(0, 2 * PAGE - 1, 0);
	map(2 * PAGE, 4 * PAGE - 1, 2 * PAGE);
	/* The second half of one and the first of the other. */
	ck_assert_int_eq(unmap(PAGE, 3 * PAGE - 1), -ERANGE);
	ck_assert_int_eq(unmap(0, 3 * PAGE - 1), -ERANGE);
	ck_assert_int_eq(unmap(PAGE, 4 * PAGE - 1), -ERANGE);
	expect(0, 0);
	expect(4 * PAGE - 1, 4 * PAGE - 1);
	ck_assert_int_eq(unmap(0, 2 * PAGE - 1), 0);
	ck_assert_uint_eq(change.mappings, 1);
	expect_none(PAGE);
	expect(2 * PAGE, 2 * PAGE);
}
END_TEST

START_TEST(part_of_a_big_leaf_is_a_split)
{
	map(0, MIB(2) - 1, 0);
	ck_assert_int_eq(unmap(0, PAGE - 1), -ERANGE);
	ck_assert_int_eq(unmap(MIB(1), MIB(4) - 1), -ERANGE);
	ck_assert_int_eq(unmap(5, 5), -ERANGE);
	ck_assert_int_eq(unmap(0, MIB(2) - 2), -ERANGE);
	ck_assert_int_eq(unmap(1, MIB(2) - 1), -ERANGE);
	expect(MIB(2) - 1, MIB(2) - 1);
	ck_assert_int_eq(unmap(0, MIB(2) - 1), 0);
}
END_TEST

START_TEST(part_of_a_map_of_several_levels_is_a_split)
{
	/* Pages, a 2 MiB leaf, pages: one MAP. */
	map(MIB(2) - PAGE, MIB(4) + PAGE - 1, 0);
	ck_assert_int_eq(unmap(MIB(2), MIB(4) - 1), -ERANGE);
	ck_assert_int_eq(unmap(MIB(2) - PAGE, MIB(2) - 1), -ERANGE);
	ck_assert_int_eq(unmap(MIB(4), MIB(4) + PAGE - 1), -ERANGE);
	ck_assert_int_eq(unmap(MIB(2) - PAGE, MIB(4) - 1), -ERANGE);
	ck_assert_int_eq(unmap(MIB(2), MIB(4) + PAGE - 1), -ERANGE);
	expect(MIB(2), PAGE);
	ck_assert_int_eq(unmap(0, MIB(8)), 0);
	ck_assert_uint_eq(change.mappings, 1);
	ck_assert_uint_eq(change.bytes, MIB(2) + 2 * PAGE);
}
END_TEST

START_TEST(failed_unmap_takes_nothing_out)
{
	map(0, PAGE - 1, 0);
	map(PAGE, 2 * PAGE - 1, 0);
	map(GIB(1), GIB(2) - 1, 0);
	ck_assert_int_eq(unmap(0, GIB(1) + 5), -ERANGE);
	ck_assert(!change.any);
	expect(0, 0);
	expect(PAGE, 0);
	expect(GIB(1), 0);
}
END_TEST

START_TEST(unmap_spills_over_holes)
{
	map(PAGE, 2 * PAGE - 1, 0);
	map(MIB(8), MIB(8) + PAGE - 1, 0);
	map(GIB(512), GIB(512) + PAGE - 1, 0);
	ck_assert_int_eq(unmap(0, GIB(600)), 0);
	ck_assert_uint_eq(change.mappings, 3);
	ck_assert_uint_eq(nodes(), 0);
}
END_TEST

START_TEST(mapped_sees_every_overlap)
{
	map(MIB(4), MIB(4) + 3 * PAGE - 1, 0);
	ck_assert(pgtable_mapped(&table, 0, MIB(4)));
	ck_assert(pgtable_mapped(&table, MIB(4) + PAGE, MIB(4) + PAGE));
	ck_assert(pgtable_mapped(&table, MIB(4) + 3 * PAGE - 1, TOP));
	ck_assert(pgtable_mapped(&table, 0, TOP));
	ck_assert(!pgtable_mapped(&table, 0, MIB(4) - 1));
	ck_assert(!pgtable_mapped(&table, MIB(4) + 3 * PAGE, TOP));
	ck_assert(!pgtable_mapped(&table, MIB(6), MIB(8)));
}
END_TEST

START_TEST(no_memory_leaves_the_table_as_it_was)
{
	/* Room for two nodes: this MAP needs pages, a 2 MiB leaf and pages. */
	pool.max = 2 * sizeof(struct pt_node);
	map(0, PAGE - 1, 0x1000);
	ck_assert_int_eq(pgtable_map(&table, MIB(2) - PAGE, MIB(4) + PAGE - 1,
				     0, RW, &change),
			 -ENOMEM);
	pgtable_reap(&table);
	expect(0, 0x1000);
	ck_assert(!pgtable_mapped(&table, PAGE, TOP));
	ck_assert_uint_le(pool.used, pool.max);
	ck_assert_int_eq(unmap(0, PAGE - 1), 0);
	ck_assert_uint_eq(nodes(), 0);
}
END_TEST

START_TEST(no_memory_at_every_step)
{
	for (uint64_t n = 0; n < 16; n++) {
		int r;

		pool.max = n * sizeof(struct pt_node);
		r = pgtable_map(&table, PAGE, TOP - PAGE, 0, RW, &change);
		pgtable_reap(&table);
		ck_assert_uint_le(pool.used, pool.max);
		if (r) {
			ck_assert_int_eq(r, -ENOMEM);
			ck_assert(!pgtable_mapped(&table, 0, TOP));
			ck_assert_uint_eq(nodes(), 0);
			continue;
		}
		ck_assert_uint_gt(n, 5);
		ck_assert_int_eq(unmap(0, TOP), 0);
		return;
	}
	ck_abort_msg("never enough memory");
}
END_TEST

START_TEST(generation_moves_only_when_nodes_go)
{
	uint64_t gen = pgtable_gen(&table);

	map(0, PAGE - 1, 0);
	map(PAGE, 2 * PAGE - 1, 0);
	ck_assert_int_eq(unmap(0, PAGE - 1), 0);
	ck_assert_uint_eq(pgtable_gen(&table), gen);
	ck_assert_uint_eq(change.first, 0);
	ck_assert_uint_eq(change.last, PAGE - 1);
	ck_assert(!change.nodes);
	ck_assert_int_eq(unmap(PAGE, 2 * PAGE - 1), 0);
	ck_assert_uint_ne(pgtable_gen(&table), gen);
	/* Whoever walks through the node has to be waited for. */
	ck_assert(change.nodes);
	ck_assert_uint_eq(change.first, PAGE);
	ck_assert_uint_eq(change.last, 2 * PAGE - 1);
}
END_TEST

START_TEST(coarser_granule)
{
	struct pgtable t;
	struct pt_leaf leaf;

	pgtable_init(&t, 16, &pool);
	ck_assert_int_eq(
		pgtable_map(&t, TOP - 0xffff, TOP, 0x30000, RW, &change), 0);
	ck_assert_int_eq(pgtable_map(&t, 0, 0xffff, 0x50000, RW, &change), 0);
	ck_assert(pgtable_lookup(&t, TOP, &leaf));
	ck_assert_uint_eq(leaf.phys, 0x30000);
	ck_assert_uint_eq(leaf.first, TOP - 0xffff);
	ck_assert(pgtable_lookup(&t, 0xffff, &leaf));
	ck_assert_uint_eq(leaf.phys, 0x50000);
	ck_assert(!pgtable_lookup(&t, 0x10000, &leaf));
	pgtable_fini(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/pgtable");
	TCase *t = tcase_create("pgtable");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, empty_table_maps_nothing);
	tcase_add_test(t, first_page_of_the_space);
	tcase_add_test(t, topmost_page_of_the_space);
	tcase_add_test(t, whole_space_is_a_few_big_leaves);
	tcase_add_test(t, aperture_without_msi_region);
	tcase_add_test(t, aligned_2m_and_1g_are_one_entry_each);
	tcase_add_test(t, misaligned_terabyte_is_a_few_entries);
	tcase_add_test(t, deep_addresses_do_not_make_deep_tables);
	tcase_add_test(t, distant_addresses_share_no_path);
	tcase_add_test(t, dense_pages_cost_few_bytes_each);
	tcase_add_test(t, neighbours_stay_apart);
	tcase_add_test(t, part_of_a_big_leaf_is_a_split);
	tcase_add_test(t, part_of_a_map_of_several_levels_is_a_split);
	tcase_add_test(t, failed_unmap_takes_nothing_out);
	tcase_add_test(t, unmap_spills_over_holes);
	tcase_add_test(t, mapped_sees_every_overlap);
	tcase_add_test(t, no_memory_leaves_the_table_as_it_was);
	tcase_add_test(t, no_memory_at_every_step);
	tcase_add_test(t, generation_moves_only_when_nodes_go);
	tcase_add_test(t, coarser_granule);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
