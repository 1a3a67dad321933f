/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/bus.h"
#include "core/tests/fake_irq.h"
#include "devices/serial16550.h"

#define COM1 0x3f8
#define THR  0
#define IER  1
#define IIR  2
#define FCR  2
#define LCR  3
#define MCR  4
#define LSR  5
#define MSR  6
#define SCR  7

/* The far end: keeps what comes, as long as it has room. */
struct fake_peer {
	struct stream_end end;
	uint8_t got[256];
	size_t ngot, room;
	unsigned rooms; /* times we were told that there is room */
};

static size_t peer_deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct fake_peer *p = container_of(e, struct fake_peer, end);
	size_t n = len < p->room ? len : p->room;

	for (size_t i = 0; i < n; i++)
		p->got[p->ngot++ % sizeof(p->got)] = buf[i];
	p->room -= n;
	return n;
}

static void peer_room(struct stream_end *e)
{
	container_of(e, struct fake_peer, end)->rooms++;
}

static const struct stream_ops peer_ops = {
	.deliver = peer_deliver,
	.room = peer_room,
};

static struct bus bus;
static struct fake_line irq;
static struct fake_peer peer;
static struct serial *serial;

static void setup(void)
{
	fake_line_init(&irq);
	peer = (struct fake_peer){.end.ops = &peer_ops, .room = SIZE_MAX};
	bus_init(&bus);
	ck_assert_int_eq(serial_new(&serial, &irq.line), 0);
	serial_region(serial)->base = COM1;
	ck_assert_int_eq(bus_attach(&bus, serial_region(serial)), 0);
	stream_join(serial_stream(serial), &peer.end);
}

static void teardown(void)
{
	bus_fini(&bus);
	serial_free(serial);
	fake_line_fini(&irq);
}

static uint8_t in(unsigned reg)
{
	return (uint8_t)bus_read(&bus, COM1 + reg, 1);
}

static void out(unsigned reg, uint8_t val)
{
	bus_write(&bus, COM1 + reg, 1, val);
}

static size_t type(const char *text, size_t len)
{
	return stream_send(&peer.end, (const uint8_t *)text, len);
}

static void assert_got(const char *text)
{
	ck_assert_uint_eq(peer.ngot, strlen(text));
	ck_assert_int_eq(memcmp(peer.got, text, strlen(text)), 0);
}

/*
 * Identification, in the order of Linux's autoconfig().
 */

START_TEST(interrupt_enable_holds_four_bits)
{
	out(IER, 0);
	ck_assert_uint_eq(in(IER), 0);
	out(IER, 0x0f);
	ck_assert_uint_eq(in(IER), 0x0f);
	out(IER, 0xff); /* 0x40 would make it an XScale UART */
	ck_assert_uint_eq(in(IER), 0x0f);
}
END_TEST

START_TEST(loopback_shows_modem_outputs_as_inputs)
{
	out(MCR, 0x10 | 0x0a); /* OUT2, RTS */
	ck_assert_uint_eq(in(MSR)&0xf0, 0x90);
	out(MCR, 0x10 | 0x05); /* OUT1, DTR */
	ck_assert_uint_eq(in(MSR)&0xf0, 0x60);
	out(MCR, 0x10);
	ck_assert_uint_eq(in(MSR)&0xf0, 0x00);
	out(MCR, 0x00);
	ck_assert_uint_eq(in(MSR)&0xf0, 0xb0);
}
END_TEST

START_TEST(fifo_enable_makes_it_a_16550a)
{
	ck_assert_uint_eq(in(IIR) >> 6, 0);
	out(FCR, 0x01);
	ck_assert_uint_eq(in(IIR) >> 6, 3);
	out(FCR, 0x21); /* no 64 byte mode: no 16750, either way of DLAB */
	ck_assert_uint_eq(in(IIR) >> 5, 6);
	out(LCR, 0x80);
	out(FCR, 0x21);
	ck_assert_uint_eq(in(IIR) >> 5, 6);
	out(LCR, 0xbf); /* no extended features behind this key */
	ck_assert_uint_ne(in(2), 0);
	out(LCR, 0);
	out(FCR, 0);
	ck_assert_uint_eq(in(IIR), 0x01);
}
END_TEST

