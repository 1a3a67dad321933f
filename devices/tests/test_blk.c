/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Requests, as a driver makes them.   [virtio 1.2, 5.2.6]
 */
#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"
#include "devices/blk/request.h"
#include "devices/tests/blk_fixture.h"

static struct blk_fixture f;

static void up(int ways)
{
	blk_fix_up(&f, (unsigned)ways, BLK_ALL);
}

/* A buffer whose content no sector has. */
static iova_t alien(uint32_t len)
{
	iova_t at = vqd_alloc(f.drv, len);
	uint8_t bytes[BLK_SECTOR];

	memset(bytes, 0xa5, sizeof(bytes));
	for (uint32_t off = 0; off < len; off += BLK_SECTOR)
		vqd_write(f.drv, at + off, bytes,
			  min_u64(BLK_SECTOR, len - off));
	return at;
}

static void assert_alien(uint64_t sector, unsigned n)
{
	uint8_t got[BLK_SECTOR], want[BLK_SECTOR];

	memset(want, 0xa5, sizeof(want));
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(fd_pread_full(f.fd, got, sizeof(got),
					       (sector + i) * BLK_SECTOR),
				 0);
		ck_assert_int_eq(memcmp(got, want, sizeof(got)), 0);
	}
}

/*
 * Configuration.
 */

START_TEST(configuration_describes_the_disk)
{
	struct blk_config_wire w;

	up(_i);
	for (unsigned i = 0; i < sizeof(w); i++)
		((uint8_t *)&w)[i] = (uint8_t)virtio_config_read(f.dev.d, i, 1);
	ck_assert_uint_eq(le64_get(w.capacity), DISK_SECTORS);
	ck_assert_uint_eq(le32_get(w.seg_max), 254);
	ck_assert_uint_eq(le32_get(w.blk_size), 512);
	ck_assert_uint_le(w.physical_block_exp, 7);
	ck_assert_uint_eq(le16_get(w.min_io_size), 1u << w.physical_block_exp);
	ck_assert_uint_eq(le32_get(w.max_discard_sectors),
			  BLK_DISCARD_SECTORS_MAX);
	ck_assert_uint_eq(le32_get(w.max_discard_seg), BLK_DISCARD_RANGES_MAX);
	ck_assert_uint_eq(le32_get(w.discard_sector_alignment), 1);
	ck_assert_uint_eq(le32_get(w.max_write_zeroes_sectors),
			  BLK_WRITE_ZEROES_SECTORS_MAX);
	ck_assert_uint_eq(le32_get(w.max_write_zeroes_seg), 1);
	ck_assert_uint_eq(w.write_zeroes_may_unmap, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(features_of_a_writable_disk)
{
	up(_i);
	ck_assert_uint_eq(f.dev.d->offered & (BIT_ULL(24) - 1),
			  BLK_ALL & (BIT_ULL(24) - 1));
	blk_fix_down(&f);
}
END_TEST

START_TEST(indirect_descriptors_are_offered_unless_unwanted)
{
	struct blk_config config = {.no_indirect = true};
	struct virtio_dev *d;

	up(_i);
	ck_assert_uint_eq(f.dev.d->offered >> VIRTIO_F_INDIRECT_DESC & 1, 1);
	blk_fix_down(&f);
	blk_fix_image(&f, BLK_SECTOR);
	fix_init(&f.dev, (unsigned)_i);
	config.path = f.path;
	ck_assert_int_eq(blk_new(&d, &f.dev.env, &config, NULL), 0);
	ck_assert_uint_eq(d->offered >> VIRTIO_F_INDIRECT_DESC & 1, 0);
	fix_adopt(&f.dev, d);
	fix_start(&f.dev, BLK_ALL & d->offered);
	blk_fix_down(&f);
}
END_TEST

/*
 * Reading and writing.
 */

START_TEST(read_returns_the_image)
{
	struct blk_call c = {.type = BLK_T_IN, .sector = 5, .ndata = 1};
	uint32_t len;

	up(_i);
	c.data[0] = (struct vqd_buf){alien(4096), 4096, true};
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_OK);
	ck_assert_uint_eq(len, 4096 + 1);
	blk_assert_memory(&f, c.data[0].at, 5, 8);
	blk_fix_down(&f);
}
END_TEST

START_TEST(write_reaches_the_image_and_nothing_beside_it)
{
	struct blk_call c = {.type = BLK_T_OUT, .sector = 100, .ndata = 1};
	uint32_t len;

	up(_i);
	c.data[0] = (struct vqd_buf){alien(1024), 1024, false};
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_OK);
	ck_assert_uint_eq(len, 1);
	assert_alien(100, 2);
	blk_assert_image(&f, 99, 1);
	blk_assert_image(&f, 102, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(first_and_last_sector_can_be_read_and_written)
{
	iova_t at;

	up(_i);
	at = alien(BLK_SECTOR);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 0, at, 512), BLK_S_OK);
	blk_assert_memory(&f, at, 0, 1);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, DISK_SECTORS - 1, at, 512),
			  BLK_S_OK);
	blk_assert_memory(&f, at, DISK_SECTORS - 1, 1);
	at = alien(BLK_SECTOR);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, DISK_SECTORS - 1, at, 512),
			  BLK_S_OK);
	assert_alien(DISK_SECTORS - 1, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(transfers_past_the_end_fail_and_move_nothing)
{
	static const uint64_t sectors[] = {
		DISK_SECTORS,
		DISK_SECTORS - 1,
		DISK_SECTORS + 1,
		UINT64_MAX,
		UINT64_MAX - 1,
		UINT64_MAX / 512,
		UINT64_MAX / 512 + 1,
		UINT64_C(1) << 55,
		(UINT64_C(1) << 55) + DISK_SECTORS - 2,
	};
	iova_t at;
	off_t size;

	up(_i);
	at = alien(1024);
	for (unsigned i = 0; i < ARRAY_SIZE(sectors); i++) {
		ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, sectors[i], at, 1024),
				  BLK_S_IOERR);
		ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, sectors[i], at, 1024),
				  BLK_S_IOERR);
	}
	size = lseek(f.fd, 0, SEEK_END);
	ck_assert_uint_eq((uint64_t)size, DISK_BYTES);
	blk_assert_image(&f, DISK_SECTORS - 2, 2);
	blk_assert_image(&f, 0, 2);
	blk_fix_down(&f);
}
END_TEST

