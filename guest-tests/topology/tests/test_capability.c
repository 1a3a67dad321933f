/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The guest's walk through a function's capabilities.   [virtio 1.2, 4.1.4]
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guest-tests/topology/topology.h"

static uint8_t config[256];
static struct topo_structure s;

/* A vendor capability at @at for a structure of @type. */
static void cap(uint8_t at, uint8_t next, uint8_t type, uint8_t bar)
{
	const uint8_t bytes[16] = {0x09, next, 16, type, bar,  0,    0, 0,
				   0x00, 0x10, 0,  0,	 0x40, 0x01, 0, 0};

	memcpy(config + at, bytes, sizeof(bytes));
}

static void setup(void)
{
	memset(config, 0, sizeof(config));
	config[0x06] = 0x10;
	config[0x34] = 0x40;
	cap(0x40, 0x50, TOPO_CFG_COMMON, 4);
	cap(0x50, 0, TOPO_CFG_DEVICE, 4);
}

static enum topo_result find(uint8_t type)
{
	return topo_find_structure(config, type, &s);
}

START_TEST(structure_is_found_behind_another)
{
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_OK);
	ck_assert_uint_eq(s.cap, 0x50);
	ck_assert_uint_eq(s.bar, 4);
	ck_assert_uint_eq(s.offset, 0x1000);
	ck_assert_uint_eq(s.length, 0x140);
}
END_TEST

START_TEST(first_usable_one_counts)
{
	cap(0x50, 0x60, TOPO_CFG_DEVICE, 6); /* a reserved BAR */
	cap(0x60, 0x70, TOPO_CFG_DEVICE, 5);
	cap(0x70, 0, TOPO_CFG_DEVICE, 4);
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_OK);
	ck_assert_uint_eq(s.bar, 5);
}
END_TEST

START_TEST(other_capabilities_are_passed_over)
{
	config[0x40] = 0x11; /* MSI-X */
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_OK);
	ck_assert_int_eq(find(TOPO_CFG_COMMON), TOPO_NO_STRUCTURE);
}
END_TEST

START_TEST(short_capability_is_passed_over)
{
	config[0x52] = 15;
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_NO_STRUCTURE);
}
END_TEST

START_TEST(capability_may_end_with_the_space_and_not_later)
{
	config[0x34] = 0xf0;
	cap(0xf0, 0, TOPO_CFG_DEVICE, 0);
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_OK);
	config[0x34] = 0xf4;
	memmove(config + 0xf4, config + 0xf0, 12);
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_NO_STRUCTURE);
}
END_TEST

START_TEST(list_may_be_missing)
{
	config[0x06] = 0;
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_NO_CAPABILITIES);
	config[0x06] = 0x10;
	config[0x34] = 0;
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_NO_CAPABILITIES);
}
END_TEST

START_TEST(pointer_into_the_header_is_refused)
{
	config[0x34] = 0x3c;
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_LIST_BROKEN);
}
END_TEST

START_TEST(circle_is_left)
{
	config[0x51] = 0x40;
	ck_assert_int_eq(find(TOPO_CFG_ISR), TOPO_LIST_BROKEN);
}
END_TEST

START_TEST(low_bits_of_pointers_mean_nothing)
{
	config[0x34] = 0x43;
	config[0x41] = 0x51;
	ck_assert_int_eq(find(TOPO_CFG_DEVICE), TOPO_OK);
}
END_TEST

static enum topo_result usable(uint32_t offset, uint32_t length, uint64_t size)
{
	const struct topo_structure x = {.offset = offset, .length = length};
	uint32_t usable_length = 77;
	enum topo_result r = topo_usable_length(&x, size, &usable_length);

	if (r == TOPO_OK)
		ck_assert_uint_eq(usable_length, length < 4096 ? length : 4096);
	else
		ck_assert_uint_eq(usable_length, 77);
	return r;
}

START_TEST(structure_has_to_lie_in_its_bar)
{
	ck_assert_int_eq(usable(0x1000, 0x1000, 0x2000), TOPO_OK);
	ck_assert_int_eq(usable(0x1000, 0x1001, 0x2000),
			 TOPO_STRUCTURE_OUTSIDE);
	ck_assert_int_eq(usable(0xfffffffc, 8, 0x2000), TOPO_STRUCTURE_OUTSIDE);
	ck_assert_int_eq(usable(0xfffffffc, 8, UINT64_C(1) << 33), TOPO_OK);
	ck_assert_int_eq(usable(0, 64, 0), TOPO_STRUCTURE_OUTSIDE);
	ck_assert_int_eq(usable(0, 0, 0x2000), TOPO_STRUCTURE_OUTSIDE);
	ck_assert_int_eq(usable(2, 64, 0x2000), TOPO_STRUCTURE_OUTSIDE);
	ck_assert_int_eq(usable(0, 0x2000, 0x2000), TOPO_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guest-tests/capability");
	TCase *t = tcase_create("capability");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, structure_is_found_behind_another);
	tcase_add_test(t, first_usable_one_counts);
	tcase_add_test(t, other_capabilities_are_passed_over);
	tcase_add_test(t, short_capability_is_passed_over);
	tcase_add_test(t, capability_may_end_with_the_space_and_not_later);
	tcase_add_test(t, list_may_be_missing);
	tcase_add_test(t, pointer_into_the_header_is_refused);
	tcase_add_test(t, circle_is_left);
	tcase_add_test(t, low_bits_of_pointers_mean_nothing);
	tcase_add_test(t, structure_has_to_lie_in_its_bar);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
