/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/acpi_table.h"

#include "core/le.h"

enum { LENGTH = 4, CHECKSUM = 9 };

size_t acpi_table_begin(struct buf *b, const char *signature, uint8_t revision)
{
	size_t at = b->len;

	buf_put(b, signature, 4);
	buf_put_le32(b, 0); /* length */
	buf_put8(b, revision);
	buf_put8(b, 0); /* checksum */
	buf_put(b, ACPI_OEM_ID, 6);
	buf_put(b, "MOATVM  ", 8); /* OEM table id */
	buf_put_le32(b, 1);	   /* OEM revision */
	buf_put(b, "MOAT", 4);	   /* creator id */
	buf_put_le32(b, 1);	   /* creator revision */
	return at;
}

uint8_t acpi_checksum(const uint8_t *data, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += data[i];
	return (uint8_t)-sum;
}

void acpi_table_end(struct buf *b, size_t at)
{
	size_t len = b->len - at;
	uint8_t *table = buf_at(b, at, len);

	if (!table) /* latched; acpi_write() sees it */
		return;
	le32_store(table + LENGTH, (uint32_t)len);
	table[CHECKSUM] = 0;
	table[CHECKSUM] = acpi_checksum(table, len);
}
