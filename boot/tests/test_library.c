/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "boot/codec.h"
#include "boot/library.h"
#include "core/bits.h"
#include "core/err.h"

struct math {
	double (*floor)(double);
	double (*ceil)(double);
};

static const struct library_function functions[] = {
	{"ceil", offsetof(struct math, ceil)},
	{"floor", offsetof(struct math, floor)},
	{"there_is_no_such_function", offsetof(struct math, floor)},
};

START_TEST(functions_are_where_they_were_asked_for)
{
	const struct library l = {"libm.so.6", "libc6", functions, 2};
	struct math m = {0};

	ck_assert(library_link(&l, &m));
	ck_assert(m.floor(1.5) == 1.0);
	ck_assert(m.ceil(1.5) == 2.0);
	ck_assert(library_link(&l, NULL));
}
END_TEST

START_TEST(library_without_a_function_is_not_there)
{
	const struct library l = {"libm.so.6", "libc6", functions, 3};
	struct math m;

	ck_assert(!library_link(&l, &m));
	ck_assert(!library_link(&l, NULL));
}
END_TEST

START_TEST(missing_library_is_named_with_its_package)
{
	const struct library l = {"libnosuch.so.7", "libnosuch7", functions, 2};
	const struct codec c = {.name = "nosuch", .library = &l};
	struct err err = {0};

	ck_assert(!library_link(&l, NULL));
	ck_assert_int_eq(codec_load(&c, &err), -ENOTSUP);
	ck_assert_str_eq(err.msg,
			 "it needs libnosuch.so.7 (Debian: libnosuch7), "
			 "which is missing");
}
END_TEST

START_TEST(codec_that_is_not_built_says_so)
{
	const struct codec c = {.name = "nosuch"};
	struct err err = {0};

	ck_assert_int_eq(codec_load(&c, &err), -ENOTSUP);
	ck_assert_str_eq(err.msg, "it is compressed with nosuch, and moat was "
				  "built without that");
}
END_TEST

/* What tests link is linked before; this one links nothing. */
START_TEST(every_codec_that_is_built_can_be_loaded)
{
	static const struct codec *const codecs[] = {&codec_gzip, &codec_xz,
						     &codec_lz4, &codec_zstd};
	const struct codec *c = codecs[_i];
	struct codec_stream *s = NULL;
	struct err err = {0};

	if (!codec_built(c))
		return;
	ck_assert_int_eq(codec_load(c, &err), 0);
	ck_assert_int_eq(c->new (&s), 0);
	c->free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/library");
	TCase *tc = tcase_create("library");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_test(tc, functions_are_where_they_were_asked_for);
	tcase_add_test(tc, library_without_a_function_is_not_there);
	tcase_add_test(tc, missing_library_is_named_with_its_package);
	tcase_add_test(tc, codec_that_is_not_built_says_so);
	tcase_add_loop_test(tc, every_codec_that_is_built_can_be_loaded, 0, 4);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
