/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/cmos.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "core/bits.h"

#define CMOS_BASE 0x70
#define CMOS_SIZE 2

#define PORT_INDEX 0
#define PORT_DATA  1

/* Bytes of the MC146818; what a PC adds comes behind. */
#define SECONDS	     0x00
#define MINUTES	     0x02
#define HOURS	     0x04
#define DAY_OF_WEEK  0x06
#define DAY_OF_MONTH 0x07
#define MONTH	     0x08
#define YEAR	     0x09
#define REG_A	     0x0a
#define REG_B	     0x0b
#define REG_C	     0x0c
#define REG_D	     0x0d
#define CENTURY	     0x32

#define A_UIP	   0x80 /* update in progress */
#define A_POWER_ON 0x26 /* 32.768 kHz, 1024 Hz */

#define B_SET	   0x80 /* the clock stands, its bytes may be written */
#define B_24H	   0x02
#define D_VRT	   0x80 /* battery good */
#define INDEX_MASK 0x7f

static uint8_t to_bcd(int v)
{
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

/* Any byte gives a number, at most 165. */
static int from_bcd(uint8_t v)
{
	return (v >> 4) * 10 + (v & 0x0f);
}

static bool is_time(unsigned i)
{
	return i == SECONDS || i == MINUTES || i == HOURS ||
	       (i >= DAY_OF_WEEK && i <= YEAR) || i == CENTURY;
}

/* Guest time into the clock's bytes. */
static void latch_time(struct cmos *c)
{
	time_t t = time(NULL) + c->offset_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return;
	c->bytes[SECONDS] = to_bcd(tm.tm_sec);
	c->bytes[MINUTES] = to_bcd(tm.tm_min);
	c->bytes[HOURS] = to_bcd(tm.tm_hour);
	c->bytes[DAY_OF_WEEK] = to_bcd(tm.tm_wday + 1);
	c->bytes[DAY_OF_MONTH] = to_bcd(tm.tm_mday);
	c->bytes[MONTH] = to_bcd(tm.tm_mon + 1);
	c->bytes[YEAR] = to_bcd((tm.tm_year + 1900) % 100);
	c->bytes[CENTURY] = to_bcd((tm.tm_year + 1900) / 100);
}

/* The other way; impossible dates roll over as timegm() has it. */
static void commit_time(struct cmos *c)
{
	struct tm tm = {
		.tm_sec = from_bcd(c->bytes[SECONDS]),
		.tm_min = from_bcd(c->bytes[MINUTES]),
		.tm_hour = from_bcd(c->bytes[HOURS]),
		.tm_mday = from_bcd(c->bytes[DAY_OF_MONTH]),
		.tm_mon = from_bcd(c->bytes[MONTH]) - 1,
		.tm_year = from_bcd(c->bytes[CENTURY]) * 100 +
			   from_bcd(c->bytes[YEAR]) - 1900,
	};

	c->offset_s = timegm(&tm) - time(NULL);
}

static bool clock_stands(const struct cmos *c)
{
	return c->bytes[REG_B] & B_SET;
}

static uint8_t data_read(struct cmos *c)
{
	if (is_time(c->index) && !clock_stands(c))
		latch_time(c);
	return c->bytes[c->index];
}

/* Format and hours are fixed and no interrupt comes: of B only SET sticks,
 * and a guest that reads back sees it. */
static void write_b(struct cmos *c, uint8_t val)
{
	bool stood = clock_stands(c), stands = val & B_SET;

	if (stands && !stood)
		latch_time(c);
	else if (!stands && stood)
		commit_time(c);
	c->bytes[REG_B] = (uint8_t)((val & B_SET) | B_24H);
}

static void write_time(struct cmos *c, uint8_t val)
{
	if (clock_stands(c)) {
		c->bytes[c->index] = val;
		return;
	}
	latch_time(c);
	c->bytes[c->index] = val;
	commit_time(c);
}

static void data_write(struct cmos *c, uint8_t val)
{
	switch (c->index) {
	case REG_A:
		c->bytes[REG_A] = (uint8_t)(val & ~A_UIP);
		break;
	case REG_B:
		write_b(c, val);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		if (is_time(c->index))
			write_time(c, val);
		else
			c->bytes[c->index] = val;
		break;
	}
}

/* The index cannot be read back on a PC. */
static uint64_t region_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct cmos *c = container_of(r, struct cmos, region);
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++) {
		uint8_t byte = off + i == PORT_DATA ? data_read(c) : 0xff;

		val |= (uint64_t)byte << 8 * i;
	}
	return val;
}

static void region_write(struct bus_region *r, uint64_t off, unsigned size,
			 uint64_t val)
{
	struct cmos *c = container_of(r, struct cmos, region);

	for (unsigned i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(val >> 8 * i);

		if (off + i == PORT_INDEX)
			c->index = byte & INDEX_MASK; /* bit 7 masks NMIs */
		else
			data_write(c, byte);
	}
}

static const struct bus_ops region_ops = {
	.read = region_read,
	.write = region_write,
};

void cmos_init(struct cmos *c)
{
	*c = (struct cmos){
		.region =
			{
				.ops = &region_ops,
				.name = "cmos",
				.base = CMOS_BASE,
				.size = CMOS_SIZE,
				.lock = &c->lock,
			},
	};
	c->bytes[REG_A] = A_POWER_ON;
	c->bytes[REG_B] = B_24H;
	c->bytes[REG_D] = D_VRT;
	pthread_mutex_init(&c->lock, NULL);
}

void cmos_fini(struct cmos *c)
{
	if (c->region.ops)
		pthread_mutex_destroy(&c->lock);
}
