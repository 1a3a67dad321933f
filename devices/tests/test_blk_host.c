/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What the host does to a disk: direct I/O, a full file system, an image that
 * is replaced, and an end without warning.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "devices/tests/blk_fixture.h"

#define BLOCK 4096u

static struct blk_fixture f;

/*
 * Direct I/O.
 */

/* False where the file system has none. */
static bool up_direct(unsigned ways)
{
	int fd;

	blk_fix_image(&f, DISK_BYTES);
	fd = open(f.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		blk_fix_remove(&f);
		return false;
	}
	close(fd);
	blk_fix_up_as(&f, ways, BLK_ALL, (struct blk_config){.direct = true});
	return true;
}

/* Buffers at every alignment to a quarter of a sector, sectors at any place. */
START_TEST(direct_disks_read_and_write_whatever_the_alignment)
{
	iova_t heap, at;

	if (!up_direct((unsigned)_i))
		return;
	heap = vqd_alloc(f.drv, 16 * BLOCK);
	for (unsigned skew = 0; skew < BLOCK; skew += 128 * 3) {
		for (unsigned sector = 3; sector < 24; sector += 5) {
			at = align_up(heap, BLOCK) + skew;
			ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, sector, at,
						 BLOCK),
					  BLK_S_OK);
			blk_assert_memory(&f, at, sector, 8);
			ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, sector, at,
						 BLOCK),
					  BLK_S_OK);
		}
	}
	blk_assert_image(&f, 0, 64);
	/* Both ways to the same place, by turns. */
	at = align_up(heap, BLOCK);
	for (unsigned i = 0; i < 8; i++) {
		const uint8_t mark = (uint8_t)(0xa0 + i);
		uint8_t seen = 0;

		vqd_write(f.drv, at + 600, &mark, 1);
		ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 800,
					 at + (i % 2 ? 512 : 0),
					 i % 2 ? 512 : BLOCK),
				  BLK_S_OK);
		ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 800,
					 at + 2 * BLOCK + (i % 2 ? 0 : 16),
					 BLOCK),
				  BLK_S_OK);
		vqd_read(f.drv,
			 at + 2 * BLOCK + (i % 2 ? 0 : 16) +
				 (i % 2 ? 600 - 512 : 600),
			 &seen, 1);
		ck_assert_uint_eq(seen, mark);
	}
	blk_fix_down(&f);
}
END_TEST

START_TEST(direct_ranges_and_flushes_work)
{
	if (!up_direct((unsigned)_i))
		return;
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 5, 20, 0),
			  BLK_S_OK);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 40, 16, 0), BLK_S_OK);
	ck_assert_uint_eq(blk_run(&f, &(struct blk_call){.type = BLK_T_FLUSH},
				  NULL),
			  BLK_S_OK);
	blk_assert_zeros(&f, 5, 20);
	blk_assert_zeros(&f, 40, 16);
	blk_assert_image(&f, 25, 15);
	blk_fix_down(&f);
}
END_TEST

/*
 * A file system of 1 MiB under a disk of 4.
 */

static char small[64];

/* False without the right to. */
static bool mount_small(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	strcpy(small, "/tmp/moat-test-small-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(small));
	if (mount("none", small, "tmpfs", 0, "size=1M") == 0)
		return true;
	rmdir(small);
	return false;
}

START_TEST(full_host_is_an_error_and_room_ends_it)
{
	char path[128];
	uint8_t status = BLK_S_OK;
	unsigned sector = 0;
	iova_t at;
	int fd;

	if (!mount_small())
		return;
	snprintf(path, sizeof(path), "%s/disk", small);
	memset(&f, 0, sizeof(f));
	strcpy(f.path, path);
	fd = f.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)DISK_BYTES), 0);
	blk_fix_up_as(&f, (unsigned)_i, BLK_ALL, (struct blk_config){0});
	at = vqd_alloc(f.drv, 16 * BLOCK);
	while (sector < DISK_SECTORS && status == BLK_S_OK) {
		status = blk_rw(&f, BLK_T_OUT, sector, at, 16 * BLOCK);
		sector += 128;
	}
	ck_assert_uint_eq(status, BLK_S_IOERR);
	ck_assert_uint_gt(sector, 1024);
	/* What is there can be read, the device is whole. */
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 0, at, BLOCK), BLK_S_OK);
	ck_assert(!fix_is_broken(&f.dev));
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 0, 1024, 0), BLK_S_OK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, sector, at, 16 * BLOCK),
			  BLK_S_OK);
	blk_fix_down(&f);
	(void)umount(small);
	(void)rmdir(small);
}
END_TEST

