/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/linux.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"
#include "core/le.h"

static const struct codec *const codecs[] = {
	&codec_gzip,
	&codec_xz,
	&codec_lz4,
	&codec_zstd,
};

static struct buf archive, initrd, elf;
static const char *where;

static void setup(void)
{
	fixture_setup();
	buf_init(&archive);
	buf_init(&initrd);
	buf_init(&elf);
	elf_build(&elf, &small_kernel);
}

static void teardown(void)
{
	buf_fini(&archive);
	buf_fini(&initrd);
	buf_fini(&elf);
	fixture_teardown();
}

static void put_file(struct buf *b, const char *name, size_t size)
{
	char header[128];

	(void)snprintf(header, sizeof(header),
		       "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X"
		       "%08zX%08X",
		       1, 0100644, 0, 0, 1, 0, size, 0, 0, 0, 0,
		       strlen(name) + 1, 0);
	buf_put(b, header, 110);
	buf_put(b, name, strlen(name) + 1);
	buf_align(b, 4);
	for (size_t i = 0; i < size; i++)
		buf_put8(b, pattern(i));
	buf_align(b, 4);
}

static void put_end(struct buf *b)
{
	put_file(b, "TRAILER!!!", 0);
	buf_align(b, 512);
}

/* An archive as distributions have it, with @module in the midst. */
static void put_archive(struct buf *b, const char *module)
{
	char name[128];

	put_file(b, ".", 0);
	put_file(b, "bin/busybox", 100001);
	if (module) {
		(void)snprintf(name, sizeof(name),
			       "lib/modules/6.12/kernel/drivers/iommu/%s",
			       module);
		put_file(b, name, 1234);
	}
	put_file(b, "sbin/init", 70);
	put_end(b);
}

static int find_in(const struct buf *ird)
{
	where = NULL;
	return boot_find_driver(fixture_file("k", elf.data, elf.len),
				fixture_file("initrd", ird->data, ird->len),
				NULL, &where, &fx.err);
}

static int find_in_kernel(const struct buf *k, const char *cache_dir)
{
	where = NULL;
	return boot_find_driver(fixture_file("k", k->data, k->len), NULL,
				cache_dir, &where, &fx.err);
}

START_TEST(module_in_the_initrd_is_found)
{
	static const char *const names[] = {
		"virtio-iommu.ko",     "virtio-iommu.ko.xz",
		"virtio-iommu.ko.zst", "virtio-iommu.ko.gz",
		"virtio_iommu.ko",
	};

	put_archive(&archive, names[_i]);
	ck_assert_int_eq(find_in(&archive), 1);
	ck_assert_str_eq(where, "its module is in the initrd");
}
END_TEST

START_TEST(other_names_are_not_the_module)
{
	static const char *const names[] = {
		"virtio-iommu",	   "xvirtio-iommu.ko",	  "virtio-iommu.kox",
		"virtio-iommu.k",  "virtio-iommu.ko/x",	  "virtio iommu.ko",
		"Virtio-iommu.ko", "virtio-iommu.ko-old",
	};

	put_archive(&archive, names[_i]);
	ck_assert_int_eq(find_in(&archive), 0);
	ck_assert_str_eq(where, "neither in the initrd nor in the kernel");
}
END_TEST

START_TEST(module_at_the_top_of_the_archive_is_found)
{
	put_file(&archive, "virtio-iommu.ko", 0);
	ck_assert_int_eq(find_in(&archive), 1);
}
END_TEST

START_TEST(module_in_a_later_archive_is_found)
{
	put_archive(&archive, NULL);
	buf_put_zero(&archive, 4096 + 4);
	put_archive(&archive, "virtio-iommu.ko");
	ck_assert_int_eq(find_in(&archive), 1);
}
END_TEST

START_TEST(module_in_a_compressed_archive_is_found)
{
	if (!codec_built(codecs[_i]))
		return;
	put_archive(&archive, "virtio-iommu.ko.xz");
	codec_pack(&initrd, codecs[_i], archive.data, archive.len);
	ck_assert_int_eq(find_in(&initrd), 1);
}
END_TEST

START_TEST(compressed_archive_without_it_is_read_to_its_end)
{
	if (!codec_built(codecs[_i]))
		return;
	put_archive(&archive, NULL);
	codec_pack(&initrd, codecs[_i], archive.data, archive.len);
	ck_assert_int_eq(find_in(&initrd), 0);
	ck_assert_str_eq(where, "neither in the initrd nor in the kernel");
}
END_TEST

