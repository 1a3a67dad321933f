/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Operations and what they let devices reach.  Names begin with the statement
 * of the specification they answer, where there is one.
 */
#include "iommu/iommu.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"
#include "iommu/pgtable.h"
#include "iommu/tests/rig.h"

static struct rig rig;

static void setup(void)
{
	rig_init(&rig, NULL);
}

static void teardown(void)
{
	rig_fini(&rig);
}

#define OK(call)	ck_assert_int_eq(call, IOMMU_OK)
#define FAILS(s, call)	ck_assert_int_eq(call, IOMMU_##s)
#define ATTACH(d, e)	iommu_attach(rig.i, d, e, false)
#define ATTACH_BP(d, e) iommu_attach(rig.i, d, e, true)
#define DETACH(d, e)	iommu_detach(rig.i, d, e)
/* @n pages from page @at on, to the same pages of RAM. */
#define MAP(d, at, n) \
	iommu_map(rig.i, d, (at)*PAGE, (at)*PAGE + (n)*PAGE - 1, (at)*PAGE, RW)
#define UNMAP(d, at, n) \
	iommu_unmap(rig.i, d, (at)*PAGE, (at)*PAGE + (n)*PAGE - 1)

static bool can(unsigned ep, uint64_t page)
{
	return rig_can(&rig, ep, page * PAGE, DMA_READ) &&
	       rig_can(&rig, ep, page * PAGE + PAGE - 1, DMA_WRITE);
}

static struct iommu_stats stats(void)
{
	struct iommu_stats s;

	iommu_get_stats(rig.i, &s);
	return s;
}

/*
 * Endpoints, ATTACH, DETACH.
 */

START_TEST(d14_unattached_endpoint_has_no_access)
{
	rig_expect_fault(&rig, 1, 0x1000, 1, DMA_READ, IOMMU_FAULT_DOMAIN,
			 0x1000);
	rig_expect_fault(&rig, 1, 0x1234, 100, DMA_WRITE, IOMMU_FAULT_DOMAIN,
			 0x1234);
}
END_TEST

START_TEST(d9_unattached_endpoint_in_bypass_is_identity)
{
	iommu_set_bypass(rig.i, true);
	ck_assert_uint_eq(rig_where(&rig, 1, 0x5000), 0x5000);
	ck_assert_uint_eq(rig_where(&rig, 1, GIB(4)), GIB(4));
	iommu_set_bypass(rig.i, false);
	ck_assert(!can(1, 5));
}
END_TEST

START_TEST(bypass_checks_the_range)
{
	iommu_set_bypass(rig.i, true);
	rig_expect_fault(&rig, 1, RIG_RAM0_SIZE - 2, 4, DMA_WRITE,
			 IOMMU_FAULT_UNKNOWN, RIG_RAM0_SIZE);
	rig_expect_fault(&rig, 1, RIG_RAM0_SIZE, 1, DMA_READ,
			 IOMMU_FAULT_UNKNOWN, RIG_RAM0_SIZE);
	rig_expect_fault(&rig, 1, TOP, 1, DMA_READ, IOMMU_FAULT_UNKNOWN, TOP);
	ck_assert(rig_can(&rig, 1, RIG_RAM0_SIZE - 1, DMA_WRITE));
}
END_TEST

START_TEST(d55_reserved_region_is_not_memory_in_bypass)
{
	const struct iommu_resv_region resv = {IOMMU_RESV_RESERVED, 0x3000,
					       0x3fff};
	struct iommu_config c = rig_config();
	struct rig r;

	c.resv = &resv;
	c.bypass = true;
	rig_init(&r, &c);
	rig_expect_fault(&r, 1, 0x2000, 0x3000, DMA_READ, IOMMU_FAULT_UNKNOWN,
			 0x3000);
	rig_expect_fault(&r, 1, 0x3800, 1, DMA_READ, IOMMU_FAULT_UNKNOWN,
			 0x3800);
	ck_assert(rig_can(&r, 1, 0x4000, DMA_READ));
	ck_assert(rig_can(&r, 1, 0x2fff, DMA_READ));
	rig_fini(&r);
}
END_TEST

START_TEST(d17_attach_unknown_endpoint_is_noent)
{
	FAILS(NOENT, ATTACH(1, 0));
	FAILS(NOENT, ATTACH(1, 4));
	FAILS(NOENT, ATTACH(1, UINT32_MAX));
	ck_assert_uint_eq(stats().domains, 0);
}
END_TEST

START_TEST(d18_endpoints_share_a_domain)
{
	OK(ATTACH(7, 1));
	OK(ATTACH(7, 2));
	OK(MAP(7, 5, 1));
	ck_assert(can(1, 5));
	ck_assert(can(2, 5));
	ck_assert(!can(3, 5));
	ck_assert_uint_eq(stats().domains, 1);
}
END_TEST

START_TEST(d19_bypass_flag_that_contradicts_is_invalid)
{
	OK(ATTACH(1, 1));
	FAILS(INVAL, ATTACH_BP(1, 2));
	FAILS(INVAL, ATTACH_BP(1, 1));
	OK(ATTACH_BP(2, 2));
	FAILS(INVAL, ATTACH(2, 1));
	FAILS(INVAL, ATTACH(2, 2));
	/* Nobody has moved. */
	OK(MAP(1, 5, 1));
	ck_assert(can(1, 5));
	ck_assert(can(2, 6));
}
END_TEST

