/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/acpi.h"

#include <assert.h>
#include <errno.h>

#include "boot/acpi_table.h"
#include "core/bits.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/le.h"

#define TABLES_MAX 4 /* in the XSDT */
#define ALIGN	   16

/* [ACPI 6.5, 5.2.5.3] */
enum {
	RSDP_CHECKSUM = 8, /* over the first 20 bytes */
	RSDP_OEM_ID = 9,
	RSDP_REVISION = 15,
	RSDP_LENGTH = 20,
	RSDP_XSDT = 24,
	RSDP_EXTENDED_CHECKSUM = 32, /* over all */
	RSDP_SIZE = 36,
};

static void fill_rsdp(uint8_t *p, gpa_t xsdt)
{
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + RSDP_OEM_ID, ACPI_OEM_ID, 6);
	p[RSDP_REVISION] = 2;
	le32_store(p + RSDP_LENGTH, RSDP_SIZE);
	le64_store(p + RSDP_XSDT, xsdt);
	p[RSDP_CHECKSUM] = acpi_checksum(p, 20);
	p[RSDP_EXTENDED_CHECKSUM] = acpi_checksum(p, RSDP_SIZE);
}

/* All of it, as it will stand at @at, the RSDP first. */
static void compose(struct buf *b, const struct acpi_config *c, gpa_t at)
{
	gpa_t tables[TABLES_MAX];
	unsigned n = 0;
	gpa_t dsdt, xsdt;
	size_t xsdt_at;
	uint8_t *rsdp;

	buf_put_zero(b, RSDP_SIZE);
	buf_align(b, ALIGN);
	dsdt = at + b->len;
	acpi_put_dsdt(b, c);
	buf_align(b, ALIGN);
	tables[n++] = at + b->len;
	acpi_put_fadt(b, c, dsdt);
	buf_align(b, ALIGN);
	tables[n++] = at + b->len;
	acpi_put_madt(b, c);
	buf_align(b, ALIGN);
	tables[n++] = at + b->len;
	acpi_put_mcfg(b, c);
	buf_align(b, ALIGN);
	if (c->viot) {
		tables[n++] = at + b->len;
		acpi_put_viot(b, c);
		buf_align(b, ALIGN);
	}
	xsdt = at + b->len;
	xsdt_at = acpi_table_begin(b, "XSDT", 1);
	for (unsigned i = 0; i < n; i++)
		buf_put_le64(b, tables[i]);
	acpi_table_end(b, xsdt_at);
	rsdp = buf_at(b, 0, RSDP_SIZE);
	if (rsdp)
		fill_rsdp(rsdp, xsdt);
}

static void check_config(const struct acpi_config *c)
{
	assert(c->ncpus >= 1 && c->ncpus <= 255);
	assert(c->ecam_base <= UINT32_MAX);
	assert(c->mmio32.last <= UINT32_MAX);
	assert(c->nitems < UINT16_MAX);
}

int acpi_write(struct gmem *mem, const struct acpi_config *config, gpa_t at,
	       gpa_t end, gpa_t *ret_rsdp, struct err *err)
{
	struct buf b;
	int r;

	check_config(config);
	at = align_up(at, ALIGN);
	buf_init(&b);
	compose(&b, config, at);
	r = buf_error(&b);
	if (r < 0)
		r = err_set(err, -r, "no memory for the ACPI tables");
	else if (at > end || b.len > end - at)
		r = err_set(err, ENOSPC,
			    "ACPI tables of %zu bytes, there is room for %llu",
			    b.len,
			    (unsigned long long)(at > end ? 0 : end - at));
	else if (gmem_write(mem, at, b.data, b.len) < 0)
		r = err_set(err, EFAULT,
			    "no memory at %#llx for the ACPI tables",
			    (unsigned long long)at);
	else
		*ret_rsdp = at;
	buf_fini(&b);
	return r;
}
