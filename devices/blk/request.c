/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/blk/request.h"

#include <errno.h>
#include <fcntl.h>

#include "core/bits.h"
#include "virtio/queue.h"

/* EINTR and EAGAIN in a row, before they count as an error. */
#define RETRIES_MAX 16

#define ZEROS_LEN 65536

/* Never written; not const only so that it takes no room in the executable,
 * and because struct iovec has no const. */
static uint8_t zeros[ZEROS_LEN];

static bool end_with(struct blk_req *r, uint8_t status)
{
	r->status = status;
	return false;
}

/* Are [sector, sector + n) on the disk?  n may be anything, too. */
static bool on_disk(const struct blk_disk *disk, uint64_t sector, uint64_t n)
{
	uint64_t capacity = disk->image.size / BLK_SECTOR;

	return n <= capacity && sector <= capacity - n;
}

/*
 * Transfers.
 */

/*
 * What the host cannot move past its page cache goes through it, and the host
 * keeps the two consistent.
 */
static bool is_direct(const struct blk_req *r, uint64_t at, unsigned n)
{
	const struct blk_image *im = &r->disk->image;

	return im->direct_fd >= 0 && blk_image_aligned(im, at, r->iov, n);
}

static bool data_piece(struct blk_req *r)
{
	struct vq_chain *c = r->chain;
	uint64_t len;
	int n;

	vq_end_holds(c);
	if (r->type == BLK_T_IN)
		n = vq_iov_write(c, r->left, r->iov, BLK_IOV_MAX, &len);
	else
		n = vq_iov_read(c, r->left, r->iov, BLK_IOV_MAX, &len);
	if (n <= 0 || len == 0)
		return end_with(r, BLK_S_IOERR);
	r->io = (struct blk_io){
		.op = r->type == BLK_T_IN ? BLK_OP_READ : BLK_OP_WRITE,
		.at = r->at,
		.len = len,
		.iov = r->iov,
		.niov = (unsigned)n,
		.stable = r->disk->write_through,
		.direct = is_direct(r, r->at, (unsigned)n),
	};
	r->at += len;
	r->left -= len;
	return true;
}

/* As data_piece(), with nothing of the guest's. */
static bool zero_piece(struct blk_req *r)
{
	uint64_t len = min_u64(r->left, BLK_IOV_MAX * ZEROS_LEN);
	unsigned n = 0;

	for (uint64_t at = 0; at < len; at += ZEROS_LEN)
		r->iov[n++] = (struct iovec){
			.iov_base = zeros,
			.iov_len = (size_t)min_u64(len - at, ZEROS_LEN),
		};
	r->io = (struct blk_io){
		.op = BLK_OP_WRITE,
		.at = r->at,
		.len = len,
		.iov = r->iov,
		.niov = n,
		.stable = r->disk->write_through,
	};
	r->at += len;
	r->left -= len;
	return true;
}

static bool start_transfer(struct blk_req *r, uint64_t sector, uint64_t len)
{
	if (r->type == BLK_T_OUT && r->disk->image.readonly)
		return end_with(r, BLK_S_IOERR);
	if (len % BLK_SECTOR != 0 ||
	    !on_disk(r->disk, sector, len / BLK_SECTOR))
		return end_with(r, BLK_S_IOERR);
	if (len == 0)
		return end_with(r, BLK_S_OK);
	r->at = sector * BLK_SECTOR;
	r->left = len;
	return data_piece(r);
}

/* Drop @len bytes from the front of a piece. */
static void trim(struct blk_io *io, uint64_t len)
{
	io->at += len;
	io->len -= len;
	/* Direct I/O that came out short goes on wherever it stands. */
	io->direct = false;
	while (len > 0) {
		struct iovec *v = io->iov;
		size_t n = (size_t)min_u64(len, v->iov_len);

		v->iov_base = (uint8_t *)v->iov_base + n;
		v->iov_len -= n;
		len -= n;
		if (v->iov_len == 0) {
			io->iov++;
			io->niov--;
		}
	}
}

