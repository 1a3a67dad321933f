/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/codec.h"
#include "boot/tests/load_fixture.h"
#include "core/bits.h"
#include "core/le.h"

START_TEST(vmlinux_is_entered_at_its_entry)
{
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_LONG);
	ck_assert_uint_eq(entry.rip, 0x1000010);
	ck_assert_uint_eq(entry.rsi, ZERO_PAGE);
	ck_assert_uint_eq(entry.rsp, 0x8ff0);
	ck_assert_str_eq(entry.how, "vmlinux");
	ck_assert(!entry.from_cache);
	ck_assert(guest_has_pattern(0x1000000, 0x1800));
}
END_TEST

static const struct codec *const codecs[] = {
	&codec_gzip,
	&codec_xz,
	&codec_lz4,
	&codec_zstd,
};

START_TEST(bzimage_is_unpacked_and_its_elf_entered)
{
	static const char *const how[] = {
		"bzImage, unpacked by moat (gzip)",
		"bzImage, unpacked by moat (xz)",
		"bzImage, unpacked by moat (lz4)",
		"bzImage, unpacked by moat (zstd)",
	};

	if (!codec_built(codecs[_i]))
		return;
	bzimage_pack(&bz, codecs[_i], &elf);
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_LONG);
	ck_assert_uint_eq(entry.rip, 0x1000010);
	ck_assert_str_eq(entry.how, how[_i]);
	ck_assert(guest_has_pattern(0x1000000, 0x1800));
	ck_assert(guest_has_pattern(0x1003000, 0x200));
	ck_assert_uint_eq(guest32(ZERO_PAGE + BZ_INIT_SIZE), MIB(1));
}
END_TEST

static void check_unpacks_itself(void)
{
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_LONG);
	ck_assert_uint_eq(entry.rip, 0x1000200);
	ck_assert_str_eq(entry.how, "bzImage, unpacks itself");
	/* Its first bytes; the signature behind it stays out. */
	ck_assert_uint_eq(guest32(MIB(16)), le32_load(bz.data + BZ_KERNEL_AT));
	ck_assert(guest_is_zero(MIB(16) + bz.len - 9 - BZ_KERNEL_AT, 16));
}

START_TEST(payload_of_unknown_compression_unpacks_itself)
{
	build_packed();
	check_unpacks_itself();
}
END_TEST

START_TEST(damaged_payload_unpacks_itself)
{
	if (!codec_built(codecs[_i]))
		return;
	bzimage_pack(&bz, codecs[_i], &elf);
	memset(bz.data + BZ_PAYLOAD_AT + 10, 0x55, 500);
	check_unpacks_itself();
}
END_TEST

START_TEST(payload_with_a_wrong_size_unpacks_itself)
{
	uint8_t *size;

	if (!codec_built(codecs[_i]))
		return;
	bzimage_pack(&bz, codecs[_i], &elf);
	size = bz.data + BZ_PAYLOAD_AT - 4 +
	       le32_load(bz.data + BZ_PAYLOAD_LENGTH);
	ck_assert_uint_eq(le32_load(size), elf.len);
	le32_store(size, (uint32_t)elf.len - 1);
	check_unpacks_itself();
	le32_store(size, (uint32_t)elf.len + 1);
	check_unpacks_itself();
	le32_store(size, 0);
	check_unpacks_itself();
	le32_store(size, UINT32_MAX);
	check_unpacks_itself();
}
END_TEST

START_TEST(payload_that_is_no_elf_unpacks_itself)
{
	if (!codec_built(&codec_zstd))
		return;
	elf.data[0] = 'X';
	bzimage_pack(&bz, &codec_zstd, &elf);
	check_unpacks_itself();
}
END_TEST

START_TEST(image_without_payload_unpacks_itself)
{
	build_packed();
	le32_store(bz.data + BZ_PAYLOAD_LENGTH, 0);
	check_unpacks_itself();
}
END_TEST

START_TEST(setup_sects_of_0_means_4)
{
	build_packed();
	bz.data[BZ_SETUP_SECTS] = 0;
	ck_assert_int_eq(load(&bz), -ENODATA); /* 2560 + syssize */
	buf_put_zero(&bz, 1536);
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_uint_eq(guest32(MIB(16)), le32_load(bz.data + 2560));
}
END_TEST

