/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"
#include "boot/acpi_table.h"
#include "boot/aml.h"
#include "boot/tests/acpi_examples.h"
#include "boot/tests/boot_fixture.h"
#include "core/le.h"

#define AT  0xe0000u
#define END 0x100000u

static gpa_t rsdp;

static int write_tables(const struct acpi_config *c)
{
	rsdp = 1;
	return acpi_write(&fx.mem, c, AT, END, &rsdp, &fx.err);
}

static uint8_t sum(gpa_t at, size_t len)
{
	uint8_t bytes[2048];
	unsigned total = 0;

	ck_assert_uint_le(len, sizeof(bytes));
	ck_assert_int_eq(gmem_read(&fx.mem, at, bytes, len), 0);
	for (size_t i = 0; i < len; i++)
		total += bytes[i];
	return (uint8_t)total;
}

/* Where the table is that the XSDT lists under this signature; 0: none. */
static gpa_t find_table(const char *signature)
{
	gpa_t xsdt = guest64(rsdp + 24);

	for (uint32_t i = 36; i < guest32(xsdt + 4); i += 8) {
		gpa_t table = guest64(xsdt + i);

		if (guest32(table) == le32_load(signature))
			return table;
	}
	return 0;
}

START_TEST(rsdp_is_where_a_guest_looks)
{
	ck_assert_int_eq(write_tables(&acpi_full), 0);
	ck_assert_uint_eq(rsdp, AT);
	ck_assert_uint_eq(guest64(rsdp), 0x2052545020445352); /* "RSD PTR " */
	ck_assert_uint_eq(sum(rsdp, 20), 0);
	ck_assert_uint_eq(sum(rsdp, 36), 0);
	ck_assert_uint_eq(guest32(rsdp + 12) >> 24, 2); /* revision */
	ck_assert_uint_eq(guest32(rsdp + 16), 0);	/* no RSDT */
	ck_assert_uint_eq(guest32(rsdp + 20), 36);
}
END_TEST

START_TEST(every_table_has_its_checksum_and_place)
{
	static const char *const names[] = {"FACP", "APIC", "MCFG", "VIOT"};
	gpa_t table;

	ck_assert_int_eq(write_tables(&acpi_full), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		table = find_table(names[i]);
		ck_assert_uint_ge(table, AT + 36);
		ck_assert_uint_lt(table + guest32(table + 4), END);
		ck_assert_uint_eq(sum(table, guest32(table + 4)), 0);
		ck_assert_uint_eq(table % 16, 0);
	}
	table = guest64(rsdp + 24);
	ck_assert_uint_eq(sum(table, guest32(table + 4)), 0);
	table = guest64(find_table("FACP") + 140);
	ck_assert_uint_eq(guest32(table), 0x54445344); /* "DSDT" */
	ck_assert_uint_eq(sum(table, guest32(table + 4)), 0);
	ck_assert_uint_eq(guest32(find_table("FACP") + 40), table);
}
END_TEST

START_TEST(start_is_rounded_up_to_16)
{
	ck_assert_int_eq(acpi_write(&fx.mem, &acpi_full, AT + 1, END, &rsdp,
				    &fx.err),
			 0);
	ck_assert_uint_eq(rsdp, AT + 16);
}
END_TEST

START_TEST(tables_need_their_room_to_the_last_byte)
{
	gpa_t xsdt, end;

	ck_assert_int_eq(write_tables(&acpi_full), 0);
	xsdt = guest64(rsdp + 24); /* the last one */
	end = xsdt + guest32(xsdt + 4);
	ck_assert_int_eq(gmem_zero(&fx.mem, AT, END - AT), 0);
	ck_assert_int_eq(acpi_write(&fx.mem, &acpi_full, AT, end - 1, &rsdp,
				    &fx.err),
			 -ENOSPC);
	ck_assert(guest_is_zero(AT, 4096));
	ck_assert_int_eq(acpi_write(&fx.mem, &acpi_full, AT, AT, &rsdp, NULL),
			 -ENOSPC);
	ck_assert_int_eq(acpi_write(&fx.mem, &acpi_full, AT, 0, &rsdp, NULL),
			 -ENOSPC);
	ck_assert_int_eq(acpi_write(&fx.mem, &acpi_full, AT, end, &rsdp, NULL),
			 0);
}
END_TEST

