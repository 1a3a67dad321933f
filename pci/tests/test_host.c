/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "pci/regs.h"
#include "pci/tests/pci_rig.h"

static struct rig rig;

/* The reset control register of the machine. */
static struct bus_region reset_region;
static uint8_t reset_value;
static unsigned reset_accesses;

static uint64_t reset_read(struct bus_region *r, uint64_t off, unsigned size)
{
	(void)r;
	ck_assert_uint_eq(off, 0);
	ck_assert_uint_eq(size, 1);
	reset_accesses++;
	return reset_value;
}

static void reset_write(struct bus_region *r, uint64_t off, unsigned size,
			uint64_t val)
{
	(void)r;
	ck_assert_uint_eq(off, 0);
	ck_assert_uint_eq(size, 1);
	reset_accesses++;
	reset_value = (uint8_t)val;
}

static const struct bus_ops reset_ops = {
	.read = reset_read,
	.write = reset_write,
};

static void setup(void)
{
	reset_region = (struct bus_region){
		.ops = &reset_ops, .name = "reset", .size = 1};
	reset_accesses = 0;
	rig_init(&rig, &reset_region);
}

static void teardown(void)
{
	rig_fini(&rig);
}

static uint64_t ones(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

static void select_reg(unsigned devfn, unsigned reg)
{
	bus_write(&rig.pio, 0xcf8, 4, 0x80000000 | devfn << 8 | (reg & 0xfc));
}

static uint64_t port_read(unsigned devfn, unsigned reg, unsigned size)
{
	select_reg(devfn, reg);
	return bus_read(&rig.pio, 0xcfc + (reg & 3), size);
}

static void port_write(unsigned devfn, unsigned reg, unsigned size,
		       uint64_t val)
{
	select_reg(devfn, reg);
	bus_write(&rig.pio, 0xcfc + (reg & 3), size, val);
}

/*
 * The bridge and who is there.
 */

START_TEST(bridge_is_function_zero)
{
	ck_assert_uint_eq(bus_read(&rig.mmio, RIG_ECAM, 4), 0x00081b36);
	ck_assert_uint_eq(bus_read(&rig.mmio, RIG_ECAM + 8, 4), 0x06000000);
	ck_assert_uint_eq(port_read(0, 0, 4), 0x00081b36);
	ck_assert_uint_eq(port_read(0, 0x0a, 2), 0x0600);
	ck_assert_uint_eq(port_read(0, 0x34, 1), 0);
}
END_TEST

START_TEST(absent_functions_read_ones)
{
	for (unsigned devfn = 0; devfn < 256; devfn++) {
		bool there = devfn % 8 == 0 && devfn / 8 <= RIG_FUNCS;
		uint64_t at = RIG_ECAM + ((uint64_t)devfn << 12);

		bus_write(&rig.mmio, at + 4, 4, 0);
		ck_assert(there == (bus_read(&rig.mmio, at, 4) != ones(4)));
		ck_assert(there == (port_read(devfn, 0, 4) != ones(4)));
	}
}
END_TEST

START_TEST(other_buses_read_ones)
{
	for (unsigned bus = 1; bus < 256; bus++) {
		bus_write(&rig.pio, 0xcf8, 4, 0x80000000 | bus << 16);
		ck_assert_uint_eq(bus_read(&rig.pio, 0xcfc, 4), ones(4));
	}
	ck_assert_uint_eq(bus_read(&rig.mmio, RIG_ECAM + PCI_ECAM_SIZE, 4),
			  ones(4));
}
END_TEST

/*
 * Any access of any size.
 */

START_TEST(every_offset_and_size_of_ecam_reads_the_bytes)
{
	const uint8_t *bytes = rig.funcs[0].func.cfg.bytes;
	uint64_t base = RIG_ECAM + (1 << 15);

	for (unsigned off = 0; off < PCI_CONFIG_SIZE; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			uint64_t want = 0;

			for (unsigned i = 0; i < size && off + i < 4096; i++)
				want |= (uint64_t)bytes[off + i] << 8 * i;
			if (off + size > PCI_CONFIG_SIZE)
				want = ones(size);
			ck_assert_uint_eq(bus_read(&rig.mmio, base + off, size),
					  want);
		}
	}
}
END_TEST

START_TEST(every_offset_and_size_of_ports_reads_as_ecam)
{
	for (unsigned off = 0; off < 256; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			uint64_t want = rig_read(&rig, 0, off, size);

			/* Past the port's end nobody answers. */
			if ((off & 3) + size > 4)
				want = ones(size);
			ck_assert_uint_eq(port_read(8, off, size), want);
		}
	}
}
END_TEST

/* Compares with the plain masks; BARs move about and MSI-X goes on and off
 * all the time. */