START_TEST(truncated_bzimage_is_told_from_one_that_is_none)
{
	size_t whole;

	build_packed();
	whole = bz.len - 9; /* the signature may be missing */
	for (bz.len = 0; bz.len < whole; bz.len++) {
		int r = load(&bz);

		ck_assert_msg(r == (bz.len < 0x206 ? -ENOEXEC : -ENODATA),
			      "%zu bytes: %d %s", bz.len, r, fx.err.msg);
	}
	ck_assert_int_eq(load(&bz), 0);
}
END_TEST

START_TEST(bzimage_too_old_is_refused)
{
	build_packed();
	le16_store(bz.data + BZ_VERSION, 0x20b);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	ck_assert_str_eq(message_without_path(),
			 "boot protocol 2.11 is too old, 2.12 (Linux 3.8) is "
			 "needed");
	le16_store(bz.data + BZ_VERSION, 0x20c);
	ck_assert_int_eq(load(&bz), 0);
	le16_store(bz.data + BZ_VERSION, 0);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
}
END_TEST

START_TEST(zimage_is_refused)
{
	build_packed();
	bz.data[BZ_LOADFLAGS] = 0;
	ck_assert_int_eq(load(&bz), -ENOEXEC);
}
END_TEST

START_TEST(setup_header_has_a_length)
{
	build_packed();
	bz.data[BZ_JUMP] = 0x61; /* without init_size */
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	bz.data[BZ_JUMP] = 0x62;
	ck_assert_int_eq(load(&bz), 0);
	bz.data[BZ_JUMP] =
		0xff; /* longer than there is room in the zero page */
	memset(bz.data + 0x26c, 0x77, 0x100);
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x28c), 0x77777777);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x290), 0);
}
END_TEST

START_TEST(payload_outside_the_image_is_refused)
{
	uint32_t size;

	build_packed();
	size = le32_load(bz.data + BZ_SYSSIZE) * 16;
	le32_store(bz.data + BZ_PAYLOAD_LENGTH, size - 0x2cc);
	ck_assert_int_eq(load(&bz), 0);
	le32_store(bz.data + BZ_PAYLOAD_LENGTH, size - 0x2cc + 1);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	le32_store(bz.data + BZ_PAYLOAD_OFFSET, UINT32_MAX);
	le32_store(bz.data + BZ_PAYLOAD_LENGTH, UINT32_MAX);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
}
END_TEST

START_TEST(packed_kernel_without_64_bit_entry_is_refused)
{
	build_packed();
	le16_store(bz.data + BZ_XLOADFLAGS, 0x7e);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	ck_assert_str_eq(message_without_path(),
			 "it has no 64-bit entry, and its compression is "
			 "unknown");
}
END_TEST

START_TEST(packed_kernel_goes_where_it_wants_if_that_is_memory)
{
	build_packed();
	le64_store(bz.data + BZ_PREF_ADDRESS, MIB(63));
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_uint_eq(entry.rip, MIB(63) + 0x200);
	le64_store(bz.data + BZ_PREF_ADDRESS, MIB(63) + 1);
	ck_assert_int_eq(load(&bz), -E2BIG);
	le64_store(bz.data + BZ_PREF_ADDRESS, MIB(1));
	ck_assert_int_eq(load(&bz), 0);
	le64_store(bz.data + BZ_PREF_ADDRESS, MIB(1) - 1);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	le64_store(bz.data + BZ_PREF_ADDRESS, 0);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	le64_store(bz.data + BZ_PREF_ADDRESS, UINT64_MAX);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	le64_store(bz.data + BZ_PREF_ADDRESS, GIB(4) - MIB(1));
	ck_assert_int_eq(load(&bz), -E2BIG);
	le64_store(bz.data + BZ_PREF_ADDRESS, MIB(16));
	le32_store(bz.data + BZ_INIT_SIZE, UINT32_MAX);
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	le32_store(bz.data + BZ_INIT_SIZE, MIB(48) + 1);
	ck_assert_int_eq(load(&bz), -E2BIG);
	le32_store(bz.data + BZ_INIT_SIZE, MIB(48));
	ck_assert_int_eq(load(&bz), 0);
}
END_TEST

