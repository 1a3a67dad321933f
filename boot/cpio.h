/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * cpio.h - write an archive ("newc") that Linux takes as an initial RAM disk.
 * [Linux Documentation/driver-api/early-userspace/buffer-format.rst]
 *
 * Files belong to root and have no date, so the same input gives the same
 * bytes.  Directories come before what is in them.  Failed allocations show
 * in the buffer, see core/buf.h.
 */
#ifndef MOAT_BOOT_CPIO_H
#define MOAT_BOOT_CPIO_H

#include <stddef.h>

struct buf;

/* @path: without a leading slash; @mode: permissions alone */
void cpio_dir(struct buf *b, const char *path, unsigned mode);
void cpio_file(struct buf *b, const char *path, unsigned mode, const void *data,
	       size_t len);
void cpio_char_device(struct buf *b, const char *path, unsigned mode,
		      unsigned major, unsigned minor);
/* Closes the archive. */
void cpio_end(struct buf *b);

#endif
