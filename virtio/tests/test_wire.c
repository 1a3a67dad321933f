/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Our constants and layouts are those of the kernel's headers.
 */
#include "virtio/tests/wire_facts.h"

#include <check.h>
#include <stdlib.h>

START_TEST(ours_is_what_the_kernel_says)
{
	ck_assert_uint_eq(wire_facts_ours_count, wire_facts_kernel_count);
	for (size_t i = 0; i < wire_facts_ours_count; i++) {
		const struct wire_fact *ours = &wire_facts_ours[i];
		const struct wire_fact *kernel = &wire_facts_kernel[i];

		ck_assert_str_eq(ours->what, kernel->what);
		ck_assert_msg(ours->val == kernel->val, "%s: %#lx, not %#lx",
			      ours->what, ours->val, kernel->val);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio/wire");
	TCase *t = tcase_create("facts");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, ours_is_what_the_kernel_says);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
