/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * request.h - one request of a disk, from its header to its status.
 *
 * A request is a sequence of operations for an engine: a transfer in pieces
 * of at most BLK_IOV_MAX host buffers, ranges one after the other, a sync.
 * This file decides what comes next; it does no I/O and knows no engine.
 *
 *	more = blk_req_start(r, disk, chain);
 *	while (more)
 *		more = blk_req_next(r, result of carrying out r->io);
 *	blk_req_end(r);	 then the chain goes back to its queue
 *
 * Threads: the queue's lock.
 */
#ifndef MOAT_DEVICES_BLK_REQUEST_H
#define MOAT_DEVICES_BLK_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/blk/engine.h"
#include "devices/blk/image.h"
#include "devices/blk/wire.h"

struct vq_chain;

#define BLK_IOV_MAX 128

/* What the driver is told it may ask for at once. */
#define BLK_DISCARD_SECTORS_MAX	     (1u << 21) /* 1 GiB */
#define BLK_DISCARD_RANGES_MAX	     16
#define BLK_WRITE_ZEROES_SECTORS_MAX (1u << 17) /* 64 MiB */
#define BLK_WRITE_ZEROES_RANGES_MAX  1

/* What requests need to know of their disk. */
struct blk_disk {
	struct blk_image image;
	uint8_t id[BLK_ID_LEN];
	/* As negotiated. */
	bool discard, write_zeroes;
	bool write_through; /* without FLUSH, done means stable */
};

struct blk_range {
	uint64_t at, len; /* bytes, in the disk */
	bool unmap;
};

/* Zeroed: free. */
struct blk_req {
	struct blk_io io;
	const struct blk_disk *disk;
	struct vq_chain *chain; /* NULL: free */
	uint32_t type;
	uint8_t status;
	unsigned retries;
	uint64_t at, left; /* of a transfer, behind the piece in io */
	uint64_t moved;	   /* bytes transferred */
	unsigned heard;	   /* the queue's when it began */
	bool clearing;	   /* the host cannot clear ranges: write zeros */
	unsigned range, nranges;
	struct blk_range ranges[BLK_DISCARD_RANGES_MAX];
	struct iovec iov[BLK_IOV_MAX];
};

/*
 * blk_req_start - read the header of @c and prepare the first operation.
 * @c: has at least one writable byte, for the status
 *
 * Return: true if r->io is to be carried out; false: there is nothing to do,
 * r->status is final.
 */
bool blk_req_start(struct blk_req *r, const struct blk_disk *disk,
		   struct vq_chain *c);

/*
 * blk_req_next - go on after r->io.
 * @result: bytes moved, 0, or -errno
 *
 * Return: as blk_req_start().
 */
bool blk_req_next(struct blk_req *r, int64_t result);

/* Write the status and forget the chain; it is the caller's again. */
void blk_req_end(struct blk_req *r);

#endif
