/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * acpi_table.h - the parts that acpi_write() is made of: the header every
 * table has, and one composer per table.   [ACPI 6.5, 5.2]
 *
 * A composer appends its whole table to @b.
 */
#ifndef MOAT_BOOT_ACPI_TABLE_H
#define MOAT_BOOT_ACPI_TABLE_H

#include "boot/acpi.h"
#include "core/buf.h"

#define ACPI_HEADER_SIZE 36
#define ACPI_OEM_ID	 "MOAT  "

/*
 * acpi_table_begin - append a header.
 * @signature: four characters
 *
 * Return: where it is, for acpi_table_end(), which fills in length and
 * checksum.
 */
size_t acpi_table_begin(struct buf *b, const char *signature, uint8_t revision);
void acpi_table_end(struct buf *b, size_t at);

/* The byte that makes the sum of all @len bytes 0. */
uint8_t acpi_checksum(const uint8_t *data, size_t len);

void acpi_put_fadt(struct buf *b, const struct acpi_config *c, gpa_t dsdt);
void acpi_put_madt(struct buf *b, const struct acpi_config *c);
void acpi_put_mcfg(struct buf *b, const struct acpi_config *c);
void acpi_put_dsdt(struct buf *b, const struct acpi_config *c);
void acpi_put_viot(struct buf *b, const struct acpi_config *c);

#endif
