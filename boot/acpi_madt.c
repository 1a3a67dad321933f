/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Multiple APIC description table.  [ACPI 6.5, 5.2.12] */
#include "boot/acpi_table.h"

enum { REVISION = 5 };
enum { LAPIC = 0, IOAPIC = 1, OVERRIDE = 2, LAPIC_NMI = 4 };
enum { LAPIC_ENABLED = 1 };
enum { ALL_CPUS = 0xff };
/* Edge-triggered, active high, as on the ISA bus. */
enum { EDGE_HIGH = 0x5 };

static void put_lapic(struct buf *b, uint8_t id)
{
	buf_put8(b, LAPIC);
	buf_put8(b, 8);	 /* length */
	buf_put8(b, id); /* processor uid */
	buf_put8(b, id); /* APIC id */
	buf_put_le32(b, LAPIC_ENABLED);
}

static void put_ioapic(struct buf *b, uint64_t base)
{
	buf_put8(b, IOAPIC);
	buf_put8(b, 12); /* length */
	buf_put8(b, 0);	 /* id */
	buf_put8(b, 0);
	buf_put_le32(b, (uint32_t)base);
	buf_put_le32(b, 0); /* first GSI */
}

/*
 * A hardware-reduced machine has no ISA interrupts by itself; this one keeps
 * its number.
 */
static void put_isa_irq(struct buf *b, uint32_t irq)
{
	buf_put8(b, OVERRIDE);
	buf_put8(b, 10); /* length */
	buf_put8(b, 0);	 /* bus: ISA */
	buf_put8(b, (uint8_t)irq);
	buf_put_le32(b, irq); /* GSI */
	buf_put_le16(b, EDGE_HIGH);
}

static void put_nmi(struct buf *b)
{
	buf_put8(b, LAPIC_NMI);
	buf_put8(b, 6); /* length */
	buf_put8(b, ALL_CPUS);
	buf_put_le16(b, EDGE_HIGH);
	buf_put8(b, 1); /* LINT1 */
}

void acpi_put_madt(struct buf *b, const struct acpi_config *c)
{
	size_t at = acpi_table_begin(b, "APIC", REVISION);

	buf_put_le32(b, (uint32_t)c->lapic_base);
	buf_put_le32(b, 0); /* flags: no 8259s to disable */
	for (unsigned i = 0; i < c->ncpus; i++)
		put_lapic(b, (uint8_t)i);
	put_ioapic(b, c->ioapic_base);
	if (c->serial_port)
		put_isa_irq(b, c->serial_irq);
	put_nmi(b);
	acpi_table_end(b, at);
}