START_TEST(lengths_that_are_not_whole_sectors_fail)
{
	static const uint32_t lens[] = {1, 511, 513, 1023};
	iova_t at;

	up(_i);
	at = alien(1024);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 0, at, lens[i]),
				  BLK_S_IOERR);
		ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 0, at, lens[i]),
				  BLK_S_IOERR);
	}
	blk_assert_image(&f, 0, 4);
	blk_fix_down(&f);
}
END_TEST

START_TEST(empty_transfers_succeed_on_the_disk_only)
{
	struct blk_call c = {.type = BLK_T_IN};
	uint32_t len;

	up(_i);
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_OK);
	ck_assert_uint_eq(len, 1);
	c.type = BLK_T_OUT;
	c.sector = DISK_SECTORS;
	ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_OK);
	c.sector = DISK_SECTORS + 1;
	ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_IOERR);
	blk_fix_down(&f);
}
END_TEST

START_TEST(failed_read_reports_no_written_byte)
{
	struct blk_call c = {.type = BLK_T_IN, .sector = DISK_SECTORS};
	uint32_t len;

	up(_i);
	c.data[0] = (struct vqd_buf){alien(512), 512, true};
	c.ndata = 1;
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_IOERR);
	ck_assert_uint_eq(len, 0);
	blk_fix_down(&f);
}
END_TEST

START_TEST(largest_length_fails)
{
	iova_t at;

	up(_i);
	at = alien(512);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 0, at, UINT32_MAX - 17),
			  BLK_S_IOERR);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 0, at, 0xfffffe00),
			  BLK_S_IOERR);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 0, at, 0xfffffe00), BLK_S_IOERR);
	ck_assert(!fix_is_broken(&f.dev));
	blk_fix_down(&f);
}
END_TEST

/*
 * Descriptors may be cut anywhere.   [virtio 1.2, 2.7.4.1]
 */

static void put_header(struct vqd_buf *b, uint32_t type, uint64_t sector)
{
	struct blk_header_wire h = {.type = le32_put(type),
				    .sector = le64_put(sector)};

	b->at = vqd_put(f.drv, &h, sizeof(h));
	b->len = sizeof(h);
	b->write = false;
}

