/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/tests/blk_fixture.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"

/*
 * The fake engine.
 */

static struct fake_engine *to_fake(struct blk_engine *e)
{
	return container_of(e, struct fake_engine, engine);
}

static void fake_queue(struct blk_engine *e, struct blk_io *io)
{
	list_append(&to_fake(e)->queued, &io->node);
	to_fake(e)->nqueued++;
}

static void fake_submit(struct blk_engine *e)
{
	struct fake_engine *k = to_fake(e);

	k->submits++;
	while (!list_empty(&k->queued)) {
		struct list *node = k->queued.next;

		list_remove(node);
		list_append(&k->flying, node);
		k->nqueued--;
		k->nflying++;
	}
}

static void fake_cancel(struct blk_engine *e)
{
	to_fake(e)->cancels++;
}

static void fake_free(struct blk_engine *e)
{
	free(to_fake(e));
}

static const struct blk_engine_ops fake_ops = {
	.queue = fake_queue,
	.submit = fake_submit,
	.cancel = fake_cancel,
	.free = fake_free,
};

static int fake_new(struct blk_engine **ret_e, const struct blk_engine_env *env)
{
	struct fake_engine *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->engine = (struct blk_engine){.ops = &fake_ops, .env = *env};
	list_init(&k->queued);
	list_init(&k->flying);
	*ret_e = &k->engine;
	return 0;
}

unsigned fake_flying(struct blk_fixture *f)
{
	unsigned n;

	fix_lock(&f->dev);
	n = f->fake->nflying;
	fix_unlock(&f->dev);
	return n;
}

struct blk_io *fake_first(struct blk_fixture *f)
{
	struct blk_io *io = NULL;

	fix_lock(&f->dev);
	if (!list_empty(&f->fake->flying))
		io = container_of(f->fake->flying.next, struct blk_io, node);
	fix_unlock(&f->dev);
	return io;
}

static void complete_locked(struct fake_engine *k, struct blk_io *io,
			    int64_t result)
{
	struct blk_engine_user *u = k->engine.env.user;

	list_remove(&io->node);
	k->nflying--;
	u->ops->done(u, io, result);
	fake_submit(&k->engine);
	u->ops->batch_done(u);
}

void fake_complete(struct blk_fixture *f, int64_t result)
{
	struct blk_io *io = fake_first(f);

	ck_assert_ptr_nonnull(io);
	fix_lock(&f->dev);
	complete_locked(f->fake, io, result);
	fix_unlock(&f->dev);
}

void fake_run(struct blk_fixture *f)
{
	struct blk_io *io = fake_first(f);

	ck_assert_ptr_nonnull(io);
	fake_complete(f, blk_io_run(io, f->fake->engine.env.image));
}

/*
 * Image.
 */

void blk_pattern(uint64_t sector, uint8_t out[BLK_SECTOR])
{
	for (unsigned i = 0; i < BLK_SECTOR; i++)
		out[i] = (uint8_t)(sector * 13 + sector / 256 + i + 1);
}

void blk_fix_image(struct blk_fixture *f, uint64_t size)
{
	static uint8_t bytes[DISK_BYTES];

	memset(f, 0, sizeof(*f));
	strcpy(f->path, "/tmp/moat-test-disk-XXXXXX");
	f->fd = mkstemp(f->path);
	ck_assert_int_ge(f->fd, 0);
	for (unsigned i = 0; i < DISK_SECTORS; i++)
		blk_pattern(i, bytes + (size_t)i * BLK_SECTOR);
	ck_assert_uint_le(size, DISK_BYTES);
	ck_assert_int_eq(fd_pwrite_full(f->fd, bytes, size, 0), 0);
}

void blk_fix_remove(struct blk_fixture *f)
{
	close(f->fd);
	unlink(f->path);
}

static void assert_sector(struct blk_fixture *f, uint64_t sector,
			  const uint8_t *want)
{
	uint8_t got[BLK_SECTOR];

	ck_assert_int_eq(
		fd_pread_full(f->fd, got, sizeof(got), sector * BLK_SECTOR), 0);
	ck_assert_msg(memcmp(got, want, BLK_SECTOR) == 0, "sector %llu differs",
		      (unsigned long long)sector);
}

void blk_assert_image(struct blk_fixture *f, uint64_t sector, unsigned n)
{
	uint8_t want[BLK_SECTOR];

	for (unsigned i = 0; i < n; i++) {
		blk_pattern(sector + i, want);
		assert_sector(f, sector + i, want);
	}
}

void blk_assert_zeros(struct blk_fixture *f, uint64_t sector, unsigned n)
{
	static const uint8_t zeros[BLK_SECTOR];

	for (unsigned i = 0; i < n; i++)
		assert_sector(f, sector + i, zeros);
}

void blk_assert_memory(struct blk_fixture *f, iova_t at, uint64_t sector,
		       unsigned n)
{
	uint8_t got[BLK_SECTOR], want[BLK_SECTOR];

	for (unsigned i = 0; i < n; i++) {
		vqd_read(f->drv, at + (uint64_t)i * BLK_SECTOR, got,
			 sizeof(got));
		blk_pattern(sector + i, want);
		ck_assert_msg(memcmp(got, want, BLK_SECTOR) == 0,
			      "sector %u of the buffer differs", i);
	}
}

/*
 * Device.
 */

/* Where the device keeps its engines is its secret: catch them at birth. */
static _Thread_local struct fake_engine *born[FIX_QUEUES];
static _Thread_local unsigned nborn;

