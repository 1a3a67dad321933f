/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "boot/cpio.h"
#include "boot/linux.h"
#include "core/buf.h"

#define HEADER 110

static struct buf b;

static void setup(void)
{
	buf_init(&b);
}

static void teardown(void)
{
	buf_fini(&b);
}

static unsigned long field(size_t at, unsigned index)
{
	char digits[9] = "";

	memcpy(digits, b.data + at + 6 + (size_t)8 * index, 8);
	return strtoul(digits, NULL, 16);
}

START_TEST(file_has_header_name_and_contents_at_multiples_of_4)
{
	cpio_file(&b, "ab", 0644, "hello", 5);
	/* 110 + 3 = 113, padded to 116; 116 + 5 = 121, padded to 124. */
	ck_assert_uint_eq(b.len, 124);
	ck_assert_mem_eq(b.data, "070701", 6);
	ck_assert_uint_eq(field(0, 1), 0100644);
	ck_assert_uint_eq(field(0, 4), 1);
	ck_assert_uint_eq(field(0, 6), 5);
	ck_assert_uint_eq(field(0, 11), 3);
	ck_assert_str_eq((char *)b.data + HEADER, "ab");
	ck_assert_mem_eq(b.data + 116, "hello\0\0\0", 8);
}
END_TEST

START_TEST(contents_follow_the_padded_name)
{
	/* 110 + 4 = 114, padded to 116. */
	cpio_file(&b, "abc", 0755, "12345678", 8);
	ck_assert_uint_eq(b.len, 124);
	ck_assert_mem_eq(b.data + 116, "12345678", 8);
}
END_TEST

START_TEST(empty_file_has_no_contents)
{
	cpio_file(&b, "a", 0600, NULL, 0);
	ck_assert_uint_eq(b.len, HEADER + 2);
	ck_assert_uint_eq(field(0, 6), 0);
}
END_TEST

START_TEST(directory_and_device_have_their_kind)
{
	size_t second;

	cpio_dir(&b, "dev", 0755);
	ck_assert_uint_eq(field(0, 1), 040755);
	second = b.len;
	cpio_char_device(&b, "dev/console", 0600, 5, 1);
	ck_assert_uint_eq(field(second, 1), 020600);
	ck_assert_uint_eq(field(second, 9), 5);
	ck_assert_uint_eq(field(second, 10), 1);
}
END_TEST

START_TEST(trailer_ends_it)
{
	cpio_end(&b);
	ck_assert_str_eq((char *)b.data + HEADER, "TRAILER!!!");
	ck_assert_uint_eq(b.len % 4, 0);
}
END_TEST

START_TEST(driver_is_found_in_an_archive_of_ours)
{
	struct boot_archive a;

	cpio_dir(&b, "m", 0755);
	cpio_file(&b, "m/other.ko", 0644, "x", 1);
	a = (struct boot_archive){b.data, b.len};
	ck_assert_int_eq(boot_archive_has_driver(&a), 0);
	cpio_file(&b, "m/virtio-iommu.ko", 0644, "xyz", 3);
	cpio_end(&b);
	a = (struct boot_archive){b.data, b.len};
	ck_assert_int_eq(boot_archive_has_driver(&a), 1);
	ck_assert_int_eq(boot_archive_has_driver(&(struct boot_archive){0}), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/cpio");
	TCase *tc = tcase_create("cpio");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, file_has_header_name_and_contents_at_multiples_of_4);
	tcase_add_test(tc, contents_follow_the_padded_name);
	tcase_add_test(tc, empty_file_has_no_contents);
	tcase_add_test(tc, directory_and_device_have_their_kind);
	tcase_add_test(tc, trailer_ends_it);
	tcase_add_test(tc, driver_is_found_in_an_archive_of_ours);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
