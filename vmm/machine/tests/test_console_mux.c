/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <string.h>

#include "core/bits.h"
#include "vmm/machine/console_mux.h"

/* An end that takes what it has room for. */
struct probe {
	struct stream_end end;
	uint8_t got[64];
	size_t n, space;
	unsigned rooms;
};

static size_t probe_deliver(struct stream_end *e, const uint8_t *buf,
			    size_t len)
{
	struct probe *p = container_of(e, struct probe, end);
	size_t take = len < p->space ? len : p->space;

	memcpy(p->got + p->n, buf, take);
	p->n += take;
	p->space -= take;
	return take;
}

static void probe_room(struct stream_end *e)
{
	container_of(e, struct probe, end)->rooms++;
}

static const struct stream_ops probe_ops = {
	.deliver = probe_deliver,
	.room = probe_room,
};

static struct console_mux mux;
static struct probe serial, virtio, terminal;

static void setup(void)
{
	console_mux_init(&mux);
	serial = (struct probe){.end.ops = &probe_ops, .space = 64};
	virtio = serial;
	terminal = serial;
	console_mux_join(&mux, 0, &serial.end);
	console_mux_join(&mux, 1, &virtio.end);
	stream_join(&mux.front, &terminal.end);
}

static size_t say(struct probe *p, const char *text)
{
	return stream_send(&p->end, (const uint8_t *)text, strlen(text));
}

START_TEST(output_of_both_devices_reaches_the_terminal)
{
	ck_assert_uint_eq(say(&serial, "ab"), 2);
	ck_assert_uint_eq(say(&virtio, "cd"), 2);
	ck_assert_mem_eq(terminal.got, "abcd", 4);
}
END_TEST

START_TEST(input_goes_to_the_device_that_spoke_last)
{
	ck_assert_uint_eq(say(&terminal, "1"), 1);
	(void)say(&virtio, "x");
	ck_assert_uint_eq(say(&terminal, "2"), 1);
	(void)say(&serial, "y");
	ck_assert_uint_eq(say(&terminal, "3"), 1);
	ck_assert_mem_eq(serial.got, "13", 2);
	ck_assert_mem_eq(virtio.got, "2", 1);
}
END_TEST

START_TEST(room_wakes_only_the_device_that_was_refused)
{
	terminal.space = 1;
	ck_assert_uint_eq(say(&serial, "abc"), 1);
	stream_room(&terminal.end);
	ck_assert_uint_eq(serial.rooms, 1);
	ck_assert_uint_eq(virtio.rooms, 0);
	stream_room(&terminal.end);
	ck_assert_uint_eq(serial.rooms, 1);
}
END_TEST

START_TEST(room_of_a_device_reaches_the_terminal)
{
	virtio.space = 0;
	(void)say(&virtio, "x");
	ck_assert_uint_eq(say(&terminal, "in"), 0);
	stream_room(&virtio.end);
	ck_assert_uint_eq(terminal.rooms, 1);
}
END_TEST

START_TEST(without_a_terminal_output_vanishes_and_nobody_waits)
{
	mux.front.peer = NULL;
	ck_assert_uint_eq(say(&serial, "lost"), 4);
}
END_TEST

START_TEST(device_that_is_not_there_swallows_input)
{
	mux.backs[0].end.peer = NULL;
	ck_assert_uint_eq(say(&terminal, "lost"), 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/console_mux");
	TCase *t = tcase_create("console_mux");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, output_of_both_devices_reaches_the_terminal);
	tcase_add_test(t, input_goes_to_the_device_that_spoke_last);
	tcase_add_test(t, room_wakes_only_the_device_that_was_refused);
	tcase_add_test(t, room_of_a_device_reaches_the_terminal);
	tcase_add_test(t, without_a_terminal_output_vanishes_and_nobody_waits);
	tcase_add_test(t, device_that_is_not_there_swallows_input);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