START_TEST(read_into_odd_pieces)
{
	static const uint32_t lens[] = {1, 510, 2, 511, 3, 4096 - 1027};
	struct vqd_buf b[ARRAY_SIZE(lens) + 2];
	static uint8_t got[4096], want[4096];
	uint32_t off = 0;

	up(_i);
	put_header(&b[0], BLK_T_IN, 40);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++)
		b[i + 1] =
			(struct vqd_buf){vqd_alloc(f.drv, 4096), lens[i], true};
	b[7] = (struct vqd_buf){vqd_alloc(f.drv, 1), 1, true};
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 8), 4097);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		vqd_read(f.drv, b[i + 1].at, got + off, lens[i]);
		off += lens[i];
	}
	for (unsigned i = 0; i < 8; i++)
		blk_pattern(40 + i, want + (size_t)i * 512);
	ck_assert_int_eq(memcmp(got, want, sizeof(want)), 0);
	blk_fix_down(&f);
}
END_TEST

START_TEST(header_in_single_bytes_and_status_behind_the_data)
{
	struct blk_header_wire h = {.type = le32_put(BLK_T_IN),
				    .sector = le64_put(7)};
	struct vqd_buf b[17];
	iova_t at;

	up(_i);
	at = vqd_put(f.drv, &h, sizeof(h));
	for (unsigned i = 0; i < 16; i++)
		b[i] = (struct vqd_buf){at + i, 1, false};
	b[16] = (struct vqd_buf){alien(1024 + 1), 1024 + 1, true};
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 17), 1025);
	blk_assert_memory(&f, b[16].at, 7, 2);
	vqd_read(f.drv, b[16].at + 1024, &h, 1);
	ck_assert_uint_eq(h.type.raw & 0xff, BLK_S_OK);
	blk_fix_down(&f);
}
END_TEST

START_TEST(header_and_data_in_one_descriptor)
{
	uint8_t bytes[16 + 512];
	struct blk_header_wire h = {.type = le32_put(BLK_T_OUT),
				    .sector = le64_put(7)};
	struct vqd_buf b[2];

	up(_i);
	memset(bytes, 0xa5, sizeof(bytes));
	memcpy(bytes, &h, sizeof(h));
	b[0] = (struct vqd_buf){vqd_put(f.drv, bytes, sizeof(bytes)),
				sizeof(bytes), false};
	b[1] = (struct vqd_buf){vqd_alloc(f.drv, 1), 1, true};
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 2), 1);
	assert_alien(7, 1);
	blk_assert_image(&f, 8, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(status_is_the_last_writable_byte)
{
	struct vqd_buf b[2];
	uint8_t got[9];

	up(_i);
	memset(got, NO_STATUS, sizeof(got));
	put_header(&b[0], BLK_T_FLUSH, 0);
	b[1] = (struct vqd_buf){vqd_put(f.drv, got, 9), 9, true};
	/* Eight bytes in front were not written, so none is claimed. */
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 2), 0);
	vqd_read(f.drv, b[1].at, got, 9);
	ck_assert_uint_eq(got[7], NO_STATUS);
	ck_assert_uint_eq(got[8], BLK_S_OK);
	blk_fix_down(&f);
}
END_TEST

START_TEST(indirect_requests_work)
{
	struct vqd_buf b[3];
	uint32_t head, len;

	up(_i);
	put_header(&b[0], BLK_T_IN, 9);
	b[1] = (struct vqd_buf){alien(1024), 1024, true};
	b[2] = (struct vqd_buf){vqd_alloc(f.drv, 1), 1, true};
	(void)vqd_add_indirect(f.drv, b, 3);
	fix_kick(&f.dev, 0);
	fix_wait(&f.dev, 0, &head, &len);
	ck_assert_uint_eq(len, 1025);
	blk_assert_memory(&f, b[1].at, 9, 2);
	blk_fix_down(&f);
}
END_TEST

/* All that seg_max allows, and more host buffers than go into one call. */
START_TEST(as_many_segments_as_are_promised)
{
	static struct vqd_buf b[256];
	iova_t at;

	up(_i);
	at = alien(254 * 512);
	put_header(&b[0], BLK_T_IN, 3);
	for (unsigned i = 0; i < 254; i++)
		b[i + 1] = (struct vqd_buf){at + i * 512, 512, true};
	b[255] = (struct vqd_buf){vqd_alloc(f.drv, 1), 1, true};
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 256), 254 * 512 + 1);
	blk_assert_memory(&f, at, 3, 254);
	at = alien(254 * 512);
	put_header(&b[0], BLK_T_OUT, 3);
	for (unsigned i = 0; i < 254; i++)
		b[i + 1] = (struct vqd_buf){at + i * 512, 512, false};
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 256), 1);
	assert_alien(3, 254);
	ck_assert_uint_eq(fix_holds(&f.dev), 0);
	blk_fix_down(&f);
}
END_TEST

