/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The guest's parser: every refusal, each boundary from both sides, and that
 * it reads what moat's device writes.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/le.h"
#include "guest-tests/topology/topology.h"
#include "iommu/viommu_config.h"

#define V2     (UINT64_C(1) << TOPO_F_V2)
#define NATIVE (UINT64_C(1) << TOPO_F_NATIVE)

#define ITEMS 64

static const struct topo_self self = {.kind = TOPO_PCI, .requester = 8};

static uint8_t bytes[TOPO_BYTES_MAX + 64];
static size_t len;
static uint64_t features;
static struct topo_list list;
static struct topo_where where;

static void descriptor(uint32_t offset, uint32_t n, uint32_t stride)
{
	uint8_t *at = bytes + (features & NATIVE ? 48 : 36);

	le32_store(at, offset);
	le32_store(at + 4, n);
	le32_store(at + 8, stride);
}

static uint8_t *item(unsigned n)
{
	return bytes + le32_load(bytes + (features & NATIVE ? 48 : 36)) +
	       n * le32_load(bytes + (features & NATIVE ? 56 : 44));
}

static void put_pci(unsigned n, uint16_t segment, uint16_t first, uint16_t last,
		    uint32_t endpoint)
{
	le16_store(item(n), TOPO_PCI);
	le16_store(item(n) + 2, segment);
	le16_store(item(n) + 4, first);
	le16_store(item(n) + 6, last);
	le32_store(item(n) + 8, endpoint);
}

static void put_mmio(unsigned n, uint64_t address, uint32_t endpoint)
{
	le16_store(item(n), TOPO_MMIO);
	le16_store(item(n) + 2, 0);
	le32_store(item(n) + 4, endpoint);
	le64_store(item(n) + 8, address);
}

/* Two items that are good. */
static void setup(void)
{
	memset(bytes, 0, sizeof(bytes));
	features = V2;
	descriptor(ITEMS, 2, 16);
	put_pci(0, 0, 24, 39, 24);
	put_mmio(1, 0xd0000000, 7);
	len = ITEMS + 2 * 16;
}

static enum topo_result parse(void)
{
	static uint8_t untouched[sizeof(list)];
	enum topo_result r;

	memset(untouched, 0xa5, sizeof(untouched));
	memcpy(&list, untouched, sizeof(list));
	r = topo_parse(&list, bytes, len, features, &self, &where);
	if (r != TOPO_OK)
		ck_assert_mem_eq(&list, untouched, sizeof(list));
	return r;
}

static void expect(enum topo_result wanted)
{
	enum topo_result r = parse();

	ck_assert_msg(r == wanted, "%s", topo_reason(r));
}

static void expect_at(enum topo_result wanted, unsigned n, unsigned other)
{
	expect(wanted);
	ck_assert_uint_eq(where.item, n);
	ck_assert_uint_eq(where.other, other);
}

START_TEST(good_description_is_read)
{
	uint32_t id = 99;

	expect(TOPO_OK);
	ck_assert_uint_eq(list.n, 2);
	ck_assert(topo_endpoint_of_pci(&list, 0, 24, &id));
	ck_assert_uint_eq(id, 24);
	ck_assert(topo_endpoint_of_pci(&list, 0, 39, &id));
	ck_assert_uint_eq(id, 39);
	ck_assert(topo_endpoint_of_mmio(&list, 0xd0000000, &id));
	ck_assert_uint_eq(id, 7);
	ck_assert(!topo_endpoint_of_pci(&list, 0, 23, &id));
	ck_assert(!topo_endpoint_of_pci(&list, 0, 40, &id));
	ck_assert(!topo_endpoint_of_pci(&list, 1, 24, &id));
	ck_assert(!topo_endpoint_of_mmio(&list, 0xd0000001, &id));
	ck_assert_uint_eq(id, 7);
}
END_TEST

START_TEST(native_descriptor_wins_over_bit_6)
{
	memset(bytes, 0, sizeof(bytes));
	features = NATIVE | V2;
	bytes[36] = 1; /* bypass */
	descriptor(ITEMS, 1, 16);
	put_pci(0, 0, 16, 16, 1);
	expect(TOPO_OK);
	ck_assert_uint_eq(list.n, 1);
}
END_TEST