START_TEST(pvh_on_request)
{
	config.protocol = BOOT_PVH;
	config.rsdp = 0xe0000;
	config.initrd = make_initrd(5000);
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_PVH);
	ck_assert_uint_eq(entry.rip, 0x1000020);
	ck_assert_uint_eq(entry.rbx, START_INFO);
	ck_assert_uint_eq(guest32(START_INFO), 0x336ec578);
	ck_assert_uint_eq(guest32(START_INFO + 4), 1);
	ck_assert_uint_eq(guest32(START_INFO + 12), 1);
	ck_assert_uint_eq(guest64(guest64(START_INFO + 16)), MIB(64) - 8192);
	ck_assert_uint_eq(guest64(guest64(START_INFO + 16) + 8), 5000);
	ck_assert_uint_eq(guest64(START_INFO + 24), CMDLINE);
	ck_assert_uint_eq(guest64(START_INFO + 32), 0xe0000);
	ck_assert_uint_eq(guest32(START_INFO + 48), 3);
}
END_TEST

START_TEST(pvh_memory_map_is_that_of_e820)
{
	gpa_t at;

	config.protocol = BOOT_PVH;
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(guest32(START_INFO + 12), 0); /* no module */
	at = guest64(START_INFO + 40);
	ck_assert_uint_eq(guest64(at), 0);
	ck_assert_uint_eq(guest64(at + 8), 0x9fc00);
	ck_assert_uint_eq(guest32(at + 16), 1);
	ck_assert_uint_eq(guest64(at + 24), 0x9fc00);
	ck_assert_uint_eq(guest32(at + 24 + 16), 2);
	ck_assert_uint_eq(guest64(at + 48), MIB(1));
	ck_assert_uint_eq(guest64(at + 48 + 8), MIB(63));
	ck_assert_uint_eq(guest32(at + 48 + 16), 1);
}
END_TEST

START_TEST(pvh_into_an_unpacked_bzimage)
{
	if (!codec_built(&codec_zstd))
		return;
	config.protocol = BOOT_PVH;
	bzimage_pack(&bz, &codec_zstd, &elf);
	ck_assert_int_eq(load(&bz), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_PVH);
	ck_assert_uint_eq(entry.rip, 0x1000020);
}
END_TEST

START_TEST(pvh_needs_its_entry)
{
	struct elf_plan plan = small_kernel;

	plan.pvh = 0;
	buf_fini(&elf);
	elf_build(&elf, &plan);
	config.protocol = BOOT_PVH;
	ck_assert_int_eq(load(&elf), -ENOEXEC);
	ck_assert_str_eq(message_without_path(), "it has no PVH entry");
	build_packed();
	ck_assert_int_eq(load(&bz), -ENOEXEC);
	ck_assert_str_eq(message_without_path(),
			 "cannot be entered by PVH: its compression is "
			 "unknown");
}
END_TEST

START_TEST(pvh_where_the_elf_has_only_that)
{
	struct elf_plan plan = small_kernel;

	plan.entry = 0xffffffff81000000;
	buf_fini(&elf);
	elf_build(&elf, &plan);
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_PVH);
	config.protocol = BOOT_LINUX;
	ck_assert_int_eq(load(&elf), -ENOEXEC);
	plan.pvh = 0x2000000; /* in no segment, either */
	config.protocol = BOOT_AUTO;
	buf_fini(&elf);
	elf_build(&elf, &plan);
	ck_assert_int_eq(load(&elf), -ENOEXEC);
	config.protocol = BOOT_PVH;
	ck_assert_int_eq(load(&elf), -ENOEXEC);
}
END_TEST

START_TEST(what_is_no_kernel_is_named)
{
	struct buf text;

	buf_init(&text);
	ck_assert_int_eq(load(&text), -ENOEXEC);
	ck_assert_str_eq(message_without_path(), "file is empty");
	buf_put(&text, "#!/bin/sh\n", 10);
	ck_assert_int_eq(load(&text), -ENOEXEC);
	ck_assert_str_eq(message_without_path(),
			 "neither an ELF (vmlinux) nor a bzImage for x86");
	ck_assert_uint_eq(entry.rip, 1); /* untouched */
	buf_fini(&text);
}
END_TEST