START_TEST(tables_outside_memory_are_an_error)
{
	ck_assert_int_eq(acpi_write(&fx.mem, &acpi_full, MIB(64), MIB(65),
				    &rsdp, &fx.err),
			 -EFAULT);
	ck_assert_int_eq(acpi_write(&fx.mem, &acpi_full, MIB(64) - 16, MIB(65),
				    &rsdp, &fx.err),
			 -EFAULT);
}
END_TEST

START_TEST(madt_lists_every_cpu)
{
	static const unsigned counts[] = {1, 2, 64, 255};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct acpi_config c = acpi_full;
		gpa_t madt;

		c.ncpus = counts[i];
		ck_assert_int_eq(write_tables(&c), 0);
		madt = find_table("APIC");
		ck_assert_uint_eq(guest32(madt + 4),
				  44 + 8 * c.ncpus + 12 + 10 + 6);
		for (unsigned j = 0; j < c.ncpus; j++) {
			ck_assert_uint_eq(guest32(madt + 44 + 8 * j),
					  0x0800 | j << 16 | j << 24);
			ck_assert_uint_eq(guest32(madt + 48 + 8 * j), 1);
		}
	}
}
END_TEST

START_TEST(interrupt_of_the_serial_port_keeps_its_number)
{
	struct acpi_config c = acpi_minimal;
	gpa_t at;

	ck_assert_int_eq(write_tables(&c), 0);
	at = find_table("APIC");
	ck_assert_uint_eq(guest32(at + 4), 44 + 8 + 12 + 6);
	c.serial_port = 0x2f8;
	c.serial_irq = 3;
	ck_assert_int_eq(write_tables(&c), 0);
	at = find_table("APIC") + 44 + 8 + 12;
	ck_assert_uint_eq(guest32(at), 0x03000a02);
	ck_assert_uint_eq(guest32(at + 4), 3);
	ck_assert_uint_eq(guest32(at + 8) & 0xffff, 5);
}
END_TEST

START_TEST(fadt_says_whether_there_is_a_clock)
{
	struct acpi_config c = acpi_full;

	ck_assert_int_eq(write_tables(&c), 0);
	ck_assert_uint_eq(guest32(find_table("FACP") + 109) & 0xffff, 0x04);
	c.cmos = false;
	ck_assert_int_eq(write_tables(&c), 0);
	ck_assert_uint_eq(guest32(find_table("FACP") + 109) & 0xffff, 0x24);
}
END_TEST

START_TEST(viot_is_only_there_when_asked_for)
{
	ck_assert_int_eq(write_tables(&acpi_minimal), 0);
	ck_assert_uint_eq(find_table("VIOT"), 0);
	ck_assert_uint_ne(find_table("MCFG"), 0);
}
END_TEST

START_TEST(viot_has_a_node_for_the_iommu_and_one_per_item)
{
	gpa_t at;

	ck_assert_int_eq(write_tables(&acpi_full), 0);
	at = find_table("VIOT");
	ck_assert_uint_eq(guest32(at + 4), 48 + 16 + 3 * 24);
	ck_assert_uint_eq(guest32(at + 36), 48 << 16 | 4);
	at += 48;
	ck_assert_uint_eq(guest32(at), 16 << 16 | 3);
	ck_assert_uint_eq(guest32(at + 4), 0x8u << 16);
	at += 16;
	ck_assert_uint_eq(guest32(at), 24 << 16 | 1);
	ck_assert_uint_eq(guest32(at + 4), 16);
	ck_assert_uint_eq(guest32(at + 8), 0);
	ck_assert_uint_eq(guest32(at + 12), 0x18u << 16 | 0x10);
	ck_assert_uint_eq(guest32(at + 16), 48); /* its IOMMU */
	at += 2 * 24;
	ck_assert_uint_eq(guest32(at), 24 << 16 | 2);
	ck_assert_uint_eq(guest32(at + 4), 0x10000);
	ck_assert_uint_eq(guest64(at + 8), 0xd0001000);
	ck_assert_uint_eq(guest32(at + 16), 48);
}
END_TEST

START_TEST(viot_without_items_has_the_iommu_alone)
{
	struct acpi_config c = acpi_full;
	gpa_t at;

	c.nitems = 0;
	ck_assert_int_eq(write_tables(&c), 0);
	at = find_table("VIOT");
	ck_assert_uint_eq(guest32(at + 4), 64);
	ck_assert_uint_eq(guest32(at + 36) & 0xffff, 1);
}
END_TEST

/* AML */

static struct buf b;

static void check_bytes(const void *want, size_t len)
{
	ck_assert_int_eq(buf_error(&b), 0);
	ck_assert_uint_eq(b.len, len);
	ck_assert_mem_eq(b.data, want, len);
	buf_fini(&b);
	buf_init(&b);
}