/* Early microcode, then the main archive, compressed; then one more. */
START_TEST(archives_of_all_kinds_in_a_row_are_searched)
{
	struct buf late;

	if (!codec_built(codecs[_i]))
		return;
	put_file(&initrd, "kernel/x86/microcode/GenuineIntel.bin", 5000);
	put_end(&initrd);
	put_archive(&archive, NULL);
	codec_pack(&initrd, codecs[_i], archive.data, archive.len);
	ck_assert_int_eq(find_in(&initrd), 0);
	buf_put_zero(&initrd, 8);
	buf_align(&initrd, 4);
	buf_init(&late);
	put_archive(&late, "virtio-iommu.ko");
	buf_put(&initrd, late.data, late.len);
	buf_fini(&late);
	ck_assert_int_eq(find_in(&initrd), 1);
}
END_TEST

START_TEST(archive_inside_a_row_of_compressed_ones_is_found)
{
	struct buf late;

	if (!codec_built(&codec_zstd) || !codec_built(&codec_gzip))
		return;
	put_archive(&archive, NULL);
	codec_pack(&initrd, &codec_gzip, archive.data, archive.len);
	codec_pack(&initrd, &codec_zstd, archive.data, archive.len);
	buf_init(&late);
	put_archive(&late, "virtio-iommu.ko");
	codec_pack(&initrd, &codec_gzip, late.data, late.len);
	buf_fini(&late);
	ck_assert_int_eq(find_in(&initrd), 1);
}
END_TEST

START_TEST(module_in_the_tenth_part_is_found)
{
	if (!codec_built(&codec_gzip))
		return;
	put_archive(&archive, NULL);
	for (unsigned i = 0; i < 9; i++)
		codec_pack(&initrd, &codec_gzip, archive.data, archive.len);
	put_archive(&initrd, "virtio-iommu.ko");
	ck_assert_int_eq(find_in(&initrd), 1);
}
END_TEST

START_TEST(junk_in_a_compressed_part_does_not_hide_the_next_one)
{
	uint32_t random = 1;

	if (!codec_built(codecs[_i]))
		return;
	put_archive(&archive, NULL);
	for (unsigned i = 0; i < 300000; i++) {
		random = random * 1664525 + 1013904223;
		buf_put8(&archive, (uint8_t)(random >> 24));
	}
	codec_pack(&initrd, codecs[_i], archive.data, archive.len);
	buf_put_zero(&initrd, 8);
	put_archive(&initrd, "virtio-iommu.ko");
	ck_assert_int_eq(find_in(&initrd), 1);
}
END_TEST

START_TEST(unknown_initrd_is_told)
{
	buf_put(&initrd, "BZh91AY&SY", 10);
	ck_assert_int_eq(find_in(&initrd), 0);
	ck_assert_str_eq(where, "not built into the kernel, and the initrd's "
				"format is not known");
}
END_TEST

START_TEST(initrd_of_nothing_has_no_driver)
{
	ck_assert_int_eq(find_in(&initrd), 0);
	buf_put_zero(&initrd, 100000);
	ck_assert_int_eq(find_in(&initrd), 0);
	ck_assert_str_eq(where, "neither in the initrd nor in the kernel");
}
END_TEST

START_TEST(truncated_initrd_is_searched_as_far_as_it_goes)
{
	size_t whole;

	put_file(&archive, "a", 5);
	put_file(&archive, "virtio-iommu.ko", 0);
	whole = archive.len;
	for (archive.len = 0; archive.len < whole; archive.len++)
		ck_assert_int_eq(find_in(&archive), archive.len >= 246);
	ck_assert_int_eq(find_in(&archive), 1);
}
END_TEST

START_TEST(cpio_headers_are_not_trusted)
{
	static const struct {
		unsigned at;
		const char *digits;
	} cases[] = {
		{6 + 8 * 6, "FFFFFFFF"},  /* file size */
		{6 + 8 * 11, "FFFFFFFF"}, /* name size */
		{6 + 8 * 11, "00000000"}, {6 + 8 * 11, "00001001"},
		{6 + 8 * 11, "0000000g"}, {6 + 8 * 6, "-0000001"},
	};

	put_file(&archive, "a", 5);
	put_file(&archive, "virtio-iommu.ko", 0);
	memcpy(archive.data + cases[_i].at, cases[_i].digits, 8);
	ck_assert_int_eq(find_in(&archive), 0);
}
END_TEST

