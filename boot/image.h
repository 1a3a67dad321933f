/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * image.h - bytes that go into guest memory: a file, a part of one, or a
 * block of our own memory, read by offset.
 *
 * Files are read, never mapped: one that shrinks under us is an error code
 * and no signal.
 */
#ifndef MOAT_BOOT_IMAGE_H
#define MOAT_BOOT_IMAGE_H

#include <stdint.h>

#include "core/gmem.h"

struct err;

struct image {
	int fd;		  /* owned; -1: in memory or empty */
	uint64_t base;	  /* first byte in the file */
	uint64_t size;	  /* bytes from there on */
	uint8_t *mapping; /* owned, anonymous, @capacity bytes; or NULL */
	uint64_t capacity;
};

void image_init(struct image *im);

/*
 * image_open - a regular file, whole.
 *
 * Return: 0; -EISDIR, -EINVAL (pipes and devices); -errno of open.
 */
int image_open(struct image *im, const char *path, struct err *err);

/*
 * image_alloc - @capacity bytes of memory, of which the first @size will be
 * the image once its maker has filled them through @mapping.
 *
 * Return: 0; -ENOMEM.
 */
int image_alloc(struct image *im, uint64_t capacity);

/* Accepts an initialised or closed image. */
void image_close(struct image *im);

/*
 * image_read - @len bytes at @at.
 *
 * Return: 0; -ENODATA past the end; -errno of read.
 */
int image_read(const struct image *im, uint64_t at, void *dst, size_t len);

/*
 * image_to_guest - copy @len bytes at @at to guest memory at @to; from a file
 * without a copy in between.
 *
 * Return: 0; -ENODATA past the end; -EFAULT if not all RAM; -errno of read.
 */
int image_to_guest(const struct image *im, uint64_t at, uint64_t len,
		   struct gmem *mem, gpa_t to);

#endif
