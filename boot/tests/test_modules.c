/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "boot/codec.h"
#include "boot/modules.h"
#include "boot/tests/boot_fixture.h"
#include "core/buf.h"
#include "core/err.h"

static const char dep[] =
	"kernel/a/one.ko: kernel/a/two.ko kernel/b/three.ko\n"
	"kernel/a/two.ko: kernel/b/three.ko\n"
	"kernel/b/three.ko:\n"
	"kernel/c/virtio-iommu.ko.xz:\n"
	"kernel/c/virtio_net.ko: kernel/c/virtio-iommu.ko.xz\n"
	"last.ko:";
static const char builtin[] = "kernel/d/built_in.ko\nkernel/d/virtio_pci.ko\n";

static struct modules *m;
static struct err err;
static char dir[256];

static void setup(void)
{
	fixture_setup();
	fixture_file("modules.dep", dep, strlen(dep));
	fixture_file("modules.builtin", builtin, strlen(builtin));
	(void)snprintf(dir, sizeof(dir), "%s", fixture_path("."));
	ck_assert_int_eq(modules_open(&m, dir, &err), 0);
}

static void teardown(void)
{
	modules_close(m);
	fixture_teardown();
}

static void expect(const char *const *paths, size_t n)
{
	ck_assert_uint_eq(modules_count(m), n);
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(modules_path(m, i), paths[i]);
}

START_TEST(needs_come_first_and_once)
{
	static const char *const all[] = {"kernel/b/three.ko",
					  "kernel/a/two.ko", "kernel/a/one.ko"};

	ck_assert_int_eq(modules_want(m, "one"), 0);
	expect(all, 3);
	ck_assert_int_eq(modules_want(m, "one"), 0);
	ck_assert_int_eq(modules_want(m, "two"), 0);
	expect(all, 3);
}
END_TEST

START_TEST(dash_and_underscore_are_the_same)
{
	static const char *const all[] = {"kernel/c/virtio-iommu.ko.xz",
					  "kernel/c/virtio_net.ko"};

	ck_assert_int_eq(modules_want(m, "virtio_iommu"), 0);
	ck_assert_int_eq(modules_want(m, "virtio-net"), 0);
	expect(all, 2);
}
END_TEST

START_TEST(name_is_matched_whole)
{
	ck_assert_int_eq(modules_find(m, "on"), MODULE_NONE);
	ck_assert_int_eq(modules_find(m, "onee"), MODULE_NONE);
	ck_assert_int_eq(modules_find(m, ""), MODULE_NONE);
	ck_assert_int_eq(modules_find(m, "kernel/a/one"), MODULE_NONE);
	ck_assert_int_eq(modules_find(m, "one.ko"), MODULE_NONE);
	ck_assert_int_eq(modules_find(m, "one"), MODULE_FILE);
}
END_TEST

START_TEST(last_line_needs_no_newline)
{
	ck_assert_int_eq(modules_find(m, "last"), MODULE_FILE);
	ck_assert_int_eq(modules_want(m, "last"), 0);
	ck_assert_uint_eq(modules_count(m), 1);
}
END_TEST

START_TEST(built_in_module_adds_nothing)
{
	ck_assert_int_eq(modules_find(m, "virtio-pci"), MODULE_BUILTIN);
	ck_assert_int_eq(modules_want(m, "virtio-pci"), 0);
	ck_assert_uint_eq(modules_count(m), 0);
}
END_TEST

START_TEST(missing_module_is_enoent)
{
	ck_assert_int_eq(modules_want(m, "nowhere"), -ENOENT);
	ck_assert_uint_eq(modules_count(m), 0);
}
END_TEST

START_TEST(folder_without_list_is_enoent)
{
	struct modules *none;

	ck_assert_int_eq(modules_open(&none, "/nonexistent", &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "modules.dep"));
}
END_TEST