START_TEST(every_offset_and_size_of_ecam_writes_as_masks_say)
{
	struct pci_config *model = malloc(sizeof(*model));
	const struct pci_config *cfg = &rig.funcs[0].func.cfg;

	ck_assert_ptr_nonnull(model);
	*model = *cfg;
	srand(3);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned off = 0; off <= 0x200; off++) {
			unsigned size = 1u << round;
			uint64_t val = (uint64_t)rand() << 32 ^ (uint64_t)rand()
									<< 8;

			rig_write(&rig, 0, off, size, val);
			pci_config_write(model, off, size, val & ones(size));
			ck_assert_mem_eq(cfg, model, sizeof(*model));
		}
	}
	free(model);
}
END_TEST

START_TEST(every_offset_and_size_of_ports_writes_as_masks_say)
{
	struct pci_config *model = malloc(sizeof(*model));
	const struct pci_config *cfg = &rig.funcs[1].func.cfg;

	ck_assert_ptr_nonnull(model);
	*model = *cfg;
	srand(4);
	for (unsigned off = 0; off < 256; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			uint64_t val = (uint64_t)rand() << 32 ^ (uint64_t)rand()
									<< 8;

			port_write(16, off, size, val);
			if ((off & 3) + size <= 4)
				pci_config_write(model, off, size,
						 val & ones(size));
			ck_assert_mem_eq(cfg, model, sizeof(*model));
		}
	}
	free(model);
}
END_TEST

START_TEST(access_across_two_functions_is_nobodys)
{
	uint64_t end = RIG_ECAM + (1 << 15) + PCI_CONFIG_SIZE;

	for (unsigned size = 2; size <= 8; size *= 2) {
		for (unsigned back = 1; back < size; back++) {
			bus_write(&rig.mmio, end - back, size, 0);
			ck_assert_uint_eq(bus_read(&rig.mmio, end - back, size),
					  ones(size));
		}
	}
	bus_write(&rig.mmio, RIG_ECAM + PCI_ECAM_SIZE - 1, 8, 0);
	ck_assert_uint_eq(rig.funcs[0].config_writes, 0);
}
END_TEST

/*
 * The address port.   [PCI 3.0, 3.2.2.3.2]
 */

START_TEST(linux_probe_of_configuration_mechanism_1)
{
	uint64_t saved;

	bus_write(&rig.pio, 0xcfb, 1, 0x01);
	saved = bus_read(&rig.pio, 0xcf8, 4);
	ck_assert_uint_eq(saved, 0);
	bus_write(&rig.pio, 0xcf8, 4, 0x80000000);
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcf8, 4), 0x80000000);
	bus_write(&rig.pio, 0xcf8, 4, saved);
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcf8, 4), saved);
}
END_TEST

START_TEST(narrow_accesses_do_not_reach_the_latch)
{
	bus_write(&rig.pio, 0xcf8, 4, 0x80001234);
	for (unsigned off = 0; off < 4; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			if (size == 4 && off == 0)
				continue;
			bus_write(&rig.pio, 0xcf8 + off, size, 0);
			if (size == 1 && off == 1)
				continue;
			ck_assert_uint_eq(bus_read(&rig.pio, 0xcf8 + off, size),
					  ones(size));
		}
	}
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcf8, 4), 0x80001234);
}
END_TEST

START_TEST(reserved_bits_of_the_latch_read_zero)
{
	bus_write(&rig.pio, 0xcf8, 4, 0xffffffff);
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcf8, 4), 0x80fffffc);
}
END_TEST

START_TEST(without_enable_bit_data_port_is_closed)
{
	bus_write(&rig.pio, 0xcf8, 4, 0x00000800);
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcfc, 4), ones(4));
	bus_write(&rig.pio, 0xcf8, 4, 0x0000083c);
	bus_write(&rig.pio, 0xcfc, 1, 0x55);
	ck_assert_uint_eq(rig_read(&rig, 0, PCI_INTERRUPT_LINE, 1), 0);
}
END_TEST

START_TEST(byte_at_0xcf9_is_the_reset_register)
{
	bus_write(&rig.pio, 0xcf8, 4, 0x80001234);
	bus_write(&rig.pio, 0xcf9, 1, 0x06);
	ck_assert_uint_eq(reset_value, 0x06);
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcf9, 1), 0x06);
	ck_assert_uint_eq(reset_accesses, 2);
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcf8, 4), 0x80001234);
}
END_TEST

START_TEST(nothing_else_reaches_the_reset_register)
{
	for (unsigned at = 0xcf8; at < 0xd00; at++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			if (at == 0xcf9 && size == 1)
				continue;
			bus_write(&rig.pio, at, size, UINT64_MAX);
			(void)bus_read(&rig.pio, at, size);
		}
	}
	ck_assert_uint_eq(reset_accesses, 0);
}
END_TEST

