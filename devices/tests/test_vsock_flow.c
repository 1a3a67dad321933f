/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Flow control of virtio-vsock.   [virtio 1.2, 5.10.6.3]
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/socket.h"
#include "devices/tests/vsock_rig.h"

static struct rig r;
static int server, fd;

static void up(int ways)
{
	rig_up(&r, (unsigned)ways);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
}

static void down(void)
{
	close(fd);
	close(server);
	rig_down(&r);
}

static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at * 31 + at / 255);
}

static void fill(uint8_t *data, uint32_t len, uint64_t at)
{
	for (uint32_t i = 0; i < len; i++)
		data[i] = byte_at(at + i);
}

static void check_bytes(const uint8_t *data, uint32_t len, uint64_t at)
{
	uint32_t i = 0;

	while (i < len && data[i] == byte_at(at + i))
		i++;
	ck_assert_uint_eq(i, len);
}

/*
 * Arithmetic.
 */

START_TEST(free_room_is_right_around_2_to_the_32)
{
	static const uint32_t starts[] = {
		0, 1, UINT32_MAX - 10, UINT32_MAX, 0x7fffffff, 0x80000000};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct vsock_credit c = {.sent = starts[i] + 30,
					 .peer_forwarded = starts[i],
					 .peer_alloc = 100};

		ck_assert_uint_eq(vsock_credit_free(&c), 70);
		c.peer_alloc = 30;
		ck_assert_uint_eq(vsock_credit_free(&c), 0);
		c.peer_alloc = 29; /* taken back */
		ck_assert_uint_eq(vsock_credit_free(&c), 0);
		c.peer_alloc = UINT32_MAX;
		ck_assert_uint_eq(vsock_credit_free(&c), UINT32_MAX - 30);
		c.peer_alloc = 100;
		c.peer_forwarded = c.sent + 1; /* a lie */
		ck_assert_uint_eq(vsock_credit_free(&c), 0);
	}
}
END_TEST

START_TEST(promise_is_right_around_2_to_the_32)
{
	static const uint32_t starts[] = {0, UINT32_MAX - 10, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct vsock_credit c = {.alloc = 100,
					 .received = starts[i] + 60,
					 .forwarded = starts[i],
					 .told = starts[i]};

		ck_assert(vsock_credit_allows(&c, 40));
		ck_assert(!vsock_credit_allows(&c, 41));
		ck_assert(!vsock_credit_allows(&c, UINT32_MAX));
		ck_assert(!vsock_credit_stale(&c)); /* nothing new to tell */
		c.forwarded++;
		ck_assert(vsock_credit_stale(&c));
		c.told = c.forwarded + 10;
		ck_assert(!vsock_credit_stale(&c));
	}
}
END_TEST

/*
 * To the guest.
 */

