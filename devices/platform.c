/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/platform.h"

#include "core/bits.h"

/* One byte out of a wider access. */
static uint8_t byte_at(uint64_t val, unsigned i)
{
	return (uint8_t)(val >> 8 * i);
}

/*
 * ACPI sleep and reset.
 */

#define POWER_SLEEP_CONTROL 0
#define POWER_RESET	    2
#define POWER_SIZE	    4

#define SLP_EN	     0x20
#define SLP_TYP(val) ((val) >> 2 & 7)
#define SLP_TYP_S5   5
#define RESET_VALUE  1

/* SLP_EN is write-only, and the wake status never has anything to say. */
static uint64_t power_read(struct bus_region *r, uint64_t off, unsigned size)
{
	(void)r;
	(void)off;
	(void)size;
	return 0;
}

static void power_write_byte(struct acpi_power *p, uint64_t off, uint8_t val)
{
	if (off == POWER_SLEEP_CONTROL && (val & SLP_EN) &&
	    SLP_TYP(val) == SLP_TYP_S5)
		p->events->ops->power_off(p->events);
	else if (off == POWER_RESET && val == RESET_VALUE)
		p->events->ops->reboot(p->events);
}

static void power_write(struct bus_region *r, uint64_t off, unsigned size,
			uint64_t val)
{
	struct acpi_power *p = container_of(r, struct acpi_power, region);

	for (unsigned i = 0; i < size; i++)
		power_write_byte(p, off + i, byte_at(val, i));
}

static const struct bus_ops power_ops = {
	.read = power_read,
	.write = power_write,
};

void acpi_power_init(struct acpi_power *p, struct machine_events *events)
{
	*p = (struct acpi_power){
		.region = {.ops = &power_ops,
			   .name = "acpi-power",
			   .size = POWER_SIZE},
		.events = events,
	};
}

/*
 * The keyboard controller that is not there.
 */

#define I8042_BASE	  0x60
#define I8042_SIZE	  8
#define I8042_COMMAND	  4
#define I8042_STATUS	  4
#define I8042_PULSE_RESET 0xfe

/*
 * "Output full" for ever and "input full" never: a driver that looks for a
 * controller gives up once the byte does not go away, and one that wants to
 * reset the machine does not wait to be allowed to.
 */
#define I8042_NOBODY 0x01

static uint64_t i8042_read(struct bus_region *r, uint64_t off, unsigned size)
{
	uint64_t val = 0;

	(void)r;
	for (unsigned i = 0; i < size; i++) {
		uint8_t byte = off + i == I8042_STATUS ? I8042_NOBODY : 0xff;

		val |= (uint64_t)byte << 8 * i;
	}
	return val;
}

static void i8042_write(struct bus_region *r, uint64_t off, unsigned size,
			uint64_t val)
{
	struct i8042_reset *c = container_of(r, struct i8042_reset, region);

	for (unsigned i = 0; i < size; i++)
		if (off + i == I8042_COMMAND &&
		    byte_at(val, i) == I8042_PULSE_RESET)
			c->events->ops->reboot(c->events);
}

static const struct bus_ops i8042_ops = {
	.read = i8042_read,
	.write = i8042_write,
};

void i8042_reset_init(struct i8042_reset *r, struct machine_events *events)
{
	*r = (struct i8042_reset){
		.region = {.ops = &i8042_ops,
			   .name = "i8042",
			   .base = I8042_BASE,
			   .size = I8042_SIZE},
		.events = events,
	};
}

/*
 * Reset control.
 */

#define RESET_BASE   0xcf9
#define RESET_SYSTEM 0x02 /* hard, not INIT */
#define RESET_CPU    0x04 /* do it */

/* Nothing to remember: guests write "system" first and add "do it" then,
 * and both bits come in the second write. */
static uint64_t reset_read(struct bus_region *r, uint64_t off, unsigned size)
{
	(void)r;
	(void)off;
	(void)size;
	return 0;
}

static void reset_write(struct bus_region *r, uint64_t off, unsigned size,
			uint64_t val)
{
	struct reset_port *p = container_of(r, struct reset_port, region);
	const uint64_t both = RESET_SYSTEM | RESET_CPU;

	(void)off;
	(void)size;
	if ((val & both) == both)
		p->events->ops->reboot(p->events);
}

static const struct bus_ops reset_ops = {
	.read = reset_read,
	.write = reset_write,
};

void reset_port_init(struct reset_port *r, struct machine_events *events)
{
	*r = (struct reset_port){
		.region = {.ops = &reset_ops,
			   .name = "reset-port",
			   .base = RESET_BASE,
			   .size = 1},
		.events = events,
	};
}

/*
 * pvpanic.
 */

#define PVPANIC_SIZE	     2
#define PVPANIC_PANICKED     0x01
#define PVPANIC_CRASH_LOADED 0x02

static uint64_t pvpanic_read(struct bus_region *r, uint64_t off, unsigned size)
{
	(void)r;
	(void)size;
	return off == 0 ? PVPANIC_PANICKED | PVPANIC_CRASH_LOADED : 0;
}

static void pvpanic_write(struct bus_region *r, uint64_t off, unsigned size,
			  uint64_t val)
{
	struct pvpanic *p = container_of(r, struct pvpanic, region);

	(void)size;
	if (off != 0)
		return;
	if (val & PVPANIC_PANICKED)
		p->events->ops->panicked(p->events, false);
	else if (val & PVPANIC_CRASH_LOADED)
		p->events->ops->panicked(p->events, true);
}

static const struct bus_ops pvpanic_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
};

void pvpanic_init(struct pvpanic *p, struct machine_events *events)
{
	*p = (struct pvpanic){
		.region = {.ops = &pvpanic_ops,
			   .name = "pvpanic",
			   .size = PVPANIC_SIZE},
		.events = events,
	};
}