START_TEST(ratified_device_has_no_description)
{
	features = 0;
	expect(TOPO_ABSENT);
	/* Bit 6 is BYPASS_CONFIG there: 40 bytes, or zeroes behind them. */
	features = V2;
	memset(bytes, 0, sizeof(bytes));
	bytes[36] = 1;
	len = 40;
	expect(TOPO_ABSENT);
	len = 47;
	expect(TOPO_ABSENT);
	len = 48;
	expect(TOPO_ABSENT);
}
END_TEST

START_TEST(iommu_that_manages_nothing_is_no_error)
{
	descriptor(ITEMS, 0, 16);
	len = ITEMS;
	expect(TOPO_OK);
	ck_assert_uint_eq(list.n, 0);
}
END_TEST

START_TEST(structure_too_short_for_the_descriptor)
{
	features = NATIVE;
	descriptor(ITEMS, 1, 16);
	put_pci(0, 0, 16, 16, 1);
	len = 59;
	expect(TOPO_STRUCTURE_SHORT);
	len = 60;
	expect(TOPO_ITEMS_OUTSIDE);
}
END_TEST

START_TEST(items_begin_behind_the_descriptor)
{
	descriptor(40, 1, 16);
	expect(TOPO_OFFSET_EARLY);
	descriptor(0, 1, 16);
	expect(TOPO_OFFSET_EARLY);
	descriptor(48, 1, 16);
	put_pci(0, 0, 16, 16, 1);
	expect(TOPO_OK);
}
END_TEST

START_TEST(items_are_8_aligned)
{
	for (uint32_t off = 1; off < 8; off++) {
		descriptor(ITEMS + off, 1, 16);
		expect(TOPO_OFFSET_ODD);
	}
}
END_TEST

START_TEST(item_length_boundaries)
{
	descriptor(ITEMS, 1, 8);
	expect(TOPO_LENGTH_SMALL);
	descriptor(ITEMS, 1, 11);
	expect(TOPO_LENGTH_SMALL);
	descriptor(ITEMS, 1, 13);
	expect(TOPO_LENGTH_ODD);
	descriptor(ITEMS, 1, 12);
	expect(TOPO_OK);
	descriptor(ITEMS, 1, 32);
	expect(TOPO_OK);
	descriptor(ITEMS, 1, 36);
	expect(TOPO_ITEMS_OUTSIDE);
}
END_TEST

START_TEST(items_end_inside_the_structure)
{
	len = ITEMS + 2 * 16 - 1;
	expect(TOPO_ITEMS_OUTSIDE);
	len++;
	expect(TOPO_OK);
	descriptor(0xfffffff8, 1, 16);
	expect(TOPO_ITEMS_OUTSIDE);
	descriptor(ITEMS, TOPO_ITEMS_MAX, 0xfffffffc);
	expect(TOPO_ITEMS_OUTSIDE);
	/* count times length is 16 modulo 2^32 */
	descriptor(ITEMS, 0x10000001, 16);
	expect(TOPO_ITEMS_MANY);
	descriptor(ITEMS, 4, 0x40000004);
	expect(TOPO_ITEMS_OUTSIDE);
}
END_TEST

START_TEST(as_many_items_as_fit)
{
	len = TOPO_BYTES_MAX;
	descriptor(48, TOPO_ITEMS_MAX, 12);
	for (unsigned n = 0; n < TOPO_ITEMS_MAX; n++)
		put_pci(n, 0, (uint16_t)(16 + n), (uint16_t)(16 + n), n);
	expect(TOPO_OK);
	ck_assert_uint_eq(list.n, 337);
	descriptor(48, TOPO_ITEMS_MAX + 1, 12);
	expect(TOPO_ITEMS_MANY);
}
END_TEST