/* One descriptor that is hundreds of pages apart for the host. */
START_TEST(megabyte_in_one_descriptor)
{
	iova_t at;

	up(_i);
	at = alien(1536 * 1024);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 17, at, 1536 * 1024), BLK_S_OK);
	blk_assert_memory(&f, at, 17, 3072);
	blk_fix_down(&f);
}
END_TEST

START_TEST(full_ring_is_served_with_one_kick)
{
	struct vqd_buf b[3];
	uint32_t head, len;
	iova_t at;
	unsigned n;

	up(_i);
	n = f.drv->size / 3;
	at = alien(n * 512);
	for (unsigned i = 0; i < n; i++) {
		put_header(&b[0], BLK_T_IN, i);
		b[1] = (struct vqd_buf){at + i * 512, 512, true};
		b[2] = (struct vqd_buf){vqd_alloc(f.drv, 1), 1, true};
		(void)vqd_stage(f.drv, b, 3);
	}
	vqd_publish(f.drv);
	fix_kick(&f.dev, 0);
	for (unsigned i = 0; i < n; i++)
		fix_wait(&f.dev, 0, &head, &len);
	blk_assert_memory(&f, at, 0, n);
	blk_fix_down(&f);
}
END_TEST

/* With indirect tables every head can be in flight. */
START_TEST(every_head_in_flight_at_once)
{
	struct vqd_buf b[3];
	uint32_t head, len;
	iova_t at;

	up(_i);
	at = alien(f.drv->size * 512u);
	for (unsigned i = 0; i < f.drv->size; i++) {
		put_header(&b[0], BLK_T_IN, i);
		b[1] = (struct vqd_buf){at + i * 512, 512, true};
		b[2] = (struct vqd_buf){vqd_alloc(f.drv, 1), 1, true};
		(void)vqd_stage_indirect(f.drv, vqd_alloc(f.drv, 48), b, 3);
	}
	vqd_publish(f.drv);
	fix_kick(&f.dev, 0);
	for (unsigned i = 0; i < f.drv->size; i++) {
		fix_wait(&f.dev, 0, &head, &len);
		ck_assert_uint_eq(len, 513);
	}
	blk_assert_memory(&f, at, 0, f.drv->size);
	blk_fix_down(&f);
}
END_TEST

/*
 * Requests that are none.
 */

START_TEST(short_header_fails)
{
	struct vqd_buf b[2];

	up(_i);
	for (uint32_t len = 1; len < 16; len++) {
		const uint8_t none = NO_STATUS;
		uint8_t status;

		put_header(&b[0], BLK_T_FLUSH, 0);
		b[0].len = len;
		b[1] = (struct vqd_buf){vqd_put(f.drv, &none, 1), 1, true};
		ck_assert_uint_eq(fix_run(&f.dev, 0, b, 2), 1);
		vqd_read(f.drv, b[1].at, &status, 1);
		ck_assert_uint_eq(status, BLK_S_IOERR);
	}
	b[1].at = vqd_alloc(f.drv, 1);
	ck_assert_uint_eq(fix_run(&f.dev, 0, &b[1], 1), 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(request_without_status_is_returned_and_not_done)
{
	struct vqd_buf b[2];

	up(_i);
	put_header(&b[0], BLK_T_OUT, 0);
	b[1] = (struct vqd_buf){alien(512), 512, false};
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 2), 0);
	blk_assert_image(&f, 0, 1);
	ck_assert(!fix_is_broken(&f.dev));
	blk_fix_down(&f);
}
END_TEST

START_TEST(unknown_types_are_unsupported)
{
	static const uint32_t types[] = {
		2, 3, 5, 6, 7, 9, 10, 12, 14, 0x80000000, 0x100, UINT32_MAX};
	struct blk_call c = {.type = 0};

	up(_i);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		c.type = types[i];
		ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_UNSUPP);
	}
	blk_fix_down(&f);
}
END_TEST

START_TEST(flush_succeeds)
{
	struct blk_call c = {.type = BLK_T_FLUSH};

	up(_i);
	ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_OK);
	blk_fix_down(&f);
}
END_TEST

/*
 * Identification.
 */

START_TEST(id_is_the_tail_of_the_path)
{
	struct blk_call c = {.type = BLK_T_GET_ID, .ndata = 1};
	char got[21] = "";
	uint32_t len;

	up(_i);
	c.data[0] = (struct vqd_buf){alien(20), 20, true};
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_OK);
	ck_assert_uint_eq(len, 21);
	vqd_read(f.drv, c.data[0].at, got, 20);
	ck_assert_int_eq(strncmp(got, strrchr(f.path, '/') + 1, 20), 0);
	blk_fix_down(&f);
}
END_TEST