/* Whatever is in them, nothing is read past their end. */
START_TEST(damaged_lists_have_no_modules)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {
		{"", 0},	  {":", 1},	 {"\n\n\n", 3},
		{"x", 1},	  {":::\n", 4},	 {"a\0b: c\n", 7},
		{"one.ko\0:", 8}, {"one.k:", 6}, {"/one.ko/:", 9},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct modules *other;

		fixture_file("modules.dep", bad[i].text, bad[i].len);
		ck_assert_int_eq(modules_open(&other, dir, &err), 0);
		ck_assert_int_eq(modules_find(other, "one"), MODULE_NONE);
		ck_assert_int_eq(modules_want(other, "one"), -ENOENT);
		modules_close(other);
	}
}
END_TEST

static void read_last(const void *data, size_t len, struct buf *ret_b,
		      int expected)
{
	struct buf file;

	fixture_file("last.ko", data, len);
	ck_assert_int_eq(modules_want(m, "last"), 0);
	buf_init(&file);
	ck_assert_int_eq(modules_read(m, 0, &file, &err), 0);
	ck_assert_uint_eq(file.len, len);
	ck_assert_int_eq(memcmp(file.data, data, len), 0);
	buf_init(ret_b);
	ck_assert_int_eq(modules_unpack(m, 0, file.data, file.len, ret_b, &err),
			 expected);
	buf_fini(&file);
}

START_TEST(plain_module_stays_as_it_is)
{
	struct buf b;

	read_last("\x7f"
		  "ELF module",
		  11, &b, 0);
	ck_assert(!modules_packed(b.data, b.len));
	ck_assert_uint_eq(b.len, 11);
	ck_assert_mem_eq(b.data,
			 "\x7f"
			 "ELF module",
			 11);
	buf_fini(&b);
}
END_TEST

static const struct codec *const codecs[] = {&codec_xz, &codec_zstd,
					     &codec_gzip};

START_TEST(packed_module_is_unpacked)
{
	const size_t len = 1000000;
	uint8_t *data = malloc(len);
	struct buf packed, b;

	if (!codec_built(codecs[_i]))
		return;
	for (size_t i = 0; i < len; i++)
		data[i] = pattern(i);
	buf_init(&packed);
	codec_pack(&packed, codecs[_i], data, len);
	ck_assert(modules_packed(packed.data, packed.len));
	read_last(packed.data, packed.len, &b, 0);
	ck_assert_uint_eq(b.len, len);
	ck_assert_int_eq(memcmp(b.data, data, len), 0);
	buf_fini(&b);
	/* Cut off, it is an error and no endless wait. */
	read_last(packed.data, packed.len / 2, &b, -EBADMSG);
	ck_assert_ptr_nonnull(strstr(err.msg, "last.ko"));
	buf_fini(&b);
	buf_fini(&packed);
	free(data);
}
END_TEST

START_TEST(vanished_module_is_an_error_that_names_it)
{
	struct buf b;

	buf_init(&b);
	ck_assert_int_eq(modules_want(m, "three"), 0);
	ck_assert_int_eq(modules_read(m, 0, &b, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "kernel/b/three.ko"));
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/modules");
	TCase *tc = tcase_create("modules");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, needs_come_first_and_once);
	tcase_add_test(tc, dash_and_underscore_are_the_same);
	tcase_add_test(tc, name_is_matched_whole);
	tcase_add_test(tc, last_line_needs_no_newline);
	tcase_add_test(tc, built_in_module_adds_nothing);
	tcase_add_test(tc, missing_module_is_enoent);
	tcase_add_test(tc, folder_without_list_is_enoent);
	tcase_add_test(tc, damaged_lists_have_no_modules);
	tcase_add_test(tc, plain_module_stays_as_it_is);
	tcase_add_loop_test(tc, packed_module_is_unpacked, 0, 3);
	tcase_add_test(tc, vanished_module_is_an_error_that_names_it);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
