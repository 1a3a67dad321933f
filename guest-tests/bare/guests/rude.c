/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A rude driver breaks its own device, until the next reset, and nothing
 * else: the machine runs on, and a polite driver finds the device whole.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"

static struct blk blk;
static uint8_t data[SECTOR];

static bool is_broken(void *arg)
{
	return vdev_status(arg) & STATUS_NEEDS_RESET;
}

static void index_jumps(struct blk *b)
{
	ring_avail(&b->ring)[1] = 0x8000;
	ring_kick(&b->ring);
}

static void head_outside(struct blk *b)
{
	ring_avail(&b->ring)[2] = RING_SIZE;
	ring_avail(&b->ring)[1] = 1;
	ring_kick(&b->ring);
}

/* A chain in a circle. */
static void circle(struct blk *b)
{
	volatile struct ring_desc *d = ring_descs(&b->ring);

	d[0] = (struct ring_desc){(uintptr_t)data, 16, DESC_NEXT, 1};
	d[1] = (struct ring_desc){(uintptr_t)data, 16, DESC_NEXT, 0};
	ring_avail(&b->ring)[2] = 0;
	ring_avail(&b->ring)[1] = 1;
	ring_kick(&b->ring);
}

static void next_outside(struct blk *b)
{
	volatile struct ring_desc *d = ring_descs(&b->ring);

	d[0] = (struct ring_desc){(uintptr_t)data, 16, DESC_NEXT, 0xffff};
	ring_avail(&b->ring)[2] = 0;
	ring_avail(&b->ring)[1] = 1;
	ring_kick(&b->ring);
}

/* What may be read behind what may be written. */
static void wrong_order(struct blk *b)
{
	const struct piece pieces[] = {
		{(uintptr_t)data, 16, true},
		{(uintptr_t)data, 16, false},
	};

	ring_add(&b->ring, pieces, 2);
	ring_kick(&b->ring);
}

static void (*const rude[])(struct blk *b) = {
	index_jumps, head_outside, circle, next_outside, wrong_order,
};

/* Registers, all of them, with ones: nothing may come of it but a reset. */
static void scribble(struct vdev *v)
{
	for (unsigned off = 0; off < 0x38; off += 2)
		if (off != C_STATUS)
			mmio_write(v->common + off, 2, 0xffff);
	for (unsigned off = 0; off < v->device_len; off += 4)
		mmio_write(v->device + off, 4, UINT32_MAX);
	for (unsigned n = 0; n < 64; n++)
		mmio_write(v->notify, 2, n);
}

void guest(void)
{
	for (unsigned n = 0; n < ARRAY_SIZE(rude); n++) {
		blk_open(&blk, 0, 0);
		rude[n](&blk);
		if (!wait_for(is_broken, &blk.v))
			fail("rudeness %u goes unnoticed", (uint64_t)n);
	}
	blk_open(&blk, 0, 0);
	scribble(&blk.v);
	blk_open(&blk, 0, 0);
	CHECK_EQ(blk_read(&blk, 6, (uintptr_t)data, SECTOR), BLK_OK);
	CHECK(blk_is_sector(data, 6));
}
