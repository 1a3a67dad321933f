/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * acpi_dump full|minimal DIR - write the tables of an example machine to
 * files, for acpi-iasl.  Finds them as a guest does, from the RSDP on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"
#include "boot/tests/acpi_examples.h"
#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/gmem.h"
#include "core/le.h"

static struct gmem mem;
static const char *dir;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "acpi_dump: %s\n", what);
	exit(1);
}

static void fetch(gpa_t at, void *dst, size_t len)
{
	must(gmem_read(&mem, at, dst, len) == 0, "a table is not in memory");
}

/* To the file that its signature names; the caller frees the bytes. */
static uint8_t *dump(gpa_t at)
{
	uint8_t header[8];
	uint8_t *table;
	uint32_t len;
	char path[256];
	FILE *f;

	fetch(at, header, sizeof(header));
	len = le32_load(header + 4);
	must(len >= 36 && len < 65536, "a table's length is absurd");
	table = malloc(len);
	must(table, "no memory");
	fetch(at, table, len);
	(void)snprintf(path, sizeof(path), "%s/%.4s.aml", dir,
		       (const char *)header);
	f = fopen(path, "w");
	must(f && fwrite(table, 1, len, f) == len && fclose(f) == 0,
	     "cannot write a table");
	return table;
}

static void dump_xsdt(gpa_t at)
{
	uint8_t *xsdt = dump(at);

	for (uint32_t i = 36; i < le32_load(xsdt + 4); i += 8) {
		uint8_t *table = dump(le64_load(xsdt + i));

		if (memcmp(table, "FACP", 4) == 0)
			free(dump(le64_load(table + 140)));
		free(table);
	}
	free(xsdt);
}

int main(int argc, char **argv)
{
	static const struct gmem_slot slot = {.size = MIB(2)};
	const struct acpi_config *config;
	uint8_t rsdp[36];
	gpa_t at;

	must(argc == 3, "usage: acpi_dump full|minimal DIR");
	config = strcmp(argv[1], "full") == 0 ? &acpi_full : &acpi_minimal;
	dir = argv[2];
	must(gmem_init(&mem, &slot, 1, NULL) == 0, "no guest memory");
	must(acpi_write(&mem, config, 0xe0000, 0x100000, &at, NULL) == 0,
	     "acpi_write failed");
	fetch(at, rsdp, sizeof(rsdp));
	dump_xsdt(le64_load(rsdp + 24));
	gmem_fini(&mem);
	return 0;
}