START_TEST(d20_attach_elsewhere_detaches_first)
{
	OK(ATTACH(1, 1));
	OK(MAP(1, 5, 1));
	OK(ATTACH(2, 1));
	ck_assert(!can(1, 5));
	FAILS(NOENT, MAP(1, 6, 1));
	FAILS(INVAL, DETACH(1, 1));
	OK(DETACH(2, 1));
}
END_TEST

START_TEST(d20_attach_elsewhere_leaves_the_others_alone)
{
	OK(ATTACH(1, 1));
	OK(ATTACH(1, 2));
	OK(MAP(1, 5, 1));
	OK(ATTACH(2, 1));
	ck_assert(!can(1, 5));
	ck_assert(can(2, 5));
}
END_TEST

START_TEST(reattach_to_the_same_domain_keeps_mappings)
{
	OK(ATTACH(1, 1));
	OK(MAP(1, 5, 1));
	OK(ATTACH(1, 1));
	ck_assert(can(1, 5));
	ck_assert_uint_eq(stats().mappings, 1);
	OK(DETACH(1, 1));
	OK(ATTACH_BP(1, 1));
	OK(ATTACH_BP(1, 1));
	ck_assert(can(1, 6));
}
END_TEST

START_TEST(d9_bypass_domain_is_identity)
{
	OK(ATTACH_BP(3, 1));
	ck_assert_uint_eq(rig_where(&rig, 1, 0x7000), 0x7000);
	ck_assert(!can(2, 7));
	OK(DETACH(3, 1));
	ck_assert(!can(1, 7));
}
END_TEST

START_TEST(domain_ids_at_both_ends)
{
	OK(ATTACH(0, 1));
	OK(ATTACH(UINT32_MAX, 2));
	OK(MAP(0, 1, 1));
	OK(MAP(UINT32_MAX, 2, 1));
	ck_assert(can(1, 1));
	ck_assert(can(2, 2));
}
END_TEST

START_TEST(domain_outside_the_range)
{
	struct iommu_config c = rig_config();

	teardown();
	c.domain_first = 10;
	c.domain_last = 20;
	rig_init(&rig, &c);
	FAILS(RANGE, ATTACH(9, 1));
	FAILS(RANGE, ATTACH(21, 1));
	FAILS(RANGE, ATTACH(UINT32_MAX, 1));
	OK(ATTACH(10, 1));
	OK(ATTACH(20, 2));
	FAILS(NOENT, DETACH(9, 1));
	FAILS(NOENT, MAP(21, 0, 1));
	FAILS(NOENT, UNMAP(9, 0, 1));
}
END_TEST

START_TEST(d25_detach_unknown_endpoint_is_noent)
{
	OK(ATTACH(1, 1));
	FAILS(NOENT, DETACH(1, 99));
}
END_TEST

START_TEST(d26_detach_from_a_wrong_domain_is_invalid)
{
	FAILS(INVAL, DETACH(1, 1));
	OK(ATTACH(1, 1));
	OK(ATTACH(2, 2));
	OK(MAP(1, 5, 1));
	FAILS(INVAL, DETACH(2, 1));
	FAILS(INVAL, DETACH(3, 1));
	ck_assert(can(1, 5));
}
END_TEST

START_TEST(d27_detached_endpoint_reaches_nothing)
{
	OK(ATTACH(1, 1));
	OK(ATTACH(1, 2));
	OK(MAP(1, 5, 1));
	ck_assert(can(1, 5)); /* and has it in its cache */
	OK(DETACH(1, 1));
	rig_expect_fault(&rig, 1, 0x5000, 1, DMA_READ, IOMMU_FAULT_DOMAIN,
			 0x5000);
	ck_assert(can(2, 5));
}
END_TEST

START_TEST(d28_last_detach_ends_the_domain)
{
	OK(ATTACH(1, 1));
	OK(MAP(1, 5, 1));
	OK(DETACH(1, 1));
	ck_assert_uint_eq(stats().domains, 0);
	ck_assert_uint_eq(stats().mappings, 0);
	ck_assert_uint_eq(stats().mapped_bytes, 0);
	ck_assert_uint_eq(stats().table_bytes, 0);
	FAILS(NOENT, MAP(1, 5, 1));
	FAILS(NOENT, UNMAP(1, 5, 1));
	/* The id is free, for the other kind of domain too. */
	OK(ATTACH_BP(1, 1));
	OK(DETACH(1, 1));
	OK(ATTACH(1, 1));
	ck_assert(!can(1, 5));
}
END_TEST

/*
 * MAP.
 */

static void with_domain(void)
{
	setup();
	OK(ATTACH(1, 1));
}

START_TEST(map_translates)
{
	OK(iommu_map(rig.i, 1, 0x10000, 0x11fff, 0x7000, RW));
	ck_assert_uint_eq(rig_where(&rig, 1, 0x10000), 0x7000);
	ck_assert_uint_eq(rig_where(&rig, 1, 0x11fff), 0x8000);
	rig_expect_fault(&rig, 1, 0x11ff0, 0x20, DMA_READ, IOMMU_FAULT_MAPPING,
			 0x12000);
	rig_expect_fault(&rig, 1, 0xfff0, 0x20, DMA_READ, IOMMU_FAULT_MAPPING,
			 0xfff0);
}
END_TEST

