/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* The parser alone; names begin with the statement they answer. */
#include "iommu/request.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/le.h"

static const struct iommu_request_rules rules = {512, true};

static uint8_t buf[IOMMU_REQUEST_READABLE_MAX];
static struct iommu_request req;

static void setup(void)
{
	memset(buf, 0, sizeof(buf));
}

static enum iommu_verdict parse(size_t len, uint64_t writable)
{
	return iommu_request_parse(buf, len, writable, &rules, &req);
}

static void expect_status(size_t len, uint64_t writable,
			  enum iommu_status status)
{
	ck_assert_int_eq(parse(len, writable), IOMMU_VERDICT_REJECT);
	ck_assert_int_eq(req.status, status);
}

START_TEST(attach_fields)
{
	buf[0] = 1;
	le32_store(buf + 4, 0x11223344);
	le32_store(buf + 8, UINT32_MAX);
	le32_store(buf + 12, 1);
	ck_assert_int_eq(parse(20, 4), IOMMU_VERDICT_RUN);
	ck_assert_int_eq(req.type, IOMMU_REQUEST_ATTACH);
	ck_assert_uint_eq(req.domain, 0x11223344);
	ck_assert_uint_eq(req.endpoint, UINT32_MAX);
	ck_assert(req.bypass);
	ck_assert_uint_eq(req.reply, 4);
	le32_store(buf + 12, 0);
	ck_assert_int_eq(parse(20, 4), IOMMU_VERDICT_RUN);
	ck_assert(!req.bypass);
}
END_TEST

START_TEST(d13_head_reserved_is_ignored)
{
	for (uint8_t type = 1; type <= 5; type++) {
		buf[0] = type;
		buf[1] = buf[2] = buf[3] = 0xff;
		ck_assert_int_eq(parse(sizeof(buf), 516), IOMMU_VERDICT_RUN);
	}
}
END_TEST

START_TEST(d15_attach_reserved_is_invalid)
{
	buf[0] = 1;
	for (unsigned n = 16; n < 20; n++) {
		buf[n] = 0x80;
		expect_status(20, 4, IOMMU_INVAL);
		buf[n] = 0;
	}
}
END_TEST

START_TEST(d16_attach_unknown_flag_is_invalid)
{
	buf[0] = 1;
	for (unsigned bit = 1; bit < 32; bit++) {
		le32_store(buf + 12, BIT(bit) | 1);
		expect_status(20, 4, IOMMU_INVAL);
	}
}
END_TEST

START_TEST(d24_detach_reserved_is_ignored)
{
	buf[0] = 2;
	le32_store(buf + 4, 7);
	le32_store(buf + 8, 9);
	memset(buf + 12, 0xff, 8);
	ck_assert_int_eq(parse(20, 4), IOMMU_VERDICT_RUN);
	ck_assert_uint_eq(req.domain, 7);
	ck_assert_uint_eq(req.endpoint, 9);
}
END_TEST

START_TEST(map_fields)
{
	buf[0] = 3;
	le32_store(buf + 4, 5);
	le64_store(buf + 8, 0xfffffffffffff000);
	le64_store(buf + 16, UINT64_MAX);
	le64_store(buf + 24, 0x123456789000);
	le32_store(buf + 32, 7);
	ck_assert_int_eq(parse(36, 4), IOMMU_VERDICT_RUN);
	ck_assert_uint_eq(req.domain, 5);
	ck_assert_uint_eq(req.first, 0xfffffffffffff000);
	ck_assert_uint_eq(req.last, UINT64_MAX);
	ck_assert_uint_eq(req.phys, 0x123456789000);
	ck_assert_uint_eq(req.flags, 7);
}
END_TEST

START_TEST(d31_map_unknown_flag_is_invalid)
{
	buf[0] = 3;
	for (unsigned bit = 3; bit < 32; bit++) {
		le32_store(buf + 32, BIT(bit));
		expect_status(36, 4, IOMMU_INVAL);
	}
}
END_TEST

START_TEST(d37_mmio_flag_exists_only_when_negotiated)
{
	const struct iommu_request_rules without = {512, false};

	buf[0] = 3;
	le32_store(buf + 32, IOMMU_MAP_MMIO);
	ck_assert_int_eq(parse(36, 4), IOMMU_VERDICT_RUN);
	ck_assert_int_eq(iommu_request_parse(buf, 36, 4, &without, &req),
			 IOMMU_VERDICT_REJECT);
	ck_assert_int_eq(req.status, IOMMU_INVAL);
}
END_TEST

START_TEST(range_that_ends_before_it_begins_is_invalid)
{
	buf[0] = 3;
	le64_store(buf + 8, 0x2000);
	le64_store(buf + 16, 0x1fff);
	expect_status(36, 4, IOMMU_INVAL);
	buf[0] = 4;
	expect_status(28, 4, IOMMU_INVAL);
}
END_TEST

START_TEST(d38_unmap_reserved_is_invalid)
{
	buf[0] = 4;
	for (unsigned n = 24; n < 28; n++) {
		buf[n] = 1;
		expect_status(28, 4, IOMMU_INVAL);
		buf[n] = 0;
	}
	ck_assert_int_eq(parse(28, 4), IOMMU_VERDICT_RUN);
}
END_TEST

START_TEST(d44_probe_reserved_is_ignored)
{
	buf[0] = 5;
	le32_store(buf + 4, 3);
	memset(buf + 8, 0xff, 64);
	ck_assert_int_eq(parse(72, 516), IOMMU_VERDICT_RUN);
	ck_assert_uint_eq(req.endpoint, 3);
	ck_assert_uint_eq(req.reply, 516);
}
END_TEST

