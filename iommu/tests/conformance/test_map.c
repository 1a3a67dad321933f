/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * MAP.   [virtio 1.2, 5.13.6.5]
 */
#include "iommu/tests/conformance/conf.h"

#define MAP_AT(first, last, phys, flags) \
	vrig_map(&v, 1, first, last, phys, flags)

static void attach(void)
{
	OK(vrig_attach(&v, 1, 1, 0));
}

START_TEST(d29_unaligned_is_range)
{
	attach();
	FAILS(RANGE, MAP_AT(0x5001, 0x5fff, 0x5000, RW));
	FAILS(RANGE, MAP_AT(0x5800, 0x67ff, 0x5000, RW));
	FAILS(RANGE, MAP_AT(0x5000, 0x5ffe, 0x5000, RW));
	FAILS(RANGE, MAP_AT(0x5000, 0x6000, 0x5000, RW));
	FAILS(RANGE, MAP_AT(0x5000, 0x5fff, 0x5001, RW));
	FAILS(RANGE, MAP_AT(0x5000, 0x5fff, 0x5800, RW));
	FAILS(RANGE, MAP_AT(TOP - PAGE + 2, TOP, 0x5000, RW));
	ck_assert(!conf_can(1, 5));
}
END_TEST

START_TEST(d29_granule_is_the_lowest_bit_of_the_mask)
{
	struct iommu_config c = rig_config();

	c.page_size_mask = 0x10000;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	attach();
	FAILS(RANGE, MAP_AT(0x1000, 0xffff, 0, RW));
	FAILS(RANGE, MAP_AT(0, 0xfff, 0, RW));
	FAILS(RANGE, MAP_AT(0, 0xffff, 0x1000, RW));
	OK(MAP_AT(0, 0xffff, 0x10000, RW));
}
END_TEST

START_TEST(d30_overlap_is_invalid)
{
	attach();
	OK(MAP(1, 10, 10));
	FAILS(INVAL, MAP(1, 10, 10));
	FAILS(INVAL, MAP(1, 19, 1));
	FAILS(INVAL, MAP(1, 10, 1));
	FAILS(INVAL, MAP(1, 14, 2));
	FAILS(INVAL, MAP(1, 9, 2));
	FAILS(INVAL, MAP(1, 19, 2));
	FAILS(INVAL, MAP(1, 0, 100));
	OK(MAP(1, 9, 1));
	OK(MAP(1, 20, 1));
	/* Another domain has nothing to do with it. */
	OK(vrig_attach(&v, 2, 2, 0));
	OK(MAP(2, 10, 10));
}
END_TEST

START_TEST(d31_g10a_unknown_flag_is_invalid)
{
	attach();
	for (unsigned bit = 3; bit < 32; bit++)
		FAILS(INVAL, MAP_AT(0x5000, 0x5fff, 0x5000, RW | BIT(bit)));
	ck_assert(!conf_can(1, 5));
}
END_TEST

START_TEST(d32_map_without_a_domain_is_noent)
{
	FAILS(NOENT, MAP(1, 5, 1));
	attach();
	FAILS(NOENT, MAP(0, 5, 1));
	FAILS(NOENT, MAP(UINT32_MAX, 5, 1));
}
END_TEST

START_TEST(d34_g10e_access_needs_its_flag)
{
	attach();
	OK(MAP_AT(0x5000, 0x5fff, 0x5000, IOMMU_MAP_READ));
	OK(MAP_AT(0x6000, 0x6fff, 0x6000, IOMMU_MAP_WRITE));
	OK(MAP_AT(0x7000, 0x7fff, 0x7000, 0));
	OK(MAP_AT(0x8000, 0x8fff, 0x8000, RW));
	ck_assert(conf_may(1, 0x5000, DMA_READ));
	ck_assert(!conf_may(1, 0x5000, DMA_WRITE));
	ck_assert(!conf_may(1, 0x6000, DMA_READ));
	ck_assert(conf_may(1, 0x6000, DMA_WRITE));
	ck_assert(!conf_may(1, 0x7000, DMA_READ));
	ck_assert(!conf_may(1, 0x7000, DMA_WRITE));
	ck_assert(conf_may(1, 0x8000, DMA_READ));
	ck_assert(conf_may(1, 0x8000, DMA_WRITE));
}
END_TEST

START_TEST(d36_g7a_outside_the_input_range_fails)
{
	struct iommu_config c = rig_config();

	c.input_first = 0x10000;
	c.input_last = 0xfffff;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	attach();
	FAILS(RANGE, MAP_AT(0xf000, 0xffff, 0x5000, RW));
	FAILS(RANGE, MAP_AT(0xf000, 0x10fff, 0x5000, RW));
	FAILS(RANGE, MAP_AT(0xff000, 0x100fff, 0x5000, RW));
	FAILS(RANGE, MAP_AT(0, TOP, 0, RW));
	OK(MAP_AT(0x10000, 0xfffff, 0x10000, RW));
}
END_TEST

