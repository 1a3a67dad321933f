/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * image.h - the file or block device behind a disk, raw.
 *
 * What it contains decides nothing: guessing a format would let a guest
 * choose one.
 *
 * Threads: none of its own.
 */
#ifndef MOAT_DEVICES_BLK_IMAGE_H
#define MOAT_DEVICES_BLK_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct err;

struct blk_image {
	int fd; /* -1: not open */
	/* Past the page cache, for what is aligned; -1: there is none. */
	int direct_fd;
	uint32_t direct_memory, direct_offset; /* alignments; powers of two */
	bool readonly;			       /* nobody may write through us */
	bool device;			       /* block device, not a file */
	uint64_t size;			       /* bytes; whole sectors, not 0 */
	/* Powers of two, at least a sector each. */
	uint32_t logical;  /* smallest unit of access */
	uint32_t physical; /* smallest that is written in one go */
};

/*
 * blk_image_open - open @path and lock it: shared by readers, alone for a
 * writer.  The lock goes with the descriptor.
 *
 * Return: 0; -errno with a sentence that names the file, see devices/blk.h.
 */
int blk_image_open(struct blk_image *im, const char *path, bool readonly,
		   bool direct, struct err *err);
/*
 * What format its first bytes are those of, as --disk format= has it; NULL:
 * none that is known.  For a warning alone.
 */
const char *blk_image_looks_like(const struct blk_image *im);
/* May [at, at + len) of the image move past the page cache? */
bool blk_image_aligned(const struct blk_image *im, uint64_t at,
		       const struct iovec *iov, unsigned niov);
/* Is the file so long, now?  A device is what it was. */
bool blk_image_reaches(const struct blk_image *im, uint64_t end);
/* Accepts what blk_image_open() failed on, or an fd of -1. */
void blk_image_close(struct blk_image *im);

#endif
