/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/topology.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"

static struct iommu_topology topo;
static struct err err;

static void setup(void)
{
	iommu_topology_init(&topo);
}

static void teardown(void)
{
	iommu_topology_fini(&topo);
}

static void pci(uint16_t rid, uint32_t id)
{
	ck_assert_int_eq(iommu_topology_add_pci(&topo, 0, rid, id, &err), 0);
}

START_TEST(functions_in_a_row_become_one_range)
{
	for (uint16_t rid = 24; rid <= 39; rid++)
		pci(rid, rid);
	ck_assert_uint_eq(topo.n, 1);
	ck_assert_uint_eq(topo.items[0].pci.first, 24);
	ck_assert_uint_eq(topo.items[0].pci.last, 39);
	ck_assert_uint_eq(topo.items[0].endpoint, 24);
	ck_assert_uint_eq(iommu_item_last_endpoint(&topo.items[0]), 39);
}
END_TEST

START_TEST(functions_in_reverse_become_one_range)
{
	for (uint16_t rid = 39; rid >= 24; rid--)
		pci(rid, rid + 100u);
	ck_assert_uint_eq(topo.n, 1);
	ck_assert_uint_eq(topo.items[0].pci.first, 24);
	ck_assert_uint_eq(topo.items[0].endpoint, 124);
}
END_TEST

START_TEST(function_that_closes_a_gap_joins_two_ranges)
{
	pci(8, 8);
	pci(10, 10);
	pci(12, 12);
	ck_assert_uint_eq(topo.n, 3);
	pci(9, 9);
	ck_assert_uint_eq(topo.n, 2);
	pci(11, 11);
	ck_assert_uint_eq(topo.n, 1);
	ck_assert_uint_eq(topo.items[0].pci.first, 8);
	ck_assert_uint_eq(topo.items[0].pci.last, 12);
	ck_assert_int_eq(iommu_topology_check(&topo, &err), 0);
}
END_TEST

START_TEST(no_range_over_a_jump_of_ids_or_segments)
{
	pci(8, 8);
	pci(9, 20);
	ck_assert_int_eq(iommu_topology_add_pci(&topo, 1, 10, 21, &err), 0);
	pci(UINT16_MAX, 30);
	pci(0, 31);
	ck_assert_uint_eq(topo.n, 5);
	ck_assert_int_eq(iommu_topology_check(&topo, &err), 0);
}
END_TEST

START_TEST(twice_is_refused)
{
	pci(8, 8);
	pci(9, 9);
	ck_assert_int_eq(iommu_topology_add_pci(&topo, 0, 9, 50, &err),
			 -EEXIST);
	ck_assert_str_eq(
		err.msg,
		"function 0000:00:01.1 is in the IOMMU's topology already");
	ck_assert_int_eq(iommu_topology_add_pci(&topo, 0, 50, 9, &err),
			 -EEXIST);
	ck_assert_str_eq(err.msg,
			 "endpoint 9 is in the IOMMU's topology already");
	ck_assert_int_eq(iommu_topology_add_mmio(&topo, 0x1000, 70, &err), 0);
	ck_assert_int_eq(iommu_topology_add_mmio(&topo, 0x1000, 71, &err),
			 -EEXIST);
	ck_assert_int_eq(iommu_topology_add_mmio(&topo, 0x2000, 8, &err),
			 -EEXIST);
	ck_assert_uint_eq(topo.n, 2);
}
END_TEST

START_TEST(list_may_be_full_and_not_more)
{
	for (uint16_t n = 0; n < IOMMU_TOPOLOGY_ITEMS_MAX; n++)
		pci((uint16_t)(2 * n), n);
	ck_assert_int_eq(iommu_topology_add_pci(&topo, 0, 1001, 5000, &err),
			 -ENOSPC);
	ck_assert_int_eq(iommu_topology_add_mmio(&topo, 0x1000, 5000, &err),
			 -ENOSPC);
	ck_assert_int_eq(iommu_topology_check(&topo, &err), 0);
	/* A function that joins a range needs no entry. */
	pci(499, 250);
	ck_assert_uint_eq(topo.n, IOMMU_TOPOLOGY_ITEMS_MAX);
}
END_TEST

