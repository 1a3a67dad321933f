/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Several ports on one virtio-console, and the messages about them.
 * [virtio 1.2, 5.3.6.2]
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/console.h"
#include "devices/console_wire.h"
#include "devices/tests/dev_fixture.h"

#define NPORTS	   3
#define CONTROL_RX CON_QUEUE_CONTROL_RX
#define CONTROL_TX CON_QUEUE_CONTROL_TX
#define RX(port)   ((port) ? CON_QUEUE_RX_PORT(port) : 0)
#define TX(port)   (RX(port) + 1)
#define ALL	   (FIX_USUAL | BIT_ULL(CON_F_SIZE) | BIT_ULL(CON_F_MULTIPORT))
#define BUFFERS	   16
#define BUFFER_LEN 128

struct fake_peer {
	struct stream_end end;
	pthread_mutex_t lock; /* a leaf */
	char got[256];
	size_t ngot;
	unsigned rooms;
};

static const struct con_port_config ports[NPORTS] = {
	{.console = true},
	{.name = "one"},
	{.name = "two", .terse = true},
};

static struct dev_fixture f;
static struct fake_peer peers[NPORTS];
static iova_t buffers[VQD_SIZE_MAX]; /* of the control queue, by head */

static struct fake_peer *to_peer(struct stream_end *e)
{
	return container_of(e, struct fake_peer, end);
}

static size_t peer_deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct fake_peer *p = to_peer(e);

	pthread_mutex_lock(&p->lock);
	ck_assert_uint_le(p->ngot + len, sizeof(p->got));
	memcpy(p->got + p->ngot, buf, len);
	p->ngot += len;
	pthread_mutex_unlock(&p->lock);
	return len;
}