START_TEST(map_topmost_page)
{
	OK(iommu_map(rig.i, 1, TOP - PAGE + 1, TOP, 0x7000, RW));
	ck_assert_uint_eq(rig_where(&rig, 1, TOP), 0x7000);
	ck_assert(rig_can(&rig, 1, TOP, DMA_WRITE));
	FAILS(INVAL, iommu_map(rig.i, 1, TOP - 2 * PAGE + 1, TOP, 0, RW));
	OK(iommu_unmap(rig.i, 1, TOP - PAGE + 1, TOP));
	rig_expect_fault(&rig, 1, TOP, 1, DMA_READ, IOMMU_FAULT_MAPPING, TOP);
}
END_TEST

START_TEST(map_around_four_gib)
{
	OK(iommu_map(rig.i, 1, 0xffffe000, 0xffffffff, 0x1000, RW));
	OK(iommu_map(rig.i, 1, 0x100000000, 0x100000fff, 0x3000, RW));
	ck_assert_uint_eq(rig_where(&rig, 1, UINT32_MAX), 0x2000);
	ck_assert_uint_eq(rig_where(&rig, 1, 0x100000000), 0x3000);
}
END_TEST

START_TEST(d29_unaligned_is_range)
{
	FAILS(RANGE, iommu_map(rig.i, 1, 0x1001, 0x1fff, 0, RW));
	FAILS(RANGE, iommu_map(rig.i, 1, 0x1000, 0x1ffe, 0, RW));
	FAILS(RANGE, iommu_map(rig.i, 1, 0x1000, 0x2000, 0, RW));
	FAILS(RANGE, iommu_map(rig.i, 1, 0x1000, 0x1fff, 1, RW));
	FAILS(RANGE, iommu_map(rig.i, 1, 0x1000, 0x1000, 0, RW));
	FAILS(RANGE, iommu_map(rig.i, 1, 0, TOP - 1, 0, RW));
	OK(iommu_map(rig.i, 1, 0x1000, 0x1fff, 0x800000, RW));
}
END_TEST

START_TEST(d30_overlap_is_invalid)
{
	OK(MAP(1, 4, 4));
	FAILS(INVAL, MAP(1, 4, 4));
	FAILS(INVAL, MAP(1, 3, 2));
	FAILS(INVAL, MAP(1, 7, 1));
	FAILS(INVAL, MAP(1, 5, 2));
	FAILS(INVAL, MAP(1, 0, 100));
	FAILS(INVAL, MAP(1, 7, 1024));
	OK(MAP(1, 3, 1));
	OK(MAP(1, 8, 1));
	ck_assert_uint_eq(stats().mappings, 3);
	ck_assert_uint_eq(stats().mapped_bytes, 6 * PAGE);
}
END_TEST

START_TEST(d31_unknown_flag_is_invalid)
{
	for (unsigned bit = 3; bit < 32; bit++)
		FAILS(INVAL, iommu_map(rig.i, 1, 0, PAGE - 1, 0, BIT(bit)));
}
END_TEST

START_TEST(d32_map_without_domain_is_noent)
{
	FAILS(NOENT, MAP(2, 5, 1));
}
END_TEST

START_TEST(d33_d40_bypass_domain_has_no_mappings)
{
	OK(ATTACH_BP(2, 2));
	FAILS(INVAL, MAP(2, 5, 1));
	FAILS(INVAL, UNMAP(2, 5, 1));
}
END_TEST

START_TEST(d34_permissions_are_enforced)
{
	OK(iommu_map(rig.i, 1, 0x1000, 0x1fff, 0x1000, IOMMU_MAP_READ));
	OK(iommu_map(rig.i, 1, 0x2000, 0x2fff, 0x2000, IOMMU_MAP_WRITE));
	OK(iommu_map(rig.i, 1, 0x3000, 0x3fff, 0x3000, 0));
	ck_assert(rig_can(&rig, 1, 0x1000, DMA_READ));
	rig_expect_fault(&rig, 1, 0x1fff, 1, DMA_WRITE, IOMMU_FAULT_MAPPING,
			 0x1fff);
	ck_assert(rig_can(&rig, 1, 0x2000, DMA_WRITE));
	rig_expect_fault(&rig, 1, 0x2000, 1, DMA_READ, IOMMU_FAULT_MAPPING,
			 0x2000);
	rig_expect_fault(&rig, 1, 0x1ff0, 0x20, DMA_READ, IOMMU_FAULT_MAPPING,
			 0x2000);
	rig_expect_fault(&rig, 1, 0x3000, 1, DMA_READ, IOMMU_FAULT_MAPPING,
			 0x3000);
	rig_expect_fault(&rig, 1, 0x3000, 1, DMA_WRITE, IOMMU_FAULT_MAPPING,
			 0x3000);
}
END_TEST