START_TEST(d37_g10f_mmio_flag_exists_only_when_negotiated)
{
	attach();
	OK(MAP_AT(0, PAGE - 1, 0, RW | IOMMU_MAP_MMIO));
	conf_restart(VRIG_FEATURES & ~BIT_ULL(VIOMMU_F_MMIO));
	attach();
	FAILS(INVAL, MAP_AT(0, PAGE - 1, 0, RW | IOMMU_MAP_MMIO));
	OK(MAP_AT(0, PAGE - 1, 0, RW));
}
END_TEST

START_TEST(g10d_mmio_mapping_reaches_memory_if_that_is_behind_it)
{
	attach();
	OK(MAP_AT(0x5000, 0x5fff, 0x9000, RW | IOMMU_MAP_MMIO));
	ck_assert_uint_eq(rig_where(&v.rig, 1, 0x5000), 0x9000);
	/* Registers of another device are no memory: no peer to peer. */
	OK(MAP_AT(0x6000, 0x6fff, GIB(3), RW | IOMMU_MAP_MMIO));
	ck_assert(!conf_may(1, 0x6000, DMA_WRITE));
}
END_TEST

START_TEST(g10c_range_that_ends_before_it_begins_is_invalid)
{
	attach();
	FAILS(INVAL, MAP_AT(0x5000, 0x4fff, 0x5000, RW));
	FAILS(INVAL, MAP_AT(TOP - PAGE + 1, 0, 0x5000, RW));
	FAILS(INVAL, MAP_AT(TOP, 0, 0x5000, RW));
	/* One byte where pages are larger is not aligned. */
	FAILS(RANGE, MAP_AT(0x5000, 0x5000, 0x5000, RW));
}
END_TEST

START_TEST(physical_address_may_be_anything)
{
	attach();
	/* No memory there: accepted, the access faults. */
	OK(MAP_AT(0x5000, 0x5fff, GIB(64), RW));
	ck_assert(!conf_can(1, 5));
	OK(MAP_AT(0x6000, 0x6fff, TOP - PAGE + 1, RW));
	ck_assert(!conf_can(1, 6));
	/* But it does not wrap. */
	FAILS(RANGE, MAP_AT(0x7000, 0x8fff, TOP - PAGE + 1, RW));
}
END_TEST

START_TEST(limit_of_mappings_is_nomem)
{
	struct iommu_config c = rig_config();

	c.max_mappings = 3;
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	attach();
	OK(MAP(1, 1, 1));
	OK(MAP(1, 2, 1));
	OK(MAP(1, 3, 1));
	FAILS(NOMEM, MAP(1, 4, 1));
	ck_assert(!conf_can(1, 4));
	OK(UNMAP(1, 1, 1));
	OK(MAP(1, 4, 1));
}
END_TEST

START_TEST(limit_of_table_bytes_is_nomem_and_changes_nothing)
{
	struct iommu_config c = rig_config();
	struct iommu_stats before, after;
	uint64_t n = 0;
	int status;

	c.max_memory = MIB(1);
	conf_anew(IOMMU_TOPOLOGY_NONE, &c, NULL);
	vrig_up(&v, VRIG_FEATURES);
	attach();
	/* As far apart as pages can be: a table each. */
	while ((status = MAP_AT(n << 40, (n << 40) + PAGE - 1, 0x5000, RW)) ==
	       IOMMU_OK) {
		iommu_get_stats(v.rig.i, &before);
		ck_assert_uint_le(before.table_bytes, MIB(1));
		n++;
	}
	FAILS(NOMEM, status);
	ck_assert_uint_ge(n, 8);
	iommu_get_stats(v.rig.i, &after);
	ck_assert_uint_eq(after.mappings, n);
	ck_assert_uint_eq(after.table_bytes, before.table_bytes);
	ck_assert(conf_may(1, (n - 1) << 40, DMA_READ));
	OK(vrig_unmap(&v, 1, 0, TOP));
	OK(MAP_AT(n << 40, (n << 40) + PAGE - 1, 0x5000, RW));
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, d29_unaligned_is_range);
	tcase_add_test(t, d29_granule_is_the_lowest_bit_of_the_mask);
	tcase_add_test(t, d30_overlap_is_invalid);
	tcase_add_test(t, d31_g10a_unknown_flag_is_invalid);
	tcase_add_test(t, d32_map_without_a_domain_is_noent);
	tcase_add_test(t, d34_g10e_access_needs_its_flag);
	tcase_add_test(t, d36_g7a_outside_the_input_range_fails);
	tcase_add_test(t, d37_g10f_mmio_flag_exists_only_when_negotiated);
	tcase_add_test(t,
		       g10d_mmio_mapping_reaches_memory_if_that_is_behind_it);
	tcase_add_test(t, g10c_range_that_ends_before_it_begins_is_invalid);
	tcase_add_test(t, physical_address_may_be_anything);
	tcase_add_test(t, limit_of_mappings_is_nomem);
	tcase_add_test(t, limit_of_table_bytes_is_nomem_and_changes_nothing);
}

int main(void)
{
	return conf_main("iommu/conformance/map", add);
}
