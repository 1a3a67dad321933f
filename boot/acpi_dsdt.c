/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The machine's devices that cannot be found by looking.  What this composes
 * is spelled out in ASL in tests/acpi/dsdt.asl.  [ACPI 6.5, 5.2.11.1]
 */
#include "boot/acpi_table.h"
#include "boot/aml.h"
#include "core/bits.h"

/* e5c937d0-3553-4d7a-9117-ea4d19c3434d  [PCI Firmware 3.3, 4.6.1] */
static const uint8_t dsm_guid[16] = {
	0xd0, 0x37, 0xc9, 0xe5, 0x53, 0x35, 0x7a, 0x4d,
	0x91, 0x17, 0xea, 0x4d, 0x19, 0xc3, 0x43, 0x4d,
};
enum { DSM_FUNCTIONS = 0, DSM_PRESERVE_CONFIG = 5 };

/* SLP_TYP of power-off, see devices' acpi_power.  Four values: OpenBSD
 * insists on them.  [7.4.2] */
static void put_s5(struct buf *b)
{
	size_t package;

	aml_name(b, "_S5_");
	package = aml_package(b, 4);
	aml_int(b, 5);
	aml_int(b, 0);
	aml_int(b, 0);
	aml_int(b, 0);
	aml_end(b, package);
}

/* "Keep the BARs as they are."  [PCI Firmware 3.3, 4.6.5] */
static void put_dsm(struct buf *b)
{
	static const uint8_t functions =
		BIT(DSM_FUNCTIONS) | BIT(DSM_PRESERVE_CONFIG);
	static const uint8_t none = 0;
	size_t method = aml_method(b, "_DSM", 4);
	size_t if_ours, if_function;

	if_ours = aml_if_equal(b);
	aml_arg(b, 0);
	aml_bytes(b, dsm_guid, sizeof(dsm_guid));

	if_function = aml_if_equal(b);
	aml_arg(b, 2);
	aml_int(b, DSM_FUNCTIONS);
	aml_return(b);
	aml_bytes(b, &functions, 1);
	aml_end(b, if_function);

	if_function = aml_if_equal(b);
	aml_arg(b, 2);
	aml_int(b, DSM_PRESERVE_CONFIG);
	aml_return(b);
	aml_int(b, 0);
	aml_end(b, if_function);

	aml_end(b, if_ours);
	aml_return(b);
	aml_bytes(b, &none, 1);
	aml_end(b, method);
}

/*
 * Nothing but a name: with one, the IOMMU's driver is told from all others
 * even where no table lists its endpoints.  Linux's crashes without.
 */
static void put_iommu(struct buf *b, const struct acpi_config *c)
{
	size_t device = aml_device(b, "IOMU");
	uint64_t slot = c->iommu_requester >> 3 & 31;
	uint64_t function = c->iommu_requester & 7;

	aml_name_int(b, "_ADR", slot << 16 | function);
	aml_end(b, device);
}

static void put_host_bridge(struct buf *b, struct buf *res,
			    const struct acpi_config *c)
{
	size_t device = aml_device(b, "PC00");

	aml_name_eisa(b, "_HID", "PNP0A08");
	aml_name_eisa(b, "_CID", "PNP0A03");
	aml_name_int(b, "_SEG", 0);
	aml_name_int(b, "_UID", 0);
	aml_name_int(b, "_BBN", 0);
	aml_name_int(b, "_CCA", 1);
	res_bus_window(res, 0, 0);
	if (c->mmio32.first < c->mmio32.last)
		res_window32(res, c->mmio32);
	if (c->mmio64.first < c->mmio64.last)
		res_window64(res, c->mmio64);
	aml_crs(b, res);
	put_dsm(b);
	if (c->iommu)
		put_iommu(b, c);
	aml_end(b, device);
}

/* Linux uses ECAM only where a motherboard resource says it may. */
static void put_motherboard(struct buf *b, struct buf *res,
			    const struct acpi_config *c)
{
	size_t device = aml_device(b, "MBRD");

	aml_name_eisa(b, "_HID", "PNP0C02");
	res_memory32(res, (uint32_t)c->ecam_base, (uint32_t)MIB(1));
	aml_crs(b, res);
	aml_end(b, device);
}

static void put_serial(struct buf *b, struct buf *res,
		       const struct acpi_config *c)
{
	size_t device = aml_device(b, "COM1");

	aml_name_eisa(b, "_HID", "PNP0501");
	aml_name_int(b, "_UID", 1);
	res_io(res, c->serial_port, 8);
	res_irq(res, c->serial_irq);
	aml_crs(b, res);
	aml_end(b, device);
}

/* No interrupt: the clock has no alarm. */
static void put_rtc(struct buf *b, struct buf *res)
{
	size_t device = aml_device(b, "RTC_");

	aml_name_eisa(b, "_HID", "PNP0B00");
	res_io(res, 0x70, 2);
	aml_crs(b, res);
	aml_end(b, device);
}

static void put_pvpanic(struct buf *b, struct buf *res,
			const struct acpi_config *c)
{
	size_t device = aml_device(b, "PEVT");

	aml_name_string(b, "_HID", "QEMU0001");
	res_io(res, c->pvpanic_port, 1);
	aml_crs(b, res);
	aml_end(b, device);
}

/* "LNRO0005" is what Linux knows virtio over MMIO by. */
static void put_mmio(struct buf *b, struct buf *res, const struct acpi_mmio *m,
		     unsigned n)
{
	const char name[5] = {'V', 'M', (char)('0' + n / 10 % 10),
			      (char)('0' + n % 10), '\0'};
	size_t device = aml_device(b, name);

	aml_name_string(b, "_HID", "LNRO0005");
	aml_name_int(b, "_UID", n);
	aml_name_int(b, "_CCA", 1);
	res_memory32(res, m->base, m->size);
	res_irq(res, m->irq);
	aml_crs(b, res);
	aml_end(b, device);
}

void acpi_put_dsdt(struct buf *b, const struct acpi_config *c)
{
	size_t at = acpi_table_begin(b, "DSDT", 2);
	struct buf res;
	size_t scope;

	buf_init(&res);
	put_s5(b);
	scope = aml_scope_sb(b);
	put_host_bridge(b, &res, c);
	put_motherboard(b, &res, c);
	if (c->serial_port)
		put_serial(b, &res, c);
	if (c->cmos)
		put_rtc(b, &res);
	if (c->pvpanic_port)
		put_pvpanic(b, &res, c);
	for (unsigned n = 0; n < c->nmmio; n++)
		put_mmio(b, &res, &c->mmio[n], n);
	aml_end(b, scope);
	acpi_table_end(b, at);
	buf_fini(&res);
}