START_TEST(id_fits_what_the_driver_gives)
{
	struct blk_call c = {.type = BLK_T_GET_ID, .ndata = 1};
	uint8_t got[32];
	uint32_t len;

	up(_i);
	c.data[0] = (struct vqd_buf){alien(32), 32, true};
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_OK);
	ck_assert_uint_eq(len, 20);
	vqd_read(f.drv, c.data[0].at, got, 32);
	ck_assert_uint_eq(got[20], 0xa5);
	c.data[0].len = 5;
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_OK);
	ck_assert_uint_eq(len, 6);
	c.ndata = 0;
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_OK);
	ck_assert_uint_eq(len, 1);
	blk_fix_down(&f);
}
END_TEST

/*
 * Read-only disks.
 */

START_TEST(readonly_disk_says_so_and_can_be_read)
{
	iova_t at;

	blk_fix_up_readonly(&f, (unsigned)_i);
	ck_assert_uint_eq(f.dev.d->offered & (BIT_ULL(24) - 1),
			  BLK_READONLY & (BIT_ULL(24) - 1));
	at = alien(512);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 1, at, 512), BLK_S_OK);
	blk_assert_memory(&f, at, 1, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(readonly_disk_takes_no_write_of_any_kind)
{
	struct blk_call c = {.type = BLK_T_FLUSH};

	blk_fix_up_readonly(&f, (unsigned)_i);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 0, alien(512), 512),
			  BLK_S_IOERR);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 0, 8, 0), BLK_S_UNSUPP);
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 0, 8, 0),
			  BLK_S_UNSUPP);
	ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_OK);
	blk_assert_image(&f, 0, 8);
	blk_fix_down(&f);
}
END_TEST

/*
 * Discard and write zeroes.
 */

START_TEST(zeroes_are_written_and_nothing_beside_them)
{
	up(_i);
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 3, 21, 0),
			  BLK_S_OK);
	blk_assert_image(&f, 2, 1);
	blk_assert_zeros(&f, 3, 21);
	blk_assert_image(&f, 24, 1);
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 103, 21,
				    BLK_RANGE_UNMAP),
			  BLK_S_OK);
	blk_assert_image(&f, 102, 1);
	blk_assert_zeros(&f, 103, 21);
	blk_assert_image(&f, 124, 1);
	ck_assert_int_eq(lseek(f.fd, 0, SEEK_END), (off_t)DISK_BYTES);
	blk_fix_down(&f);
}
END_TEST

START_TEST(discarded_file_ranges_read_as_zeros)
{
	up(_i);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, DISK_SECTORS - 8, 8, 0),
			  BLK_S_OK);
	blk_assert_image(&f, DISK_SECTORS - 9, 1);
	blk_assert_zeros(&f, DISK_SECTORS - 8, 8);
	ck_assert_int_eq(lseek(f.fd, 0, SEEK_END), (off_t)DISK_BYTES);
	blk_fix_down(&f);
}
END_TEST

START_TEST(ranges_past_the_end_fail)
{
	static const struct {
		uint64_t sector;
		uint32_t n;
	} bad[] = {
		{DISK_SECTORS, 1},	  {DISK_SECTORS - 1, 2},
		{0, DISK_SECTORS + 1},	  {UINT64_MAX, 1},
		{UINT64_MAX, UINT32_MAX}, {UINT64_MAX / 512, 8},
		{UINT64_C(1) << 55, 8},	  {0, UINT32_MAX},
	};

	up(_i);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, bad[i].sector,
					    bad[i].n, 0),
				  BLK_S_IOERR);
		ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES,
					    bad[i].sector, bad[i].n, 0),
				  BLK_S_IOERR);
	}
	blk_assert_image(&f, 0, 16);
	blk_assert_image(&f, DISK_SECTORS - 16, 16);
	blk_fix_down(&f);
}
END_TEST

START_TEST(empty_ranges_succeed)
{
	up(_i);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 0, 0, 0), BLK_S_OK);
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, DISK_SECTORS, 0, 0),
			  BLK_S_OK);
	blk_assert_image(&f, 0, 1);
	blk_fix_down(&f);
}
END_TEST

