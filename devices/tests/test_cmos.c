/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "core/bus.h"
#include "devices/cmos.h"

/* A moment with nothing special near, except that it is a Thursday. */
#define MOMENT_YEAR 2031
#define MOMENT                                                             \
	{                                                                  \
		.tm_year = MOMENT_YEAR - 1900, .tm_mon = 9, .tm_mday = 16, \
		.tm_hour = 21, .tm_min = 45, .tm_sec = 10                  \
	}

static struct bus bus;
static struct cmos cmos;

static void setup(void)
{
	bus_init(&bus);
	cmos_init(&cmos);
	ck_assert_int_eq(bus_attach(&bus, &cmos.region), 0);
}

static void teardown(void)
{
	cmos_fini(&cmos);
	bus_fini(&bus);
}

static uint8_t get(uint8_t index)
{
	bus_write(&bus, 0x70, 1, index);
	return (uint8_t)bus_read(&bus, 0x71, 1);
}

static void set(uint8_t index, uint8_t val)
{
	bus_write(&bus, 0x70, 1, index);
	bus_write(&bus, 0x71, 1, val);
}

static void start_at_moment(void)
{
	struct tm tm = MOMENT;

	cmos.offset_s = timegm(&tm) - time(NULL);
}

static int number(uint8_t bcd)
{
	ck_assert_uint_le(bcd & 15, 9);
	ck_assert_uint_le(bcd >> 4, 9);
	return (bcd >> 4) * 10 + (bcd & 15);
}

static time_t guest_time(void)
{
	struct tm tm = {
		.tm_sec = number(get(0)),
		.tm_min = number(get(2)),
		.tm_hour = number(get(4)),
		.tm_mday = number(get(7)),
		.tm_mon = number(get(8)) - 1,
		.tm_year = number(get(0x32)) * 100 + number(get(9)) - 1900,
	};

	return timegm(&tm);
}

START_TEST(time_is_the_hosts_utc)
{
	time_t before, t, after;

	do { /* the bytes are read one by one: not across a second */
		before = time(NULL);
		t = guest_time();
		after = time(NULL);
	} while (before != after);
	ck_assert_int_eq(t, before);
}
END_TEST

START_TEST(every_time_byte_is_bcd)
{
	start_at_moment();
	ck_assert_uint_ge(get(0), 0x10);
	ck_assert_uint_le(get(0), 0x20);
	ck_assert_uint_eq(get(2), 0x45);
	ck_assert_uint_eq(get(4), 0x21);
	ck_assert_uint_eq(get(6), 0x05);
	ck_assert_uint_eq(get(7), 0x16);
	ck_assert_uint_eq(get(8), 0x10);
	ck_assert_uint_eq(get(9), 0x31);
	ck_assert_uint_eq(get(0x32), 0x20);
}
END_TEST

/* What Linux looks at before it believes in the clock. */
START_TEST(status_registers_say_running_24_hours_bcd_and_valid)
{
	ck_assert_uint_eq(get(0x0a), 0x26);
	ck_assert_uint_eq(get(0x0b), 0x02);
	ck_assert_uint_eq(get(0x0c), 0x00);
	ck_assert_uint_eq(get(0x0d), 0x80);
}
END_TEST

START_TEST(update_in_progress_never_reads_set)
{
	set(0x0a, 0xff);
	ck_assert_uint_eq(get(0x0a), 0x7f);
}
END_TEST

START_TEST(interrupt_and_format_bits_do_not_stick)
{
	set(0x0b, 0x7f);
	ck_assert_uint_eq(get(0x0b), 0x02);
	set(0x0c, 0xff);
	ck_assert_uint_eq(get(0x0c), 0x00);
	set(0x0d, 0x00);
	ck_assert_uint_eq(get(0x0d), 0x80);
}
END_TEST

