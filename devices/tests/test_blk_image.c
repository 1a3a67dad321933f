/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What becomes a disk, and what is refused with which words.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "devices/blk/image.h"
#include "devices/tests/blk_fixture.h"

static struct blk_fixture f;
static struct blk_image a, b;
static struct err err;

static void setup(void)
{
	blk_fix_image(&f, DISK_BYTES);
	a.fd = b.fd = -1;
	err.msg[0] = '\0';
}

static void teardown(void)
{
	blk_image_close(&a);
	blk_image_close(&b);
	blk_fix_remove(&f);
}

static void assert_sentence(const char *path, const char *rest)
{
	char want[ERR_MAX];

	snprintf(want, sizeof(want), "disk '%s': %s", path, rest);
	ck_assert_str_eq(err.msg, want);
}

static void set_size(off_t size)
{
	ck_assert_int_eq(ftruncate(f.fd, size), 0);
}

START_TEST(file_is_measured)
{
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err), 0);
	ck_assert_uint_eq(a.size, DISK_BYTES);
	ck_assert_uint_eq(a.logical, 512);
	ck_assert_uint_ge(a.physical, 512);
	ck_assert(is_pow2(a.physical));
	ck_assert(!a.device && !a.readonly);
}
END_TEST

static const struct {
	const char *magic, *format;
} formats[] = {
	{"QFI\xfb\0\0\0\3", "qcow2"}, {"KDMV\1\0\0\0", "vmdk"},
	{"vhdxfile", "vhdx"},	      {"vhdxfilf", NULL},
	{"QFI\xfa\0\0\0\3", NULL},    {"\0QFI\xfb\0\0\0", NULL},
};

static unsigned warnings;
static char warning[256];

static void record(enum log_level level, const char *line)
{
	ck_assert_int_eq(level, LOG_WARN);
	snprintf(warning, sizeof(warning), "%s", line);
	warnings++;
}

/* Every other one is said to be raw. */
START_TEST(raw_disks_that_look_otherwise_are_told_once)
{
	const char *format = formats[_i / 2].format;
	const struct blk_config config = {
		.path = f.path,
		.raw_for_sure = _i & 1,
	};
	struct virtio_dev *d;
	char want[160];

	ck_assert_int_eq(pwrite(f.fd, formats[_i / 2].magic, 8, 0), 8);
	fix_init(&f.dev, 0);
	warnings = 0;
	log_set_sink(record);
	ck_assert_int_eq(blk_new(&d, &f.dev.env, &config, &err), 0);
	virtio_dev_free(d);
	ck_assert_uint_eq(warnings, format && !(_i & 1));
	if (warnings > 0) {
		snprintf(want, sizeof(want), "disk '%s' starts like a %s image",
			 f.path, format);
		ck_assert_msg(strstr(warning, want), "%s", warning);
		snprintf(want, sizeof(want), "with format=%s ", format);
		ck_assert_msg(strstr(warning, want), "%s", warning);
	}
	fix_fini(&f.dev);
}
END_TEST

START_TEST(one_sector_is_enough)
{
	set_size(512);
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err), 0);
	ck_assert_uint_eq(a.size, 512);
}
END_TEST

START_TEST(terabytes_of_hole_are_a_disk)
{
	set_size((off_t)8 << 40);
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err), 0);
	ck_assert_uint_eq(a.size, UINT64_C(8) << 40);
}
END_TEST

START_TEST(empty_file_is_refused)
{
	set_size(0);
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err),
			 -EINVAL);
	assert_sentence(f.path, "empty");
	ck_assert_int_eq(a.fd, -1);
}
END_TEST

START_TEST(part_of_a_sector_is_refused)
{
	set_size(511);
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err),
			 -EINVAL);
	assert_sentence(f.path, "511 bytes are not whole sectors of 512");
	set_size(513);
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err),
			 -EINVAL);
	assert_sentence(f.path, "513 bytes are not whole sectors of 512");
}
END_TEST

START_TEST(missing_file_is_named)
{
	ck_assert_int_eq(blk_image_open(&a, "/nonexistent/x", false, false,
					&err),
			 -ENOENT);
	assert_sentence("/nonexistent/x", "No such file or directory");
	ck_assert_int_eq(blk_image_open(&a, "", false, false, NULL), -ENOENT);
}
END_TEST

START_TEST(directory_and_character_device_are_refused)
{
	ck_assert_int_lt(blk_image_open(&a, "/tmp", false, false, &err), 0);
	ck_assert_int_eq(blk_image_open(&a, "/tmp", true, false, &err),
			 -EINVAL);
	assert_sentence("/tmp", "neither a file nor a block device");
	ck_assert_int_eq(blk_image_open(&a, "/dev/null", false, false, &err),
			 -EINVAL);
	assert_sentence("/dev/null", "neither a file nor a block device");
}
END_TEST