START_TEST(d35_map_over_a_reserved_region_is_invalid)
{
	const uint64_t page = RIG_MSI_FIRST / PAGE;

	FAILS(INVAL, MAP(1, page, 1));
	FAILS(INVAL, MAP(1, page - 1, 2));
	FAILS(INVAL, MAP(1, RIG_MSI_LAST / PAGE, 1));
	FAILS(INVAL, iommu_map(rig.i, 1, 0, TOP, 0, RW));
	OK(MAP(1, page - 1, 1));
	OK(MAP(1, RIG_MSI_LAST / PAGE + 1, 1));
	rig_expect_fault(&rig, 1, RIG_MSI_FIRST, 4, DMA_WRITE,
			 IOMMU_FAULT_MAPPING, RIG_MSI_FIRST);
}
END_TEST

START_TEST(d36_outside_the_input_range_is_range)
{
	struct iommu_config c = rig_config();

	teardown();
	c.input_first = 0x4000;
	c.input_last = 0x7fff;
	rig_init(&rig, &c);
	OK(ATTACH(1, 1));
	FAILS(RANGE, MAP(1, 3, 1));
	FAILS(RANGE, MAP(1, 3, 2));
	FAILS(RANGE, MAP(1, 7, 2));
	FAILS(RANGE, MAP(1, 8, 1));
	FAILS(RANGE, iommu_map(rig.i, 1, TOP - PAGE + 1, TOP, 0, RW));
	OK(MAP(1, 4, 1));
	OK(MAP(1, 7, 1));
	OK(iommu_unmap(rig.i, 1, 0, TOP));
}
END_TEST

START_TEST(identity_map_of_the_whole_aperture)
{
	/* As Linux does for identity domains without BYPASS_CONFIG. */
	OK(iommu_map(rig.i, 1, 0, RIG_MSI_FIRST - 1, 0, RW));
	OK(iommu_map(rig.i, 1, RIG_MSI_LAST + 1, TOP, RIG_MSI_LAST + 1, RW));
	ck_assert_uint_eq(rig_where(&rig, 1, 0x5000), 0x5000);
	ck_assert_uint_eq(rig_where(&rig, 1, GIB(4) + PAGE), GIB(4) + PAGE);
	rig_expect_fault(&rig, 1, TOP, 1, DMA_WRITE, IOMMU_FAULT_MAPPING, TOP);
	rig_expect_fault(&rig, 1, RIG_RAM0_SIZE - 8, 16, DMA_READ,
			 IOMMU_FAULT_MAPPING, RIG_RAM0_SIZE);
	OK(iommu_unmap(rig.i, 1, 0, TOP));
	ck_assert_uint_eq(stats().table_bytes, 0);
}
END_TEST

START_TEST(whole_space_in_one_map)
{
	struct iommu_config c = rig_config();

	teardown();
	c.nresv = 0;
	rig_init(&rig, &c);
	OK(ATTACH(1, 1));
	OK(iommu_map(rig.i, 1, 0, TOP, 0, RW));
	ck_assert_uint_eq(rig_where(&rig, 1, GIB(4)), GIB(4));
	FAILS(RANGE, UNMAP(1, 0, 1));
	OK(iommu_unmap(rig.i, 1, 0, TOP));
	ck_assert_uint_eq(stats().mappings, 0);
}
END_TEST

START_TEST(phys_outside_memory_is_accepted_and_faults)
{
	OK(iommu_map(rig.i, 1, 0x1000, 0x1fff, GIB(100), RW));
	rig_expect_fault(&rig, 1, 0x1080, 1, DMA_READ, IOMMU_FAULT_MAPPING,
			 0x1080);
	/* The last page of memory and one past it. */
	OK(iommu_map(rig.i, 1, 0x4000, 0x5fff, RIG_RAM0_SIZE - PAGE, RW));
	ck_assert(rig_can(&rig, 1, 0x4fff, DMA_WRITE));
	rig_expect_fault(&rig, 1, 0x4ff0, 0x100, DMA_WRITE, IOMMU_FAULT_MAPPING,
			 0x5000);
	OK(iommu_map(rig.i, 1, 0x8000, 0x8fff, TOP - PAGE + 1, RW));
	rig_expect_fault(&rig, 1, 0x8fff, 1, DMA_READ, IOMMU_FAULT_MAPPING,
			 0x8fff);
}
END_TEST

START_TEST(phys_that_wraps_is_range)
{
	FAILS(RANGE, iommu_map(rig.i, 1, 0x1000, 0x2fff, TOP - PAGE + 1, RW));
}
END_TEST

START_TEST(map_that_ends_before_it_begins_is_invalid)
{
	FAILS(INVAL, iommu_map(rig.i, 1, 0x2000, 0x1fff, 0, RW));
	FAILS(INVAL, iommu_unmap(rig.i, 1, 0x2000, 0x1fff));
}
END_TEST

/*
 * UNMAP.  [virtio 1.2, 5.13.6.6] has seven examples, here in pages.
 */

START_TEST(d43_example_1_nothing_is_mapped)
{
	OK(UNMAP(1, 0, 5));
}
END_TEST

START_TEST(d43_example_2_the_whole_mapping)
{
	OK(MAP(1, 0, 10));
	OK(UNMAP(1, 0, 10));
	ck_assert(!can(1, 0));
	ck_assert(!can(1, 9));
}
END_TEST

START_TEST(d43_example_3_two_adjacent)
{
	OK(MAP(1, 0, 5));
	OK(MAP(1, 5, 5));
	OK(UNMAP(1, 0, 10));
	ck_assert(!can(1, 0));
	ck_assert(!can(1, 5));
}
END_TEST