START_TEST(scratch_and_control_registers_keep_their_values)
{
	for (unsigned v = 0; v < 256; v++) {
		out(SCR, (uint8_t)v);
		out(LCR, (uint8_t)v);
		ck_assert_uint_eq(in(SCR), v);
		ck_assert_uint_eq(in(LCR), v);
	}
	out(MCR, 0xff);
	ck_assert_uint_eq(in(MCR), 0x1f);
}
END_TEST

START_TEST(divisor_latch_hides_data_and_interrupt_enable)
{
	out(IER, 0x05);
	out(LCR, 0x83);
	out(0, 0x34);
	out(1, 0x12);
	ck_assert_uint_eq(in(0), 0x34);
	ck_assert_uint_eq(in(1), 0x12);
	out(LCR, 0x03);
	ck_assert_uint_eq(in(IER), 0x05);
	ck_assert_uint_eq(peer.ngot, 0);
}
END_TEST

START_TEST(status_registers_take_no_writes)
{
	out(LSR, 0x00);
	out(MSR, 0x00);
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(in(MSR), 0xb0);
}
END_TEST

/*
 * Output.
 */

START_TEST(written_bytes_reach_the_stream)
{
	out(THR, 'h');
	out(THR, 'i');
	assert_got("hi");
	ck_assert_uint_eq(in(LSR), 0x60);
}
END_TEST

START_TEST(bytes_vanish_when_nobody_listens)
{
	serial_stream(serial)->peer = NULL;
	for (unsigned i = 0; i < 1000; i++)
		out(THR, 'x');
	ck_assert_uint_eq(in(LSR), 0x60);
}
END_TEST

START_TEST(transmitter_is_not_empty_until_there_is_room)
{
	peer.room = 1;
	out(THR, 'a');
	ck_assert_uint_eq(in(LSR), 0x60);
	out(THR, 'b');
	ck_assert_uint_eq(in(LSR), 0x00);
	stream_room(&peer.end); /* said too early */
	ck_assert_uint_eq(in(LSR), 0x00);
	peer.room = 1;
	stream_room(&peer.end);
	ck_assert_uint_eq(in(LSR), 0x60);
	assert_got("ab");
}
END_TEST

/* Linux's console looks at LSR once for a FIFO's worth of bytes. */
START_TEST(sixteen_bytes_after_one_look_survive_a_full_peer)
{
	peer.room = 0;
	for (unsigned i = 0; i < 16; i++)
		out(THR, (uint8_t)('A' + i));
	ck_assert_uint_eq(in(LSR), 0x00);
	peer.room = 10;
	stream_room(&peer.end);
	ck_assert_uint_eq(in(LSR), 0x00);
	peer.room = 6;
	stream_room(&peer.end);
	ck_assert_uint_eq(in(LSR), 0x60);
	assert_got("ABCDEFGHIJKLMNOP");
}
END_TEST

START_TEST(order_is_kept_when_room_comes_between_writes)
{
	peer.room = 0;
	out(THR, '1');
	out(THR, '2');
	peer.room = 1;
	out(THR, '3'); /* must not overtake */
	stream_room(&peer.end);
	peer.room = 2;
	stream_room(&peer.end);
	assert_got("123");
}
END_TEST

START_TEST(writing_against_a_full_transmitter_loses_the_newest)
{
	peer.room = 0;
	for (unsigned i = 0; i < 10000; i++)
		out(THR, i < 64 ? 'k' : 'l');
	peer.room = SIZE_MAX;
	stream_room(&peer.end);
	ck_assert_uint_eq(peer.ngot, 64);
	ck_assert_uint_eq(peer.got[63], 'k');
}
END_TEST