START_TEST(nothing_past_4_kib_is_read)
{
	len = sizeof(bytes);
	descriptor(4096 - 32, 2, 16);
	put_pci(0, 0, 24, 39, 24);
	put_pci(1, 0, 40, 40, 40);
	expect(TOPO_OK);
	descriptor(4096 - 24, 2, 16);
	expect(TOPO_ITEMS_OUTSIDE);
}
END_TEST

START_TEST(mmio_item_needs_its_length)
{
	descriptor(ITEMS, 2, 12);
	put_mmio(1, 0xd0000000, 7);
	expect_at(TOPO_ITEM_CUT, 1, 0);
}
END_TEST

START_TEST(range_that_runs_backwards)
{
	put_pci(0, 0, 39, 38, 24);
	expect_at(TOPO_ITEM_REVERSE, 0, 0);
	put_pci(0, 0, 39, 39, 24);
	expect(TOPO_OK);
}
END_TEST

START_TEST(ids_that_pass_the_end)
{
	put_pci(0, 0, 24, 39, UINT32_MAX - 14);
	expect_at(TOPO_ITEM_WRAPS, 0, 0);
	put_pci(0, 0, 24, 39, UINT32_MAX - 15);
	expect(TOPO_OK);
	put_pci(0, 1, 0, UINT16_MAX, UINT32_MAX - 0xffff);
	expect(TOPO_OK);
}
END_TEST

START_TEST(iommu_as_its_own_endpoint)
{
	put_pci(0, 0, 8, 8, 100);
	expect_at(TOPO_ITEM_SELF, 0, 0);
	put_pci(0, 0, 0, UINT16_MAX, 100);
	expect_at(TOPO_ITEM_SELF, 0, 0);
	put_pci(0, 0, 9, UINT16_MAX, 100);
	expect(TOPO_OK);
	put_pci(0, 0, 0, 7, 100);
	expect(TOPO_OK);
	put_pci(0, 1, 8, 8, 100);
	expect(TOPO_OK);
}
END_TEST

START_TEST(mmio_iommu_as_its_own_endpoint)
{
	const struct topo_self mmio = {TOPO_MMIO, .address = 0xd0000000};

	ck_assert_int_eq(topo_parse(&list, bytes, len, features, &mmio, &where),
			 TOPO_ITEM_SELF);
	ck_assert_uint_eq(where.item, 1);
}
END_TEST

START_TEST(device_described_twice)
{
	put_pci(1, 0, 39, 45, 100);
	expect_at(TOPO_PLACE_TWICE, 1, 0);
	put_pci(1, 0, 16, 24, 100);
	expect_at(TOPO_PLACE_TWICE, 1, 0);
	put_pci(1, 0, 40, 45, 100);
	expect(TOPO_OK);
	put_pci(1, 1, 24, 39, 100);
	expect(TOPO_OK);
	put_mmio(0, 0xd0000000, 8);
	put_mmio(1, 0xd0000000, 7);
	expect_at(TOPO_PLACE_TWICE, 1, 0);
}
END_TEST

START_TEST(id_used_twice)
{
	put_mmio(1, 0xd0000000, 24);
	expect_at(TOPO_ID_TWICE, 1, 0);
	put_mmio(1, 0xd0000000, 39);
	expect_at(TOPO_ID_TWICE, 1, 0);
	put_mmio(1, 0xd0000000, 40);
	expect(TOPO_OK);
	put_pci(1, 0, 16, 17, 23);
	expect_at(TOPO_ID_TWICE, 1, 0);
	put_pci(1, 0, 16, 17, 22);
	expect(TOPO_OK);
}
END_TEST

START_TEST(unknown_types_are_skipped)
{
	le16_store(item(0), 3);
	expect(TOPO_OK);
	ck_assert_uint_eq(list.n, 1);
	ck_assert_uint_eq(list.skipped, 1);
	le16_store(item(1), 0);
	expect(TOPO_OK);
	ck_assert_uint_eq(list.n, 0);
	ck_assert_uint_eq(list.skipped, 2);
}
END_TEST

START_TEST(reserved_field_is_ignored)
{
	le16_store(item(1) + 2, 0xffff);
	expect(TOPO_OK);
}
END_TEST