/* Slots are used again and again. */
START_TEST(many_ranges_one_after_the_other)
{
	up(_i);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, i * 16, 8, 0),
				  BLK_S_OK);
	for (unsigned i = 0; i < 100; i++) {
		blk_assert_zeros(&f, i * 16, 8);
		blk_assert_image(&f, i * 16 + 8, 8);
	}
	blk_fix_down(&f);
}
END_TEST

/* [virtio 1.2, 5.2.6.2] */
START_TEST(unknown_range_flags_are_unsupported)
{
	up(_i);
	for (unsigned bit = 0; bit < 32; bit++) {
		ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 0, 8, BIT(bit)),
				  BLK_S_UNSUPP);
		if (bit > 0)
			ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 0,
						    8, BIT(bit)),
					  BLK_S_UNSUPP);
	}
	blk_assert_image(&f, 0, 8);
	blk_fix_down(&f);
}
END_TEST

static uint8_t run_ranges(uint32_t type, unsigned n, uint32_t len)
{
	struct blk_range_wire w[BLK_DISCARD_RANGES_MAX + 1];
	struct blk_call c = {.type = type, .ndata = 1};

	for (unsigned i = 0; i < n; i++)
		w[i] = (struct blk_range_wire){
			.sector = le64_put(i * 16),
			.nsectors = le32_put(8),
		};
	c.data[0] = (struct vqd_buf){vqd_put(f.drv, w, len), len, false};
	return blk_run(&f, &c, NULL);
}

START_TEST(several_ranges_are_discarded)
{
	const unsigned n = BLK_DISCARD_RANGES_MAX;

	up(_i);
	ck_assert_uint_eq(run_ranges(BLK_T_DISCARD, n, n * 16), BLK_S_OK);
	for (unsigned i = 0; i < n; i++) {
		blk_assert_zeros(&f, i * 16, 8);
		blk_assert_image(&f, i * 16 + 8, 8);
	}
	blk_fix_down(&f);
}
END_TEST

START_TEST(too_many_ranges_and_broken_ones_fail)
{
	const unsigned n = BLK_DISCARD_RANGES_MAX + 1;
	struct blk_call c = {.type = BLK_T_DISCARD};

	up(_i);
	ck_assert_uint_eq(run_ranges(BLK_T_DISCARD, n, n * 16), BLK_S_IOERR);
	ck_assert_uint_eq(run_ranges(BLK_T_WRITE_ZEROES, 2, 32), BLK_S_IOERR);
	for (uint32_t len = 1; len < 16; len++)
		ck_assert_uint_eq(run_ranges(BLK_T_DISCARD, 1, len),
				  BLK_S_IOERR);
	ck_assert_uint_eq(run_ranges(BLK_T_DISCARD, 2, 17), BLK_S_IOERR);
	ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_IOERR);
	blk_assert_image(&f, 0, 64);
	blk_fix_down(&f);
}
END_TEST

/* A bad range behind good ones: nothing is done at all. */
START_TEST(all_ranges_are_checked_before_the_first_is_touched)
{
	struct blk_range_wire w[2] = {
		{.sector = le64_put(0), .nsectors = le32_put(8)},
		{.sector = le64_put(DISK_SECTORS), .nsectors = le32_put(8)},
	};
	struct blk_call c = {.type = BLK_T_DISCARD, .ndata = 1};

	up(_i);
	c.data[0] = (struct vqd_buf){vqd_put(f.drv, w, 32), 32, false};
	ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_IOERR);
	blk_assert_image(&f, 0, 8);
	blk_fix_down(&f);
}
END_TEST

START_TEST(what_was_not_negotiated_is_unsupported)
{
	blk_fix_up(&f, (unsigned)_i, FIX_USUAL);
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 0, 8, 0), BLK_S_UNSUPP);
	ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, 0, 8, 0),
			  BLK_S_UNSUPP);
	/* The rest works, writes being stable at once. */
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 0, alien(512), 512), BLK_S_OK);
	assert_alien(0, 1);
	blk_fix_down(&f);
}
END_TEST

/*
 * Memory that is not there.
 */

START_TEST(unreachable_data_fails_and_the_disk_stays)
{
	struct blk_call c = {.type = BLK_T_OUT, .ndata = 2};
	uint32_t len;

	up(_i);
	c.data[0] = (struct vqd_buf){alien(512), 512, false};
	c.data[1] = (struct vqd_buf){FIX_NOWHERE, 512, false};
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_IOERR);
	ck_assert_uint_eq(len, 1);
	blk_assert_image(&f, 0, 2);
	c.type = BLK_T_IN;
	c.data[0].write = c.data[1].write = true;
	ck_assert_uint_eq(blk_run(&f, &c, &len), BLK_S_IOERR);
	ck_assert_uint_eq(len, 0);
	ck_assert(!fix_is_broken(&f.dev));
	ck_assert_uint_eq(fix_holds(&f.dev), 0);
	blk_fix_down(&f);
}
END_TEST

