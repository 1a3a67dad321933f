/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* A machine that has none of the libraries that unpack. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/library.h"
#include "boot/tests/load_fixture.h"

static const struct codec *const codecs[] = {
	&codec_gzip,
	&codec_xz,
	&codec_lz4,
	&codec_zstd,
};

/* In place of boot/library.c's. */
bool library_link(const struct library *l, void *ret_pointers)
{
	(void)l;
	(void)ret_pointers;
	return false;
}

START_TEST(packed_kernel_unpacks_itself_and_the_reason_is_told)
{
	const struct codec *c = codecs[_i];

	if (!codec_built(c))
		return;
	bzimage_pack(&bz, c, &elf);
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_uint_eq(entry.rip, 0x1000200);
	ck_assert_str_eq(entry.how, "bzImage, unpacks itself");
	ck_assert_ptr_nonnull(strstr(entry.packed_why.msg, c->library->file));
	ck_assert_ptr_nonnull(
		strstr(entry.packed_why.msg, c->library->package));
}
END_TEST

START_TEST(kernel_that_is_not_packed_needs_none)
{
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_str_eq(entry.how, "vmlinux");
	ck_assert_str_eq(entry.packed_why.msg, "");
}
END_TEST

START_TEST(nothing_is_unpacked)
{
	static const uint8_t in[64];
	struct codec_stream *s = NULL;
	uint8_t out[64];

	if (!codec_built(codecs[_i]))
		return;
	ck_assert_int_eq(codecs[_i]->unpack(in, sizeof(in), out, sizeof(out)),
			 -ELIBACC);
	ck_assert_int_eq(codecs[_i]->new (&s), -ELIBACC);
	ck_assert_ptr_null(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/no_library");
	TCase *tc = tcase_create("no_library");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, load_setup, load_teardown);
	suite_add_tcase(s, tc);
	tcase_add_loop_test(
		tc, packed_kernel_unpacks_itself_and_the_reason_is_told, 0, 4);
	tcase_add_test(tc, kernel_that_is_not_packed_needs_none);
	tcase_add_loop_test(tc, nothing_is_unpacked, 0, 4);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