START_TEST(where_may_be_left_out)
{
	put_pci(0, 0, 39, 38, 24);
	ck_assert_int_eq(topo_parse(&list, bytes, len, features, &self, NULL),
			 TOPO_ITEM_REVERSE);
}
END_TEST

START_TEST(every_result_has_a_reason_of_its_own)
{
	for (int r = 0; r < TOPO_RESULTS; r++) {
		ck_assert_ptr_nonnull(topo_reason((enum topo_result)r));
		for (int other = 0; other < r; other++)
			ck_assert_str_ne(topo_reason((enum topo_result)r),
					 topo_reason((enum topo_result)other));
	}
	ck_assert_str_eq(topo_reason(TOPO_RESULTS), "unknown");
}
END_TEST

/* What moat's device says is what the guest reads, in each form. */
static void read_device(enum iommu_topology_form form)
{
	const struct iommu_config ic = {
		.page_size_mask = ~UINT64_C(0xfff),
		.input_last = UINT64_MAX,
		.domain_last = UINT32_MAX,
		.bypass = true,
	};
	struct iommu_topology t;
	struct viommu_config c = {.topology = &t, .form = form};
	uint32_t id;

	iommu_topology_init(&t);
	ck_assert_int_eq(iommu_new(&c.iommu, &ic, NULL), 0);
	ck_assert_int_eq(iommu_topology_add_pci(&t, 0, 24, 24, NULL), 0);
	ck_assert_int_eq(iommu_topology_add_pci(&t, 0, 40, 40, NULL), 0);
	ck_assert_int_eq(iommu_topology_add_mmio(&t, 0xd0000000, 300, NULL), 0);
	memset(bytes, 0, sizeof(bytes));
	viommu_config_fill(bytes, &c);
	len = viommu_config_size(&c);
	features = viommu_config_features(&c);
	if (form == IOMMU_TOPOLOGY_NONE) {
		expect(TOPO_ABSENT);
	} else {
		expect(TOPO_OK);
		ck_assert_uint_eq(list.n, 3);
		ck_assert(topo_endpoint_of_pci(&list, 0, 40, &id));
		ck_assert_uint_eq(id, 40);
		ck_assert(topo_endpoint_of_mmio(&list, 0xd0000000, &id));
		ck_assert_uint_eq(id, 300);
	}
	iommu_free(c.iommu);
	iommu_topology_fini(&t);
}

START_TEST(what_the_device_says_is_read)
{
	read_device(IOMMU_TOPOLOGY_NONE);
	read_device(IOMMU_TOPOLOGY_V2);
	read_device(IOMMU_TOPOLOGY_NATIVE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guest-tests/topology");
	TCase *t = tcase_create("topology");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, good_description_is_read);
	tcase_add_test(t, native_descriptor_wins_over_bit_6);
	tcase_add_test(t, ratified_device_has_no_description);
	tcase_add_test(t, iommu_that_manages_nothing_is_no_error);
	tcase_add_test(t, structure_too_short_for_the_descriptor);
	tcase_add_test(t, items_begin_behind_the_descriptor);
	tcase_add_test(t, items_are_8_aligned);
	tcase_add_test(t, item_length_boundaries);
	tcase_add_test(t, items_end_inside_the_structure);
	tcase_add_test(t, as_many_items_as_fit);
	tcase_add_test(t, nothing_past_4_kib_is_read);
	tcase_add_test(t, mmio_item_needs_its_length);
	tcase_add_test(t, range_that_runs_backwards);
	tcase_add_test(t, ids_that_pass_the_end);
	tcase_add_test(t, iommu_as_its_own_endpoint);
	tcase_add_test(t, mmio_iommu_as_its_own_endpoint);
	tcase_add_test(t, device_described_twice);
	tcase_add_test(t, id_used_twice);
	tcase_add_test(t, unknown_types_are_skipped);
	tcase_add_test(t, reserved_field_is_ignored);
	tcase_add_test(t, where_may_be_left_out);
	tcase_add_test(t, every_result_has_a_reason_of_its_own);
	tcase_add_test(t, what_the_device_says_is_read);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
