/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "pci/msix.h"
#include "pci/regs.h"
#include "pci/tests/pci_rig.h"

static struct rig rig;

static void setup(void)
{
	rig_init(&rig, NULL);
}

static void teardown(void)
{
	rig_fini(&rig);
}

/*
 * Header.   [PCI 3.0, 6.1]
 */

static void check_ids(void)
{
	ck_assert_uint_eq(rig_read(&rig, 0, 0x00, 4), 0x56781234);
	ck_assert_uint_eq(rig_read(&rig, 0, 0x08, 4), 0x0a0b0c07);
	ck_assert_uint_eq(rig_read(&rig, 0, 0x2c, 4), 0xdef09abc);
	ck_assert_uint_eq(rig_read(&rig, 0, 0x0e, 1), 0);
}

START_TEST(header_shows_the_ids)
{
	check_ids();
}
END_TEST

START_TEST(ids_are_read_only)
{
	rig_write(&rig, 0, 0x00, 8, UINT64_MAX);
	rig_write(&rig, 0, 0x08, 4, 0);
	rig_write(&rig, 0, 0x2c, 4, 0);
	check_ids();
}
END_TEST

START_TEST(scratch_registers_keep_what_is_written)
{
	rig_write(&rig, 0, PCI_CACHE_LINE_SIZE, 1, 0x10);
	rig_write(&rig, 0, PCI_INTERRUPT_LINE, 1, 0x0b);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_CACHE_LINE_SIZE, 1), 0x10);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_INTERRUPT_LINE, 1), 0x0b);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_INTERRUPT_PIN, 1), 0);
}
END_TEST

START_TEST(no_expansion_rom)
{
	rig_write(&rig, 0, 0x30, 4, 0xffffffff);
	ck_assert_uint_eq(rig_read(&rig, 0, 0x30, 4), 0);
}
END_TEST

/*
 * Command and status.   [PCI 3.0, 6.2.2, 6.2.3]
 */

START_TEST(command_has_no_io_bit)
{
	rig_write(&rig, 0, PCI_COMMAND, 2, 0xffff);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_COMMAND, 2), 0x0546);
	rig_write(&rig, 0, PCI_COMMAND, 2, 0);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_COMMAND, 2), 0);
}
END_TEST

START_TEST(status_says_capabilities_and_no_more)
{
	rig_write(&rig, 0, PCI_STATUS, 2, 0xffff);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_STATUS, 2), 0x0010);
}
END_TEST

START_TEST(interrupt_status_is_the_devices)
{
	struct pci_func *f = &rig.funcs[0].func;

	pci_func_set_interrupt_status(f, true);
	rig_write(&rig, 0, PCI_STATUS, 2, 0xffff);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_STATUS, 2), 0x0018);
	pci_func_set_interrupt_status(f, false);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_STATUS, 2), 0x0010);
}
END_TEST

START_TEST(bus_master_changes_are_told_once)
{
	ck_assert(!pci_func_bus_master(&rig.funcs[0].func));
	rig_command(&rig, 0, PCI_COMMAND_MASTER, 0);
	rig_command(&rig, 0, PCI_COMMAND_MASTER, 0);
	ck_assert_uint_eq(rig.funcs[0].master_changes, 1);
	ck_assert(pci_func_bus_master(&rig.funcs[0].func));
	rig_command(&rig, 0, 0, PCI_COMMAND_MASTER);
	ck_assert_uint_eq(rig.funcs[0].master_changes, 2);
	ck_assert(!pci_func_bus_master(&rig.funcs[0].func));
}
END_TEST

START_TEST(wide_write_reaches_every_register_it_covers)
{
	rig_write(&rig, 0, 0x00, 8, (uint64_t)PCI_COMMAND_MASTER << 32);
	ck_assert(pci_func_bus_master(&rig.funcs[0].func));
	ck_assert(!pci_func_memory_enabled(&rig.funcs[0].func));
}
END_TEST

/*
 * Capabilities.   [PCI 3.0, 6.7]
 */

START_TEST(capabilities_are_chained_in_order)
{
	unsigned first = (unsigned)rig_read(&rig, 0, PCI_CAPABILITIES, 1);
	unsigned second = (unsigned)rig_read(&rig, 0, first + 1, 1);

	ck_assert_uint_eq(first, rig.funcs[0].cap);
	ck_assert_uint_eq(first, 0x40);
	ck_assert_uint_eq(rig_read(&rig, 0, first, 1), PCI_CAP_ID_VENDOR);
	ck_assert_uint_eq(second, 0x54);
	ck_assert_uint_eq(rig_read(&rig, 0, second, 1), PCI_CAP_ID_MSIX);
	ck_assert_uint_eq(rig_read(&rig, 0, second + 1, 1), 0);
}
END_TEST

