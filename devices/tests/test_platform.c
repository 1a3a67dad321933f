/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/bus.h"
#include "devices/platform.h"

#define POWER_BASE   0x600
#define PVPANIC_BASE 0x505

/* What the machine was told. */
struct fake_machine {
	struct machine_events events;
	unsigned power_offs, reboots, panics, loaded;
};

static struct fake_machine *to_machine(struct machine_events *e)
{
	return container_of(e, struct fake_machine, events);
}

static void note_power_off(struct machine_events *e)
{
	to_machine(e)->power_offs++;
}

static void note_reboot(struct machine_events *e)
{
	to_machine(e)->reboots++;
}

static void note_panicked(struct machine_events *e, bool loaded)
{
	to_machine(e)->panics++;
	to_machine(e)->loaded += loaded;
}

static const struct machine_events_ops events_ops = {
	.power_off = note_power_off,
	.reboot = note_reboot,
	.panicked = note_panicked,
};

static struct bus bus;
static struct fake_machine machine;
static struct acpi_power power;
static struct i8042_reset i8042;
static struct reset_port reset_port;
static struct pvpanic pvpanic;

static void setup(void)
{
	machine = (struct fake_machine){.events.ops = &events_ops};
	bus_init(&bus);
	acpi_power_init(&power, &machine.events);
	i8042_reset_init(&i8042, &machine.events);
	reset_port_init(&reset_port, &machine.events);
	pvpanic_init(&pvpanic, &machine.events);
	power.region.base = POWER_BASE;
	pvpanic.region.base = PVPANIC_BASE;
	ck_assert_int_eq(bus_attach(&bus, &power.region), 0);
	ck_assert_int_eq(bus_attach(&bus, &i8042.region), 0);
	ck_assert_int_eq(bus_attach(&bus, &reset_port.region), 0);
	ck_assert_int_eq(bus_attach(&bus, &pvpanic.region), 0);
}

static void teardown(void)
{
	bus_fini(&bus);
}

static unsigned events(void)
{
	return machine.power_offs + machine.reboots + machine.panics;
}

START_TEST(sleep_type_5_with_enable_powers_off)
{
	bus_write(&bus, POWER_BASE, 1, 5 << 2 | 1 << 5);
	ck_assert_uint_eq(machine.power_offs, 1);
	ck_assert_uint_eq(events(), 1);
}
END_TEST

START_TEST(every_other_sleep_control_value_does_nothing)
{
	for (unsigned v = 0; v < 256; v++)
		if ((v & 0x3c) != 0x34)
			bus_write(&bus, POWER_BASE, 1, v);
	ck_assert_uint_eq(events(), 0);
}
END_TEST

START_TEST(reset_register_reboots_on_1_only)
{
	for (unsigned v = 0; v < 256; v++)
		if (v != 1)
			bus_write(&bus, POWER_BASE + 2, 1, v);
	ck_assert_uint_eq(events(), 0);
	bus_write(&bus, POWER_BASE + 2, 1, 1);
	ck_assert_uint_eq(machine.reboots, 1);
}
END_TEST

START_TEST(sleep_registers_read_zero_and_status_takes_no_write)
{
	bus_write(&bus, POWER_BASE + 1, 1, 0xff);
	bus_write(&bus, POWER_BASE + 3, 1, 0xff);
	ck_assert_uint_eq(bus_read(&bus, POWER_BASE, 4), 0);
	ck_assert_uint_eq(events(), 0);
}
END_TEST

START_TEST(wide_power_write_acts_byte_by_byte)
{
	bus_write(&bus, POWER_BASE, 4, 0x010000);
	ck_assert_uint_eq(machine.reboots, 1);
	bus_write(&bus, POWER_BASE, 2, 0x34);
	ck_assert_uint_eq(machine.power_offs, 1);
	bus_write(&bus, POWER_BASE, 2, 0x3400);
	ck_assert_uint_eq(machine.power_offs, 1);
}
END_TEST

/* Linux: reboot=k pulses, after waiting for bit 1 of the status to clear. */
START_TEST(keyboard_controller_reboots_on_pulse_only)
{
	for (unsigned v = 0; v < 256; v++) {
		if (v != 0xfe)
			bus_write(&bus, 0x64, 1, v);
		bus_write(&bus, 0x60, 1, v);
		bus_write(&bus, 0x61, 1, v);
	}
	ck_assert_uint_eq(events(), 0);
	bus_write(&bus, 0x64, 1, 0xfe);
	ck_assert_uint_eq(machine.reboots, 1);
}
END_TEST

START_TEST(keyboard_controller_looks_absent_but_ready_to_reset)
{
	ck_assert_uint_eq(bus_read(&bus, 0x64, 1), 0x01);
	ck_assert_uint_eq(bus_read(&bus, 0x60, 1), 0xff);
	ck_assert_uint_eq(bus_read(&bus, 0x64, 2), 0xff01);
}
END_TEST

/* Linux: reads, writes "system" without "do it", then both. */
START_TEST(reset_port_reboots_on_6_and_e)
{
	uint64_t v = bus_read(&bus, 0xcf9, 1) & ~UINT64_C(0x0e);

	bus_write(&bus, 0xcf9, 1, v | 2);
	bus_write(&bus, 0xcf9, 1, 0);
	bus_write(&bus, 0xcf9, 1, 4);
	ck_assert_uint_eq(events(), 0);
	bus_write(&bus, 0xcf9, 1, v | 0x06);
	ck_assert_uint_eq(machine.reboots, 1);
	bus_write(&bus, 0xcf9, 1, v | 0x0e);
	ck_assert_uint_eq(machine.reboots, 2);
}
END_TEST

START_TEST(pvpanic_reads_what_it_understands)
{
	ck_assert_uint_eq(bus_read(&bus, PVPANIC_BASE, 1), 3);
	ck_assert_uint_eq(bus_read(&bus, PVPANIC_BASE + 1, 1), 0);
}
END_TEST

START_TEST(pvpanic_tells_panic_and_crash_kernel_apart)
{
	bus_write(&bus, PVPANIC_BASE, 1, 1);
	ck_assert_uint_eq(machine.panics, 1);
	ck_assert_uint_eq(machine.loaded, 0);
	bus_write(&bus, PVPANIC_BASE, 1, 2);
	ck_assert_uint_eq(machine.panics, 2);
	ck_assert_uint_eq(machine.loaded, 1);
}
END_TEST

START_TEST(pvpanic_ignores_what_it_does_not_understand)
{
	bus_write(&bus, PVPANIC_BASE, 1, 0);
	bus_write(&bus, PVPANIC_BASE, 1, 0xfc);
	bus_write(&bus, PVPANIC_BASE + 1, 1, 1);
	ck_assert_uint_eq(events(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/platform");
	TCase *tc = tcase_create("platform");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sleep_type_5_with_enable_powers_off);
	tcase_add_test(tc, every_other_sleep_control_value_does_nothing);
	tcase_add_test(tc, reset_register_reboots_on_1_only);
	tcase_add_test(tc, sleep_registers_read_zero_and_status_takes_no_write);
	tcase_add_test(tc, wide_power_write_acts_byte_by_byte);
	tcase_add_test(tc, keyboard_controller_reboots_on_pulse_only);
	tcase_add_test(tc, keyboard_controller_looks_absent_but_ready_to_reset);
	tcase_add_test(tc, reset_port_reboots_on_6_and_e);
	tcase_add_test(tc, pvpanic_reads_what_it_understands);
	tcase_add_test(tc, pvpanic_tells_panic_and_crash_kernel_apart);
	tcase_add_test(tc, pvpanic_ignores_what_it_does_not_understand);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