static bool next_range(struct blk_req *r);

/* No progress is the end of a file that has shrunk: not ours to grow. */
static bool transferred(struct blk_req *r, int64_t result)
{
	if (result <= 0 || (uint64_t)result > r->io.len)
		return end_with(r, BLK_S_IOERR);
	r->retries = 0;
	r->moved += (uint64_t)result;
	trim(&r->io, (uint64_t)result);
	if (r->io.len > 0)
		return true;
	if (r->left > 0)
		return r->clearing ? zero_piece(r) : data_piece(r);
	return r->clearing ? next_range(r) : end_with(r, BLK_S_OK);
}

/*
 * Ranges.
 */

static bool start_sync(struct blk_req *r)
{
	r->io = (struct blk_io){.op = BLK_OP_SYNC};
	return true;
}

static bool all_ranges_done(struct blk_req *r)
{
	if (r->type == BLK_T_WRITE_ZEROES && r->disk->write_through)
		return start_sync(r);
	return end_with(r, BLK_S_OK);
}

/*
 * A device discards whole blocks; discarding is advice, so what sticks out is
 * left alone.
 */
static void shrink_to_blocks(struct blk_range *g, uint64_t block)
{
	uint64_t first = align_up(g->at, block);
	uint64_t end = align_down(g->at + g->len, block);

	g->at = first;
	g->len = end > first ? end - first : 0;
}

static void range_io(struct blk_req *r, struct blk_range *g)
{
	const struct blk_image *im = &r->disk->image;
	bool punch = r->type == BLK_T_DISCARD || g->unmap;

	if (r->type == BLK_T_DISCARD && im->device)
		shrink_to_blocks(g, im->logical);
	r->io = (struct blk_io){
		.op = r->type == BLK_T_DISCARD && im->device ? BLK_OP_DISCARD
							     : BLK_OP_FALLOCATE,
		.at = g->at,
		.len = g->len,
		.mode = FALLOC_FL_KEEP_SIZE |
			(punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE),
	};
}

static bool next_range(struct blk_req *r)
{
	r->clearing = false;
	r->retries = 0;
	while (r->range < r->nranges) {
		range_io(r, &r->ranges[r->range++]);
		if (r->io.len > 0)
			return true;
	}
	return all_ranges_done(r);
}

static bool not_supported(int64_t result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS ||
	       result == -ENOTTY || result == -EINVAL || result == -ENODEV;
}

/* Who cannot discard need not; zeros have to be there. */
static bool range_done(struct blk_req *r, int64_t result)
{
	if (result < 0 && !not_supported(result))
		return end_with(r, BLK_S_IOERR);
	if (r->type == BLK_T_DISCARD)
		return next_range(r);
	/* A file that has shrunk is made longer by a write alone. */
	if (result >= 0 &&
	    blk_image_reaches(&r->disk->image, r->io.at + r->io.len))
		return next_range(r);
	r->clearing = true;
	r->at = r->io.at;
	r->left = r->io.len;
	return zero_piece(r);
}

/* Return: status. */
static uint8_t read_range(struct blk_req *r, uint32_t sectors_max)
{
	struct blk_range_wire w;
	struct blk_range *g = &r->ranges[r->nranges];
	uint32_t flags, n;

	if (vq_read_obj(r->chain, &w))
		return BLK_S_IOERR;
	flags = le32_get(w.flags);
	n = le32_get(w.nsectors);
	/* Unknown flags, and UNMAP with DISCARD.   [virtio 1.2, 5.2.6.2] */
	if (flags & ~BLK_RANGE_UNMAP ||
	    (r->type == BLK_T_DISCARD && flags != 0))
		return BLK_S_UNSUPP;
	if (n > sectors_max || !on_disk(r->disk, le64_get(w.sector), n))
		return BLK_S_IOERR;
	g->at = le64_get(w.sector) * BLK_SECTOR;
	g->len = (uint64_t)n * BLK_SECTOR;
	g->unmap = flags & BLK_RANGE_UNMAP;
	r->nranges++;
	return BLK_S_OK;
}

