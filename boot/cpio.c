/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/cpio.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"

/* Header, name and contents begin at multiples of 4. */
#define ALIGN 4

struct entry {
	const char *path;
	unsigned mode, links;
	uint32_t size;
	unsigned major, minor; /* of a device node */
};

static void put_header(struct buf *b, const struct entry *e)
{
	const uint32_t fields[] = {
		0,	     /* inode: only hard links need it */
		e->mode,  0, /* uid */
		0,	     /* gid */
		e->links, 0, /* mtime */
		e->size,  0, /* device */
		0,	  e->major, e->minor, (uint32_t)strlen(e->path) + 1,
		0, /* checksum: not in this format */
	};
	char digits[9];

	buf_put(b, "070701", 6);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		(void)snprintf(digits, sizeof(digits), "%08x", fields[i]);
		buf_put(b, digits, 8);
	}
	buf_put(b, e->path, strlen(e->path) + 1);
	buf_align(b, ALIGN);
}

void cpio_dir(struct buf *b, const char *path, unsigned mode)
{
	put_header(b, &(struct entry){.path = path,
				      .mode = S_IFDIR | mode,
				      .links = 2});
}

void cpio_file(struct buf *b, const char *path, unsigned mode, const void *data,
	       size_t len)
{
	put_header(b, &(struct entry){.path = path,
				      .mode = S_IFREG | mode,
				      .links = 1,
				      .size = (uint32_t)len});
	buf_put(b, data, len);
	buf_align(b, ALIGN);
}

void cpio_char_device(struct buf *b, const char *path, unsigned mode,
		      unsigned major, unsigned minor)
{
	put_header(b, &(struct entry){.path = path,
				      .mode = S_IFCHR | mode,
				      .links = 1,
				      .major = major,
				      .minor = minor});
}

void cpio_end(struct buf *b)
{
	put_header(b, &(struct entry){.path = "TRAILER!!!", .links = 1});
}