START_TEST(d43_example_4_half_of_one_fails)
{
	OK(MAP(1, 0, 10));
	FAILS(RANGE, UNMAP(1, 0, 5));
	ck_assert(can(1, 0));
	ck_assert(can(1, 9));
}
END_TEST

START_TEST(d41_other_half_of_one_fails)
{
	OK(MAP(1, 0, 10));
	FAILS(RANGE, UNMAP(1, 5, 5));
	FAILS(RANGE, UNMAP(1, 5, 100));
	FAILS(RANGE, UNMAP(1, 4, 2));
	ck_assert(can(1, 5));
}
END_TEST

START_TEST(d43_example_5_first_of_two)
{
	OK(MAP(1, 0, 5));
	OK(MAP(1, 5, 5));
	OK(UNMAP(1, 0, 5));
	ck_assert(!can(1, 4));
	ck_assert(can(1, 5));
}
END_TEST

START_TEST(d43_example_6_larger_than_one)
{
	OK(MAP(1, 0, 5));
	OK(UNMAP(1, 0, 10));
	ck_assert(!can(1, 0));
}
END_TEST

START_TEST(d43_example_7_two_with_a_hole)
{
	OK(MAP(1, 0, 5));
	OK(MAP(1, 10, 5));
	OK(UNMAP(1, 0, 15));
	ck_assert(!can(1, 4));
	ck_assert(!can(1, 10));
}
END_TEST

START_TEST(d39_unmap_without_domain_is_noent)
{
	FAILS(NOENT, UNMAP(2, 0, 1));
}
END_TEST

START_TEST(d41_split_removes_nothing)
{
	OK(MAP(1, 0, 1));
	OK(MAP(1, 1, 1));
	OK(MAP(1, 512, 1024));
	FAILS(RANGE, UNMAP(1, 0, 513));
	FAILS(RANGE, UNMAP(1, 600, 100000));
	FAILS(RANGE, iommu_unmap(rig.i, 1, 0x800, TOP));
	FAILS(RANGE, iommu_unmap(rig.i, 1, 0, PAGE - 2));
	ck_assert(can(1, 0));
	ck_assert(can(1, 1));
	ck_assert(can(1, 512));
	ck_assert(can(1, 1535));
	ck_assert_uint_eq(stats().mappings, 3);
}
END_TEST

START_TEST(d42_partly_mapped_range_loses_what_it_covers)
{
	OK(MAP(1, 3, 1));
	OK(MAP(1, 700, 1));
	OK(MAP(1, 900, 1));
	OK(iommu_unmap(rig.i, 1, 0x800, 800 * PAGE + 5)); /* any ends */
	ck_assert(!can(1, 3));
	ck_assert(!can(1, 700));
	ck_assert(can(1, 900));
}
END_TEST

START_TEST(unmap_reaches_the_cache)
{
	for (unsigned n = 0; n < 100; n++) {
		OK(MAP(1, 5, 1));
		ck_assert(can(1, 5));
		OK(UNMAP(1, 5, 1));
		ck_assert(!can(1, 5));
	}
	/* The same, with a neighbour that keeps the node in the table. */
	OK(MAP(1, 6, 1));
	for (unsigned n = 0; n < 100; n++) {
		OK(MAP(1, 5, 1));
		ck_assert(can(1, 5));
		OK(UNMAP(1, 5, 1));
		ck_assert(!can(1, 5));
	}
}
END_TEST

START_TEST(cache_follows_a_new_mapping_at_the_same_place)
{
	OK(iommu_map(rig.i, 1, 0x5000, 0x5fff, 0x1000, RW));
	ck_assert_uint_eq(rig_where(&rig, 1, 0x5000), 0x1000);
	OK(iommu_unmap(rig.i, 1, 0x5000, 0x5fff));
	OK(iommu_map(rig.i, 1, 0x5000, 0x5fff, 0x2000, RW));
	ck_assert_uint_eq(rig_where(&rig, 1, 0x5000), 0x2000);
	/* From pages to a 2 MiB leaf and back. */
	OK(iommu_unmap(rig.i, 1, 0, TOP));
	OK(iommu_map(rig.i, 1, 0, MIB(2) - 1, MIB(2), RW));
	ck_assert_uint_eq(rig_where(&rig, 1, 0x5000), MIB(2) + 0x5000);
	OK(iommu_unmap(rig.i, 1, 0, TOP));
	OK(iommu_map(rig.i, 1, 0x5000, 0x5fff, 0x3000, RW));
	ck_assert_uint_eq(rig_where(&rig, 1, 0x5000), 0x3000);
}
END_TEST

START_TEST(domain_made_anew_shares_nothing_with_the_old_one)
{
	for (unsigned n = 1; n < 50; n++) {
		OK(ATTACH(n, 2));
		OK(iommu_map(rig.i, n, 0x5000, 0x5fff, n * PAGE, RW));
		ck_assert_uint_eq(rig_where(&rig, 2, 0x5000), n * PAGE);
	}
}
END_TEST

/*
 * Slices.
 */