START_TEST(clearing_fifos_keeps_accepted_output)
{
	peer.room = 0;
	out(FCR, 0x01);
	out(THR, 'x');
	out(FCR, 0x07);
	out(FCR, 0x00);
	peer.room = 1;
	stream_room(&peer.end);
	assert_got("x");
}
END_TEST

/*
 * Transmitter interrupt.
 */

START_TEST(enabling_thri_interrupts_while_empty)
{
	out(IER, 0x02);
	ck_assert(fake_line_level(&irq));
	ck_assert_uint_eq(in(IIR), 0x02);
	ck_assert(!fake_line_level(&irq));
	ck_assert_uint_eq(in(IIR), 0x01);
}
END_TEST

/* Linux's test for the "THRE bug": off and on again interrupts again. */
START_TEST(enabling_thri_again_interrupts_again)
{
	out(IER, 0x02);
	(void)in(IIR);
	out(IER, 0x02);
	ck_assert_uint_eq(in(IIR), 0x01);
	out(IER, 0x00);
	out(IER, 0x02);
	ck_assert_uint_eq(in(IIR), 0x02);
}
END_TEST

START_TEST(disabling_thri_takes_the_interrupt_back)
{
	out(IER, 0x02);
	out(IER, 0x00);
	ck_assert(!fake_line_level(&irq));
	ck_assert_uint_eq(in(IIR), 0x01);
	out(IER, 0x01);
	ck_assert(!fake_line_level(&irq));
}
END_TEST

START_TEST(each_byte_sent_interrupts_with_an_edge)
{
	out(IER, 0x02);
	ck_assert_uint_eq(fake_line_edges(&irq), 1);
	out(THR, 'a'); /* without IIR: the write acknowledges, then again */
	ck_assert(fake_line_level(&irq));
	ck_assert_uint_eq(fake_line_edges(&irq), 2);
	(void)in(IIR);
	out(THR, 'b');
	ck_assert_uint_eq(fake_line_edges(&irq), 3);
}
END_TEST

START_TEST(full_peer_keeps_the_interrupt_back_until_room)
{
	out(IER, 0x02);
	(void)in(IIR);
	peer.room = 0;
	out(THR, 'a');
	out(THR, 'b');
	ck_assert(!fake_line_level(&irq));
	ck_assert_uint_eq(in(IIR), 0x01);
	peer.room = 1;
	stream_room(&peer.end);
	ck_assert(!fake_line_level(&irq));
	peer.room = 1;
	stream_room(&peer.end);
	ck_assert(fake_line_level(&irq));
	ck_assert_uint_eq(in(IIR), 0x02);
}
END_TEST

START_TEST(enabling_thri_with_a_waiting_byte_does_not_interrupt)
{
	peer.room = 0;
	out(THR, 'a');
	out(IER, 0x02);
	ck_assert(!fake_line_level(&irq));
	peer.room = 1;
	stream_room(&peer.end);
	ck_assert(fake_line_level(&irq));
}
END_TEST

START_TEST(room_that_was_not_asked_for_does_not_interrupt)
{
	out(IER, 0x02);
	(void)in(IIR);
	stream_room(&peer.end);
	ck_assert(!fake_line_level(&irq));
}
END_TEST

/*
 * Input.
 */

START_TEST(typed_bytes_are_read_in_order)
{
	ck_assert_uint_eq(type("abc", 3), 3);
	ck_assert_uint_eq(in(LSR), 0x61);
	ck_assert_uint_eq(in(0), 'a');
	ck_assert_uint_eq(in(0), 'b');
	ck_assert_uint_eq(in(LSR), 0x61);
	ck_assert_uint_eq(in(0), 'c');
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(in(0), 0);
}
END_TEST