START_TEST(capability_body_is_zero_and_read_only)
{
	for (unsigned i = 2; i < 20; i++) {
		rig_write(&rig, 0, rig.funcs[0].cap + i, 1, 0xff);
		ck_assert_uint_eq(rig_read(&rig, 0, rig.funcs[0].cap + i, 1),
				  0);
	}
}
END_TEST

START_TEST(odd_length_keeps_the_next_one_aligned)
{
	static struct rig_func rf;

	rig_func_init(&rf, "x", 0, NULL);
	ck_assert_int_eq(pci_cap_add(&rf.func, 9, 3), 0x54);
	ck_assert_int_eq(pci_cap_add(&rf.func, 9, 2), 0x58);
	rig_func_fini(&rf);
}
END_TEST

START_TEST(capabilities_end_at_byte_255)
{
	static struct rig_func rf;

	rig_func_init(&rf, "x", 0, NULL);
	ck_assert_int_eq(pci_cap_add(&rf.func, 9, 256 - 0x54 + 1), -ENOSPC);
	ck_assert_int_eq(pci_cap_add(&rf.func, 9, 256 - 0x54), 0x54);
	ck_assert_int_eq(pci_cap_add(&rf.func, 9, 2), -ENOSPC);
	rig_func_fini(&rf);
}
END_TEST

START_TEST(extended_space_reads_zero)
{
	for (unsigned off = 0x100; off < 0x1000; off += 8) {
		rig_write(&rig, 0, off, 8, UINT64_MAX);
		ck_assert_uint_eq(rig_read(&rig, 0, off, 8), 0);
	}
}
END_TEST

/*
 * Power-on reset.
 */

START_TEST(reset_restores_what_attach_left)
{
	static uint8_t before[PCI_CONFIG_SIZE];
	struct pci_func *f = &rig.funcs[0].func;

	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
		before[i] = (uint8_t)rig_read(&rig, 0, i, 1);
	srand(2);
	for (unsigned i = 0; i < 256; i++)
		rig_write(&rig, 0, i, 1, (uint64_t)rand());
	pci_host_reset(&rig.host);
	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
		ck_assert_uint_eq(rig_read(&rig, 0, i, 1), before[i]);
	ck_assert(f->bars[0].mapped && f->bars[2].mapped);
	ck_assert_uint_eq(f->bars[0].base, pci_bar_address(f, 0));
	ck_assert(!f->bus_master);
}
END_TEST

START_TEST(reset_finds_home_taken_by_another_function)
{
	uint64_t one = pci_bar_address(&rig.funcs[0].func, 0);
	uint64_t two = pci_bar_address(&rig.funcs[1].func, 0);

	rig_move_bar0(&rig, 0, RIG_MMIO64 + 0x10000000);
	rig_move_bar0(&rig, 1, one);
	ck_assert(rig_answers(&rig, 1, one));
	pci_host_reset(&rig.host);
	ck_assert(rig_answers(&rig, 0, one));
	ck_assert(rig_answers(&rig, 1, two));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pci/func");
	TCase *tc = tcase_create("func");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, header_shows_the_ids);
	tcase_add_test(tc, ids_are_read_only);
	tcase_add_test(tc, scratch_registers_keep_what_is_written);
	tcase_add_test(tc, no_expansion_rom);
	tcase_add_test(tc, command_has_no_io_bit);
	tcase_add_test(tc, status_says_capabilities_and_no_more);
	tcase_add_test(tc, interrupt_status_is_the_devices);
	tcase_add_test(tc, bus_master_changes_are_told_once);
	tcase_add_test(tc, wide_write_reaches_every_register_it_covers);
	tcase_add_test(tc, capabilities_are_chained_in_order);
	tcase_add_test(tc, capability_body_is_zero_and_read_only);
	tcase_add_test(tc, odd_length_keeps_the_next_one_aligned);
	tcase_add_test(tc, capabilities_end_at_byte_255);
	tcase_add_test(tc, extended_space_reads_zero);
	tcase_add_test(tc, reset_restores_what_attach_left);
	tcase_add_test(tc, reset_finds_home_taken_by_another_function);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
