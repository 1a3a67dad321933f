/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Reads and writes of 4 KiB, anywhere on a disk of 64 MiB that the host has
 * in its page cache (unless --direct goes past it).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/loop.h"
#include "devices/blk.h"
#include "devices/blk/wire.h"
#include "virtio/bench/rig.h"

#define BLOCK  4096u
#define BLOCKS 16384u

/* Buffers of a request. */
enum { HEADER, DATA, STATUS, BUFS };

static int make_image(char *path, size_t cap)
{
	static uint8_t block[BLOCK];
	int fd;

	(void)snprintf(path, cap, "%s/virtio-bench.XXXXXX", rig_options.dir);
	fd = mkstemp(path);
	for (unsigned n = 0; fd >= 0 && n < BLOCKS; n++) {
		memset(block, (int)n, sizeof(block));
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			break;
	}
	if (fd < 0 || fsync(fd) < 0) {
		perror(path);
		return -1;
	}
	close(fd);
	return 0;
}

static int open_disk(struct rig *r, const struct virtio_dev_env *env,
		     unsigned queues)
{
	char path[512];
	const struct blk_config config = {
		.path = rig_options.path ? rig_options.path : path,
		.queues = queues,
	};
	struct err err = {0};
	int rc;

	if (!rig_options.path && make_image(path, sizeof(path)))
		return -1;
	rc = blk_new(&r->dev, env, &config, &err);
	if (!rig_options.path)
		(void)unlink(path);
	if (rc)
		fprintf(stderr, "virtio-bench: %s\n", err.msg);
	return rc;
}

static int blk_open(struct rig *r, const struct virtio_dev_env *env)
{
	return open_disk(r, env, 1);
}

/* The queue that is used, and another one with a loop that nobody runs. */
static int blk_open_own(struct rig *r, const struct virtio_dev_env *env)
{
	struct virtio_queue_env queues[2] = {{env->loop, env->dma}};
	struct virtio_dev_env own = *env;
	struct err err = {0};

	if (loop_new(&r->idle_loop, &err)) {
		fprintf(stderr, "virtio-bench: %s\n", err.msg);
		return -1;
	}
	queues[1] = (struct virtio_queue_env){r->idle_loop, &r->plain};
	own.queues = queues;
	return open_disk(r, &own, 2);
}

static void blk_close_own(struct rig *r)
{
	loop_free(r->idle_loop);
}

static uint64_t scramble(uint64_t v)
{
	v ^= v >> 33;
	v *= UINT64_C(0xff51afd7ed558ccd);
	v ^= v >> 33;
	v *= UINT64_C(0xc4ceb9fe1a85ec53);
	return v ^ v >> 33;
}

static unsigned request(struct rig *r, unsigned slot, uint64_t n,
			struct vqd_buf *bufs, uint32_t type)
{
	const struct blk_header_wire h = {
		.type = le32_put(type),
		.sector = le64_put(scramble(n) % BLOCKS * (BLOCK / BLK_SECTOR)),
	};
	const uint8_t none = 0xff;

	bufs[HEADER] =
		(struct vqd_buf){rig_page(slot, HEADER), sizeof(h), false};
	bufs[DATA] =
		(struct vqd_buf){rig_page(slot, DATA), BLOCK, type == BLK_T_IN};
	bufs[STATUS] = (struct vqd_buf){rig_page(slot, STATUS), 1, true};
	vqd_write(&r->driver, bufs[HEADER].at, &h, sizeof(h));
	vqd_write(&r->driver, bufs[STATUS].at, &none, 1);
	return BUFS;
}

static unsigned read_request(struct rig *r, unsigned slot, uint64_t n,
			     struct vqd_buf *bufs)
{
	return request(r, slot, n, bufs, BLK_T_IN);
}

static unsigned write_request(struct rig *r, unsigned slot, uint64_t n,
			      struct vqd_buf *bufs)
{
	return request(r, slot, n, bufs, BLK_T_OUT);
}

static bool status_is_ok(struct rig *r, unsigned slot, uint32_t len)
{
	uint8_t status;

	(void)len;
	vqd_read(&r->driver, rig_page(slot, STATUS), &status, 1);
	return status == BLK_S_OK;
}

#define FEATURES BIT_ULL(BLK_F_FLUSH)

const struct subject_ops subject_blk_read = {
	.name = "blk-read",
	.open = blk_open,
	.queue = 0,
	.features = FEATURES,
	.request = read_request,
	.check = status_is_ok,
};

const struct subject_ops subject_blk_own = {
	.name = "blk-own",
	.open = blk_open_own,
	.close = blk_close_own,
	.queue = 0,
	.features = FEATURES,
	.request = read_request,
	.check = status_is_ok,
};

const struct subject_ops subject_blk_write = {
	.name = "blk-write",
	.open = blk_open,
	.queue = 0,
	.features = FEATURES,
	.request = write_request,
	.check = status_is_ok,
};