START_TEST(input_interrupts_until_it_is_read)
{
	out(IER, 0x01);
	ck_assert(!fake_line_level(&irq));
	type("ab", 2);
	ck_assert(fake_line_level(&irq));
	ck_assert_uint_eq(in(IIR), 0x04); /* no FIFO: no timeout */
	ck_assert(fake_line_level(&irq));
	(void)in(0);
	ck_assert(fake_line_level(&irq));
	(void)in(0);
	ck_assert(!fake_line_level(&irq));
}
END_TEST

START_TEST(below_the_trigger_level_is_a_timeout)
{
	static const unsigned levels[4] = {1, 4, 8, 14};

	out(IER, 0x01);
	for (unsigned i = 0; i < 4; i++) {
		out(FCR, (uint8_t)(i << 6 | 0x03));
		for (unsigned n = 1; n <= 16; n++) {
			type("x", 1);
			ck_assert_uint_eq(in(IIR), n < levels[i] ? 0xcc : 0xc4);
		}
	}
}
END_TEST

START_TEST(more_than_fits_is_refused_and_asked_for_later)
{
	static const char text[100];
	unsigned n = 0;

	ck_assert_uint_eq(type(text, sizeof(text)), 64);
	ck_assert_uint_eq(type(text, 1), 0);
	while (peer.rooms == 0 && n < 64) {
		(void)in(0);
		n++;
	}
	ck_assert_uint_eq(n, 32); /* half: not a wake-up a byte */
	while (in(LSR)&1)
		(void)in(0);
	ck_assert_uint_eq(peer.rooms, 1);
}
END_TEST

START_TEST(no_room_is_offered_to_who_was_not_refused)
{
	static const char text[64];

	ck_assert_uint_eq(type(text, 64), 64);
	while (in(LSR)&1)
		(void)in(0);
	ck_assert_uint_eq(peer.rooms, 0);
}
END_TEST

START_TEST(clearing_the_receiver_drops_input_and_offers_room)
{
	static const char text[65];

	out(IER, 0x01);
	out(FCR, 0x01);
	type(text, 65);
	out(FCR, 0x03);
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert(!fake_line_level(&irq));
	ck_assert_uint_eq(peer.rooms, 1);
}
END_TEST

START_TEST(changing_fifo_mode_drops_input)
{
	type("a", 1);
	out(FCR, 0x02); /* counts only with ENABLE */
	ck_assert_uint_eq(in(LSR), 0x61);
	out(FCR, 0x01);
	ck_assert_uint_eq(in(LSR), 0x60);
	type("a", 1);
	out(FCR, 0x01); /* no change */
	ck_assert_uint_eq(in(LSR), 0x61);
	out(FCR, 0xc0); /* counts as 0 without ENABLE */
	ck_assert_uint_eq(in(LSR), 0x60);
}
END_TEST

/*
 * Loopback.
 */

START_TEST(looped_bytes_come_back_and_do_not_leave)
{
	out(MCR, 0x10);
	out(THR, 'z');
	ck_assert_uint_eq(in(LSR), 0x61);
	ck_assert_uint_eq(in(0), 'z');
	ck_assert_uint_eq(peer.ngot, 0);
}
END_TEST

START_TEST(looped_overrun_sets_line_status_once)
{
	out(IER, 0x04);
	out(MCR, 0x10);
	for (unsigned i = 0; i < 64; i++)
		out(THR, 'z');
	ck_assert(!fake_line_level(&irq));
	out(THR, 'z');
	ck_assert(fake_line_level(&irq));
	ck_assert_uint_eq(in(IIR), 0x06);
	ck_assert_uint_eq(in(LSR), 0x63);
	ck_assert(!fake_line_level(&irq));
	ck_assert_uint_eq(in(LSR), 0x61);
}
END_TEST

START_TEST(input_waits_while_looped)
{
	out(MCR, 0x10);
	ck_assert_uint_eq(type("a", 1), 0);
	ck_assert_uint_eq(peer.rooms, 0);
	out(MCR, 0x00);
	ck_assert_uint_eq(peer.rooms, 1);
	ck_assert_uint_eq(type("a", 1), 1);
}
END_TEST

