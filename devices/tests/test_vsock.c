/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Connections and their packets.  Flow control is in test_vsock_flow.c.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/err.h"
#include "devices/tests/vsock_rig.h"

static struct rig r;

static bool no_conns(void *arg)
{
	return ((struct vsock *)arg)->nconns == 0;
}

static bool nothing_is_timed(void *arg)
{
	return list_empty(&((struct vsock *)arg)->timed);
}

static void until_gone(void)
{
	fix_until(&r.f, no_conns, r.v);
}

/* At the end of file, not before. */
static void is_at_end(int fd)
{
	char byte;

	ck_assert_uint_eq(rig_read(fd, &byte, 1), 0);
}

/* ... or, with bytes that nobody has read, reset. */
static void is_hung_up_on(int fd)
{
	char byte;

	ck_assert_int_le(rig_read_some(fd, &byte, 1), 0);
	ck_assert_int_ne(errno, EAGAIN);
	close(fd);
}

START_TEST(guest_talks_with_a_server_of_the_host)
{
	struct rig_packet p;
	char buf[8] = "";
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	rig_send(&r, VSOCK_OP_RW, 0, "hello", 5);
	ck_assert_uint_eq(rig_read(fd, buf, 5), 5);
	ck_assert_str_eq(buf, "hello");
	ck_assert_int_eq(write(fd, "world!", 6), 6);
	rig_expect(&r, VSOCK_OP_RW, &p);
	ck_assert_uint_eq(p.len, 6);
	ck_assert_int_eq(memcmp(p.data, "world!", 6), 0);
	ck_assert_uint_eq(le32_get(p.h.fwd_cnt), 5);
	ck_assert_uint_eq(fix_holds(&r.f), 0);
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(program_of_the_host_talks_with_the_guest)
{
	struct rig_packet p;
	char buf[8] = "";
	int fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	fd = rig_connect_back(&r);
	ck_assert_int_eq(write(fd, "hello", 5), 5);
	rig_expect(&r, VSOCK_OP_RW, &p);
	ck_assert_int_eq(memcmp(p.data, "hello", 5), 0);
	rig_send(&r, VSOCK_OP_RW, 0, "world", 5);
	ck_assert_uint_eq(rig_read(fd, buf, 5), 5);
	ck_assert_str_eq(buf, "world");
	close(fd);
	rig_down(&r);
}
END_TEST

START_TEST(bytes_behind_the_greeting_are_the_guests)
{
	struct rig_packet p;
	int fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	fd = rig_client(&r, "CONNECT 1024\nand more");
	rig_recv(&r, &p);
	ck_assert_uint_eq(le16_get(p.h.op), VSOCK_OP_REQUEST);
	r.host_port = le32_get(p.h.src_port);
	rig_send(&r, VSOCK_OP_RESPONSE, 0, NULL, 0);
	rig_expect(&r, VSOCK_OP_RW, &p);
	ck_assert_uint_eq(p.len, 8);
	ck_assert_int_eq(memcmp(p.data, "and more", 8), 0);
	close(fd);
	rig_down(&r);
}
END_TEST

START_TEST(greeting_may_come_in_pieces)
{
	struct rig_packet p;
	int fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	fd = rig_client(&r, "CONN");
	ck_assert_int_eq(send(fd, "ECT 7\r\n", 7, 0), 7);
	rig_recv(&r, &p);
	ck_assert_uint_eq(le32_get(p.h.dst_port), 7);
	close(fd);
	rig_down(&r);
}
END_TEST

START_TEST(what_is_no_greeting_is_hung_up_on)
{
	static const char *const bad[] = {
		"\n",
		"CONNECT\n",
		"CONNECT \n",
		"CONNECT -1\n",
		"CONNECT  1\n",
		"CONNECT 4294967295\n",
		"CONNECT 99999999999999999999\n",
		"CONNECT 1x\n",
		"connect 1\n",
		"GET / HTTP/1.1\r\n",
		"CONNECT 00000000000000000000000000001\n",
	};

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		is_hung_up_on(rig_client(&r, bad[i]));
	}
	until_gone();
	ck_assert(rig_is_silent(&r));
	rig_down(&r);
}
END_TEST