START_TEST(many_tiny_parts_end_the_search_in_time)
{
	struct buf one;

	if (!codec_built(&codec_gzip))
		return;
	buf_init(&one);
	codec_pack(&one, &codec_gzip, "", 0);
	for (unsigned i = 0; i < 50000; i++)
		buf_put(&initrd, one.data, one.len);
	buf_fini(&one);
	ck_assert_int_eq(find_in(&initrd), 0);
}
END_TEST

static void build_kernel(const char *text)
{
	struct elf_plan plan = small_kernel;

	plan.text = text;
	buf_fini(&elf);
	elf_build(&elf, &plan);
}

static const char fault_text[] = "%s fault from EP %u at %#llx [%s%s%s]";

START_TEST(driver_text_in_the_kernel_is_found)
{
	build_kernel(fault_text);
	ck_assert_int_eq(find_in_kernel(&elf, NULL), 1);
	ck_assert_str_eq(where, "it is built into the kernel");
}
END_TEST

START_TEST(acpi_names_of_the_device_are_not_the_driver)
{
	build_kernel("ACPI_VIOT_NODE_VIRTIO_IOMMU_PCI virtio_iommu "
		     "acpi_viot_virtio_iommu_pci viommu");
	ck_assert_int_eq(find_in_kernel(&elf, NULL), 0);
	ck_assert_str_eq(where, "not built into the kernel, and no initrd");
}
END_TEST

START_TEST(driver_text_across_two_reads_is_found)
{
	struct elf_plan plan = small_kernel;

	/* Around the end of the first MiB of the file, byte by byte. */
	for (unsigned i = 0; i < 4 * sizeof(fault_text); i++) {
		plan.segments[1].at = MIB(20);
		plan.segments[0].filesz = MIB(1) - 300 + i;
		plan.segments[0].memsz = MIB(2);
		plan.text = fault_text;
		buf_fini(&elf);
		elf_build(&elf, &plan);
		ck_assert_int_eq(find_in_kernel(&elf, NULL), 1);
	}
}
END_TEST

static void build_kernel_with_config(const char *config, const char *text)
{
	build_kernel(text);
	buf_put(&elf, "IKCFG_ST", 8);
	codec_pack(&elf, &codec_gzip, config, strlen(config));
	buf_put(&elf, "IKCFG_ED", 8);
}

START_TEST(configuration_in_the_kernel_is_asked_first)
{
	if (!codec_built(&codec_gzip))
		return;
	build_kernel_with_config("#\nCONFIG_VIRTIO_IOMMU=y\n", NULL);
	ck_assert_int_eq(find_in_kernel(&elf, NULL), 1);
	ck_assert_str_eq(where, "the kernel's configuration has it built in");
	build_kernel_with_config("#\nCONFIG_VIRTIO_IOMMU=m\n", fault_text);
	ck_assert_int_eq(find_in_kernel(&elf, NULL), 0);
	build_kernel_with_config("#\n# CONFIG_VIRTIO_IOMMU is not set\n", NULL);
	ck_assert_int_eq(find_in_kernel(&elf, NULL), 0);
}
END_TEST

START_TEST(damaged_configuration_leaves_it_to_the_text)
{
	if (!codec_built(&codec_gzip))
		return;
	build_kernel_with_config("#\nCONFIG_VIRTIO_IOMMU=m\n", fault_text);
	elf.len -= 20;
	ck_assert_int_eq(find_in_kernel(&elf, NULL), 1);
	ck_assert_str_eq(where, "it is built into the kernel");
}
END_TEST

START_TEST(driver_in_a_bzimage_is_found)
{
	struct buf b;

	if (!codec_built(codecs[_i]))
		return;
	build_kernel(fault_text);
	buf_init(&b);
	bzimage_pack(&b, codecs[_i], &elf);
	ck_assert_int_eq(find_in_kernel(&b, NULL), 1);
	buf_fini(&b);
}
END_TEST