START_TEST(fifo_is_refused_without_waiting_for_its_other_end)
{
	char path[80];

	snprintf(path, sizeof(path), "%s.fifo", f.path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(blk_image_open(&a, path, true, false, &err), -EINVAL);
	assert_sentence(path, "neither a file nor a block device");
	unlink(path);
}
END_TEST

START_TEST(second_writer_is_refused)
{
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err), 0);
	ck_assert_int_eq(blk_image_open(&b, f.path, false, false, &err),
			 -EBUSY);
	assert_sentence(f.path, "in use by another machine, or given twice");
	blk_image_close(&a);
	ck_assert_int_eq(blk_image_open(&b, f.path, false, false, &err), 0);
}
END_TEST

START_TEST(readers_share)
{
	ck_assert_int_eq(blk_image_open(&a, f.path, true, false, &err), 0);
	ck_assert_int_eq(blk_image_open(&b, f.path, true, false, &err), 0);
	ck_assert(a.readonly);
}
END_TEST

START_TEST(writer_and_reader_exclude_each_other)
{
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err), 0);
	ck_assert_int_eq(blk_image_open(&b, f.path, true, false, &err), -EBUSY);
	assert_sentence(f.path, "written by another machine, or given twice");
	blk_image_close(&a);
	ck_assert_int_eq(blk_image_open(&a, f.path, true, false, &err), 0);
	ck_assert_int_eq(blk_image_open(&b, f.path, false, false, &err),
			 -EBUSY);
}
END_TEST

/* As a POSIX lock would be. */
START_TEST(lock_stays_when_another_descriptor_is_closed)
{
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err), 0);
	close(open(f.path, O_RDONLY | O_CLOEXEC));
	ck_assert_int_eq(blk_image_open(&b, f.path, false, false, &err),
			 -EBUSY);
}
END_TEST

/* Else io_uring gives up where it should wait. */
START_TEST(descriptor_blocks_and_is_not_inherited)
{
	ck_assert_int_eq(blk_image_open(&a, f.path, false, false, &err), 0);
	ck_assert_int_eq(fcntl(a.fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(a.fd, F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(readonly_image_cannot_be_written)
{
	ck_assert_int_eq(blk_image_open(&a, f.path, true, false, &err), 0);
	ck_assert_int_eq(pwrite(a.fd, "x", 1, 0), -1);
}
END_TEST

static int new_disk(const char *id, struct virtio_dev **ret_d)
{
	const struct blk_config config = {.path = f.path, .id = id};

	return blk_new(ret_d, &f.dev.env, &config, &err);
}

START_TEST(id_has_at_most_20_bytes)
{
	struct virtio_dev *d;

	fix_init(&f.dev, 0);
	ck_assert_int_eq(new_disk("123456789012345678901", &d), -EINVAL);
	assert_sentence(f.path,
			"id '123456789012345678901' has more than 20 bytes");
	ck_assert_int_eq(new_disk("12345678901234567890", &d), 0);
	virtio_dev_free(d);
	ck_assert_int_eq(new_disk("", &d), 0);
	virtio_dev_free(d);
	fix_fini(&f.dev);
}
END_TEST

START_TEST(failed_disk_leaves_nothing_behind)
{
	struct virtio_dev *d, *second;

	fix_init(&f.dev, FIX_LOOPED);
	ck_assert_int_eq(new_disk("a", &d), 0);
	ck_assert_int_eq(new_disk("b", &second), -EBUSY);
	virtio_dev_free(d);
	ck_assert_int_eq(new_disk("c", &d), 0);
	virtio_dev_free(d);
	fix_fini(&f.dev);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/blk_image");
	TCase *tc = tcase_create("image");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, file_is_measured);
	tcase_add_loop_test(tc, raw_disks_that_look_otherwise_are_told_once, 0,
			    2 * (int)ARRAY_SIZE(formats));
	tcase_add_test(tc, one_sector_is_enough);
	tcase_add_test(tc, terabytes_of_hole_are_a_disk);
	tcase_add_test(tc, empty_file_is_refused);
	tcase_add_test(tc, part_of_a_sector_is_refused);
	tcase_add_test(tc, missing_file_is_named);
	tcase_add_test(tc, directory_and_character_device_are_refused);
	tcase_add_test(tc, fifo_is_refused_without_waiting_for_its_other_end);
	tcase_add_test(tc, second_writer_is_refused);
	tcase_add_test(tc, readers_share);
	tcase_add_test(tc, writer_and_reader_exclude_each_other);
	tcase_add_test(tc, lock_stays_when_another_descriptor_is_closed);
	tcase_add_test(tc, descriptor_blocks_and_is_not_inherited);
	tcase_add_test(tc, readonly_image_cannot_be_written);
	tcase_add_test(tc, id_has_at_most_20_bytes);
	tcase_add_test(tc, failed_disk_leaves_nothing_behind);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
