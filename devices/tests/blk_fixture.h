/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * blk_fixture.h - a disk with a temporary image, and its driver.
 *
 * Sector n of a fresh image is filled with pattern bytes of its own.
 */
#ifndef MOAT_DEVICES_TESTS_BLK_FIXTURE_H
#define MOAT_DEVICES_TESTS_BLK_FIXTURE_H

#include "devices/blk/device.h"
#include "devices/blk/wire.h"
#include "devices/tests/dev_fixture.h"

#define DISK_SECTORS 8192u
#define DISK_BYTES   ((uint64_t)DISK_SECTORS * BLK_SECTOR)

#define BLK_ALL                                                         \
	(FIX_USUAL | BIT_ULL(BLK_F_SEG_MAX) | BIT_ULL(BLK_F_BLK_SIZE) | \
	 BIT_ULL(BLK_F_FLUSH) | BIT_ULL(BLK_F_TOPOLOGY) |               \
	 BIT_ULL(BLK_F_DISCARD) | BIT_ULL(BLK_F_WRITE_ZEROES))
#define BLK_READONLY                     \
	((BLK_ALL | BIT_ULL(BLK_F_RO)) & \
	 ~(BIT_ULL(BLK_F_DISCARD) | BIT_ULL(BLK_F_WRITE_ZEROES)))

/* No status was written. */
#define NO_STATUS 0xee

/*
 * An engine whose kernel is the test: operations wait until they are
 * completed by hand.
 *
 * Threads: under the device's lock.
 */
struct fake_engine {
	struct blk_engine engine;
	struct list queued; /* not submitted */
	struct list flying; /* submitted, oldest first */
	unsigned nqueued, nflying, submits, cancels;
	bool freed;
};

struct blk_fixture {
	struct dev_fixture dev;
	struct vq_driver *drv; /* of the queue that is used */
	unsigned queue;
	char path[64];
	int fd;			  /* of the image, beside the device's own */
	struct fake_engine *fake; /* of the queue; NULL: a real one */
	struct fake_engine *fakes[FIX_QUEUES + 1];
};

/* Image file only; unlinked by blk_fix_remove(). */
void blk_fix_image(struct blk_fixture *f, uint64_t size);
void blk_fix_remove(struct blk_fixture *f);

/* The real engine (the best there is if looped), or the fake one. */
void blk_fix_up(struct blk_fixture *f, unsigned ways, uint64_t features);
void blk_fix_up_fake(struct blk_fixture *f, unsigned ways, uint64_t features);
/* The fake one with @queues of them. */
void blk_fix_up_fakes(struct blk_fixture *f, unsigned ways, uint64_t features,
		      unsigned queues);
/* The fake one on an image that goes on with a hole, up to @size. */
void blk_fix_up_large(struct blk_fixture *f, unsigned ways, uint64_t features,
		      uint64_t size);
/* On an image that stands, blk_fix_image(): as @config says, path apart. */
void blk_fix_up_as(struct blk_fixture *f, unsigned ways, uint64_t features,
		   struct blk_config config);
/* Requests go to this queue from now on; it was the first. */
void blk_fix_queue(struct blk_fixture *f, unsigned queue);
void blk_fix_up_readonly(struct blk_fixture *f, unsigned ways);
void blk_fix_down(struct blk_fixture *f);

/*
 * Operations of the fake engine.  Each takes the lock.
 */
unsigned fake_flying(struct blk_fixture *f);
/* The oldest; NULL: none.  Stays where it is. */
struct blk_io *fake_first(struct blk_fixture *f);
/* Complete the oldest. */
void fake_complete(struct blk_fixture *f, int64_t result);
/* Carry the oldest out and complete it with what came. */
void fake_run(struct blk_fixture *f);

/*
 * Requests.
 */
struct blk_call {
	uint32_t type;
	uint64_t sector;
	struct vqd_buf data[4]; /* at most */
	unsigned ndata;
	/* Filled in by begin: */
	uint16_t head;
	iova_t status_at;
};

/* Header, data, status: published and kicked. */
void blk_begin(struct blk_fixture *f, struct blk_call *c);
/* Its status, NO_STATUS if none was written. */
uint8_t blk_status(struct blk_fixture *f, const struct blk_call *c);
/* Begin and wait.  Return: status.  @ret_len: used.len, may be NULL. */
uint8_t blk_run(struct blk_fixture *f, struct blk_call *c, uint32_t *ret_len);

/* One data buffer at @at. */
uint8_t blk_rw(struct blk_fixture *f, uint32_t type, uint64_t sector, iova_t at,
	       uint32_t len);
/* One range to discard or clear. */
uint8_t blk_range(struct blk_fixture *f, uint32_t type, uint64_t sector,
		  uint32_t n, uint32_t flags);

/* Bytes of sector @sector in a fresh image. */
void blk_pattern(uint64_t sector, uint8_t out[BLK_SECTOR]);
/* @n sectors at @at in guest memory are sectors @sector... of a fresh image? */
void blk_assert_memory(struct blk_fixture *f, iova_t at, uint64_t sector,
		       unsigned n);
/* The same of the image itself; all zeros. */
void blk_assert_image(struct blk_fixture *f, uint64_t sector, unsigned n);
void blk_assert_zeros(struct blk_fixture *f, uint64_t sector, unsigned n);

#endif