START_TEST(without_reset_register_0xcf9_reads_ones)
{
	rig_fini(&rig);
	rig_init(&rig, NULL);
	bus_write(&rig.pio, 0xcf9, 1, 0x06);
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcf9, 1), 0xff);
}
END_TEST

START_TEST(host_reset_clears_the_latch)
{
	bus_write(&rig.pio, 0xcf8, 4, 0x80001234);
	pci_host_reset(&rig.host);
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcf8, 4), 0);
}
END_TEST

/*
 * Set-up.
 */

START_TEST(slots_are_given_from_one)
{
	for (unsigned i = 0; i < RIG_FUNCS; i++) {
		ck_assert_uint_eq(rig.funcs[i].func.devfn, (i + 1) * 8);
		ck_assert_ptr_eq(rig.host.slots[i + 1], &rig.funcs[i].func);
	}
}
END_TEST

START_TEST(wanted_slot_is_given_once)
{
	static struct rig_func a, b;
	struct err err;

	rig_func_init(&a, "a", 0, NULL);
	rig_func_init(&b, "b", 0, NULL);
	ck_assert_int_eq(pci_host_attach(&rig.host, &a.func, 31, &err), 0);
	ck_assert_uint_eq(a.func.devfn, 31 * 8);
	ck_assert_int_eq(pci_host_attach(&rig.host, &b.func, 31, &err), -EBUSY);
	ck_assert_str_eq(err.msg, "b: PCI slot 31 has a");
	ck_assert_int_eq(pci_host_attach(&rig.host, &b.func, 0, NULL), -EINVAL);
	ck_assert_int_eq(pci_host_attach(&rig.host, &b.func, 32, &err),
			 -EINVAL);
	ck_assert_str_eq(err.msg, "b: no PCI slot 32");
	rig_func_fini(&a);
	ck_assert_int_eq(pci_host_attach(&rig.host, &b.func, 31, NULL), 0);
	rig_func_fini(&b);
}
END_TEST

START_TEST(thirty_second_function_finds_no_slot)
{
	static struct rig_func more[PCI_SLOTS_MAX];
	unsigned n = PCI_SLOTS_MAX - 1 - RIG_FUNCS;
	struct err err;

	for (unsigned i = 0; i <= n; i++) {
		rig_func_init(&more[i], "f", 0, NULL);
		ck_assert_int_eq(pci_host_attach(&rig.host, &more[i].func, -1,
						 &err),
				 i < n ? 0 : -ENOSPC);
	}
	ck_assert_str_eq(err.msg, "f: all PCI slots are taken");
	for (unsigned i = 0; i <= n; i++)
		rig_func_fini(&more[i]);
}
END_TEST

START_TEST(full_window_refuses_and_leaves_nothing)
{
	static struct rig_func big, fits;
	struct err err;
	size_t before = rig.host.assigned.n;

	rig_func_init(&big, "big", 0, NULL);
	pci_bar_init(&big.func, 3, MIB(16), false, false);
	ck_assert_int_eq(pci_host_attach(&rig.host, &big.func, -1, &err),
			 -ENOSPC);
	ck_assert_str_eq(err.msg,
			 "big: PCI BAR 3 of 0x1000000 bytes: No space left on "
			 "device");
	ck_assert_ptr_null(rig.host.slots[RIG_FUNCS + 1]);
	ck_assert_uint_eq(rig.host.assigned.n, before);
	ck_assert_ptr_null(big.func.host);
	rig_func_init(&fits, "fits", 0, NULL);
	ck_assert_int_eq(pci_host_attach(&rig.host, &fits.func, -1, NULL), 0);
	rig_func_fini(&fits);
	rig_func_fini(&big);
}
END_TEST

START_TEST(large_64_bit_bar_goes_below_4_gib_when_it_must)
{
	static struct rig_func rf;

	rig.host.config.mmio64 = (struct range){0};
	rig_func_init(&rf, "x", 0, NULL);
	ck_assert_int_eq(pci_host_attach(&rig.host, &rf.func, -1, NULL), 0);
	ck_assert_uint_lt(pci_bar_address(&rf.func, 0), GIB(4));
	rig_func_fini(&rf);
}
END_TEST

START_TEST(window_on_closed_ground_is_reported)
{
	static struct rig_func rf;
	struct err err;

	rig.host.config.mmio64 = (struct range){MIB(1), MIB(2) - 1};
	rig_func_init(&rf, "x", 0, NULL);
	ck_assert_int_eq(pci_host_attach(&rig.host, &rf.func, -1, &err),
			 -ENOSPC);
	ck_assert_str_eq(err.msg, "x: no room on the memory bus");
	rig_func_fini(&rf);
}
END_TEST

