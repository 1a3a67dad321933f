/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Where configuration space is in memory.  [PCI Firmware 3.3, 4.1.2] */
#include "boot/acpi_table.h"

void acpi_put_mcfg(struct buf *b, const struct acpi_config *c)
{
	size_t at = acpi_table_begin(b, "MCFG", 1);

	buf_put_zero(b, 8);
	buf_put_le64(b, c->ecam_base);
	buf_put_le16(b, 0); /* segment */
	buf_put8(b, 0);	    /* first bus */
	buf_put8(b, 0);	    /* last bus: a short scan */
	buf_put_zero(b, 4);
	acpi_table_end(b, at);
}
