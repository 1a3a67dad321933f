/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/mptable.h"

#include <errno.h>

#include "boot/layout.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/le.h"

enum { FLOATING_SIZE = 16, HEADER_SIZE = 44, SPEC_1_4 = 4 };
enum { PROCESSOR = 0, BUS = 1, IOAPIC = 2, IO_INT = 3, LOCAL_INT = 4 };
enum { INT = 0, NMI = 1, EXTINT = 3 };
enum { CPU_ENABLED = 1, CPU_BOOT = 2, IOAPIC_USABLE = 1 };
enum { ISA_BUS = 0, PINS = 16, ALL_LAPICS = 0xff };
enum { APIC_VERSION = 0x14 };
/* What the table says of each processor; nobody looks. */
enum { CPU_SIGNATURE = 0x600, CPU_FEATURES = 0x201 /* FPU, APIC */ };

static uint8_t checksum(const uint8_t *p, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += p[i];
	return (uint8_t)-sum;
}

/* [MP 1.4, 4.1] */
static void put_floating(struct buf *b)
{
	buf_put(b, "_MP_", 4);
	buf_put_le32(b, BOOT_BASE_END + FLOATING_SIZE);
	buf_put8(b, 1); /* length in 16 bytes */
	buf_put8(b, SPEC_1_4);
	buf_put8(b, 0); /* checksum */
	buf_put_zero(b, 5);
}

/* [MP 1.4, 4.2] */
static void put_header(struct buf *b, unsigned entries, uint32_t lapic_base)
{
	buf_put(b, "PCMP", 4);
	buf_put_le16(b, 0); /* length */
	buf_put8(b, SPEC_1_4);
	buf_put8(b, 0); /* checksum */
	buf_put(b, "MOAT    ", 8);
	buf_put(b, "MOATVM      ", 12);
	buf_put_zero(b, 6); /* no OEM table */
	buf_put_le16(b, (uint16_t)entries);
	buf_put_le32(b, lapic_base);
	buf_put_zero(b, 4); /* no extended table */
}

static void put_cpu(struct buf *b, unsigned id)
{
	buf_put8(b, PROCESSOR);
	buf_put8(b, (uint8_t)id);
	buf_put8(b, APIC_VERSION);
	buf_put8(b, id == 0 ? CPU_ENABLED | CPU_BOOT : CPU_ENABLED);
	buf_put_le32(b, CPU_SIGNATURE);
	buf_put_le32(b, CPU_FEATURES);
	buf_put_zero(b, 8);
}

static void put_bus(struct buf *b)
{
	buf_put8(b, BUS);
	buf_put8(b, ISA_BUS);
	buf_put(b, "ISA   ", 6);
}

static void put_ioapic(struct buf *b, uint8_t id, uint32_t base)
{
	buf_put8(b, IOAPIC);
	buf_put8(b, id);
	buf_put8(b, APIC_VERSION);
	buf_put8(b, IOAPIC_USABLE);
	buf_put_le32(b, base);
}

static void put_interrupt(struct buf *b, uint8_t entry, uint8_t type,
			  uint8_t irq, uint8_t apic, uint8_t pin)
{
	buf_put8(b, entry);
	buf_put8(b, type);
	buf_put_le16(b, 0); /* polarity and trigger of the bus */
	buf_put8(b, ISA_BUS);
	buf_put8(b, irq);
	buf_put8(b, apic);
	buf_put8(b, pin);
}

static void put_entries(struct buf *b, unsigned ncpus, uint32_t ioapic_base)
{
	uint8_t ioapic = (uint8_t)(ncpus + 1);

	for (unsigned i = 0; i < ncpus; i++)
		put_cpu(b, i);
	put_bus(b);
	put_ioapic(b, ioapic, ioapic_base);
	for (unsigned i = 0; i < PINS; i++)
		put_interrupt(b, IO_INT, INT, (uint8_t)i, ioapic, (uint8_t)i);
	put_interrupt(b, LOCAL_INT, EXTINT, 0, 0, 0);
	put_interrupt(b, LOCAL_INT, NMI, 0, ALL_LAPICS, 1);
}

static void finish(struct buf *b)
{
	size_t len = b->len - FLOATING_SIZE;
	uint8_t *p = buf_at(b, 0, b->len);

	if (!p)
		return;
	p[10] = checksum(p, FLOATING_SIZE);
	p += FLOATING_SIZE;
	le16_store(p + 4, (uint16_t)len);
	p[7] = checksum(p, len);
}

int mptable_write(struct gmem *mem, unsigned ncpus, uint32_t lapic_base,
		  uint32_t ioapic_base, struct err *err)
{
	struct buf b;
	int r;

	if (ncpus < 1 || ncpus > MPTABLE_CPUS_MAX)
		return err_set(err, EINVAL, "an MPTable has 1 to %u CPUs",
			       MPTABLE_CPUS_MAX);
	buf_init(&b);
	put_floating(&b);
	put_header(&b, ncpus + 2 + PINS + 2, lapic_base);
	put_entries(&b, ncpus, ioapic_base);
	finish(&b);
	r = buf_error(&b);
	if (r == 0)
		r = gmem_write(mem, BOOT_BASE_END, b.data, b.len);
	if (r < 0)
		r = err_errno(err, -r, "cannot write the MPTable");
	buf_fini(&b);
	return r;
}