START_TEST(unaligned_ecam_is_refused)
{
	struct pci_host_config config = {.ecam_base = RIG_ECAM + 0x1000};
	static struct pci_host h;
	struct err err;

	ck_assert_int_eq(pci_host_init(&h, &rig.mmio, &rig.pio, &config, &err),
			 -EINVAL);
	ck_assert_str_eq(err.msg, "PCI ECAM is not 1 MiB aligned");
	pci_host_fini(&h);
}
END_TEST

/* The buses have another bridge already; what was attached goes again. */
START_TEST(taken_addresses_are_reported_and_left_alone)
{
	struct pci_host_config config = {.ecam_base = RIG_ECAM};
	static struct pci_host h;
	struct err err;
	unsigned n = rig.mmio.n;

	ck_assert_int_eq(pci_host_init(&h, &rig.mmio, &rig.pio, &config, &err),
			 -EEXIST);
	ck_assert_str_eq(err.msg, "PCI ECAM at 0xe0000000: File exists");
	config.ecam_base = RIG_ECAM + PCI_ECAM_SIZE;
	config.ports = true;
	ck_assert_int_eq(pci_host_init(&h, &rig.mmio, &rig.pio, &config, &err),
			 -EEXIST);
	ck_assert_str_eq(err.msg, "PCI ports 0xcf8-0xcff: File exists");
	ck_assert_uint_eq(rig.mmio.n, n);
}
END_TEST

START_TEST(bridge_without_ecam_and_ports_is_silent)
{
	struct pci_host_config config = {0};
	static struct pci_host h;
	static struct bus mmio;

	bus_init(&mmio);
	ck_assert_int_eq(pci_host_init(&h, &mmio, NULL, &config, NULL), 0);
	ck_assert_uint_eq(mmio.n, 0);
	pci_host_fini(&h);
	bus_fini(&mmio);
}
END_TEST

START_TEST(functions_that_are_gone_leave_no_region)
{
	for (unsigned i = 0; i < RIG_FUNCS; i++)
		rig_func_fini(&rig.funcs[i]);
	ck_assert_uint_eq(rig.mmio.n, 1);
	ck_assert_uint_eq(rig.host.placed.n, 0);
	ck_assert_uint_eq(rig.host.assigned.n, 0);
	memset(rig.funcs, 0, sizeof(rig.funcs));
}
END_TEST

static TCase *access_cases(void)
{
	TCase *tc = tcase_create("accesses");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bridge_is_function_zero);
	tcase_add_test(tc, absent_functions_read_ones);
	tcase_add_test(tc, other_buses_read_ones);
	tcase_add_test(tc, every_offset_and_size_of_ecam_reads_the_bytes);
	tcase_add_test(tc, every_offset_and_size_of_ports_reads_as_ecam);
	tcase_add_test(tc, every_offset_and_size_of_ecam_writes_as_masks_say);
	tcase_add_test(tc, every_offset_and_size_of_ports_writes_as_masks_say);
	tcase_add_test(tc, access_across_two_functions_is_nobodys);
	tcase_add_test(tc, linux_probe_of_configuration_mechanism_1);
	tcase_add_test(tc, narrow_accesses_do_not_reach_the_latch);
	tcase_add_test(tc, reserved_bits_of_the_latch_read_zero);
	tcase_add_test(tc, without_enable_bit_data_port_is_closed);
	tcase_add_test(tc, byte_at_0xcf9_is_the_reset_register);
	tcase_add_test(tc, nothing_else_reaches_the_reset_register);
	tcase_add_test(tc, without_reset_register_0xcf9_reads_ones);
	tcase_add_test(tc, host_reset_clears_the_latch);
	return tc;
}

static TCase *setup_cases(void)
{
	TCase *tc = tcase_create("set-up");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, slots_are_given_from_one);
	tcase_add_test(tc, wanted_slot_is_given_once);
	tcase_add_test(tc, thirty_second_function_finds_no_slot);
	tcase_add_test(tc, full_window_refuses_and_leaves_nothing);
	tcase_add_test(tc, large_64_bit_bar_goes_below_4_gib_when_it_must);
	tcase_add_test(tc, window_on_closed_ground_is_reported);
	tcase_add_test(tc, unaligned_ecam_is_refused);
	tcase_add_test(tc, taken_addresses_are_reported_and_left_alone);
	tcase_add_test(tc, bridge_without_ecam_and_ports_is_silent);
	tcase_add_test(tc, functions_that_are_gone_leave_no_region);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("pci/host");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, access_cases());
	suite_add_tcase(s, setup_cases());
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
