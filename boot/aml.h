/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * aml.h - the few words of AML that a machine without firmware needs, put
 * together in a buffer, with the encodings a compiler would choose.
 * [ACPI 6.5, 20.2 and 6.4]
 *
 *	size_t dev = aml_device(b, "COM1");
 *	aml_name_eisa(b, "_HID", "PNP0501");
 *	...
 *	aml_end(b, dev);
 *
 * Names have four characters.
 */
#ifndef MOAT_BOOT_AML_H
#define MOAT_BOOT_AML_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/range.h"

/* Blocks: each gives what aml_end() takes. */
size_t aml_scope_sb(struct buf *b); /* _SB, from the root */
size_t aml_device(struct buf *b, const char *name);
size_t aml_method(struct buf *b, const char *name, unsigned nargs);
size_t aml_package(struct buf *b, uint8_t count);
/* If (LEqual (left, right)): the two terms come next, then the body. */
size_t aml_if_equal(struct buf *b);
void aml_end(struct buf *b, size_t block);

/* Terms. */
void aml_int(struct buf *b, uint64_t value);
void aml_string(struct buf *b, const char *text);
void aml_eisa(struct buf *b, const char *id); /* "PNP0A08" */
void aml_bytes(struct buf *b, const void *bytes, size_t len);
void aml_arg(struct buf *b, unsigned n); /* 0 to 6 */
void aml_return(struct buf *b);		 /* the value comes next */

/* Name (@name, ...): the value comes next, or is given. */
void aml_name(struct buf *b, const char *name);
void aml_name_int(struct buf *b, const char *name, uint64_t value);
void aml_name_string(struct buf *b, const char *name, const char *text);
void aml_name_eisa(struct buf *b, const char *name, const char *id);

/*
 * Resource descriptors; they go to a buffer of their own, which becomes
 * Name (_CRS, ...) and is emptied.
 */
void aml_crs(struct buf *b, struct buf *resources);
void res_io(struct buf *r, uint16_t port, uint8_t len);
void res_irq(struct buf *r, uint32_t gsi); /* edge-triggered, active high */
void res_memory32(struct buf *r, uint32_t base, uint32_t len);
/* What a host bridge forwards. */
void res_bus_window(struct buf *r, uint16_t first, uint16_t last);
void res_window32(struct buf *r, struct range window);
void res_window64(struct buf *r, struct range window);

#endif