/* All ranges are checked before the first is touched. */
static bool start_ranges(struct blk_req *r, unsigned ranges_max,
			 uint32_t sectors_max)
{
	uint64_t len = r->chain->in.left;

	if (r->disk->image.readonly || len == 0 ||
	    len % sizeof(struct blk_range_wire) != 0 ||
	    len / sizeof(struct blk_range_wire) > ranges_max)
		return end_with(r, BLK_S_IOERR);
	while (r->chain->in.left > 0) {
		uint8_t status = read_range(r, sectors_max);

		if (status != BLK_S_OK)
			return end_with(r, status);
	}
	return next_range(r);
}

static bool start_discard(struct blk_req *r)
{
	if (!r->disk->discard)
		return end_with(r, BLK_S_UNSUPP);
	return start_ranges(r, BLK_DISCARD_RANGES_MAX, BLK_DISCARD_SECTORS_MAX);
}

static bool start_write_zeroes(struct blk_req *r)
{
	if (!r->disk->write_zeroes)
		return end_with(r, BLK_S_UNSUPP);
	return start_ranges(r, BLK_WRITE_ZEROES_RANGES_MAX,
			    BLK_WRITE_ZEROES_SECTORS_MAX);
}

/*
 * The rest.
 */

static bool get_id(struct blk_req *r)
{
	uint64_t room = r->chain->out.left - 1;

	if (vq_write(r->chain, r->disk->id, (size_t)min_u64(room, BLK_ID_LEN)))
		return end_with(r, BLK_S_IOERR);
	return end_with(r, BLK_S_OK);
}

static bool dispatch(struct blk_req *r, uint64_t sector)
{
	switch (r->type) {
	case BLK_T_IN: /* the last writable byte is the status */
		return start_transfer(r, sector, r->chain->out.left - 1);
	case BLK_T_OUT:
		return start_transfer(r, sector, r->chain->in.left);
	case BLK_T_FLUSH:
		return start_sync(r);
	case BLK_T_GET_ID:
		return get_id(r);
	case BLK_T_DISCARD:
		return start_discard(r);
	case BLK_T_WRITE_ZEROES:
		return start_write_zeroes(r);
	default:
		return end_with(r, BLK_S_UNSUPP);
	}
}

bool blk_req_start(struct blk_req *r, const struct blk_disk *disk,
		   struct vq_chain *c)
{
	struct blk_header_wire header;

	r->disk = disk;
	r->chain = c;
	r->status = BLK_S_IOERR; /* if a reset ends it between two pieces */
	r->retries = 0;
	r->at = r->left = r->moved = 0;
	r->clearing = false;
	r->range = r->nranges = 0;
	if (vq_read_obj(c, &header))
		return end_with(r, BLK_S_IOERR);
	r->type = le32_get(header.type);
	return dispatch(r, le64_get(header.sector));
}

bool blk_req_next(struct blk_req *r, int64_t result)
{
	if ((result == -EINTR || result == -EAGAIN) &&
	    r->retries++ < RETRIES_MAX)
		return true;
	switch (r->io.op) {
	case BLK_OP_READ:
	case BLK_OP_WRITE:
		return transferred(r, result);
	case BLK_OP_SYNC:
		return end_with(r, result < 0 ? BLK_S_IOERR : BLK_S_OK);
	case BLK_OP_FALLOCATE:
	case BLK_OP_DISCARD:
		return range_done(r, result);
	}
	return end_with(r, BLK_S_IOERR);
}

/*
 * A status that cannot be written leaves the driver with used.len 0; the
 * fault has been reported by whoever translates.
 */
void blk_req_end(struct blk_req *r)
{
	struct vq_chain *c = r->chain;

	/* Buffers were counted when they were handed to the kernel. */
	if (r->type == BLK_T_IN)
		c->written = r->moved;
	vq_end_holds(c);
	(void)vq_write_tail(c, &r->status, sizeof(r->status));
	r->chain = NULL;
}
