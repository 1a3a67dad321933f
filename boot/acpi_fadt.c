/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Fixed ACPI description table.  [ACPI 6.5, 5.2.9] */
#include "boot/acpi_table.h"
#include "core/bits.h"
#include "core/le.h"

enum { FADT_SIZE = 276, MAJOR = 6, MINOR = 5 };

/* Offsets in the table; all else is 0. */
enum {
	DSDT = 40,	     /* u32 */
	BOOT_ARCH = 109,     /* u16 */
	FLAGS = 112,	     /* u32 */
	RESET_REG = 116,     /* GAS */
	RESET_VALUE = 128,   /* u8 */
	MINOR_VERSION = 131, /* u8 */
	X_DSDT = 140,	     /* u64 */
	SLEEP_CONTROL = 244, /* GAS */
	SLEEP_STATUS = 256,  /* GAS */
};

enum { NO_VGA = BIT(2), NO_CMOS_RTC = BIT(5) };
enum {
	WBINVD = BIT(0),
	NO_FIXED_POWER_BUTTON = BIT(4),
	NO_FIXED_SLEEP_BUTTON = BIT(5),
	RESET_REG_SUPPORTED = BIT(10),
	HARDWARE_REDUCED = BIT(20),
};

/* Generic address structure of a port of one byte.  [5.2.3.2] */
static void put_gas(uint8_t *at, uint16_t port)
{
	at[0] = 1; /* I/O space */
	at[1] = 8; /* bits */
	at[2] = 0; /* bit offset */
	at[3] = 1; /* access size: byte */
	le64_store(at + 4, port);
}

static void fill(uint8_t *t, const struct acpi_config *c, gpa_t dsdt)
{
	le32_store(t + DSDT, (uint32_t)dsdt);
	le64_store(t + X_DSDT, dsdt);
	le16_store(t + BOOT_ARCH,
		   (uint16_t)(NO_VGA | (c->cmos ? 0 : NO_CMOS_RTC)));
	le32_store(t + FLAGS, WBINVD | NO_FIXED_POWER_BUTTON |
				      NO_FIXED_SLEEP_BUTTON |
				      RESET_REG_SUPPORTED | HARDWARE_REDUCED);
	t[MINOR_VERSION] = MINOR;
	put_gas(t + SLEEP_CONTROL, c->power_port);
	put_gas(t + SLEEP_STATUS, (uint16_t)(c->power_port + 1));
	put_gas(t + RESET_REG, (uint16_t)(c->power_port + 2));
	t[RESET_VALUE] = 1;
}

void acpi_put_fadt(struct buf *b, const struct acpi_config *c, gpa_t dsdt)
{
	size_t at = acpi_table_begin(b, "FACP", MAJOR);
	uint8_t *table;

	buf_put_zero(b, FADT_SIZE - ACPI_HEADER_SIZE);
	table = buf_at(b, at, FADT_SIZE);
	if (table)
		fill(table, c, dsdt);
	acpi_table_end(b, at);
}
