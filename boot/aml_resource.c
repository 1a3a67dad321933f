/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Resource descriptors of the DSDT.  [ACPI 6.5, 6.4] */
#include "boot/aml.h"

enum {
	IO_TAG = 0x47,	/* small, 7 bytes */
	END_TAG = 0x79, /* small, 1 byte */
	MEMORY32_TAG = 0x86,
	DWORD_TAG = 0x87,
	WORD_TAG = 0x88,
	IRQ_TAG = 0x89,
	QWORD_TAG = 0x8a,
};

enum { WINDOW_MEMORY = 0, WINDOW_BUS = 2 };
/* Producer, positive decode, minimum and maximum fixed. */
enum { WINDOW_FIXED = 0x0c };
enum { READ_WRITE = 1 };

void aml_crs(struct buf *b, struct buf *resources)
{
	buf_put8(resources, END_TAG);
	buf_put8(resources, 0); /* no checksum */
	aml_name(b, "_CRS");
	aml_bytes(b, resources->data, resources->len);
	if (buf_error(resources) < 0)
		b->error = buf_error(resources);
	resources->len = 0;
}

void res_io(struct buf *r, uint16_t port, uint8_t len)
{
	buf_put8(r, IO_TAG);
	buf_put8(r, 1); /* decodes 16 bits */
	buf_put_le16(r, port);
	buf_put_le16(r, port);
	buf_put8(r, 1); /* alignment */
	buf_put8(r, len);
}

void res_irq(struct buf *r, uint32_t gsi)
{
	buf_put8(r, IRQ_TAG);
	buf_put_le16(r, 6); /* length */
	buf_put8(r, 3);	    /* consumer, edge, active high, exclusive */
	buf_put8(r, 1);	    /* count */
	buf_put_le32(r, gsi);
}

void res_memory32(struct buf *r, uint32_t base, uint32_t len)
{
	buf_put8(r, MEMORY32_TAG);
	buf_put_le16(r, 9); /* length */
	buf_put8(r, READ_WRITE);
	buf_put_le32(r, base);
	buf_put_le32(r, len);
}

static void window_head(struct buf *r, uint8_t tag, uint16_t len, uint8_t type,
			uint8_t type_flags)
{
	buf_put8(r, tag);
	buf_put_le16(r, len);
	buf_put8(r, type);
	buf_put8(r, WINDOW_FIXED);
	buf_put8(r, type_flags);
}

/* Granularity, minimum, maximum, translation, length. */
void res_bus_window(struct buf *r, uint16_t first, uint16_t last)
{
	window_head(r, WORD_TAG, 13, WINDOW_BUS, 0);
	buf_put_le16(r, 0);
	buf_put_le16(r, first);
	buf_put_le16(r, last);
	buf_put_le16(r, 0);
	buf_put_le16(r, (uint16_t)(last - first + 1));
}

void res_window32(struct buf *r, struct range window)
{
	window_head(r, DWORD_TAG, 23, WINDOW_MEMORY, READ_WRITE);
	buf_put_le32(r, 0);
	buf_put_le32(r, (uint32_t)window.first);
	buf_put_le32(r, (uint32_t)window.last);
	buf_put_le32(r, 0);
	buf_put_le32(r, (uint32_t)(window.last - window.first + 1));
}

void res_window64(struct buf *r, struct range window)
{
	window_head(r, QWORD_TAG, 43, WINDOW_MEMORY, READ_WRITE);
	buf_put_le64(r, 0);
	buf_put_le64(r, window.first);
	buf_put_le64(r, window.last);
	buf_put_le64(r, 0);
	buf_put_le64(r, window.last - window.first + 1);
}