START_TEST(integers_have_the_shortest_encoding)
{
	static const struct {
		uint64_t value;
		size_t len;
		const char *bytes;
	} cases[] = {
		{0, 1, "\x00"},
		{1, 1, "\x01"},
		{2, 2, "\x0a\x02"},
		{0xff, 2, "\x0a\xff"},
		{0x100, 3, "\x0b\x00\x01"},
		{0xffff, 3, "\x0b\xff\xff"},
		{0x10000, 5, "\x0c\x00\x00\x01\x00"},
		{0xffffffff, 5, "\x0c\xff\xff\xff\xff"},
		{0x100000000, 9, "\x0e\x00\x00\x00\x00\x01\x00\x00\x00"},
		{UINT64_MAX, 9, "\x0e\xff\xff\xff\xff\xff\xff\xff\xff"},
	};

	buf_init(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		aml_int(&b, cases[i].value);
		check_bytes(cases[i].bytes, cases[i].len);
	}
	buf_fini(&b);
}
END_TEST

/* A buffer's length field counts itself: 1 + 62 bytes still fit into one. */
START_TEST(block_lengths_have_the_shortest_encoding)
{
	static const struct {
		size_t body;
		size_t len;
		const char *bytes;
	} cases[] = {
		{0, 1, "\x01"},
		{62, 1, "\x3f"},
		{63, 2, "\x41\x04"},
		{4093, 2, "\x4f\xff"},
		{4094, 3, "\x81\x00\x01"},
		{1048572, 3, "\x8f\xff\xff"},
		{1048573, 4, "\xc1\x00\x00\x01"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t block;

		buf_init(&b);
		buf_put8(&b, 0x77);
		block = b.len;
		buf_put_zero(&b, cases[i].body);
		if (cases[i].body)
			b.data[b.len - 1] = 0x55;
		aml_end(&b, block);
		ck_assert_uint_eq(b.len, 1 + cases[i].len + cases[i].body);
		ck_assert_uint_eq(b.data[0], 0x77);
		ck_assert_mem_eq(b.data + 1, cases[i].bytes, cases[i].len);
		if (cases[i].body)
			ck_assert_uint_eq(b.data[b.len - 1], 0x55);
		buf_fini(&b);
	}
}
END_TEST

START_TEST(eisa_ids_are_big_endian)
{
	buf_init(&b);
	aml_eisa(&b, "PNP0A08");
	check_bytes("\x0c\x41\xd0\x0a\x08", 5);
	aml_eisa(&b, "PNP0501");
	check_bytes("\x0c\x41\xd0\x05\x01", 5);
	buf_fini(&b);
}
END_TEST

START_TEST(s5_is_the_known_sequence)
{
	gpa_t dsdt;
	uint8_t bytes[13];

	ck_assert_int_eq(write_tables(&acpi_minimal), 0);
	dsdt = guest64(find_table("FACP") + 140);
	ck_assert_int_eq(gmem_read(&fx.mem, dsdt + 36, bytes, sizeof(bytes)),
			 0);
	ck_assert_mem_eq(bytes, "\x08_S5_\x12\x07\x04\x0a\x05\x00\x00\x00", 13);
}
END_TEST

static void add_aml_cases(TCase *tc)
{
	tcase_add_test(tc, integers_have_the_shortest_encoding);
	tcase_add_test(tc, block_lengths_have_the_shortest_encoding);
	tcase_add_test(tc, eisa_ids_are_big_endian);
	tcase_add_test(tc, s5_is_the_known_sequence);
}

int main(void)
{
	Suite *s = suite_create("boot/acpi");
	TCase *tc = tcase_create("acpi");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rsdp_is_where_a_guest_looks);
	tcase_add_test(tc, every_table_has_its_checksum_and_place);
	tcase_add_test(tc, start_is_rounded_up_to_16);
	tcase_add_test(tc, tables_need_their_room_to_the_last_byte);
	tcase_add_test(tc, tables_outside_memory_are_an_error);
	tcase_add_test(tc, madt_lists_every_cpu);
	tcase_add_test(tc, interrupt_of_the_serial_port_keeps_its_number);
	tcase_add_test(tc, fadt_says_whether_there_is_a_clock);
	tcase_add_test(tc, viot_is_only_there_when_asked_for);
	tcase_add_test(tc, viot_has_a_node_for_the_iommu_and_one_per_item);
	tcase_add_test(tc, viot_without_items_has_the_iommu_alone);
	add_aml_cases(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