START_TEST(v2_test_vector)
{
	/* Segment 0, 00:03.0 to 00:04.7, endpoints 24 to 39. */
	static const uint8_t want[16] = {1, 0, 0, 0, 0x18, 0, 0x27, 0, 0x18};
	uint8_t got[16];

	for (uint16_t rid = 24; rid <= 39; rid++)
		pci(rid, rid);
	iommu_topology_encode(&topo, got);
	ck_assert_mem_eq(got, want, 16);
}
END_TEST

START_TEST(mmio_item_bytes)
{
	static const uint8_t want[16] = {2,    0,    0,	   0,	 0x44, 0x33,
					 0x22, 0x11, 0x00, 0xf0, 0xde, 0xbc,
					 0x9a, 0x78, 0x56, 0x34};
	uint8_t got[16];

	ck_assert_int_eq(iommu_topology_add_mmio(&topo, 0x3456789abcdef000,
						 0x11223344, &err),
			 0);
	iommu_topology_encode(&topo, got);
	ck_assert_mem_eq(got, want, 16);
}
END_TEST

static void refused(struct iommu_item *items, size_t n, const char *why)
{
	const struct iommu_topology t = {.items = items, .n = n};

	ck_assert_int_eq(iommu_topology_check(&t, &err), -EINVAL);
	ck_assert_str_eq(err.msg, why);
}

START_TEST(empty_list_is_fine)
{
	ck_assert_int_eq(iommu_topology_check(&topo, &err), 0);
}
END_TEST

START_TEST(check_refuses_what_a_careful_guest_would)
{
	struct iommu_item items[2] = {
		{.place = IOMMU_PLACE_PCI, .endpoint = 1, .pci = {0, 8, 15}},
		{.place = IOMMU_PLACE_PCI, .endpoint = 20, .pci = {0, 16, 23}},
	};
	const struct iommu_topology good = {.items = items, .n = 2};

	ck_assert_int_eq(iommu_topology_check(&good, &err), 0);
	refused(items, 251,
		"the IOMMU's topology has 251 entries, at most 250 fit");
	items[1].pci.first = 15;
	refused(items, 2, "entries 0 and 1 of the IOMMU's topology overlap");
	items[1].pci.first = 24;
	refused(items, 2,
		"entry 1 of the IOMMU's topology ends before it begins");
	items[1].pci.first = 16;
	items[1].endpoint = 8;
	refused(items, 2, "entries 0 and 1 of the IOMMU's topology overlap");
	items[1].endpoint = UINT32_MAX - 6;
	refused(items, 2, "entry 1 of the IOMMU's topology has ids past 2^32");
	items[1].endpoint = UINT32_MAX - 7;
	ck_assert_int_eq(iommu_topology_check(&good, &err), 0);
	/* The same functions of another segment are others. */
	items[1] = (struct iommu_item){IOMMU_PLACE_PCI, 20, {{1, 8, 15}}};
	ck_assert_int_eq(iommu_topology_check(&good, &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/topology");
	TCase *t = tcase_create("topology");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, functions_in_a_row_become_one_range);
	tcase_add_test(t, functions_in_reverse_become_one_range);
	tcase_add_test(t, function_that_closes_a_gap_joins_two_ranges);
	tcase_add_test(t, no_range_over_a_jump_of_ids_or_segments);
	tcase_add_test(t, twice_is_refused);
	tcase_add_test(t, list_may_be_full_and_not_more);
	tcase_add_test(t, v2_test_vector);
	tcase_add_test(t, mmio_item_bytes);
	tcase_add_test(t, empty_list_is_fine);
	tcase_add_test(t, check_refuses_what_a_careful_guest_would);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