START_TEST(contiguous_pages_are_one_slice)
{
	struct iovec iov[4];
	struct dma_hold hold;

	for (unsigned n = 0; n < 64; n++)
		OK(MAP(1, n, 1));
	ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, 100, 63 * PAGE, iov, 1,
				 &hold),
			 1);
	ck_assert_uint_eq(iov[0].iov_len, 63 * PAGE);
	dma_done(&hold);
}
END_TEST

START_TEST(scattered_pages_are_slices_in_order)
{
	struct iovec iov[4];
	struct dma_hold hold;

	OK(iommu_map(rig.i, 1, 0x1000, 0x1fff, 0x9000, RW));
	OK(iommu_map(rig.i, 1, 0x2000, 0x2fff, 0x5000, RW));
	OK(iommu_map(rig.i, 1, 0x3000, 0x3fff, 0x6000, RW));
	ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, 0x1800, 0x2000, iov, 1,
				 &hold),
			 -E2BIG);
	ck_assert_ptr_null(hold.dma);
	ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ, 0x1800, 0x2000, iov, 4,
				 &hold),
			 2);
	ck_assert_uint_eq(iov[0].iov_len, 0x800);
	ck_assert_uint_eq(iov[1].iov_len, 0x1800);
	dma_done(&hold);
}
END_TEST

START_TEST(fault_in_the_middle_holds_nothing)
{
	OK(MAP(1, 1, 1));
	OK(MAP(1, 3, 1));
	rig_expect_fault(&rig, 1, PAGE, 3 * PAGE, DMA_READ, IOMMU_FAULT_MAPPING,
			 2 * PAGE);
	OK(UNMAP(1, 1, 3)); /* would wait for a hold */
}
END_TEST

START_TEST(many_holds_at_once)
{
	enum { N = 5000 };
	struct dma_hold *holds = calloc(N, sizeof(*holds));
	struct iovec iov;

	OK(MAP(1, 0, 1024));
	for (unsigned n = 0; n < N; n++)
		ck_assert_int_eq(dma_iov(rig.dma[1], DMA_READ,
					 (n % 1024) * PAGE, 1, &iov, 1,
					 &holds[n]),
				 1);
	for (unsigned n = 0; n < N; n++)
		dma_done(&holds[(n * 7919) % N]);
	OK(UNMAP(1, 0, 1024));
	free(holds);
}
END_TEST

/*
 * Limits.
 */

START_TEST(limit_of_domains)
{
	struct iommu_config c = rig_config();

	teardown();
	c.max_domains = 2;
	rig_init(&rig, &c);
	OK(ATTACH(1, 1));
	OK(ATTACH(2, 2));
	FAILS(NOMEM, ATTACH(3, 3));
	ck_assert(!can(3, 1));
	OK(ATTACH(2, 3));
	/* A lone endpoint may move: its old domain goes. */
	OK(ATTACH(5, 1));
	FAILS(UNSUPP, ATTACH(6, 3));
	OK(MAP(2, 4, 1));
	ck_assert(can(3, 4));
}
END_TEST

START_TEST(limit_of_mappings_over_all_domains)
{
	struct iommu_config c = rig_config();

	teardown();
	c.max_mappings = 3;
	rig_init(&rig, &c);
	OK(ATTACH(1, 1));
	OK(ATTACH(2, 2));
	OK(MAP(1, 0, 1));
	OK(MAP(2, 1, 1));
	OK(MAP(2, 2, 1));
	FAILS(NOMEM, MAP(1, 3, 1));
	FAILS(NOMEM, MAP(2, 3, 1));
	OK(UNMAP(1, 0, 1));
	OK(MAP(2, 3, 1));
	OK(DETACH(2, 2));
	OK(MAP(1, 1, 1));
}
END_TEST

START_TEST(limit_of_table_memory)
{
	struct iommu_config c = rig_config();
	unsigned n = 0;

	teardown();
	c.max_memory = 10 * sizeof(struct pt_node);
	rig_init(&rig, &c);
	OK(ATTACH(1, 1));
	/* Sparse pages: a node or more for each. */
	while (iommu_map(rig.i, 1, n * GIB(1), n * GIB(1) + PAGE - 1, 0, RW) ==
	       IOMMU_OK)
		n++;
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_le(n, 10);
	FAILS(NOMEM,
	      iommu_map(rig.i, 1, n * GIB(1), n * GIB(1) + PAGE - 1, 0, RW));
	ck_assert_uint_le(stats().table_bytes, c.max_memory);
	ck_assert_uint_eq(stats().mappings, n);
	for (unsigned m = 0; m < n; m++)
		ck_assert(rig_can(&rig, 1, m * GIB(1), DMA_READ));
	/* Into a node that is there. */
	OK(iommu_map(rig.i, 1, PAGE, 2 * PAGE - 1, 0, RW));
	OK(iommu_unmap(rig.i, 1, 0, TOP));
	ck_assert_uint_eq(stats().table_bytes, 0);
}
END_TEST

/*
 * Reset and the rest.
 */

START_TEST(d8_reset_detaches_everything)
{
	OK(ATTACH(1, 1));
	OK(ATTACH(1, 2));
	OK(ATTACH_BP(2, 3));
	OK(MAP(1, 5, 1));
	iommu_reset(rig.i);
	for (unsigned ep = 1; ep <= 3; ep++)
		ck_assert(!can(ep, 5));
	ck_assert_uint_eq(stats().domains, 0);
	ck_assert_uint_eq(stats().mappings, 0);
	ck_assert_uint_eq(stats().table_bytes, 0);
	FAILS(NOENT, MAP(1, 5, 1));
	iommu_reset(rig.i);
}
END_TEST

