/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "boot/hash.h"
#include "core/bits.h"

/* Known answers of XXH64. */
START_TEST(hashes_are_those_of_xxh64)
{
	static const struct {
		const char *text;
		uint64_t seed, want;
	} cases[] = {
		{"", 0, 0xef46db3751d8e999},
		{"a", 0, 0xd24ec4f1a98c6e5b},
		{"as", 0, 0x1c330fb2d66be179},
		{"asd", 0, 0x631c37ce72a97393},
		{"asdf", 0, 0x415872f599cea71e},
		{"Call me Ishmael. Some years ago--never mind how long "
		 "precisely-",
		 0, 0x02a2e85470d6fd96},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_uint_eq(hash64(cases[i].text, strlen(cases[i].text),
					 cases[i].seed),
				  cases[i].want);
}
END_TEST

START_TEST(every_byte_and_the_seed_count)
{
	uint8_t data[100] = {0};

	for (size_t len = 1; len <= sizeof(data); len++) {
		uint64_t h = hash64(data, len, 0);

		ck_assert_uint_ne(h, hash64(data, len, 1));
		ck_assert_uint_ne(h, hash64(data, len - 1, 0));
		for (size_t i = 0; i < len; i++) {
			data[i] = 1;
			ck_assert_uint_ne(h, hash64(data, len, 0));
			data[i] = 0;
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/hash");
	TCase *tc = tcase_create("hash");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, hashes_are_those_of_xxh64);
	tcase_add_test(tc, every_byte_and_the_seed_count);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
