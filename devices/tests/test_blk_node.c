/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A block device as disk: a loop device with blocks of 4 KiB.  Skipped where
 * none can be made (no root, no loop driver).
 */
#include <check.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/err.h"
#include "devices/blk/image.h"
#include "devices/tests/blk_fixture.h"

#define SKIPPED 77
#define BLOCK	4096u

static struct blk_fixture f;
static int node = -1;
static char node_path[64];

/* Return: the loop device over f.fd, or -1. */
static int make_node(void)
{
	const struct loop_config config = {
		.fd = (uint32_t)f.fd,
		.block_size = BLOCK,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int n, fd;

	if (control < 0)
		return -1;
	n = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (n < 0)
		return -1;
	snprintf(node_path, sizeof(node_path), "/dev/loop%d", n);
	fd = open(node_path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void setup(void)
{
	struct blk_config config = {.path = node_path, .id = "node"};
	struct virtio_dev *d;
	struct err err;
	int r;

	blk_fix_image(&f, DISK_BYTES);
	node = make_node();
	ck_assert_int_ge(node, 0);
	fix_init(&f.dev, FIX_LOOPED | FIX_SCATTERED);
	r = blk_new(&d, &f.dev.env, &config, &err);
	ck_assert_msg(r == 0, "%s", err.msg);
	fix_adopt(&f.dev, d);
	fix_start(&f.dev, BLK_ALL);
	f.drv = &f.dev.drv[0];
}

static void teardown(void)
{
	fix_fini(&f.dev);
	(void)ioctl(node, LOOP_CLR_FD);
	close(node);
	blk_fix_remove(&f);
}

/* The image is behind the node's cache. */
static void settle(void)
{
	ck_assert_int_eq(fsync(node), 0);
}

START_TEST(node_is_measured)
{
	struct blk_config_wire w;

	for (unsigned i = 0; i < sizeof(w); i++)
		((uint8_t *)&w)[i] = (uint8_t)virtio_config_read(f.dev.d, i, 1);
	ck_assert_uint_eq(le64_get(w.capacity), DISK_SECTORS);
	ck_assert_uint_eq(le32_get(w.blk_size), BLOCK);
	ck_assert_uint_eq(le32_get(w.discard_sector_alignment), BLOCK / 512);
}
END_TEST

START_TEST(node_is_read_and_written)
{
	iova_t at = vqd_alloc(f.drv, 8192);

	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 16, at, 8192), BLK_S_OK);
	blk_assert_memory(&f, at, 16, 16);
	at = vqd_alloc(f.drv, 8192);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 16, at, 8192), BLK_S_OK);
	settle();
	blk_assert_zeros(&f, 16, 16);
	blk_assert_image(&f, 15, 1);
	blk_assert_image(&f, 32, 1);
}
END_TEST

START_TEST(node_is_discarded_in_whole_blocks)
{
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 16, 16, 0), BLK_S_OK);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 35, 10, 0), BLK_S_OK);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 65, 14, 0), BLK_S_OK);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 81, 3, 0), BLK_S_OK);
	settle();
	blk_assert_image(&f, 15, 1);
	blk_assert_zeros(&f, 16, 16);
	blk_assert_image(&f, 32, 8 + 56);
}
END_TEST

START_TEST(node_is_cleared_to_the_sector)
{
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 16, 16, 0),
			  BLK_S_OK);
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 33, 20,
				    BLK_RANGE_UNMAP),
			  BLK_S_OK);
	settle();
	blk_assert_image(&f, 15, 1);
	blk_assert_zeros(&f, 16, 16);
	blk_assert_image(&f, 32, 1);
	blk_assert_zeros(&f, 33, 20);
	blk_assert_image(&f, 53, 1);
}
END_TEST

START_TEST(node_is_locked)
{
	struct blk_image im;
	struct err err;

	ck_assert_int_lt(blk_image_open(&im, node_path, false, false, &err), 0);
}
END_TEST

/* Outside of a test, so without assertions. */
static bool possible(void)
{
	bool made;

	f.fd = memfd_create("node", MFD_CLOEXEC);
	if (f.fd < 0 || ftruncate(f.fd, MIB(1)) < 0)
		return false;
	node = make_node();
	made = node >= 0;
	if (made) {
		(void)ioctl(node, LOOP_CLR_FD);
		close(node);
	}
	close(f.fd);
	return made;
}

int main(void)
{
	Suite *s = suite_create("devices/blk_node");
	TCase *tc = tcase_create("node");
	SRunner *sr;
	int failed;

	if (!possible())
		return SKIPPED;
	sr = srunner_create(s);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, node_is_measured);
	tcase_add_test(tc, node_is_read_and_written);
	tcase_add_test(tc, node_is_discarded_in_whole_blocks);
	tcase_add_test(tc, node_is_cleared_to_the_sector);
	tcase_add_test(tc, node_is_locked);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
