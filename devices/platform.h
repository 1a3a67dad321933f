/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * platform.h - the registers by which a guest ends or restarts the machine,
 * and tells how it fares.
 *
 * Each device is one small bus region; what the guest asks for goes to a
 * struct machine_events, which vmm/ implements.
 *
 * Threads: events come on the vCPU that wrote (unless they say otherwise), with no lock held that the
 * receiver could need; the receiver notes them and returns.
 */
#ifndef MOAT_DEVICES_PLATFORM_H
#define MOAT_DEVICES_PLATFORM_H

#include <stdint.h>

#include "core/bus.h"

struct machine_events;

struct machine_events_ops {
	void (*power_off)(struct machine_events *e);
	void (*reboot)(struct machine_events *e);
	/* The guest's kernel panicked; @loaded: it goes on to a crash kernel. */
	void (*panicked)(struct machine_events *e, bool loaded);
	/* The guest has stopped feeding its watchdog; from the loop. */
	void (*unfed)(struct machine_events *e);
};

struct machine_events {
	const struct machine_events_ops *ops;
};

/*
 * ACPI sleep control and reset registers of a hardware-reduced machine: one
 * byte each, sleep control at 0 (SLP_TYP 5 with SLP_EN: power-off), sleep
 * status at 1 (reads 0), reset at 2 (1: reboot).   [ACPI 6.5, 4.8.3.7]
 */
struct acpi_power {
	struct bus_region region; /* size 4 */
	struct machine_events *events;
};
void acpi_power_init(struct acpi_power *p, struct machine_events *events);

/*
 * The keyboard controller's ports as far as a guest resets by them: 0x64
 * reboots on 0xfe and reads 1 (a byte waits that never goes away: drivers
 * find no controller; input never full: nobody waits before the reset), the
 * others read 0xff.
 */
struct i8042_reset {
	struct bus_region region; /* base 0x60, size 8 */
	struct machine_events *events;
};
void i8042_reset_init(struct i8042_reset *r, struct machine_events *events);

/*
 * The chipset's reset control register, 0xcf9: 0x06 and 0x0e reboot, other
 * values do nothing; reads 0.
 */
struct reset_port {
	struct bus_region region; /* base 0xcf9, size 1 */
	struct machine_events *events;
};
void reset_port_init(struct reset_port *r, struct machine_events *events);

/* pvpanic: one byte; read: what is understood (3), write: what happened. */
struct pvpanic {
	struct bus_region region; /* size 2 */
	struct machine_events *events;
};
void pvpanic_init(struct pvpanic *p, struct machine_events *events);

#endif