START_TEST(guest_that_refuses_ends_the_client)
{
	struct rig_packet p;
	int fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	fd = rig_client(&r, "CONNECT 1024\n");
	rig_recv(&r, &p);
	r.host_port = le32_get(p.h.src_port);
	rig_send(&r, VSOCK_OP_RST, 0, NULL, 0);
	is_at_end(fd);
	until_gone();
	close(fd);
	rig_down(&r);
}
END_TEST

START_TEST(port_without_a_server_is_refused)
{
	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	until_gone();
	rig_down(&r);
}
END_TEST

/* [virtio 1.2, 5.10.6.4] */
START_TEST(packets_of_no_connection_are_answered_with_rst)
{
	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	for (uint16_t op = 0; op < 300; op++) {
		if (op == VSOCK_OP_REQUEST || op == VSOCK_OP_RST)
			continue;
		rig_send(&r, op, 0, "x", 1);
		rig_expect(&r, VSOCK_OP_RST, NULL);
	}
	rig_send(&r, VSOCK_OP_RST, 0, NULL, 0);
	ck_assert(rig_is_silent(&r));
	ck_assert(!fix_is_broken(&r.f));
	rig_down(&r);
}
END_TEST

START_TEST(other_types_are_answered_with_rst)
{
	struct rig_packet p;
	int server;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	for (unsigned type = 0; type < 4; type++) {
		if (type == VSOCK_TYPE_STREAM)
			continue;
		r.type = (uint16_t)type;
		rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
		rig_expect(&r, VSOCK_OP_RST, &p);
		ck_assert_uint_eq(le16_get(p.h.type), type);
	}
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(wrong_cids_reach_nobody)
{
	struct vsock_header_wire h;
	struct rig_packet p;
	int server;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	h = rig_header(&r, VSOCK_OP_REQUEST, 0, 0);
	h.dst_cid = le32_put(7);
	rig_send_raw(&r, &h, NULL, 0, sizeof(h));
	rig_expect(&r, VSOCK_OP_RST, &p);
	ck_assert_uint_eq(le32_get(p.h.src_cid), 7);
	h = rig_header(&r, VSOCK_OP_REQUEST, 0, 0);
	h.dst_cid_high = le32_put(1);
	rig_send_raw(&r, &h, NULL, 0, sizeof(h));
	rig_expect(&r, VSOCK_OP_RST, NULL);
	h = rig_header(&r, VSOCK_OP_REQUEST, 0, 0);
	h.src_cid_high = le32_put(1);
	rig_send_raw(&r, &h, NULL, 0, sizeof(h));
	r.cid = RIG_CID + 1;
	rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
	ck_assert(rig_is_silent(&r));
	ck_assert_uint_eq(rig_conns(&r), 0);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(packet_without_a_whole_header_is_dropped)
{
	struct vsock_header_wire h;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	h = rig_header(&r, VSOCK_OP_RW, 0, 0);
	for (uint32_t n = 1; n < sizeof(h); n++)
		rig_send_raw(&r, &h, NULL, 0, n);
	ck_assert(rig_is_silent(&r));
	ck_assert(!fix_is_broken(&r.f));
	rig_down(&r);
}
END_TEST

START_TEST(length_beyond_the_packet_resets_the_connection)
{
	static const uint32_t lens[] = {2, 4096, VSOCK_BUF_ALLOC, UINT32_MAX};
	int server;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		int fd = rig_connect(&r, server);
		struct vsock_header_wire h =
			rig_header(&r, VSOCK_OP_RW, 0, lens[i]);

		rig_send_raw(&r, &h, "x", 1, sizeof(h) + 1);
		rig_expect(&r, VSOCK_OP_RST, NULL);
		is_at_end(fd);
		close(fd);
	}
	until_gone();
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(length_0_is_no_data)
{
	char buf[4] = "";
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	rig_send(&r, VSOCK_OP_RW, 0, NULL, 0);
	rig_send(&r, VSOCK_OP_RW, 0, "abc", 3);
	ck_assert_uint_eq(rig_read(fd, buf, 3), 3);
	ck_assert_str_eq(buf, "abc");
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(what_does_not_fit_the_state_resets_the_connection)
{
	static const uint16_t ops[] = {VSOCK_OP_REQUEST, VSOCK_OP_RESPONSE, 0,
				       8, 0xffff};
	int server;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		int fd = rig_connect(&r, server);

		rig_send(&r, ops[i], 0, NULL, 0);
		rig_expect(&r, VSOCK_OP_RST, NULL);
		is_at_end(fd);
		close(fd);
	}
	until_gone();
	close(server);
	rig_down(&r);
}
END_TEST

/*
 * The end of a connection.   [virtio 1.2, 5.10.6.5]
 */

START_TEST(guest_that_sends_no_more_still_receives)
{
	struct rig_packet p;
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	rig_send(&r, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_SEND, NULL, 0);
	is_at_end(fd);
	ck_assert_int_eq(write(fd, "late", 4), 4);
	rig_expect(&r, VSOCK_OP_RW, &p);
	ck_assert_int_eq(memcmp(p.data, "late", 4), 0);
	rig_send(&r, VSOCK_OP_RW, 0, "x", 1);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(host_that_sends_no_more_still_receives)
{
	struct rig_packet p;
	char buf[8] = "";
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	ck_assert_int_eq(write(fd, "last", 4), 4);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	rig_expect(&r, VSOCK_OP_RW, NULL);
	rig_expect(&r, VSOCK_OP_SHUTDOWN, &p);
	ck_assert_uint_eq(le32_get(p.h.flags), VSOCK_SHUTDOWN_SEND);
	rig_send(&r, VSOCK_OP_RW, 0, "late", 4);
	ck_assert_uint_eq(rig_read(fd, buf, 4), 4);
	ck_assert_str_eq(buf, "late");
	rig_send(&r, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_BOTH, NULL, 0);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	is_at_end(fd);
	until_gone();
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(guest_that_receives_no_more_still_sends)
{
	char buf[8] = "";
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	rig_send(&r, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_RECEIVE, NULL, 0);
	ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	rig_send(&r, VSOCK_OP_RW, 0, "data", 4);
	ck_assert_uint_eq(rig_read(fd, buf, 4), 4);
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(host_that_closes_is_a_shutdown_that_the_guest_confirms)
{
	struct rig_packet p;
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	ck_assert_int_eq(write(fd, "last", 4), 4);
	close(fd);
	rig_expect(&r, VSOCK_OP_RW, NULL);
	rig_expect(&r, VSOCK_OP_SHUTDOWN, &p);
	ck_assert_uint_eq(le32_get(p.h.flags), VSOCK_SHUTDOWN_BOTH);
	/* On its way already. */
	rig_send(&r, VSOCK_OP_RW, 0, "lost", 4);
	ck_assert_uint_eq(rig_conns(&r), 1);
	rig_send(&r, VSOCK_OP_RST, 0, NULL, 0);
	until_gone();
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(host_gets_what_the_guest_sent_before_it_closed)
{
	static uint8_t data[VSOCK_BUF_ALLOC], back[VSOCK_BUF_ALLOC];
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	rig_send(&r, VSOCK_OP_RW, 0, data, sizeof(data));
	rig_send(&r, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_BOTH, NULL, 0);
	do
		rig_recv(&r, &(struct rig_packet){0});
	while (!rig_is_silent(&r));
	/* The ports can be used again, although the host has not read. */
	close(rig_connect(&r, server));
	ck_assert_uint_eq(rig_read(fd, back, sizeof(back)), sizeof(back));
	ck_assert_int_eq(memcmp(back, data, sizeof(data)), 0);
	is_at_end(fd);
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

/*
 * What does not go on for ever.
 */

START_TEST(client_that_says_nothing_is_hung_up_on)
{
	int fd;

	rig_up(&r, (unsigned)_i);
	fd = rig_client(&r, "CONN");
	rig_time_out(&r);
	is_hung_up_on(fd);
	until_gone();
	rig_down(&r);
}
END_TEST

START_TEST(guest_that_does_not_answer_is_given_up)
{
	struct rig_packet p;
	int fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	fd = rig_client(&r, "CONNECT 1024\n");
	rig_recv(&r, &p);
	ck_assert_uint_eq(le16_get(p.h.op), VSOCK_OP_REQUEST);
	rig_time_out(&r);
	is_at_end(fd);
	r.host_port = le32_get(p.h.src_port);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	until_gone();
	/* Too late. */
	rig_send(&r, VSOCK_OP_RESPONSE, 0, NULL, 0);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	close(fd);
	rig_down(&r);
}
END_TEST

START_TEST(guest_that_does_not_confirm_is_given_up)
{
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	close(fd);
	rig_expect(&r, VSOCK_OP_SHUTDOWN, NULL);
	rig_time_out(&r);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	until_gone();
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(open_connection_has_no_time_limit)
{
	char byte = 0;
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	rig_time_out(&r);
	fix_until(&r.f, nothing_is_timed, r.v);
	rig_send(&r, VSOCK_OP_RW, 0, "x", 1);
	ck_assert_uint_eq(rig_read(fd, &byte, 1), 1);
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(busy_server_is_asked_again)
{
	struct rig_packet p;
	unsigned answered = 0;
	int server, fds[6];

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 1);
	for (unsigned i = 0; i < 6; i++) {
		r.guest_port = RIG_GUEST + i;
		rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
	}
	for (unsigned i = 0; i < 6; i++)
		fds[i] = rig_accept(server);
	/* In any order: who asks again at the right moment is first. */
	for (unsigned i = 0; i < 6; i++) {
		rig_recv(&r, &p);
		ck_assert_uint_eq(le16_get(p.h.op), VSOCK_OP_RESPONSE);
		answered |= 1U << (le32_get(p.h.dst_port) - RIG_GUEST);
	}
	ck_assert_uint_eq(answered, 0x3f);
	for (unsigned i = 0; i < 6; i++)
		close(fds[i]);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(server_that_stays_busy_is_given_up)
{
	int server;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 0);
	rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
	rig_expect(&r, VSOCK_OP_RESPONSE, NULL);
	r.guest_port++;
	rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
	rig_time_out(&r);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	close(server);
	rig_down(&r);
}
END_TEST

/*
 * Life.
 */

START_TEST(reset_ends_connections_and_the_driver_hears_of_it)
{
	struct vq_driver *events = &r.f.drv[VSOCK_QUEUE_EVENT];
	struct vqd_buf b = {.len = sizeof(struct vsock_event_wire),
			    .write = true};
	uint32_t id = 7;
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	rig_start(&r);
	is_at_end(fd);
	ck_assert_uint_eq(rig_conns(&r), 0);
	b.at = vqd_put(events, &id, sizeof(id));
	ck_assert_uint_eq(fix_run(&r.f, VSOCK_QUEUE_EVENT, &b, 1), b.len);
	vqd_read(events, b.at, &id, sizeof(id));
	ck_assert_uint_eq(id, VSOCK_EVENT_TRANSPORT_RESET);
	rig_post(&r, RIG_BUFFERS);
	close(fd);
	fd = rig_connect(&r, server);
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(no_event_without_a_reason)
{
	const struct vqd_buf b = {.len = 4, .write = true, .at = 0};
	struct vqd_buf at;

	rig_up(&r, (unsigned)_i);
	rig_start(&r);
	at = b;
	at.at = vqd_alloc(&r.f.drv[VSOCK_QUEUE_EVENT], 4);
	(void)vqd_add(&r.f.drv[VSOCK_QUEUE_EVENT], &at, 1);
	fix_force_kick(&r.f, VSOCK_QUEUE_EVENT);
	rig_send(&r, VSOCK_OP_RST, 0, NULL, 0);
	ck_assert_uint_eq(vqd_used_idx(&r.f.drv[VSOCK_QUEUE_EVENT]), 0);
	rig_down(&r);
}
END_TEST

START_TEST(clients_wait_for_the_driver)
{
	struct rig_packet p;
	int fd;

	rig_up(&r, (unsigned)_i);
	fix_lock(&r.f);
	virtio_reset(r.f.d);
	fix_unlock(&r.f);
	fd = rig_client(&r, "CONNECT 1024\n");
	rig_start(&r);
	rig_post(&r, RIG_BUFFERS);
	rig_recv(&r, &p);
	ck_assert_uint_eq(le16_get(p.h.op), VSOCK_OP_REQUEST);
	close(fd);
	rig_down(&r);
}
END_TEST

START_TEST(rx_ring_can_be_reset_with_a_buffer_kept)
{
	struct vq *q;
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, 4);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	/* A short read, then none: one buffer stays with the device. */
	ck_assert_int_eq(write(fd, "x", 1), 1);
	rig_expect(&r, VSOCK_OP_RW, NULL);
	q = &r.f.d->vqs[VSOCK_QUEUE_RX];
	fix_lock(&r.f);
	virtio_queue_reset(r.f.d, q);
	ck_assert(!q->resetting && !q->enabled);
	vqd_renew(&r.f.drv[VSOCK_QUEUE_RX]);
	vqd_connect(&r.f.drv[VSOCK_QUEUE_RX], r.f.d, VSOCK_QUEUE_RX);
	fix_unlock(&r.f);
	rig_post(&r, 4);
	ck_assert_int_eq(write(fd, "y", 1), 1);
	rig_expect(&r, VSOCK_OP_RW, NULL);
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

static uint64_t stat_of(const char *name)
{
	struct virtio_stat stats[VIRTIO_STATS_MAX];
	const unsigned n = virtio_get_own_stats(r.f.d, stats);

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(stats[i].name, name) == 0)
			return stats[i].value;
	}
	ck_abort_msg("no '%s'", name);
	return 0;
}

START_TEST(connections_are_counted)
{
	struct vq_stats s;
	int server, fd;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	rig_send(&r, VSOCK_OP_REQUEST, 0, NULL, 0);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	server = rig_listen(&r, 8);
	fd = rig_connect(&r, server);
	virtio_get_stats(r.f.d, &s);
	ck_assert_uint_eq(stat_of("connections"), 1);
	ck_assert_uint_eq(stat_of("opened"), 1);
	ck_assert_uint_eq(stat_of("reset"), 1);
	ck_assert_uint_eq(stat_of("waiting_bytes"), 0);
	ck_assert_uint_ge(s.requests, 4);
	close(fd);
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(path_in_use_is_refused_and_left_alone)
{
	struct vsock_config config = {.cid = 3, .path = r.path};
	struct virtio_dev *d;
	struct err err;

	rig_up(&r, (unsigned)_i);
	ck_assert_int_eq(vsock_new(&d, &r.f.env, &config, &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.msg, r.path));
	ck_assert_int_eq(access(r.path, F_OK), 0);
	rig_down(&r);
}
END_TEST

START_TEST(plan_makes_no_socket)
{
	struct vsock_config config = {
		.cid = 3, .path = "/nowhere/at/all", .plan = true};
	struct virtio_dev *d;

	rig_up(&r, (unsigned)_i);
	ck_assert_int_eq(vsock_new(&d, &r.f.env, &config, NULL), 0);
	ck_assert_uint_eq(virtio_config_read(d, 0, 8), 3);
	virtio_dev_free(d);
	rig_down(&r);
}
END_TEST

/*
 * Many.
 */

#define AT_ONCE	 200u
#define IN_TOTAL 10000u

START_TEST(ten_thousand_connections_come_and_go)
{
	static int fds[AT_ONCE];
	char byte = 0;
	int server;

	rig_up(&r, (unsigned)_i);
	rig_post(&r, RIG_BUFFERS);
	server = rig_listen(&r, (int)AT_ONCE);
	for (unsigned n = 0; n < IN_TOTAL; n += AT_ONCE) {
		for (unsigned i = 0; i < AT_ONCE; i++) {
			r.guest_port = RIG_GUEST + n + i;
			fds[i] = rig_connect(&r, server);
		}
		ck_assert_uint_eq(rig_conns(&r), AT_ONCE);
		for (unsigned i = 0; i < AT_ONCE; i++) {
			r.guest_port = RIG_GUEST + n + i;
			rig_send(&r, VSOCK_OP_RW, 0, "x", 1);
			rig_send(&r, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_BOTH,
				 NULL, 0);
			rig_expect(&r, VSOCK_OP_RST, NULL);
			ck_assert_uint_eq(rig_read(fds[i], &byte, 1), 1);
			close(fds[i]);
		}
		until_gone();
	}
	close(server);
	rig_down(&r);
}
END_TEST

START_TEST(answers_that_nobody_takes_stop_the_sender_alone)
{
	struct vq_driver *tx = &r.f.drv[VSOCK_QUEUE_TX];
	const unsigned n = VSOCK_RESETS_MAX + 10;
	struct vsock_header_wire h;
	struct vqd_buf b = {.len = sizeof(h)};
	uint32_t head, len;

	rig_up(&r, (unsigned)_i);
	h = rig_header(&r, VSOCK_OP_RW, 0, 0);
	b.at = vqd_put(tx, &h, sizeof(h));
	for (unsigned i = 0; i < n; i++)
		(void)vqd_stage(tx, &b, 1);
	vqd_publish(tx);
	fix_kick(&r.f, VSOCK_QUEUE_TX);
	for (unsigned i = 0; i < VSOCK_RESETS_MAX; i++)
		fix_wait(&r.f, VSOCK_QUEUE_TX, &head, &len);
	fix_lock(&r.f);
	ck_assert_uint_eq(vqd_used_idx(tx), VSOCK_RESETS_MAX);
	fix_unlock(&r.f);
	rig_post(&r, 2);
	for (unsigned i = 0; i < n; i++)
		rig_expect(&r, VSOCK_OP_RST, NULL);
	for (unsigned i = VSOCK_RESETS_MAX; i < n; i++)
		fix_wait(&r.f, VSOCK_QUEUE_TX, &head, &len);
	rig_down(&r);
}
END_TEST

START_TEST(buffers_without_room_are_returned)
{
	struct vq_driver *rx = &r.f.drv[VSOCK_QUEUE_RX];
	struct vqd_buf b = {.len = sizeof(struct vsock_header_wire),
			    .write = true};
	uint32_t head, len;

	rig_up(&r, (unsigned)_i);
	b.at = vqd_alloc(rx, b.len);
	for (unsigned i = 0; i < 10; i++)
		(void)vqd_add(rx, &b, 1);
	fix_kick(&r.f, VSOCK_QUEUE_RX);
	rig_send(&r, VSOCK_OP_RW, 0, NULL, 0);
	for (unsigned i = 0; i < 10; i++) {
		fix_wait(&r.f, VSOCK_QUEUE_RX, &head, &len);
		ck_assert_uint_eq(len, 0);
	}
	rig_post(&r, 2);
	rig_expect(&r, VSOCK_OP_RST, NULL);
	rig_down(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/vsock");
	TCase *tc = tcase_create("vsock");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 120);
	/* Plain and scattered. */
#define ADD(t) tcase_add_loop_test(tc, t, 0, FIX_SCATTERED + 1)
	ADD(guest_talks_with_a_server_of_the_host);
	ADD(program_of_the_host_talks_with_the_guest);
	ADD(bytes_behind_the_greeting_are_the_guests);
	ADD(greeting_may_come_in_pieces);
	ADD(what_is_no_greeting_is_hung_up_on);
	ADD(guest_that_refuses_ends_the_client);
	ADD(port_without_a_server_is_refused);
	ADD(packets_of_no_connection_are_answered_with_rst);
	ADD(other_types_are_answered_with_rst);
	ADD(wrong_cids_reach_nobody);
	ADD(packet_without_a_whole_header_is_dropped);
	ADD(length_beyond_the_packet_resets_the_connection);
	ADD(length_0_is_no_data);
	ADD(what_does_not_fit_the_state_resets_the_connection);
	ADD(guest_that_sends_no_more_still_receives);
	ADD(host_that_sends_no_more_still_receives);
	ADD(guest_that_receives_no_more_still_sends);
	ADD(host_that_closes_is_a_shutdown_that_the_guest_confirms);
	ADD(host_gets_what_the_guest_sent_before_it_closed);
	ADD(client_that_says_nothing_is_hung_up_on);
	ADD(guest_that_does_not_answer_is_given_up);
	ADD(guest_that_does_not_confirm_is_given_up);
	ADD(open_connection_has_no_time_limit);
	ADD(busy_server_is_asked_again);
	ADD(server_that_stays_busy_is_given_up);
	ADD(reset_ends_connections_and_the_driver_hears_of_it);
	ADD(no_event_without_a_reason);
	ADD(clients_wait_for_the_driver);
	ADD(rx_ring_can_be_reset_with_a_buffer_kept);
	ADD(connections_are_counted);
	ADD(path_in_use_is_refused_and_left_alone);
	ADD(plan_makes_no_socket);
	ADD(answers_that_nobody_takes_stop_the_sender_alone);
	ADD(buffers_without_room_are_returned);
	tcase_add_test(tc, ten_thousand_connections_come_and_go);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