static int load_path(const char *path)
{
	config.kernel = path;
	return boot_linux_load(&fx.mem, &config, &entry, &fx.err);
}

START_TEST(kernel_that_cannot_be_read_is_named)
{
	const char *path;

	ck_assert_int_eq(load_path("/nonexistent"), -ENOENT);
	ck_assert_str_eq(fx.err.msg, "kernel '/nonexistent': No such file or "
				     "directory");
	ck_assert_int_eq(load_path("/"), -EISDIR);
	ck_assert_str_eq(fx.err.msg, "kernel '/': is a directory");
	ck_assert_int_eq(load_path("/dev/zero"), -EINVAL);
	path = fixture_path("pipe");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(load_path(path), -EINVAL); /* and does not wait */
	if (geteuid() == 0)
		return;
	path = fixture_file("secret", elf.data, elf.len);
	ck_assert_int_eq(chmod(path, 0), 0);
	ck_assert_int_eq(load_path(path), -EACCES);
}
END_TEST

START_TEST(without_an_err_only_the_code_comes)
{
	config.kernel = "/nonexistent";
	ck_assert_int_eq(boot_linux_load(&fx.mem, &config, &entry, NULL),
			 -ENOENT);
	config.kernel = fixture_file("k", "x", 1);
	ck_assert_int_eq(boot_linux_load(&fx.mem, &config, &entry, NULL),
			 -ENOEXEC);
}
END_TEST

START_TEST(kernel_larger_than_memory_is_refused)
{
	const struct gmem_slot small = {.size = MIB(16)};

	fixture_memory(&small, 1);
	ck_assert_int_eq(load(&elf), -E2BIG);
	ck_assert_str_eq(message_without_path(),
			 "needs memory up to 0x1001800, the guest has 16 MiB");
	build_packed();
	ck_assert_int_eq(load(&bz), -E2BIG);
}
END_TEST

int main(void)
{
	const int n = ARRAY_SIZE(codecs);
	Suite *s = suite_create("boot/linux");
	TCase *tc = tcase_create("linux");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, load_setup, load_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, vmlinux_is_entered_at_its_entry);
	tcase_add_test(tc, what_is_no_kernel_is_named);
	tcase_add_test(tc, kernel_that_cannot_be_read_is_named);
	tcase_add_test(tc, without_an_err_only_the_code_comes);
	tcase_add_test(tc, kernel_larger_than_memory_is_refused);
	tcase_add_loop_test(tc, bzimage_is_unpacked_and_its_elf_entered, 0, n);
	tcase_add_test(tc, payload_of_unknown_compression_unpacks_itself);
	tcase_add_loop_test(tc, damaged_payload_unpacks_itself, 0, n);
	tcase_add_loop_test(tc, payload_with_a_wrong_size_unpacks_itself, 0, n);
	tcase_add_test(tc, payload_that_is_no_elf_unpacks_itself);
	tcase_add_test(tc, image_without_payload_unpacks_itself);
	tcase_add_test(tc, setup_sects_of_0_means_4);
	tcase_add_test(tc, truncated_bzimage_is_told_from_one_that_is_none);
	tcase_add_test(tc, bzimage_too_old_is_refused);
	tcase_add_test(tc, zimage_is_refused);
	tcase_add_test(tc, setup_header_has_a_length);
	tcase_add_test(tc, payload_outside_the_image_is_refused);
	tcase_add_test(tc, packed_kernel_without_64_bit_entry_is_refused);
	tcase_add_test(tc, packed_kernel_goes_where_it_wants_if_that_is_memory);
	tcase_add_test(tc, pvh_on_request);
	tcase_add_test(tc, pvh_memory_map_is_that_of_e820);
	tcase_add_test(tc, pvh_into_an_unpacked_bzimage);
	tcase_add_test(tc, pvh_needs_its_entry);
	tcase_add_test(tc, pvh_where_the_elf_has_only_that);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