START_TEST(unreachable_header_fails)
{
	struct vqd_buf b[2] = {{FIX_NOWHERE, 16, false}};
	uint8_t status = NO_STATUS;

	up(_i);
	b[1] = (struct vqd_buf){vqd_put(f.drv, &status, 1), 1, true};
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 2), 1);
	vqd_read(f.drv, b[1].at, &status, 1);
	ck_assert_uint_eq(status, BLK_S_IOERR);
	blk_fix_down(&f);
}
END_TEST

START_TEST(unreachable_status_leaves_used_length_0)
{
	struct vqd_buf b[2];

	up(_i);
	put_header(&b[0], BLK_T_FLUSH, 0);
	b[1] = (struct vqd_buf){FIX_NOWHERE, 1, true};
	ck_assert_uint_eq(fix_run(&f.dev, 0, b, 2), 0);
	ck_assert(!fix_is_broken(&f.dev));
	blk_fix_down(&f);
}
END_TEST

START_TEST(unreachable_ranges_fail)
{
	struct blk_call c = {.type = BLK_T_DISCARD,
			     .data = {{FIX_NOWHERE, 16, false}},
			     .ndata = 1};

	up(_i);
	ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_IOERR);
	blk_fix_down(&f);
}
END_TEST

/* Mapped for the device to read only: a disk read must not go there. */
START_TEST(permissions_are_obeyed)
{
	iova_t at, page;
	gpa_t gpa;

	if (!(_i & FIX_SCATTERED))
		return;
	up(_i);
	at = alien(8192);
	page = align_up(at, 4096);
	gpa = fake_dma_gpa(&f.dev.view, page);
	fake_dma_unmap(&f.dev.view, page, 4096);
	fake_dma_map(&f.dev.view, page, gpa, 4096, DMA_READ);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 0, page, 512), BLK_S_IOERR);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 0, page, 512), BLK_S_OK);
	assert_alien(0, 1);
	ck_assert_uint_ge(fake_dma_faults(&f.dev.view), 1);
	blk_fix_down(&f);
}
END_TEST

/*
 * Trouble with the ring, and with the host.
 */

static bool is_broken(void *arg)
{
	return ((struct virtio_dev *)arg)->status & VIRTIO_STATUS_NEEDS_RESET;
}

START_TEST(broken_ring_needs_a_reset_and_works_after_it)
{
	iova_t at;

	up(_i);
	vqd_offer(f.drv, 0xffff);
	fix_force_kick(&f.dev, 0);
	fix_until(&f.dev, is_broken, f.dev.d);
	fix_start(&f.dev, BLK_ALL);
	at = alien(512);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 2, at, 512), BLK_S_OK);
	blk_assert_memory(&f, at, 2, 1);
	blk_fix_down(&f);
}
END_TEST

START_TEST(image_that_shrinks_gives_errors)
{
	iova_t at;

	up(_i);
	at = alien(4096);
	ck_assert_int_eq(ftruncate(f.fd, 10 * 512 + 100), 0);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 20, at, 512), BLK_S_IOERR);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 8, at, 4096), BLK_S_IOERR);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 9, at, 512), BLK_S_OK);
	blk_assert_memory(&f, at, 9, 1);
	/* What is written behind the end makes it longer. */
	ck_assert_uint_eq(blk_rw(&f, BLK_T_OUT, 20, at, 512), BLK_S_OK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 20, at, 512), BLK_S_OK);
	blk_assert_memory(&f, at, 9, 1);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 21, at, 512), BLK_S_IOERR);
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		const uint64_t sector = 40 + 20 * unmap;

		ck_assert_uint_eq(blk_range(&f, BLK_T_WRITE_ZEROES, sector, 8,
					    unmap * BLK_RANGE_UNMAP),
				  BLK_S_OK);
		ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, sector, at, 4096),
				  BLK_S_OK);
		blk_assert_zeros(&f, sector, 8);
	}
	/* A discard is not what makes it longer. */
	ck_assert_uint_eq(blk_range(&f, BLK_T_DISCARD, 80, 8, 0), BLK_S_OK);
	ck_assert_uint_eq(blk_rw(&f, BLK_T_IN, 80, at, 512), BLK_S_IOERR);
	blk_fix_down(&f);
}
END_TEST