START_TEST(guest_gets_no_more_than_it_has_room_for)
{
	static uint8_t data[30000];
	struct rig_packet p;
	uint32_t got = 0;

	up(_i);
	r.buf_alloc = 10000;
	fd = rig_connect(&r, server);
	fill(data, sizeof(data), 0);
	ck_assert_int_eq(write(fd, data, sizeof(data)), sizeof(data));
	while (got < sizeof(data)) {
		rig_recv(&r, &p);
		if (le16_get(p.h.op) == VSOCK_OP_CREDIT_REQUEST) {
			/* It is full: nothing else comes. */
			ck_assert_uint_eq(got - r.fwd_cnt, r.buf_alloc);
			ck_assert(rig_is_silent(&r));
			r.fwd_cnt += 7000;
			rig_send(&r, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
			continue;
		}
		ck_assert_uint_eq(le16_get(p.h.op), VSOCK_OP_RW);
		check_bytes(p.data, p.len, got);
		got += p.len;
		ck_assert_uint_le(got - r.fwd_cnt, r.buf_alloc);
	}
	down();
}
END_TEST

START_TEST(guest_that_lies_about_its_credit_gets_nothing)
{
	struct rig_packet p;

	up(_i);
	fd = rig_connect(&r, server);
	r.fwd_cnt = 1; /* of 0 */
	rig_send(&r, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	rig_expect(&r, VSOCK_OP_CREDIT_REQUEST, NULL);
	r.fwd_cnt = 0x80000000;
	rig_send(&r, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	rig_expect(&r, VSOCK_OP_CREDIT_REQUEST, NULL);
	r.fwd_cnt = 0;
	rig_send(&r, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	rig_expect(&r, VSOCK_OP_RW, &p);
	ck_assert_uint_eq(p.len, 1);
	down();
}
END_TEST

START_TEST(host_that_closes_first_loses_nothing)
{
	static uint8_t data[20000];
	struct rig_packet p;
	uint32_t got = 0;

	up(_i);
	r.buf_alloc = 8000;
	fd = rig_connect(&r, server);
	fill(data, sizeof(data), 0);
	ck_assert_int_eq(write(fd, data, sizeof(data)), sizeof(data));
	close(fd);
	for (;;) {
		rig_recv(&r, &p);
		if (le16_get(p.h.op) == VSOCK_OP_SHUTDOWN)
			break;
		check_bytes(p.data, p.len, got);
		got += p.len;
		r.fwd_cnt = got;
		rig_send(&r, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	}
	ck_assert_uint_eq(got, sizeof(data));
	fd = -1;
	down();
}
END_TEST

START_TEST(guest_without_buffers_gets_its_bytes_later)
{
	static uint8_t data[30000];
	struct rig_packet p;
	uint32_t got = 0;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, 1);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	fill(data, sizeof(data), 0);
	ck_assert_int_eq(write(fd, data, sizeof(data)), sizeof(data));
	while (got < sizeof(data)) {
		rig_expect(&r, VSOCK_OP_RW, &p);
		check_bytes(p.data, p.len, got);
		got += p.len;
	}
	down();
}
END_TEST

/*
 * To the host.
 */

/* Nothing of the guest's is held, and its buffers come back, although nobody
 * reads: rig_send() waits for them. */
START_TEST(slow_reader_costs_the_guest_its_credit_alone)
{
	static uint8_t data[65536];
	struct rig_packet p;
	uint32_t sent = 0;

	up(_i);
	fd = rig_connect(&r, server);
	/* What the socket takes, and after that the whole promise. */
	for (;;) {
		uint32_t told = 0;

		fix_lock(&r.f);
		told = r.v->waiting > 0;
		fix_unlock(&r.f);
		if (told)
			break;
		fill(data, sizeof(data), sent);
		rig_send(&r, VSOCK_OP_RW, 0, data, sizeof(data));
		sent += (uint32_t)sizeof(data);
	}
	ck_assert_uint_eq(fix_holds(&r.f), 0);
	/* Another connection is not kept waiting. */
	r.guest_port++;
	rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
	close(rig_accept(server));
	do
		rig_recv(&r, &p);
	while (le16_get(p.h.op) != VSOCK_OP_RESPONSE);
	r.guest_port--;
	for (uint32_t at = 0; at < sent; at += (uint32_t)sizeof(data)) {
		ck_assert_uint_eq(rig_read(fd, data, sizeof(data)),
				  sizeof(data));
		check_bytes(data, sizeof(data), at);
	}
	rig_send(&r, VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
	do
		rig_recv(&r, &p);
	while (le32_get(p.h.dst_port) != RIG_GUEST ||
	       le32_get(p.h.fwd_cnt) != sent);
	fix_lock(&r.f);
	ck_assert_uint_eq(r.v->waiting, 0);
	fix_unlock(&r.f);
	down();
}
END_TEST

static struct vsock_conn *only_conn(void)
{
	return container_of(r.v->conns.next, struct vsock_conn, node);
}

static bool has_passed_some_on(void *arg)
{
	return only_conn()->len < *(const uint32_t *)arg;
}

/* All that the socket takes, and after that the whole promise. */
static uint32_t send_all_that_is_allowed(void)
{
	static uint8_t data[16384];
	uint32_t sent = 0, waiting;

	do {
		fill(data, sizeof(data), sent);
		rig_send(&r, VSOCK_OP_RW, 0, data, sizeof(data));
		sent += (uint32_t)sizeof(data);
		fix_lock(&r.f);
		waiting = only_conn()->len;
		fix_unlock(&r.f);
	} while (waiting + sizeof(data) <= VSOCK_BUF_ALLOC);
	return sent;
}

/* The guest has closed, and the host reads on: that is no matter of seconds. */
START_TEST(reader_that_goes_on_has_its_time)
{
	static uint8_t data[16384];
	struct rig_packet p;
	uint32_t sent, waiting, at = 0;
	/* Twice that: Linux's default, whatever this host's is. */
	const int room = 106496;
	uint64_t soon;

	up(_i);
	fd = rig_connect(&r, server);
	fix_lock(&r.f);
	ck_assert_int_eq(setsockopt(only_conn()->fd, SOL_SOCKET, SO_SNDBUF,
				    &room, sizeof(room)),
			 0);
	fix_unlock(&r.f);
	sent = send_all_that_is_allowed();
	rig_send(&r, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_BOTH, NULL, 0);
	do
		rig_recv(&r, &p);
	while (le16_get(p.h.op) != VSOCK_OP_RST);
	fix_lock(&r.f);
	ck_assert_int_eq(only_conn()->state, CONN_LINGERING);
	ck_assert_uint_gt(only_conn()->deadline_ms,
			  (uint64_t)socket_now_ms() + 20000);
	soon = only_conn()->deadline_ms -= 1000;
	waiting = only_conn()->len;
	fix_unlock(&r.f);
	/* Less than what waits, so that something is left. */
	for (; at + 4 * sizeof(data) < waiting; at += (uint32_t)sizeof(data)) {
		ck_assert_uint_eq(rig_read(fd, data, sizeof(data)),
				  sizeof(data));
		check_bytes(data, sizeof(data), at);
	}
	fix_until(&r.f, has_passed_some_on, &waiting);
	fix_lock(&r.f);
	ck_assert_uint_gt(only_conn()->deadline_ms, soon);
	fix_unlock(&r.f);
	for (; at < sent; at += (uint32_t)sizeof(data)) {
		ck_assert_uint_eq(rig_read(fd, data, sizeof(data)),
				  sizeof(data));
		check_bytes(data, sizeof(data), at);
	}
	ck_assert_uint_eq(rig_read(fd, data, 1), 0);
	down();
}
END_TEST

/* Of the newest connection. */
static uint32_t allowed(void)
{
	struct vsock_credit k;

	fix_lock(&r.f);
	k = container_of(r.v->conns.prev, struct vsock_conn, node)->credit;
	fix_unlock(&r.f);
	return k.alloc - (k.received - k.forwarded);
}

/* Nobody reads, and the guest sends what it may: that is kept, too. */
START_TEST(promises_of_many_connections_are_kept)
{
	enum { MANY = 400 };
	static uint8_t data[65536];
	static int fds[MANY];
	struct rig_packet p;
	uint64_t waiting;

	up(_i);
	for (unsigned i = 0; i < MANY; i++) {
		uint32_t n;

		r.guest_port++;
		rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
		fds[i] = rig_accept(server);
		do {
			rig_recv(&r, &p);
			ck_assert_msg(le16_get(p.h.op) != VSOCK_OP_RST,
				      "after %u connections", i);
		} while (le16_get(p.h.op) != VSOCK_OP_RESPONSE);
		while ((n = (uint32_t)min_u64(allowed(), sizeof(data))))
			rig_send(&r, VSOCK_OP_RW, 0, data, n);
	}
	fix_lock(&r.f);
	ck_assert_uint_eq(r.v->refused, 0);
	ck_assert_uint_eq(r.v->nconns, MANY);
	waiting = r.v->waiting;
	fix_unlock(&r.f);
	ck_assert_uint_le(waiting, VSOCK_WAITING_MAX);
	for (unsigned i = 0; i < MANY; i++)
		close(fds[i]);
	rig_start(&r);
	rig_post(&r, RIG_BUFFERS);
	fd = rig_connect(&r, server);
	ck_assert_uint_eq(allowed(), VSOCK_BUF_ALLOC);
	down();
}
END_TEST

START_TEST(more_than_was_promised_resets_the_connection)
{
	static uint8_t data[65536];
	struct rig_packet p;

	up(_i);
	fd = rig_connect(&r, server);
	/* Without a look at the credit. */
	for (unsigned i = 0; i < 64; i++)
		rig_send(&r, VSOCK_OP_RW, 0, data, sizeof(data));
	do
		rig_recv(&r, &p);
	while (le16_get(p.h.op) != VSOCK_OP_RST);
	fix_lock(&r.f);
	ck_assert_uint_eq(r.v->waiting, 0);
	fix_unlock(&r.f);
	ck_assert(!fix_is_broken(&r.f));
	down();
}
END_TEST

START_TEST(credit_request_is_answered)
{
	struct rig_packet p;

	up(_i);
	fd = rig_connect(&r, server);
	rig_send(&r, VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
	rig_expect(&r, VSOCK_OP_CREDIT_UPDATE, &p);
	ck_assert_uint_eq(le32_get(p.h.buf_alloc), VSOCK_BUF_ALLOC);
	ck_assert_uint_eq(le32_get(p.h.fwd_cnt), 0);
	down();
}
END_TEST

START_TEST(sender_hears_of_its_credit_without_asking)
{
	static uint8_t data[65536];
	struct rig_packet p;
	uint32_t fwd = 0, sent = 0;

	up(_i);
	fd = rig_connect(&r, server);
	for (unsigned i = 0; i < 64; i++) {
		while (sent - fwd > VSOCK_BUF_ALLOC - sizeof(data)) {
			rig_expect(&r, VSOCK_OP_CREDIT_UPDATE, &p);
			fwd = le32_get(p.h.fwd_cnt);
		}
		fill(data, sizeof(data), sent);
		rig_send(&r, VSOCK_OP_RW, 0, data, sizeof(data));
		ck_assert_uint_eq(rig_read(fd, data, sizeof(data)),
				  sizeof(data));
		check_bytes(data, sizeof(data), sent);
		sent += (uint32_t)sizeof(data);
	}
	down();
}
END_TEST

START_TEST(reader_that_is_gone_frees_the_credit)
{
	static uint8_t data[65536];
	struct rig_packet p;
	uint32_t sent = 0, flags = 0;

	up(_i);
	fd = rig_connect(&r, server);
	ck_assert_int_eq(shutdown(fd, SHUT_RD), 0);
	for (unsigned i = 0; i < 4; i++) {
		rig_send(&r, VSOCK_OP_RW, 0, data, sizeof(data));
		sent += (uint32_t)sizeof(data);
	}
	do {
		rig_recv(&r, &p);
		if (le16_get(p.h.op) == VSOCK_OP_SHUTDOWN)
			flags = le32_get(p.h.flags);
	} while (!flags || le32_get(p.h.fwd_cnt) < sent / 2);
	ck_assert_uint_eq(flags, VSOCK_SHUTDOWN_RECEIVE);
	/* It still sends. */
	ck_assert_int_eq(write(fd, "x", 1), 1);
	rig_expect(&r, VSOCK_OP_RW, NULL);
	down();
}
END_TEST

/* Both directions at once, an echo of the host's that is slow to begin. */
START_TEST(megabytes_come_back_as_they_went)
{
	enum { TOTAL = 4 << 20, CHUNK = 32768 };
	static uint8_t data[CHUNK], echo[CHUNK];
	uint32_t sent = 0, fwd = 0, got = 0;
	size_t held = 0;

	up(_i);
	fd = rig_connect(&r, server);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (got < TOTAL) {
		struct rig_packet p;
		ssize_t n;

		if (sent < TOTAL && sent - fwd <= VSOCK_BUF_ALLOC - CHUNK) {
			fill(data, CHUNK, sent);
			rig_send(&r, VSOCK_OP_RW, 0, data, CHUNK);
			sent += CHUNK;
		}
		if (!held) {
			n = read(fd, echo, CHUNK);
			held = n > 0 ? (size_t)n : 0;
		}
		n = held ? write(fd, echo, held) : 0;
		if (n > 0) {
			held -= (size_t)n;
			memmove(echo, echo + n, held);
		}
		while (!rig_is_silent(&r)) {
			rig_recv(&r, &p);
			fwd = le32_get(p.h.fwd_cnt);
			if (le16_get(p.h.op) != VSOCK_OP_RW)
				continue;
			check_bytes(p.data, p.len, got);
			got += p.len;
			if (got - r.fwd_cnt > r.buf_alloc / 2) {
				r.fwd_cnt = got;
				rig_send(&r, VSOCK_OP_CREDIT_UPDATE, 0, NULL,
					 0);
			}
		}
	}
	ck_assert_uint_eq(fix_holds(&r.f), 0);
	down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/vsock_flow");
	TCase *tc = tcase_create("flow");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, free_room_is_right_around_2_to_the_32);
	tcase_add_test(tc, promise_is_right_around_2_to_the_32);
#define ADD(t) tcase_add_loop_test(tc, t, 0, FIX_SCATTERED + 1)
	ADD(guest_gets_no_more_than_it_has_room_for);
	ADD(guest_that_lies_about_its_credit_gets_nothing);
	ADD(host_that_closes_first_loses_nothing);
	ADD(guest_without_buffers_gets_its_bytes_later);
	ADD(slow_reader_costs_the_guest_its_credit_alone);
	ADD(reader_that_goes_on_has_its_time);
	ADD(promises_of_many_connections_are_kept);
	ADD(more_than_was_promised_resets_the_connection);
	ADD(credit_request_is_answered);
	ADD(sender_hears_of_its_credit_without_asking);
	ADD(reader_that_is_gone_frees_the_credit);
	ADD(megabytes_come_back_as_they_went);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
