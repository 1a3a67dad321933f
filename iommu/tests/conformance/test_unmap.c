/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * UNMAP.   [virtio 1.2, 5.13.6.6]
 *
 * The examples of the text have a granule of one byte; here a page stands for
 * a byte.
 */
#include "iommu/tests/conformance/conf.h"

static void attach(void)
{
	OK(vrig_attach(&v, 1, 1, 0));
}

/* Exactly the pages [first, last] of 0 to 19 are mapped. */
static void expect_only(unsigned first, unsigned last)
{
	for (unsigned page = 0; page < 20; page++)
		ck_assert_int_eq(conf_can(1, page),
				 page >= first && page <= last);
}

static void expect_none(void)
{
	expect_only(1, 0);
}

START_TEST(d38_g11a_unmap_with_reserved_bytes_is_invalid)
{
	uint8_t b[28];

	attach();
	OK(MAP(1, 5, 1));
	for (unsigned n = 24; n < 28; n++) {
		vrig_put_unmap(b, 1, 0x5000, 0x5fff);
		b[n] = 1;
		FAILS(INVAL, conf_send(b, 28));
	}
	ck_assert(conf_can(1, 5));
}
END_TEST

START_TEST(d39_unmap_without_a_domain_is_noent)
{
	FAILS(NOENT, UNMAP(1, 5, 1));
	attach();
	FAILS(NOENT, UNMAP(2, 5, 1));
}
END_TEST

START_TEST(d41_g11c_split_is_range_and_removes_nothing)
{
	attach();
	OK(MAP(1, 2, 1));
	OK(MAP(1, 4, 6));
	OK(MAP(1, 12, 1));
	FAILS(RANGE, UNMAP(1, 5, 1));
	FAILS(RANGE, UNMAP(1, 4, 5));
	FAILS(RANGE, UNMAP(1, 5, 5));
	/* Whole ones beside it stay, too. */
	FAILS(RANGE, UNMAP(1, 0, 5));
	FAILS(RANGE, UNMAP(1, 9, 10));
	ck_assert(conf_can(1, 2));
	for (unsigned page = 4; page < 10; page++)
		ck_assert(conf_can(1, page));
	ck_assert(conf_can(1, 12));
	/* Not aligned, but within it: a split. */
	FAILS(RANGE, vrig_unmap(&v, 1, 0x2000, 0x2ffe));
	FAILS(RANGE, vrig_unmap(&v, 1, 0x2001, 0x2fff));
	ck_assert(conf_can(1, 2));
}
END_TEST

START_TEST(d42_g11b_partly_mapped_range_loses_what_it_covers)
{
	attach();
	OK(MAP(1, 5, 2));
	OK(MAP(1, 9, 1));
	OK(UNMAP(1, 4, 4));
	expect_only(9, 9);
	OK(UNMAP(1, 0, 20));
	expect_none();
	/* Ends that are not aligned are in no mapping. */
	OK(MAP(1, 5, 1));
	OK(vrig_unmap(&v, 1, 0x4321, 0x6789));
	expect_none();
}
END_TEST

START_TEST(d43_example_1_nothing_is_mapped)
{
	attach();
	OK(UNMAP(1, 0, 5));
	OK(vrig_unmap(&v, 1, 0, TOP));
}
END_TEST

START_TEST(d43_example_2_the_whole_mapping)
{
	attach();
	OK(MAP(1, 0, 10));
	OK(UNMAP(1, 0, 10));
	expect_none();
}
END_TEST

START_TEST(d43_example_3_two_adjacent)
{
	attach();
	OK(MAP(1, 0, 5));
	OK(MAP(1, 5, 5));
	OK(UNMAP(1, 0, 10));
	expect_none();
}
END_TEST

START_TEST(d43_example_4_half_of_one_fails)
{
	attach();
	OK(MAP(1, 0, 10));
	FAILS(RANGE, UNMAP(1, 0, 5));
	expect_only(0, 9);
}
END_TEST

START_TEST(d43_example_5_first_of_two)
{
	attach();
	OK(MAP(1, 0, 5));
	OK(MAP(1, 5, 5));
	OK(UNMAP(1, 0, 5));
	expect_only(5, 9);
}
END_TEST

START_TEST(d43_example_6_larger_than_one)
{
	attach();
	OK(MAP(1, 0, 5));
	OK(UNMAP(1, 0, 10));
	expect_none();
}
END_TEST

START_TEST(d43_example_7_two_with_a_hole)
{
	attach();
	OK(MAP(1, 0, 5));
	OK(MAP(1, 10, 5));
	OK(UNMAP(1, 0, 15));
	expect_none();
}
END_TEST

START_TEST(unmap_that_ends_before_it_begins_is_invalid)
{
	attach();
	OK(MAP(1, 5, 1));
	FAILS(INVAL, vrig_unmap(&v, 1, 0x6000, 0x5fff));
	FAILS(INVAL, vrig_unmap(&v, 1, TOP, 0));
	ck_assert(conf_can(1, 5));
}
END_TEST

START_TEST(unmap_is_seen_by_every_cache)
{
	attach();
	OK(vrig_attach(&v, 1, 2, 0));
	for (unsigned n = 0; n < 3; n++) {
		OK(vrig_map(&v, 1, 0x5000, 0x5fff, n * PAGE, RW));
		ck_assert_uint_eq(rig_where(&v.rig, 1, 0x5000), n * PAGE);
		ck_assert_uint_eq(rig_where(&v.rig, 2, 0x5000), n * PAGE);
		OK(UNMAP(1, 5, 1));
		ck_assert(!conf_can(1, 5));
		ck_assert(!conf_can(2, 5));
	}
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, d38_g11a_unmap_with_reserved_bytes_is_invalid);
	tcase_add_test(t, d39_unmap_without_a_domain_is_noent);
	tcase_add_test(t, d41_g11c_split_is_range_and_removes_nothing);
	tcase_add_test(t, d42_g11b_partly_mapped_range_loses_what_it_covers);
	tcase_add_test(t, d43_example_1_nothing_is_mapped);
	tcase_add_test(t, d43_example_2_the_whole_mapping);
	tcase_add_test(t, d43_example_3_two_adjacent);
	tcase_add_test(t, d43_example_4_half_of_one_fails);
	tcase_add_test(t, d43_example_5_first_of_two);
	tcase_add_test(t, d43_example_6_larger_than_one);
	tcase_add_test(t, d43_example_7_two_with_a_hole);
	tcase_add_test(t, unmap_that_ends_before_it_begins_is_invalid);
	tcase_add_test(t, unmap_is_seen_by_every_cache);
}

int main(void)
{
	return conf_main("iommu/conformance/unmap", add);
}
