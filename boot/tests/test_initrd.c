/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/tests/load_fixture.h"
#include "core/bits.h"
#include "core/le.h"

static void check_initrd(gpa_t at, size_t len)
{
	uint8_t byte;

	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x218), at);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x21c), len);
	ck_assert_uint_eq(guest64(ZERO_PAGE + 0x0c0), 0); /* high halves */
	for (size_t i = 0; i < len; i += 97) {
		ck_assert_int_eq(gmem_read(&fx.mem, at + i, &byte, 1), 0);
		ck_assert_uint_eq(byte, i % 251);
	}
}

START_TEST(initrd_lies_at_the_end_of_low_memory)
{
	config.initrd = make_initrd(10000);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(MIB(64) - 3 * 4096, 10000);
}
END_TEST

START_TEST(initrd_of_whole_pages_ends_with_memory)
{
	config.initrd = make_initrd(8192);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(MIB(64) - 8192, 8192);
}
END_TEST

START_TEST(initrd_of_one_byte_has_a_page)
{
	config.initrd = make_initrd(1);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(MIB(64) - 4096, 1);
}
END_TEST

START_TEST(empty_initrd_is_none)
{
	config.initrd = make_initrd(0);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(0, 0);
}
END_TEST

START_TEST(initrd_stays_below_what_the_kernel_reaches)
{
	config.initrd = make_initrd(5000);
	build_packed();
	le32_store(bz.data + BZ_INITRD_MAX, MIB(32) - 1);
	ck_assert_int_eq(load(&bz), 0);
	check_initrd(MIB(32) - 8192, 5000);
	le32_store(bz.data + BZ_INITRD_MAX, UINT32_MAX);
	ck_assert_int_eq(load(&bz), 0);
	check_initrd(MIB(64) - 8192, 5000);
	le32_store(bz.data + BZ_INITRD_MAX, 0);
	ck_assert_int_eq(load(&bz), -E2BIG);
}
END_TEST

START_TEST(initrd_fills_what_the_kernel_leaves_and_no_more)
{
	const uint64_t room = MIB(64) - 0x1005000;

	config.initrd = make_initrd(room);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(0x1005000, room);
	ck_assert(guest_is_zero(0x1004200, 0x1005000 - 0x1004200));
	config.initrd = make_initrd(room + 1);
	ck_assert_int_eq(load(&elf), -E2BIG);
	ck_assert_ptr_nonnull(strstr(fx.err.msg, "initrd '"));
	ck_assert_str_eq(message_without_path(),
			 "49133 KiB do not fit into the 49132 KiB that the "
			 "kernel leaves of 64 MiB of memory");
}
END_TEST

START_TEST(initrd_stays_out_of_the_room_to_unpack)
{
	config.initrd = make_initrd(MIB(47));
	build_packed();
	ck_assert_int_eq(load(&bz), 0);
	check_initrd(MIB(17), MIB(47));
	le32_store(bz.data + BZ_INIT_SIZE, MIB(1) + 1);
	ck_assert_int_eq(load(&bz), -E2BIG);
}
END_TEST

START_TEST(initrd_larger_than_memory_is_refused)
{
	int fd;

	config.initrd = make_initrd(1);
	fd = open(config.initrd, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, (off_t)GIB(100)), 0);
	close(fd);
	ck_assert_int_eq(load(&elf), -E2BIG);
}
END_TEST

START_TEST(initrd_that_cannot_be_opened_is_named)
{
	config.initrd = "/nonexistent";
	ck_assert_int_eq(load(&elf), -ENOENT);
	ck_assert_str_eq(fx.err.msg, "initrd '/nonexistent': No such file or "
				     "directory");
	config.initrd = "/";
	ck_assert_int_eq(load(&elf), -EISDIR);
	ck_assert_str_eq(fx.err.msg, "initrd '/': is a directory");
	config.initrd = "/dev/null";
	ck_assert_int_eq(load(&elf), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/initrd");
	TCase *tc = tcase_create("initrd");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, load_setup, load_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, initrd_lies_at_the_end_of_low_memory);
	tcase_add_test(tc, initrd_of_whole_pages_ends_with_memory);
	tcase_add_test(tc, initrd_of_one_byte_has_a_page);
	tcase_add_test(tc, empty_initrd_is_none);
	tcase_add_test(tc, initrd_stays_below_what_the_kernel_reaches);
	tcase_add_test(tc, initrd_fills_what_the_kernel_leaves_and_no_more);
	tcase_add_test(tc, initrd_stays_out_of_the_room_to_unpack);
	tcase_add_test(tc, initrd_larger_than_memory_is_refused);
	tcase_add_test(tc, initrd_that_cannot_be_opened_is_named);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