/* Linux's mc146818_set_time(): stop, write, start. */
START_TEST(time_set_while_stopped_moves_the_offset)
{
	struct tm want = {.tm_year = 99,
			  .tm_mon = 11,
			  .tm_mday = 31,
			  .tm_hour = 23,
			  .tm_min = 58,
			  .tm_sec = 7};
	time_t t = timegm(&want);

	set(0x0b, 0x82);
	ck_assert_uint_eq(get(0x0b), 0x82);
	set(9, 0x99);
	set(8, 0x12);
	set(7, 0x31);
	set(4, 0x23);
	set(2, 0x58);
	set(0, 0x07);
	set(0x32, 0x19);
	ck_assert_uint_eq(get(0), 0x07); /* stands */
	set(0x0b, 0x02);
	ck_assert_int_ge(guest_time(), t);
	ck_assert_int_le(guest_time(), t + 10);
	ck_assert_uint_eq(get(6), 6); /* a Friday */
}
END_TEST

START_TEST(single_byte_written_while_running_counts)
{
	start_at_moment();
	set(4, 0x03);
	ck_assert_uint_eq(get(4), 0x03);
	ck_assert_uint_eq(get(2), 0x45);
	ck_assert_uint_eq(get(7), 0x16);
}
END_TEST

START_TEST(stopping_latches_the_time)
{
	start_at_moment();
	set(0x0b, 0x82);
	cmos.offset_s += 3600;
	ck_assert_uint_eq(get(4), 0x21);
}
END_TEST

START_TEST(impossible_times_do_no_harm)
{
	static const uint8_t clock[] = {0, 2, 4, 6, 7, 8, 9, 0x32};

	for (unsigned v = 0; v < 256; v++) {
		set(0x0b, 0x82);
		for (unsigned i = 0; i < sizeof(clock); i++)
			set(clock[i], (uint8_t)v);
		set(0x0b, 0x02);
		(void)get(0);
		for (unsigned i = 0; i < sizeof(clock); i++)
			set(clock[i], (uint8_t)v);
		(void)get(0);
	}
	set(0x0b, 0x82);
	set(8, 0x00);
	set(7, 0x00);
	set(9, 0x00);
	set(0x32, 0x20);
	set(0x0b, 0x02);
	ck_assert_uint_eq(get(8), 0x11); /* day 0 of month 0 of 2000 */
	ck_assert_uint_eq(get(7), 0x30);
	ck_assert_uint_eq(get(0x32), 0x19);
}
END_TEST

START_TEST(the_rest_is_memory)
{
	for (unsigned i = 0x0e; i < 128; i++)
		if (i != 0x32)
			set((uint8_t)i, (uint8_t)(i ^ 0x5a));
	for (unsigned i = 0x0e; i < 128; i++)
		if (i != 0x32)
			ck_assert_uint_eq(get((uint8_t)i), i ^ 0x5a);
	set(1, 0xc0); /* alarm */
	ck_assert_uint_eq(get(1), 0xc0);
}
END_TEST

START_TEST(index_bit_7_is_the_nmi_mask)
{
	set(0x40, 0x12);
	ck_assert_uint_eq(get(0xc0), 0x12);
	ck_assert_uint_eq(get(0xff), 0);
}
END_TEST

START_TEST(index_port_reads_all_ones)
{
	bus_write(&bus, 0x70, 1, 0x0d);
	ck_assert_uint_eq(bus_read(&bus, 0x70, 1), 0xff);
	ck_assert_uint_eq(bus_read(&bus, 0x70, 2), 0x80ff);
}
END_TEST

START_TEST(wide_write_sets_index_and_data)
{
	bus_write(&bus, 0x70, 2, 0x7741);
	ck_assert_uint_eq(get(0x41), 0x77);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/cmos");
	TCase *tc = tcase_create("cmos");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, time_is_the_hosts_utc);
	tcase_add_test(tc, every_time_byte_is_bcd);
	tcase_add_test(tc, status_registers_say_running_24_hours_bcd_and_valid);
	tcase_add_test(tc, update_in_progress_never_reads_set);
	tcase_add_test(tc, interrupt_and_format_bits_do_not_stick);
	tcase_add_test(tc, time_set_while_stopped_moves_the_offset);
	tcase_add_test(tc, single_byte_written_while_running_counts);
	tcase_add_test(tc, stopping_latches_the_time);
	tcase_add_test(tc, impossible_times_do_no_harm);
	tcase_add_test(tc, the_rest_is_memory);
	tcase_add_test(tc, index_bit_7_is_the_nmi_mask);
	tcase_add_test(tc, index_port_reads_all_ones);
	tcase_add_test(tc, wide_write_sets_index_and_data);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