START_TEST(d5_d6_bypass_over_resets)
{
	iommu_set_bypass(rig.i, true);
	iommu_reset(rig.i);
	ck_assert(iommu_bypass(rig.i));
	ck_assert(can(1, 5));
	iommu_power_on_reset(rig.i);
	ck_assert(!iommu_bypass(rig.i));
	ck_assert(!can(1, 5));
}
END_TEST

START_TEST(d4_bypass_from_power_on)
{
	struct iommu_config c = rig_config();

	teardown();
	c.bypass = true;
	rig_init(&rig, &c);
	ck_assert(iommu_bypass(rig.i));
	ck_assert(can(1, 5));
	iommu_set_bypass(rig.i, false);
	iommu_power_on_reset(rig.i);
	ck_assert(can(1, 5));
}
END_TEST

START_TEST(d45_probe_unknown_endpoint_is_noent)
{
	const struct iommu_resv_region *r;
	unsigned n;

	FAILS(NOENT, iommu_resv_regions(rig.i, 0, &r, &n));
	FAILS(NOENT, iommu_resv_regions(rig.i, 4, &r, &n));
	OK(iommu_resv_regions(rig.i, 2, &r, &n));
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(r[0].kind, IOMMU_RESV_MSI);
	ck_assert_uint_eq(r[0].first, RIG_MSI_FIRST);
	ck_assert_uint_eq(r[0].last, RIG_MSI_LAST);
}
END_TEST

START_TEST(two_iommus_share_nothing)
{
	struct rig other;

	rig_init(&other, NULL);
	OK(ATTACH(1, 1));
	OK(MAP(1, 5, 1));
	ck_assert(!rig_can(&other, 1, 5 * PAGE, DMA_READ));
	ck_assert_int_eq(iommu_map(other.i, 1, 0, PAGE - 1, 0, RW),
			 IOMMU_NOENT);
	rig_fini(&other);
	ck_assert(can(1, 5));
}
END_TEST

START_TEST(two_views_of_one_endpoint)
{
	struct dma *second;
	uint64_t where;

	ck_assert_int_eq(iommu_endpoint_view(rig.ep[1], &second), 0);
	OK(ATTACH(1, 1));
	OK(MAP(1, 5, 1));
	ck_assert_int_eq(dma_read(second, 0x5000, &where, 8), 0);
	ck_assert_uint_eq(where, 0x5000);
	OK(UNMAP(1, 5, 1));
	ck_assert_int_eq(dma_read(second, 0x5000, &where, 8), -EFAULT);
}
END_TEST

START_TEST(endpoint_twice_is_refused)
{
	struct iommu_endpoint *ep;
	struct err err;

	ck_assert_int_eq(iommu_endpoint_add(rig.i, 2, &ep, &err), -EEXIST);
	ck_assert_str_eq(err.msg, "IOMMU endpoint 2 exists already");
}
END_TEST

START_TEST(statistics_count)
{
	OK(ATTACH(1, 1));
	OK(MAP(1, 5, 1));
	OK(MAP(1, 6, 1));
	FAILS(INVAL, MAP(1, 5, 1));
	ck_assert(can(1, 5)); /* two translations */
	ck_assert(!rig_can(&rig, 1, 0x9000, DMA_READ));
	OK(UNMAP(1, 5, 1));
	ck_assert_uint_eq(stats().attaches, 1);
	ck_assert_uint_eq(stats().maps, 2);
	ck_assert_uint_eq(stats().unmaps, 1);
	ck_assert_uint_eq(stats().rejected, 1);
	ck_assert_uint_eq(stats().translations, 3);
	ck_assert_uint_eq(stats().walks, 2);
	ck_assert_uint_eq(stats().cache_hits, 1);
	ck_assert_uint_eq(stats().cache_misses, 2);
	ck_assert_uint_eq(stats().faults, 1);
	ck_assert_uint_eq(stats().mappings, 1);
	OK(DETACH(1, 1));
	ck_assert_uint_eq(stats().detaches, 1);
}
END_TEST

static void refused(const struct iommu_config *c, const char *why)
{
	struct iommu *i;
	struct err err;

	ck_assert_int_eq(iommu_new(&i, c, &err), -EINVAL);
	ck_assert_str_eq(err.msg, why);
}