START_TEST(modem_status_change_interrupts_until_read)
{
	out(IER, 0x08);
	out(MCR, 0x10); /* DCD, DSR, CTS drop */
	ck_assert(fake_line_level(&irq));
	ck_assert_uint_eq(in(IIR), 0x00);
	ck_assert_uint_eq(in(MSR), 0x0b);
	ck_assert(!fake_line_level(&irq));
	ck_assert_uint_eq(in(MSR), 0x00);
	out(MCR, 0x14); /* the ring begins: no delta */
	ck_assert_uint_eq(in(MSR), 0x40);
	out(MCR, 0x10); /* and ends */
	ck_assert_uint_eq(in(MSR), 0x04);
}
END_TEST

START_TEST(causes_are_told_by_priority)
{
	out(MCR, 0x10);
	for (unsigned i = 0; i < 65; i++)
		out(THR, 'z');
	out(IER, 0x0f);
	ck_assert_uint_eq(in(IIR), 0x06);
	(void)in(LSR);
	ck_assert_uint_eq(in(IIR), 0x04);
	while (in(LSR)&1)
		(void)in(0);
	ck_assert_uint_eq(in(IIR), 0x02);
	ck_assert_uint_eq(in(IIR), 0x00);
	(void)in(MSR);
	ck_assert_uint_eq(in(IIR), 0x01);
	ck_assert(!fake_line_level(&irq));
}
END_TEST

/*
 * The rest.
 */

START_TEST(reset_is_power_on)
{
	out(IER, 0x0f);
	out(FCR, 0xc1);
	out(LCR, 0x9b);
	out(MCR, 0x1f);
	out(SCR, 0x55);
	type("a", 1);
	serial_reset(serial);
	ck_assert(!fake_line_level(&irq));
	ck_assert_uint_eq(in(IER), 0);
	ck_assert_uint_eq(in(IIR), 0x01);
	ck_assert_uint_eq(in(LCR), 0);
	ck_assert_uint_eq(in(MCR), 0);
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(in(MSR), 0xb0);
	ck_assert_uint_eq(in(SCR), 0);
}
END_TEST

START_TEST(reset_offers_room_to_who_was_refused)
{
	static const char text[65];

	type(text, 65);
	serial_reset(serial);
	ck_assert_uint_eq(peer.rooms, 1);
}
END_TEST

START_TEST(wide_access_is_bytes_in_order)
{
	bus_write(&bus, COM1 + LCR, 2, 0x0803);
	ck_assert_uint_eq(in(LCR), 0x03);
	ck_assert_uint_eq(in(MCR), 0x08);
	ck_assert_uint_eq(bus_read(&bus, COM1 + LCR, 4), 0xb0600803);
	ck_assert_uint_eq(bus_read(&bus, COM1, 8) >> 24, UINT64_C(0xb0600803));
}
END_TEST

START_TEST(wire_is_set_only_when_it_changes)
{
	unsigned sets;

	out(IER, 0x02);
	sets = irq.sets;
	(void)in(LSR);
	out(SCR, 1);
	(void)in(MSR);
	ck_assert_uint_eq(irq.sets, sets);
}
END_TEST

START_TEST(polled_uart_needs_no_wire)
{
	struct serial *s;

	ck_assert_int_eq(serial_new(&s, NULL), 0);
	serial_region(s)->ops->write(serial_region(s), IER, 1, 0x0f);
	serial_region(s)->ops->write(serial_region(s), THR, 1, 'x');
	serial_free(s);
	serial_free(NULL);
}
END_TEST

/* A vCPU reads what the terminal's thread types, nothing lost or twice. */
#define TYPED 5000

static void *typist(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < TYPED;) {
		uint8_t byte = (uint8_t)(i % 251);

		if (stream_send(&peer.end, &byte, 1) == 1)
			i++;
		else
			sched_yield();
	}
	return NULL;
}