START_TEST(d46_probe_is_unknown_when_not_offered)
{
	const struct iommu_request_rules without = {0, true};

	buf[0] = 5;
	ck_assert_int_eq(iommu_request_parse(buf, 72, 516, &without, &req),
			 IOMMU_VERDICT_IGNORE);
}
END_TEST

START_TEST(d50_probe_buffer_one_short_is_invalid)
{
	buf[0] = 5;
	expect_status(72, 515, IOMMU_INVAL);
	ck_assert_uint_eq(req.reply, 515);
	expect_status(72, 4, IOMMU_INVAL);
	ck_assert_uint_eq(req.reply, 4);
	ck_assert_int_eq(parse(72, 3), IOMMU_VERDICT_IGNORE);
	ck_assert_int_eq(parse(72, 517), IOMMU_VERDICT_RUN);
	ck_assert_uint_eq(req.reply, 516);
}
END_TEST

START_TEST(d11_unknown_type_is_ignored)
{
	for (unsigned type = 0; type < 256; type++) {
		buf[0] = (uint8_t)type;
		ck_assert_int_eq(parse(sizeof(buf), 600) ==
					 IOMMU_VERDICT_IGNORE,
				 type < 1 || type > 5);
	}
}
END_TEST

START_TEST(d12_without_room_for_the_tail_is_ignored)
{
	for (uint8_t type = 1; type <= 5; type++) {
		buf[0] = type;
		for (unsigned n = 0; n < 4; n++)
			ck_assert_int_eq(parse(sizeof(buf), n),
					 IOMMU_VERDICT_IGNORE);
	}
}
END_TEST

START_TEST(request_one_byte_short_is_invalid)
{
	static const size_t sizes[] = {0, 20, 20, 36, 28, 72};

	for (uint8_t type = 1; type <= 5; type++) {
		buf[0] = type;
		expect_status(sizes[type] - 1, 516, IOMMU_INVAL);
		expect_status(4, 516, IOMMU_INVAL);
		ck_assert_int_eq(parse(sizes[type], 516), IOMMU_VERDICT_RUN);
		for (unsigned n = 0; n < 4; n++)
			ck_assert_int_eq(parse(n, 516), IOMMU_VERDICT_IGNORE);
	}
}
END_TEST

START_TEST(longer_buffers_are_no_error)
{
	buf[0] = 2;
	ck_assert_int_eq(parse(sizeof(buf), UINT64_MAX), IOMMU_VERDICT_RUN);
	ck_assert_uint_eq(req.reply, 4);
}
END_TEST

START_TEST(d13_tail_reserved_is_zero)
{
	uint8_t tail[4] = {9, 9, 9, 9};

	iommu_request_tail(tail, IOMMU_NOMEM);
	ck_assert_mem_eq(tail, "\x08\0\0\0", 4);
}
END_TEST

START_TEST(d47_d48_d52_resv_mem_bytes)
{
	const struct iommu_resv_region msi = {IOMMU_RESV_MSI, 0xfee00000,
					      0xfeefffff};
	static const uint8_t want[24] = {1,    0,    20,   0,	 1, 0, 0, 0,
					 0,    0,    0xe0, 0xfe, 0, 0, 0, 0,
					 0xff, 0xff, 0xef, 0xfe, 0, 0, 0, 0};
	uint8_t got[24];

	iommu_property_resv(got, &msi);
	ck_assert_mem_eq(got, want, 24);
}
END_TEST

START_TEST(d56_d57_fault_bytes)
{
	const struct iommu_fault f = {IOMMU_FAULT_MAPPING, DMA_WRITE, 0x18,
				      0x123456789abcdef0};
	static const uint8_t want[24] = {2,    0,    0,	   0,	 2,    1,
					 0,    0,    0x18, 0,	 0,    0,
					 0,    0,    0,	   0,	 0xf0, 0xde,
					 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12};
	uint8_t got[24];

	iommu_fault_record(got, &f);
	ck_assert_mem_eq(got, want, 24);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/request");
	TCase *t = tcase_create("request");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, attach_fields);
	tcase_add_test(t, d13_head_reserved_is_ignored);
	tcase_add_test(t, d15_attach_reserved_is_invalid);
	tcase_add_test(t, d16_attach_unknown_flag_is_invalid);
	tcase_add_test(t, d24_detach_reserved_is_ignored);
	tcase_add_test(t, map_fields);
	tcase_add_test(t, d31_map_unknown_flag_is_invalid);
	tcase_add_test(t, d37_mmio_flag_exists_only_when_negotiated);
	tcase_add_test(t, range_that_ends_before_it_begins_is_invalid);
	tcase_add_test(t, d38_unmap_reserved_is_invalid);
	tcase_add_test(t, d44_probe_reserved_is_ignored);
	tcase_add_test(t, d46_probe_is_unknown_when_not_offered);
	tcase_add_test(t, d50_probe_buffer_one_short_is_invalid);
	tcase_add_test(t, d11_unknown_type_is_ignored);
	tcase_add_test(t, d12_without_room_for_the_tail_is_ignored);
	tcase_add_test(t, request_one_byte_short_is_invalid);
	tcase_add_test(t, longer_buffers_are_no_error);
	tcase_add_test(t, d13_tail_reserved_is_zero);
	tcase_add_test(t, d47_d48_d52_resv_mem_bytes);
	tcase_add_test(t, d56_d57_fault_bytes);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