/* The device's thread is still there when the guest has seen its answer. */
static size_t peer_got(struct fake_peer *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->ngot;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static void peer_begins_with(struct fake_peer *p, const char *text)
{
	pthread_mutex_lock(&p->lock);
	ck_assert_mem_eq(p->got, text, strlen(text));
	pthread_mutex_unlock(&p->lock);
}

static unsigned peer_rooms(struct fake_peer *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->rooms;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static void peer_room(struct stream_end *e)
{
	struct fake_peer *p = to_peer(e);

	pthread_mutex_lock(&p->lock);
	p->rooms++;
	pthread_mutex_unlock(&p->lock);
}

static const struct stream_ops peer_ops = {
	.deliver = peer_deliver,
	.room = peer_room,
};

static void give_buffer(uint32_t len)
{
	struct vqd_buf b = {vqd_alloc(&f.drv[CONTROL_RX], len), len, true};

	buffers[vqd_add(&f.drv[CONTROL_RX], &b, 1)] = b.at;
}

static void make(int ways)
{
	struct virtio_dev *d;

	fix_init(&f, (unsigned)ways);
	ck_assert_int_eq(con_new_ports(&d, &f.env, ports, NPORTS, NULL), 0);
	fix_adopt(&f, d);
	for (unsigned i = 0; i < NPORTS; i++) {
		peers[i] = (struct fake_peer){.end.ops = &peer_ops};
		pthread_mutex_init(&peers[i].lock, NULL);
		stream_join(con_port_stream(d, i), &peers[i].end);
	}
}

static void up(int ways)
{
	make(ways);
	fix_start(&f, ALL);
	for (unsigned i = 0; i < BUFFERS; i++)
		give_buffer(BUFFER_LEN);
	fix_kick(&f, CONTROL_RX);
}

static void down(void)
{
	fix_fini(&f);
	for (unsigned i = 0; i < NPORTS; i++)
		pthread_mutex_destroy(&peers[i].lock);
}

static void tell(uint32_t id, uint16_t event, uint16_t value)
{
	const struct con_control_wire w = {
		.id = le32_put(id),
		.event = le16_put(event),
		.value = le16_put(value),
	};
	struct vqd_buf b = {vqd_put(&f.drv[CONTROL_TX], &w, sizeof(w)),
			    sizeof(w), false};

	(void)fix_run(&f, CONTROL_TX, &b, 1);
}

/* The next message is this one, with @rest behind it. */
static void expect(uint32_t id, uint16_t event, uint16_t value,
		   const void *rest, size_t rest_len)
{
	struct con_control_wire w;
	uint32_t head, len;
	char text[BUFFER_LEN];

	fix_wait(&f, CONTROL_RX, &head, &len);
	vqd_read(&f.drv[CONTROL_RX], buffers[head], &w, sizeof(w));
	ck_assert_uint_eq(le32_get(w.id), id);
	ck_assert_uint_eq(le16_get(w.event), event);
	ck_assert_uint_eq(le16_get(w.value), value);
	ck_assert_uint_eq(len, sizeof(w) + rest_len);
	vqd_read(&f.drv[CONTROL_RX], buffers[head] + sizeof(w), text, rest_len);
	ck_assert_mem_eq(text, rest, rest_len);
}

static void expect_nothing_more(void)
{
	uint32_t head, len;

	ck_assert(!vqd_get_used(&f.drv[CONTROL_RX], &head, &len));
}

/* Up to where programs may use port @id. */
static void introduce(uint32_t id)
{
	tell(id, CON_PORT_READY, 1);
	expect(id, CON_PORT_NAME, 1, ports[id].name, strlen(ports[id].name));
	expect(id, CON_PORT_OPEN, 1, "", 0);
}

static void introduce_device(void)
{
	tell(UINT32_MAX, CON_DEVICE_READY, 1);
	for (uint32_t i = 0; i < NPORTS; i++)
		expect(i, CON_DEVICE_ADD, 1, "", 0);
}

static size_t type(unsigned port, const char *text)
{
	return stream_send(&peers[port].end, (const uint8_t *)text,
			   strlen(text));
}

static void add_rx(unsigned port)
{
	struct vqd_buf b = {vqd_alloc(&f.drv[RX(port)], 64), 64, true};

	(void)vqd_add(&f.drv[RX(port)], &b, 1);
	fix_kick(&f, RX(port));
}

static void write_text(unsigned port, const char *text)
{
	struct vqd_buf b = {vqd_put(&f.drv[TX(port)], text, strlen(text)),
			    (uint32_t)strlen(text), false};

	(void)fix_run(&f, TX(port), &b, 1);
}

START_TEST(configuration_says_how_many_ports_there_are)
{
	make(0);
	ck_assert_uint_eq(virtio_config_read(f.d, 4, 4), NPORTS);
	ck_assert(f.d->offered & BIT_ULL(CON_F_MULTIPORT));
	down();
}
END_TEST

START_TEST(terse_port_has_a_short_queue_to_the_guest)
{
	make(_i);
	ck_assert_uint_eq(f.d->vqs[RX(1)].size_max, 64);
	ck_assert_uint_eq(f.d->vqs[RX(2)].size_max, 4);
	ck_assert_uint_eq(f.d->vqs[TX(2)].size_max, 64);
	down();
}
END_TEST

START_TEST(ready_driver_is_told_of_every_port)
{
	up(_i);
	introduce_device();
	expect_nothing_more();
	down();
}
END_TEST

START_TEST(driver_that_is_ready_twice_is_told_once)
{
	up(_i);
	introduce_device();
	tell(UINT32_MAX, CON_DEVICE_READY, 1);
	expect_nothing_more();
	down();
}
END_TEST

START_TEST(ready_port_gets_its_name_and_then_opens)
{
	up(_i);
	introduce_device();
	introduce(2);
	introduce(1);
	expect_nothing_more();
	down();
}
END_TEST

START_TEST(console_is_announced_with_its_size)
{
	const uint8_t size[] = {80, 0, 25, 0};

	up(_i);
	con_resize(f.d, 80, 25);
	introduce_device();
	tell(0, CON_PORT_READY, 1);
	expect(0, CON_CONSOLE_PORT, 1, "", 0);
	expect(0, CON_RESIZE, 1, size, sizeof(size));
	expect(0, CON_PORT_OPEN, 1, "", 0);
	con_resize(f.d, 80, 25);
	expect_nothing_more();
	down();
}
END_TEST

START_TEST(failed_device_and_port_are_told_nothing)
{
	up(_i);
	tell(UINT32_MAX, CON_DEVICE_READY, 0);
	tell(1, CON_PORT_READY, 0);
	expect_nothing_more();
	down();
}
END_TEST

START_TEST(messages_wait_for_buffers)
{
	make(_i);
	fix_start(&f, ALL);
	tell(UINT32_MAX, CON_DEVICE_READY, 1);
	for (uint32_t i = 0; i < NPORTS; i++) {
		give_buffer(BUFFER_LEN);
		fix_kick(&f, CONTROL_RX);
		expect(i, CON_DEVICE_ADD, 1, "", 0);
	}
	down();
}
END_TEST

START_TEST(buffer_without_room_loses_its_message_alone)
{
	uint32_t head, len;

	make(_i);
	fix_start(&f, ALL);
	give_buffer(sizeof(struct con_control_wire) - 1);
	give_buffer(BUFFER_LEN);
	give_buffer(BUFFER_LEN);
	fix_kick(&f, CONTROL_RX);
	tell(UINT32_MAX, CON_DEVICE_READY, 1);
	fix_wait(&f, CONTROL_RX, &head, &len);
	ck_assert_uint_eq(len, 0);
	expect(1, CON_DEVICE_ADD, 1, "", 0);
	expect(2, CON_DEVICE_ADD, 1, "", 0);
	down();
}
END_TEST

START_TEST(messages_for_no_port_are_ignored)
{
	static const uint32_t ids[] = {NPORTS, 0x7fffffff, UINT32_MAX};
	const char half[] = "1234567";
	struct vqd_buf b;

	up(_i);
	introduce_device();
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		tell(ids[i], CON_PORT_READY, 1);
		tell(ids[i], CON_PORT_OPEN, 1);
	}
	tell(1, 0xffff, 1);
	b = (struct vqd_buf){vqd_put(&f.drv[CONTROL_TX], half, 7), 7, false};
	(void)fix_run(&f, CONTROL_TX, &b, 1);
	expect_nothing_more();
	introduce(1);
	down();
}
END_TEST

START_TEST(each_port_has_its_own_bytes)
{
	up(_i);
	introduce_device();
	write_text(1, "first");
	write_text(2, "second");
	write_text(0, "console");
	peer_begins_with(&peers[0], "console");
	peer_begins_with(&peers[1], "first");
	peer_begins_with(&peers[2], "second");
	down();
}
END_TEST

START_TEST(input_waits_until_the_guest_opens_the_port)
{
	uint32_t head, len;

	up(_i);
	introduce_device();
	introduce(1);
	add_rx(1);
	ck_assert_uint_eq(type(1, "abc"), 0);
	tell(1, CON_PORT_OPEN, 1);
	ck_assert_uint_eq(peer_rooms(&peers[1]), 1);
	ck_assert_uint_eq(type(1, "abc"), 3);
	fix_wait(&f, RX(1), &head, &len);
	ck_assert_uint_eq(len, 3);
	add_rx(1);
	tell(1, CON_PORT_OPEN, 0);
	ck_assert_uint_eq(type(1, "d"), 0);
	down();
}
END_TEST

START_TEST(closed_stream_is_told_once_and_takes_nothing_more)
{
	up(_i);
	introduce_device();
	introduce(1);
	stream_close(&peers[1].end);
	expect(1, CON_PORT_OPEN, 0, "", 0);
	stream_close(&peers[1].end);
	expect_nothing_more();
	write_text(1, "to nobody");
	ck_assert_uint_eq(peer_got(&peers[1]), 0);
	write_text(2, "else");
	ck_assert_uint_eq(peer_got(&peers[2]), 4);
	down();
}
END_TEST

START_TEST(stream_closed_early_is_never_open)
{
	up(_i);
	stream_close(&peers[1].end);
	expect_nothing_more();
	introduce_device();
	tell(1, CON_PORT_READY, 1);
	expect(1, CON_PORT_NAME, 1, "one", 3);
	expect(1, CON_PORT_OPEN, 0, "", 0);
	down();
}
END_TEST

START_TEST(driver_without_multiport_has_the_first_port)
{
	up(_i);
	introduce_device();
	fix_start(&f, ALL & ~BIT_ULL(CON_F_MULTIPORT));
	write_text(0, "plain");
	peer_begins_with(&peers[0], "plain");
	add_rx(0);
	ck_assert_uint_eq(type(0, "x"), 1);
	con_resize(f.d, 10, 10);
	expect_nothing_more();
	down();
}
END_TEST

START_TEST(reset_forgets_who_had_what_open)
{
	up(_i);
	introduce_device();
	introduce(1);
	tell(1, CON_PORT_OPEN, 1);
	fix_start(&f, ALL);
	add_rx(1);
	ck_assert_uint_eq(type(1, "x"), 0);
	stream_close(&peers[2].end);
	for (unsigned i = 0; i < BUFFERS; i++)
		give_buffer(BUFFER_LEN);
	fix_kick(&f, CONTROL_RX);
	expect_nothing_more();
	introduce_device();
	down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/console_ports");
	TCase *tc = tcase_create("ports");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, configuration_says_how_many_ports_there_are);
#define ADD(t) tcase_add_loop_test(tc, t, 0, FIX_WAYS)
	ADD(terse_port_has_a_short_queue_to_the_guest);
	ADD(ready_driver_is_told_of_every_port);
	ADD(driver_that_is_ready_twice_is_told_once);
	ADD(ready_port_gets_its_name_and_then_opens);
	ADD(console_is_announced_with_its_size);
	ADD(failed_device_and_port_are_told_nothing);
	ADD(messages_wait_for_buffers);
	ADD(buffer_without_room_loses_its_message_alone);
	ADD(messages_for_no_port_are_ignored);
	ADD(each_port_has_its_own_bytes);
	ADD(input_waits_until_the_guest_opens_the_port);
	ADD(closed_stream_is_told_once_and_takes_nothing_more);
	ADD(stream_closed_early_is_never_open);
	ADD(driver_without_multiport_has_the_first_port);
	ADD(reset_forgets_who_had_what_open);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