/*
 * Another file takes the name: the disk stays what it was.
 */

START_TEST(image_that_is_replaced_is_kept)
{
	static const char text[] = "something else";
	iova_t at;
	int fd;

	blk_fix_up(&f, (unsigned)_i, BLK_ALL);
	fd = open(f.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, sizeof(text)), sizeof(text));
	close(fd);
	at = vqd_alloc(f.drv, 2 * BLOCK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 80, at, BLOCK), BLK_S_OK);
	blk_assert_memory(&f, at, 80, 8);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 0, at, BLOCK), BLK_S_OK);
	blk_fix_down(&f);
}
END_TEST

/*
 * kill -9 under load: what was flushed is there.
 */

/* Sector n of the front: a number; each flushed before the next is written.
 * Others are written all the time. */
static void load(int told)
{
	const uint32_t len = 16 * BLOCK;
	struct blk_call noise;
	uint8_t block[BLK_SECTOR];
	uint32_t head, used;
	iova_t at, large;

	blk_fix_up_as(&f, FIX_LOOPED, BLK_ALL, (struct blk_config){0});
	at = vqd_alloc(f.drv, BLK_SECTOR);
	large = vqd_alloc(f.drv, len);
	for (unsigned n = 0; n < 400; n++) {
		memset(block, (int)n, sizeof(block));
		vqd_write(f.drv, at, block, sizeof(block));
		if (blk_rw(&f, BLK_T_OUT, n, at, BLK_SECTOR) != BLK_S_OK ||
		    blk_run(&f, &(struct blk_call){.type = BLK_T_FLUSH},
			    NULL) != BLK_S_OK)
			_exit(1);
		noise = (struct blk_call){
			.type = BLK_T_OUT,
			.sector = 4096 + n % 16 * 128,
			.data = {{large, len, false}},
			.ndata = 1,
		};
		blk_begin(&f, &noise);
		if (write(told, &n, sizeof(n)) != sizeof(n))
			_exit(1);
		fix_wait(&f.dev, 0, &head, &used);
	}
	pause();
}

START_TEST(flushed_data_survives_a_kill)
{
	uint8_t got[BLK_SECTOR];
	unsigned n = 0, last = 20 + 37u * (unsigned)_i;
	int told[2], status;
	pid_t child;

	blk_fix_image(&f, DISK_BYTES);
	ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		load(told[1]);
		_exit(0);
	}
	close(told[1]);
	while (n < last)
		ck_assert_int_eq(read(told[0], &n, sizeof(n)), sizeof(n));
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	/* What it said before it died counts, too. */
	while (read(told[0], &n, sizeof(n)) == sizeof(n))
		;
	for (unsigned i = 0; i <= n; i++) {
		ck_assert_int_eq(fd_pread_full(f.fd, got, sizeof(got),
					       i * BLK_SECTOR),
				 0);
		ck_assert_uint_eq(got[0], (uint8_t)i);
		ck_assert_uint_eq(got[BLK_SECTOR - 1], (uint8_t)i);
	}
	close(told[0]);
	blk_fix_remove(&f);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("devices/blk_host");
	TCase *tc = tcase_create("host");

	tcase_add_loop_test(tc,
			    direct_disks_read_and_write_whatever_the_alignment,
			    0, FIX_WAYS);
	tcase_add_loop_test(tc, direct_ranges_and_flushes_work, 0, FIX_WAYS);
	tcase_add_loop_test(tc, full_host_is_an_error_and_room_ends_it, 0,
			    FIX_WAYS);
	tcase_add_loop_test(tc, image_that_is_replaced_is_kept, 0, FIX_WAYS);
	tcase_add_loop_test(tc, flushed_data_survives_a_kill, 0, 5);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