static int fake_new_caught(struct blk_engine **ret_e,
			   const struct blk_engine_env *env)
{
	int r = fake_new(ret_e, env);

	if (r == 0)
		born[nborn++] = to_fake(*ret_e);
	return r;
}

static void make(struct blk_fixture *f, uint64_t features,
		 const struct blk_config *config, blk_engine_new_fn engine)
{
	struct virtio_dev *d;
	struct err err;

	memset(born, 0, sizeof(born));
	nborn = 0;
	ck_assert_msg(blk_new_on(&d, &f->dev.env, config, engine, &err) == 0,
		      "%s", err.msg);
	unlink(f->path); /* nothing stays behind, however the test ends */
	memcpy(f->fakes, born, sizeof(born));
	fix_adopt(&f->dev, d);
	fix_start(&f->dev, features);
	blk_fix_queue(f, 0);
}

static void adopt(struct blk_fixture *f, unsigned ways, uint64_t features,
		  bool readonly, blk_engine_new_fn engine)
{
	const struct blk_config config = {
		.path = f->path,
		.readonly = readonly,
	};

	fix_init(&f->dev, ways);
	make(f, features, &config, engine);
}

void blk_fix_up_as(struct blk_fixture *f, unsigned ways, uint64_t features,
		   struct blk_config config)
{
	config.path = f->path;
	/* A test may have prepared it. */
	if (f->dev.mem.nslots == 0)
		fix_init(&f->dev, ways);
	make(f, features, &config, NULL);
}

void blk_fix_queue(struct blk_fixture *f, unsigned queue)
{
	f->queue = queue;
	f->drv = &f->dev.drv[queue];
	f->fake = f->fakes[queue];
}

void blk_fix_up(struct blk_fixture *f, unsigned ways, uint64_t features)
{
	blk_fix_image(f, DISK_BYTES);
	adopt(f, ways, features, false, NULL);
}

void blk_fix_up_readonly(struct blk_fixture *f, unsigned ways)
{
	blk_fix_image(f, DISK_BYTES);
	adopt(f, ways, BLK_READONLY, true, NULL);
}

void blk_fix_up_fake(struct blk_fixture *f, unsigned ways, uint64_t features)
{
	blk_fix_up_large(f, ways, features, DISK_BYTES);
}

void blk_fix_up_large(struct blk_fixture *f, unsigned ways, uint64_t features,
		      uint64_t size)
{
	blk_fix_image(f, DISK_BYTES);
	ck_assert_int_eq(ftruncate(f->fd, (off_t)size), 0);
	adopt(f, ways, features, false, fake_new_caught);
}

void blk_fix_up_fakes(struct blk_fixture *f, unsigned ways, uint64_t features,
		      unsigned queues)
{
	const struct blk_config config = {
		.path = f->path,
		.queues = queues,
	};

	blk_fix_image(f, DISK_BYTES);
	fix_init(&f->dev, ways);
	make(f, features, &config, fake_new_caught);
}

void blk_fix_down(struct blk_fixture *f)
{
	for (unsigned i = 0; f->fakes[i]; i++) {
		blk_fix_queue(f, i);
		while (fake_first(f))
			fake_complete(f, -EIO);
	}
	fix_fini(&f->dev);
	blk_fix_remove(f);
}

/*
 * Requests.
 */

void blk_begin(struct blk_fixture *f, struct blk_call *c)
{
	const struct blk_header_wire h = {
		.type = le32_put(c->type),
		.sector = le64_put(c->sector),
	};
	const uint8_t none = NO_STATUS;
	struct vqd_buf bufs[2 + ARRAY_SIZE(c->data)];
	unsigned n = 0;

	c->status_at = vqd_put(f->drv, &none, 1);
	bufs[n++] = (struct vqd_buf){vqd_put(f->drv, &h, sizeof(h)), sizeof(h),
				     false};
	for (unsigned i = 0; i < c->ndata; i++)
		bufs[n++] = c->data[i];
	bufs[n++] = (struct vqd_buf){c->status_at, 1, true};
	c->head = vqd_add(f->drv, bufs, n);
	fix_kick(&f->dev, f->queue);
}

uint8_t blk_status(struct blk_fixture *f, const struct blk_call *c)
{
	uint8_t status;

	vqd_read(f->drv, c->status_at, &status, 1);
	return status;
}

uint8_t blk_run(struct blk_fixture *f, struct blk_call *c, uint32_t *ret_len)
{
	uint32_t head, len;

	blk_begin(f, c);
	fix_wait(&f->dev, f->queue, &head, &len);
	ck_assert_uint_eq(head, c->head);
	if (ret_len)
		*ret_len = len;
	return blk_status(f, c);
}

uint8_t blk_rw(struct blk_fixture *f, uint32_t type, uint64_t sector, iova_t at,
	       uint32_t len)
{
	struct blk_call c = {
		.type = type,
		.sector = sector,
		.data = {{at, len, type == BLK_T_IN}},
		.ndata = 1,
	};

	return blk_run(f, &c, NULL);
}

uint8_t blk_range(struct blk_fixture *f, uint32_t type, uint64_t sector,
		  uint32_t n, uint32_t flags)
{
	const struct blk_range_wire w = {
		.sector = le64_put(sector),
		.nsectors = le32_put(n),
		.flags = le32_put(flags),
	};
	struct blk_call c = {
		.type = type,
		.data = {{vqd_put(f->drv, &w, sizeof(w)), sizeof(w), false}},
		.ndata = 1,
	};

	return blk_run(f, &c, NULL);
}