START_TEST(d3_d53_d54_bad_configurations_are_refused)
{
	const struct iommu_resv_region two_msi[] = {
		{IOMMU_RESV_MSI, 0x1000, 0x1fff},
		{IOMMU_RESV_MSI, 0x2000, 0x2fff},
	};
	const struct iommu_resv_region overlap[] = {
		{IOMMU_RESV_RESERVED, 0x1000, 0x1fff},
		{IOMMU_RESV_MSI, 0x1fff, 0x2fff},
	};
	const struct iommu_resv_region reverse = {IOMMU_RESV_RESERVED, 2, 1};
	struct iommu_config c = rig_config();

	c.page_size_mask = 0;
	refused(&c, "IOMMU page sizes 0: the smallest must be 4 KiB to 1 GiB");
	c.page_size_mask = ~UINT64_C(0);
	refused(&c, "IOMMU page sizes 0xffffffffffffffff: the smallest must be "
		    "4 KiB to 1 GiB");
	c = rig_config();
	c.input_first = 1;
	c.input_last = 0;
	refused(&c, "IOMMU address or domain range is empty");
	c = rig_config();
	c.resv = two_msi;
	c.nresv = 2;
	refused(&c, "more than one reserved MSI region");
	c.resv = overlap;
	refused(&c, "reserved regions overlap at 0x1fff");
	c.resv = &reverse;
	c.nresv = 1;
	refused(&c, "reserved region ends before it begins");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/iommu");
	TCase *t = tcase_create("endpoints");
	TCase *m = tcase_create("mappings");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, d14_unattached_endpoint_has_no_access);
	tcase_add_test(t, d9_unattached_endpoint_in_bypass_is_identity);
	tcase_add_test(t, bypass_checks_the_range);
	tcase_add_test(t, d55_reserved_region_is_not_memory_in_bypass);
	tcase_add_test(t, d17_attach_unknown_endpoint_is_noent);
	tcase_add_test(t, d18_endpoints_share_a_domain);
	tcase_add_test(t, d19_bypass_flag_that_contradicts_is_invalid);
	tcase_add_test(t, d20_attach_elsewhere_detaches_first);
	tcase_add_test(t, d20_attach_elsewhere_leaves_the_others_alone);
	tcase_add_test(t, reattach_to_the_same_domain_keeps_mappings);
	tcase_add_test(t, d9_bypass_domain_is_identity);
	tcase_add_test(t, domain_ids_at_both_ends);
	tcase_add_test(t, domain_outside_the_range);
	tcase_add_test(t, d25_detach_unknown_endpoint_is_noent);
	tcase_add_test(t, d26_detach_from_a_wrong_domain_is_invalid);
	tcase_add_test(t, d27_detached_endpoint_reaches_nothing);
	tcase_add_test(t, d28_last_detach_ends_the_domain);
	tcase_add_test(t, limit_of_domains);
	tcase_add_test(t, limit_of_mappings_over_all_domains);
	tcase_add_test(t, limit_of_table_memory);
	tcase_add_test(t, d8_reset_detaches_everything);
	tcase_add_test(t, d5_d6_bypass_over_resets);
	tcase_add_test(t, d4_bypass_from_power_on);
	tcase_add_test(t, d45_probe_unknown_endpoint_is_noent);
	tcase_add_test(t, two_iommus_share_nothing);
	tcase_add_test(t, two_views_of_one_endpoint);
	tcase_add_test(t, endpoint_twice_is_refused);
	tcase_add_test(t, statistics_count);
	tcase_add_test(t, d3_d53_d54_bad_configurations_are_refused);
	tcase_add_checked_fixture(m, with_domain, teardown);
	tcase_add_test(m, map_translates);
	tcase_add_test(m, map_topmost_page);
	tcase_add_test(m, map_around_four_gib);
	tcase_add_test(m, d29_unaligned_is_range);
	tcase_add_test(m, d30_overlap_is_invalid);
	tcase_add_test(m, d31_unknown_flag_is_invalid);
	tcase_add_test(m, d32_map_without_domain_is_noent);
	tcase_add_test(m, d33_d40_bypass_domain_has_no_mappings);
	tcase_add_test(m, d34_permissions_are_enforced);
	tcase_add_test(m, d35_map_over_a_reserved_region_is_invalid);
	tcase_add_test(m, d36_outside_the_input_range_is_range);
	tcase_add_test(m, identity_map_of_the_whole_aperture);
	tcase_add_test(m, whole_space_in_one_map);
	tcase_add_test(m, phys_outside_memory_is_accepted_and_faults);
	tcase_add_test(m, phys_that_wraps_is_range);
	tcase_add_test(m, map_that_ends_before_it_begins_is_invalid);
	tcase_add_test(m, d43_example_1_nothing_is_mapped);
	tcase_add_test(m, d43_example_2_the_whole_mapping);
	tcase_add_test(m, d43_example_3_two_adjacent);
	tcase_add_test(m, d43_example_4_half_of_one_fails);
	tcase_add_test(m, d41_other_half_of_one_fails);
	tcase_add_test(m, d43_example_5_first_of_two);
	tcase_add_test(m, d43_example_6_larger_than_one);
	tcase_add_test(m, d43_example_7_two_with_a_hole);
	tcase_add_test(m, d39_unmap_without_domain_is_noent);
	tcase_add_test(m, d41_split_removes_nothing);
	tcase_add_test(m, d42_partly_mapped_range_loses_what_it_covers);
	tcase_add_test(m, unmap_reaches_the_cache);
	tcase_add_test(m, cache_follows_a_new_mapping_at_the_same_place);
	tcase_add_test(m, domain_made_anew_shares_nothing_with_the_old_one);
	tcase_add_test(m, contiguous_pages_are_one_slice);
	tcase_add_test(m, scattered_pages_are_slices_in_order);
	tcase_add_test(m, fault_in_the_middle_holds_nothing);
	tcase_add_test(m, many_holds_at_once);
	suite_add_tcase(s, t);
	suite_add_tcase(s, m);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
