/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* The fakes themselves, and the header-only interfaces they stand behind. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/irq.h"
#include "core/stream.h"
#include "core/tests/fake_doorbell.h"
#include "core/tests/fake_irq.h"

/*
 * Wires.
 */

START_TEST(a_wire_counts_rising_edges)
{
	struct fake_line l;

	fake_line_init(&l);
	irq_set(&l.line, true);
	irq_set(&l.line, true);
	ck_assert(fake_line_level(&l));
	irq_set(&l.line, false);
	irq_pulse(&l.line);
	ck_assert(!fake_line_level(&l));
	ck_assert_uint_eq(fake_line_edges(&l), 2);
	ck_assert_uint_eq(l.sets, 5);
	fake_line_fini(&l);
}
END_TEST

START_TEST(no_wire_takes_any_level)
{
	irq_set(NULL, true);
	irq_pulse(NULL);
}
END_TEST

/*
 * Messages.
 */

static struct fake_msi f;
static struct msi_line a, b;
static const struct msi_msg one = {0xfee00000, 1}, two = {0xfee01000, 2};

static void setup(void)
{
	fake_msi_init(&f);
	msi_line_init(&a, 8);
	msi_line_init(&b, 16);
}

static void teardown(void)
{
	f.sink.ops->release(&f.sink, &a);
	f.sink.ops->release(&f.sink, &b);
	fake_msi_fini(&f);
}

START_TEST(a_line_begins_unconnected)
{
	ck_assert_uint_eq(a.requester, 8);
	ck_assert(!a.live);
	ck_assert_int_eq(a.fd, -1);
	ck_assert_int_eq(a.gsi, -1);
}
END_TEST

START_TEST(a_raised_line_delivers_its_message)
{
	struct msi_msg msg;

	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &a, one), 0);
	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &b, two), 0);
	ck_assert_int_ne(a.gsi, b.gsi);
	f.sink.ops->raise(&f.sink, &b);
	f.sink.ops->raise(&f.sink, &a);
	f.sink.ops->raise(&f.sink, &a);
	ck_assert_uint_eq(fake_msi_raised(&f, &a), 2);
	ck_assert_uint_eq(fake_msi_raised(&f, &b), 1);
	ck_assert_uint_eq(fake_msi_count(&f), 3);
	msg = fake_msi_last(&f);
	ck_assert_uint_eq(msg.addr, one.addr);
	ck_assert_uint_eq(f.history[0].data, two.data);
	ck_assert(fake_msi_connected(&f, &b, &msg));
	ck_assert_uint_eq(msg.data, two.data);
}
END_TEST

START_TEST(an_eventfd_delivers_while_connected)
{
	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &a, one), 0);
	eventfd_signal(a.fd);
	ck_assert_uint_eq(fake_msi_raised(&f, &a), 1);
	f.sink.ops->disconnect(&f.sink, &a);
	eventfd_signal(a.fd);
	ck_assert_uint_eq(fake_msi_raised(&f, &a), 1);
	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &a, one), 0);
	ck_assert_uint_eq(fake_msi_raised(&f, &a), 2);
}
END_TEST

START_TEST(a_reconnection_with_the_same_message_is_no_route_update)
{
	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &a, one), 0);
	f.sink.ops->disconnect(&f.sink, &a);
	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &a, one), 0);
	ck_assert_uint_eq(f.route_updates, 1);
	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &a, two), 0);
	ck_assert_uint_eq(f.route_updates, 2);
}
END_TEST

START_TEST(a_connection_fails_on_demand)
{
	struct msi_msg msg;

	f.connect_error = -ENOSPC;
	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &a, one), -ENOSPC);
	ck_assert(!a.live);
	ck_assert(!fake_msi_connected(&f, &a, &msg));
}
END_TEST

START_TEST(a_released_line_is_as_new)
{
	ck_assert_int_eq(f.sink.ops->connect(&f.sink, &a, one), 0);
	f.sink.ops->release(&f.sink, &a);
	ck_assert(!a.live);
	ck_assert_int_eq(a.fd, -1);
	ck_assert_int_eq(a.gsi, -1);
	ck_assert_uint_eq(a.requester, 8);
}
END_TEST

START_TEST(lines_run_out)
{
	static struct msi_line many[FAKE_MSI_LINES_MAX + 1];

	for (unsigned i = 0; i <= FAKE_MSI_LINES_MAX; i++) {
		msi_line_init(&many[i], i);
		ck_assert_int_eq(f.sink.ops->connect(&f.sink, &many[i], one),
				 i < FAKE_MSI_LINES_MAX ? 0 : -ENOSPC);
	}
	for (unsigned i = 0; i <= FAKE_MSI_LINES_MAX; i++)
		f.sink.ops->release(&f.sink, &many[i]);
}
END_TEST

/*
 * Doorbells.
 */