START_TEST(typing_and_reading_run_in_two_threads)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, typist, NULL), 0);
	for (unsigned i = 0; i < TYPED;) {
		if (!(in(LSR)&1))
			continue;
		ck_assert_uint_eq(in(0), i % 251);
		i++;
	}
	ck_assert_int_eq(pthread_join(t, NULL), 0);
}
END_TEST

static TCase *identity_case(void)
{
	TCase *tc = tcase_create("identity");

	tcase_add_test(tc, interrupt_enable_holds_four_bits);
	tcase_add_test(tc, loopback_shows_modem_outputs_as_inputs);
	tcase_add_test(tc, fifo_enable_makes_it_a_16550a);
	tcase_add_test(tc, scratch_and_control_registers_keep_their_values);
	tcase_add_test(tc, divisor_latch_hides_data_and_interrupt_enable);
	tcase_add_test(tc, status_registers_take_no_writes);
	tcase_add_test(tc, reset_is_power_on);
	tcase_add_test(tc, reset_offers_room_to_who_was_refused);
	tcase_add_test(tc, wide_access_is_bytes_in_order);
	tcase_add_test(tc, wire_is_set_only_when_it_changes);
	tcase_add_test(tc, polled_uart_needs_no_wire);
	return tc;
}

static TCase *output_case(void)
{
	TCase *tc = tcase_create("output");

	tcase_add_test(tc, written_bytes_reach_the_stream);
	tcase_add_test(tc, bytes_vanish_when_nobody_listens);
	tcase_add_test(tc, transmitter_is_not_empty_until_there_is_room);
	tcase_add_test(tc, sixteen_bytes_after_one_look_survive_a_full_peer);
	tcase_add_test(tc, order_is_kept_when_room_comes_between_writes);
	tcase_add_test(tc, writing_against_a_full_transmitter_loses_the_newest);
	tcase_add_test(tc, clearing_fifos_keeps_accepted_output);
	tcase_add_test(tc, enabling_thri_interrupts_while_empty);
	tcase_add_test(tc, enabling_thri_again_interrupts_again);
	tcase_add_test(tc, disabling_thri_takes_the_interrupt_back);
	tcase_add_test(tc, each_byte_sent_interrupts_with_an_edge);
	tcase_add_test(tc, full_peer_keeps_the_interrupt_back_until_room);
	tcase_add_test(tc,
		       enabling_thri_with_a_waiting_byte_does_not_interrupt);
	tcase_add_test(tc, room_that_was_not_asked_for_does_not_interrupt);
	return tc;
}

static TCase *input_case(void)
{
	TCase *tc = tcase_create("input");

	tcase_add_test(tc, typed_bytes_are_read_in_order);
	tcase_add_test(tc, input_interrupts_until_it_is_read);
	tcase_add_test(tc, below_the_trigger_level_is_a_timeout);
	tcase_add_test(tc, more_than_fits_is_refused_and_asked_for_later);
	tcase_add_test(tc, no_room_is_offered_to_who_was_not_refused);
	tcase_add_test(tc, clearing_the_receiver_drops_input_and_offers_room);
	tcase_add_test(tc, changing_fifo_mode_drops_input);
	tcase_add_test(tc, looped_bytes_come_back_and_do_not_leave);
	tcase_add_test(tc, looped_overrun_sets_line_status_once);
	tcase_add_test(tc, input_waits_while_looped);
	tcase_add_test(tc, modem_status_change_interrupts_until_read);
	tcase_add_test(tc, causes_are_told_by_priority);
	tcase_add_test(tc, typing_and_reading_run_in_two_threads);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("devices/serial16550");
	TCase *cases[] = {identity_case(), output_case(), input_case()};
	SRunner *sr = srunner_create(s);
	int failed;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		suite_add_tcase(s, cases[i]);
	}
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
