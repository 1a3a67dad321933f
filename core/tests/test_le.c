/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/le.h"

#include <check.h>
#include <stdlib.h>

#include "core/bits.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 0xee};

START_TEST(little_endian_puts_the_low_byte_first)
{
	const le16_t a = le16_put(0x0201);
	const le32_t b = le32_put(0x04030201);
	const le64_t c = le64_put(0x0807060504030201);

	ck_assert_mem_eq(&a, bytes, 2);
	ck_assert_mem_eq(&b, bytes, 4);
	ck_assert_mem_eq(&c, bytes, 8);
	ck_assert_uint_eq(le16_get(a), 0x0201);
	ck_assert_uint_eq(le32_get(b), 0x04030201);
	ck_assert_uint_eq(le64_get(c), 0x0807060504030201);
}
END_TEST

START_TEST(big_endian_puts_the_high_byte_first)
{
	const be16_t a = be16_put(0x0102);
	const be32_t b = be32_put(0x01020304);
	const be64_t c = be64_put(0x0102030405060708);

	ck_assert_mem_eq(&a, bytes, 2);
	ck_assert_mem_eq(&b, bytes, 4);
	ck_assert_mem_eq(&c, bytes, 8);
	ck_assert_uint_eq(be16_get(a), 0x0102);
	ck_assert_uint_eq(be32_get(b), 0x01020304);
	ck_assert_uint_eq(be64_get(c), 0x0102030405060708);
}
END_TEST

START_TEST(loads_and_stores_need_no_alignment)
{
	uint8_t out[9] = {0};

	ck_assert_uint_eq(le16_load(bytes + 1), 0x0302);
	ck_assert_uint_eq(le32_load(bytes + 1), 0x05040302);
	ck_assert_uint_eq(le64_load(bytes + 1), 0xee08070605040302);
	le16_store(out + 1, 0x0302);
	ck_assert_mem_eq(out + 1, bytes + 1, 2);
	le32_store(out + 1, 0x05040302);
	ck_assert_mem_eq(out + 1, bytes + 1, 4);
	le64_store(out + 1, 0xee08070605040302);
	ck_assert_mem_eq(out + 1, bytes + 1, 8);
	ck_assert_uint_eq(out[0], 0);
}
END_TEST

START_TEST(any_size_from_1_to_8_touches_that_many_bytes)
{
	const unsigned size = (unsigned)_i;
	uint8_t out[9];

	memset(out, 0xaa, sizeof(out));
	le_store(out, size, 0x0807060504030201);
	ck_assert_mem_eq(out, bytes, size);
	for (unsigned i = size; i < sizeof(out); i++)
		ck_assert_uint_eq(out[i], 0xaa);
	ck_assert_uint_eq(le_load(bytes, size),
			  0x0807060504030201 & (UINT64_MAX >> (64 - 8 * size)));
}
END_TEST

START_TEST(alignment_at_the_ends_of_the_64_bit_space)
{
	ck_assert_uint_eq(align_up(0, 4096), 0);
	ck_assert_uint_eq(align_up(1, 4096), 4096);
	ck_assert_uint_eq(align_up(4096, 4096), 4096);
	ck_assert_uint_eq(align_up(4097, 4096), 8192);
	ck_assert_uint_eq(align_up(UINT64_MAX - 4095, 4096), UINT64_MAX - 4095);
	ck_assert_uint_eq(align_up(UINT64_MAX - 4094, 4096), 0);
	ck_assert_uint_eq(align_down(4095, 4096), 0);
	ck_assert_uint_eq(align_down(UINT64_MAX, 4096), UINT64_MAX - 4095);
	ck_assert_uint_eq(align_up(UINT64_MAX, 1), UINT64_MAX);
	ck_assert(is_aligned(0, 4096) && is_aligned(UINT64_MAX, 1));
	ck_assert(!is_aligned(4095, 4096));
}
END_TEST

START_TEST(zero_is_no_power_of_two)
{
	ck_assert(!is_pow2(0));
	ck_assert(is_pow2(1));
	ck_assert(is_pow2(2));
	ck_assert(!is_pow2(3));
	ck_assert(is_pow2(BIT_ULL(63)));
	ck_assert(!is_pow2(UINT64_MAX));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/le");
	TCase *tc = tcase_create("le");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_test(tc, little_endian_puts_the_low_byte_first);
	tcase_add_test(tc, big_endian_puts_the_high_byte_first);
	tcase_add_test(tc, loads_and_stores_need_no_alignment);
	tcase_add_loop_test(tc, any_size_from_1_to_8_touches_that_many_bytes, 1,
			    9);
	tcase_add_test(tc, alignment_at_the_ends_of_the_64_bit_space);
	tcase_add_test(tc, zero_is_no_power_of_two);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