START_TEST(a_ring_signals_the_fd_behind_its_address)
{
	static struct fake_doorbell d;
	AUTO_CLOSE int fd = eventfd_new();

	fake_doorbell_init(&d);
	ck_assert(!fake_doorbell_ring(&d, 0x1000));
	ck_assert_int_eq(d.sink.ops->attach(&d.sink, 0x1000, fd), 0);
	ck_assert_int_eq(d.sink.ops->attach(&d.sink, 0x1000, fd), -EEXIST);
	ck_assert(!fake_doorbell_ring(&d, 0x1001));
	ck_assert(!eventfd_clear(fd));
	ck_assert(fake_doorbell_ring(&d, 0x1000));
	ck_assert(eventfd_clear(fd));
	ck_assert_int_eq(fake_doorbell_fd(&d, 0x1000), fd);
	ck_assert_uint_eq(fake_doorbell_count(&d), 1);
	d.sink.ops->detach(&d.sink, 0x1000, fd);
	ck_assert(!fake_doorbell_ring(&d, 0x1000));
	ck_assert_int_eq(fake_doorbell_fd(&d, 0x1000), -1);
	d.attach_error = -ENOSPC;
	ck_assert_int_eq(d.sink.ops->attach(&d.sink, 0x1000, fd), -ENOSPC);
	fake_doorbell_fini(&d);
}
END_TEST

static unsigned bus_writes;

static uint64_t no_read(struct bus_region *r, uint64_t off, unsigned size)
{
	(void)r, (void)off, (void)size;
	return 0;
}

static void count_write(struct bus_region *r, uint64_t off, unsigned size,
			uint64_t val)
{
	(void)r, (void)off, (void)size, (void)val;
	bus_writes++;
}

START_TEST(a_write_that_no_doorbell_takes_goes_to_the_bus)
{
	const struct bus_ops ops = {no_read, count_write};
	struct bus_region r = {.ops = &ops, .base = 0x1000, .size = 0x10};
	static struct fake_doorbell d;
	static struct bus bus;
	AUTO_CLOSE int fd = eventfd_new();

	bus_init(&bus);
	fake_doorbell_init(&d);
	ck_assert_int_eq(bus_attach(&bus, &r), 0);
	ck_assert_int_eq(d.sink.ops->attach(&d.sink, 0x1000, fd), 0);
	ck_assert(fake_doorbell_write(&d, &bus, 0x1000, 2, 0));
	ck_assert_uint_eq(bus_writes, 0);
	ck_assert(fake_doorbell_write(&d, &bus, 0x1004, 2, 0));
	ck_assert_uint_eq(bus_writes, 1);
	ck_assert(!fake_doorbell_write(&d, &bus, 0x1010, 2, 0));
	d.sink.ops->detach(&d.sink, 0x1000, fd);
	fake_doorbell_fini(&d);
	bus_fini(&bus);
}
END_TEST

/*
 * Streams.
 */

struct end {
	struct stream_end e;
	size_t room, taken;
	unsigned told;
};

static size_t end_deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct end *x = container_of(e, struct end, e);
	const size_t n = len < x->room ? len : x->room;

	(void)buf;
	x->room -= n;
	x->taken += n;
	return n;
}

static void end_room(struct stream_end *e)
{
	container_of(e, struct end, e)->told++;
}

START_TEST(a_stream_takes_what_its_peer_has_room_for)
{
	const struct stream_ops ops = {.deliver = end_deliver,
				       .room = end_room};
	struct end x = {.e.ops = &ops, .room = 4}, y = {.e.ops = &ops};
	const uint8_t bytes[6] = {0};

	ck_assert_uint_eq(stream_send(&x.e, bytes, 6), 6); /* nobody there */
	stream_room(&x.e);
	stream_join(&x.e, &y.e);
	ck_assert_uint_eq(stream_send(&y.e, bytes, 6), 4);
	ck_assert_uint_eq(stream_send(&y.e, bytes, 6), 0);
	ck_assert_uint_eq(stream_send(&x.e, bytes, 6), 0);
	stream_room(&x.e);
	ck_assert_uint_eq(x.taken, 4);
	ck_assert_uint_eq(y.told, 1);
	ck_assert_uint_eq(x.told, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/fakes");
	TCase *tc = tcase_create("fakes");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_wire_counts_rising_edges);
	tcase_add_test(tc, no_wire_takes_any_level);
	tcase_add_test(tc, a_line_begins_unconnected);
	tcase_add_test(tc, a_raised_line_delivers_its_message);
	tcase_add_test(tc, an_eventfd_delivers_while_connected);
	tcase_add_test(tc,
		       a_reconnection_with_the_same_message_is_no_route_update);
	tcase_add_test(tc, a_connection_fails_on_demand);
	tcase_add_test(tc, a_released_line_is_as_new);
	tcase_add_test(tc, lines_run_out);
	tcase_add_test(tc, a_ring_signals_the_fd_behind_its_address);
	tcase_add_test(tc, a_write_that_no_doorbell_takes_goes_to_the_bus);
	tcase_add_test(tc, a_stream_takes_what_its_peer_has_room_for);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
