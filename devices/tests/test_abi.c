/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>

#include "devices/tests/abi.h"

START_TEST(numbers_agree_with_the_kernels_headers)
{
	ck_assert_uint_eq(abi_nours, abi_nlinux);
	for (size_t i = 0; i < abi_nours; i++) {
		ck_assert_str_eq(abi_ours[i].name, abi_linux[i].name);
		ck_assert_msg(abi_ours[i].value == abi_linux[i].value, "%s",
			      abi_ours[i].name);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/abi");
	TCase *tc = tcase_create("abi");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, numbers_agree_with_the_kernels_headers);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