START_TEST(search_of_a_bzimage_is_kept_in_the_cache)
{
	struct boot_linux_config config = {.cache_dir = fx.dir};
	struct boot_entry e;
	struct buf b;

	if (!codec_built(&codec_zstd))
		return;
	build_kernel(_i ? fault_text : NULL);
	buf_init(&b);
	bzimage_pack(&b, &codec_zstd, &elf);
	ck_assert_int_eq(find_in_kernel(&b, fx.dir), _i);
	ck_assert_int_eq(find_in_kernel(&b, fx.dir), _i);
	config.kernel = fixture_path("k");
	ck_assert_int_eq(boot_linux_load(&fx.mem, &config, &e, &fx.err), 0);
	ck_assert(e.from_cache);
	buf_fini(&b);
}
END_TEST

START_TEST(packed_kernel_that_stays_packed_is_told)
{
	struct buf b;

	buf_init(&b);
	bzimage_build(&b, "of an unknown compression", 26);
	ck_assert_int_eq(find_in_kernel(&b, NULL), 0);
	ck_assert_str_eq(where, "moat cannot unpack the kernel to look");
	buf_fini(&b);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named)
{
	const char *kernel = fixture_file("k", elf.data, elf.len);

	ck_assert_int_eq(boot_find_driver(kernel, "/nonexistent", NULL, &where,
					  &fx.err),
			 -ENOENT);
	ck_assert_str_eq(fx.err.msg,
			 "initrd '/nonexistent': No such file or directory");
	ck_assert_int_eq(boot_find_driver("/nonexistent", NULL, NULL, &where,
					  &fx.err),
			 -ENOENT);
	ck_assert_str_eq(fx.err.msg,
			 "kernel '/nonexistent': No such file or directory");
	ck_assert_int_eq(boot_find_driver("/", NULL, NULL, &where, NULL),
			 -EISDIR);
	buf_put(&initrd, "no kernel", 9);
	ck_assert_int_eq(find_in_kernel(&initrd, NULL), -ENOEXEC);
}
END_TEST

static TCase *initrd_cases(void)
{
	const int n = ARRAY_SIZE(codecs);
	TCase *tc = tcase_create("initrd");

	tcase_add_loop_test(tc, module_in_the_initrd_is_found, 0, 5);
	tcase_add_loop_test(tc, other_names_are_not_the_module, 0, 8);
	tcase_add_test(tc, module_at_the_top_of_the_archive_is_found);
	tcase_add_test(tc, module_in_a_later_archive_is_found);
	tcase_add_loop_test(tc, module_in_a_compressed_archive_is_found, 0, n);
	tcase_add_loop_test(
		tc, compressed_archive_without_it_is_read_to_its_end, 0, n);
	tcase_add_loop_test(tc, archives_of_all_kinds_in_a_row_are_searched, 0,
			    n);
	tcase_add_test(tc, archive_inside_a_row_of_compressed_ones_is_found);
	tcase_add_test(tc, module_in_the_tenth_part_is_found);
	tcase_add_loop_test(
		tc, junk_in_a_compressed_part_does_not_hide_the_next_one, 0, n);
	tcase_add_test(tc, unknown_initrd_is_told);
	tcase_add_test(tc, initrd_of_nothing_has_no_driver);
	tcase_add_test(tc, truncated_initrd_is_searched_as_far_as_it_goes);
	tcase_add_loop_test(tc, cpio_headers_are_not_trusted, 0, 6);
	tcase_add_test(tc, many_tiny_parts_end_the_search_in_time);
	return tc;
}

static TCase *kernel_cases(void)
{
	TCase *tc = tcase_create("kernel");

	tcase_add_test(tc, driver_text_in_the_kernel_is_found);
	tcase_add_test(tc, acpi_names_of_the_device_are_not_the_driver);
	tcase_add_test(tc, driver_text_across_two_reads_is_found);
	tcase_add_test(tc, configuration_in_the_kernel_is_asked_first);
	tcase_add_test(tc, damaged_configuration_leaves_it_to_the_text);
	tcase_add_loop_test(tc, driver_in_a_bzimage_is_found, 0,
			    (int)ARRAY_SIZE(codecs));
	tcase_add_loop_test(tc, search_of_a_bzimage_is_kept_in_the_cache, 0, 2);
	tcase_add_test(tc, packed_kernel_that_stays_packed_is_told);
	tcase_add_test(tc, files_that_cannot_be_read_are_named);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("boot/driver");
	TCase *cases[] = {initrd_cases(), kernel_cases()};
	SRunner *sr;
	int failed;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		tcase_set_timeout(cases[i], 60);
		suite_add_tcase(s, cases[i]);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