/* Reset right behind a kick, over and over: nothing hangs, nothing is lost
 * or done twice. */
START_TEST(resets_with_requests_on_the_way)
{
	struct blk_call c = {.type = BLK_T_IN, .sector = 1, .ndata = 1};

	up(_i);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; k < 5; k++) {
			c.data[0] = (struct vqd_buf){alien(8192), 8192, true};
			blk_begin(&f, &c);
		}
		fix_start(&f.dev, BLK_ALL);
		ck_assert_uint_eq(vqd_used_idx(f.drv), 0);
	}
	c.data[0] = (struct vqd_buf){alien(8192), 8192, true};
	ck_assert_uint_eq(blk_run(&f, &c, NULL), BLK_S_OK);
	blk_assert_memory(&f, c.data[0].at, 1, 16);
	blk_fix_down(&f);
}
END_TEST

#define ADD(t) tcase_add_loop_test(tc, t, 0, FIX_WAYS)

static TCase *transfers(void)
{
	TCase *tc = tcase_create("transfers");

	ADD(configuration_describes_the_disk);
	ADD(features_of_a_writable_disk);
	ADD(indirect_descriptors_are_offered_unless_unwanted);
	ADD(read_returns_the_image);
	ADD(write_reaches_the_image_and_nothing_beside_it);
	ADD(first_and_last_sector_can_be_read_and_written);
	ADD(transfers_past_the_end_fail_and_move_nothing);
	ADD(lengths_that_are_not_whole_sectors_fail);
	ADD(empty_transfers_succeed_on_the_disk_only);
	ADD(failed_read_reports_no_written_byte);
	ADD(largest_length_fails);
	ADD(read_into_odd_pieces);
	ADD(header_in_single_bytes_and_status_behind_the_data);
	ADD(header_and_data_in_one_descriptor);
	ADD(status_is_the_last_writable_byte);
	ADD(indirect_requests_work);
	ADD(as_many_segments_as_are_promised);
	ADD(megabyte_in_one_descriptor);
	ADD(full_ring_is_served_with_one_kick);
	ADD(every_head_in_flight_at_once);
	return tc;
}

static TCase *others(void)
{
	TCase *tc = tcase_create("others");

	ADD(short_header_fails);
	ADD(request_without_status_is_returned_and_not_done);
	ADD(unknown_types_are_unsupported);
	ADD(flush_succeeds);
	ADD(id_is_the_tail_of_the_path);
	ADD(id_fits_what_the_driver_gives);
	ADD(readonly_disk_says_so_and_can_be_read);
	ADD(readonly_disk_takes_no_write_of_any_kind);
	return tc;
}

static TCase *ranges(void)
{
	TCase *tc = tcase_create("ranges");

	ADD(zeroes_are_written_and_nothing_beside_them);
	ADD(discarded_file_ranges_read_as_zeros);
	ADD(ranges_past_the_end_fail);
	ADD(empty_ranges_succeed);
	ADD(many_ranges_one_after_the_other);
	ADD(unknown_range_flags_are_unsupported);
	ADD(several_ranges_are_discarded);
	ADD(too_many_ranges_and_broken_ones_fail);
	ADD(all_ranges_are_checked_before_the_first_is_touched);
	ADD(what_was_not_negotiated_is_unsupported);
	return tc;
}

static TCase *trouble(void)
{
	TCase *tc = tcase_create("trouble");

	ADD(unreachable_data_fails_and_the_disk_stays);
	ADD(unreachable_header_fails);
	ADD(unreachable_status_leaves_used_length_0);
	ADD(unreachable_ranges_fail);
	ADD(permissions_are_obeyed);
	ADD(broken_ring_needs_a_reset_and_works_after_it);
	ADD(image_that_shrinks_gives_errors);
	ADD(resets_with_requests_on_the_way);
	return tc;
}

/*
 * With --no-uring the whole suite runs where the kernel forbids io_uring, as
 * containers' filters do: on the synchronous engine, with and without loop.
 */
static int forbid_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {ARRAY_SIZE(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	Suite *s = suite_create("devices/blk");
	TCase *cases[] = {transfers(), others(), ranges(), trouble()};
	SRunner *sr = srunner_create(s);
	int failed;

	if (argc > 1 && strcmp(argv[1], "--no-uring") == 0 && forbid_uring())
		return 77;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		tcase_set_timeout(cases[i], 60);
		suite_add_tcase(s, cases[i]);
	}
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
