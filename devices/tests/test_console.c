/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/console.h"
#include "devices/console_wire.h"
#include "devices/tests/dev_fixture.h"

#define RX  CON_QUEUE_RX
#define TX  CON_QUEUE_TX
#define ALL (FIX_USUAL | BIT_ULL(CON_F_SIZE))

/* The host's end: keeps the first bytes, counts all. */
struct fake_peer {
	struct stream_end end;
	pthread_mutex_t lock; /* a leaf */
	uint8_t got[256 * 1024];
	uint64_t ngot, room;
	unsigned rooms;
};

static struct dev_fixture f;
static struct fake_peer peer;

static struct fake_peer *to_peer(struct stream_end *e)
{
	return container_of(e, struct fake_peer, end);
}

static size_t peer_deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct fake_peer *p = to_peer(e);
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = (size_t)min_u64(len, p->room);
	if (p->ngot < sizeof(p->got))
		memcpy(p->got + p->ngot, buf,
		       min_u64(n, sizeof(p->got) - p->ngot));
	p->ngot += n;
	p->room -= n;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static void peer_room(struct stream_end *e)
{
	pthread_mutex_lock(&to_peer(e)->lock);
	to_peer(e)->rooms++;
	pthread_mutex_unlock(&to_peer(e)->lock);
}

static const struct stream_ops peer_ops = {
	.deliver = peer_deliver,
	.room = peer_room,
};

static void up(int ways, uint64_t features)
{
	struct virtio_dev *d;

	peer = (struct fake_peer){.end.ops = &peer_ops, .room = UINT64_MAX};
	pthread_mutex_init(&peer.lock, NULL);
	fix_init(&f, (unsigned)ways);
	ck_assert_int_eq(con_new(&d, &f.env, NULL), 0);
	fix_adopt(&f, d);
	stream_join(con_stream(d), &peer.end);
	fix_start(&f, features);
}

static void down(void)
{
	fix_fini(&f);
	pthread_mutex_destroy(&peer.lock);
}

static uint64_t peer_got(void)
{
	uint64_t n;

	pthread_mutex_lock(&peer.lock);
	n = peer.ngot;
	pthread_mutex_unlock(&peer.lock);
	return n;
}

static unsigned peer_rooms(void)
{
	unsigned n;

	pthread_mutex_lock(&peer.lock);
	n = peer.rooms;
	pthread_mutex_unlock(&peer.lock);
	return n;
}

static void give_room(uint64_t n)
{
	pthread_mutex_lock(&peer.lock);
	peer.room = n;
	pthread_mutex_unlock(&peer.lock);
	stream_room(&peer.end);
}

static bool peer_has(void *arg)
{
	return peer_got() >= *(const uint64_t *)arg;
}

static void wait_for_bytes(uint64_t n)
{
	fix_until(&f, peer_has, &n);
	ck_assert_uint_eq(peer_got(), n);
}

static bool peer_was_told(void *arg)
{
	return peer_rooms() >= *(const unsigned *)arg;
}

static void wait_for_rooms(unsigned n)
{
	fix_until(&f, peer_was_told, &n);
	ck_assert_uint_eq(peer_rooms(), n);
}

static void assert_got(const char *text)
{
	wait_for_bytes(strlen(text));
	ck_assert_int_eq(memcmp(peer.got, text, strlen(text)), 0);
}

static struct vqd_buf text_buf(const char *text)
{
	return (struct vqd_buf){vqd_put(&f.drv[TX], text, strlen(text)),
				(uint32_t)strlen(text), false};
}

/* A byte at @i of a long output. */
static uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static struct vqd_buf pattern_buf(uint32_t len)
{
	struct vqd_buf b = {vqd_alloc(&f.drv[TX], len), len, false};
	uint8_t *bytes = malloc(len);

	ck_assert_ptr_nonnull(bytes);
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = pattern(i);
	vqd_write(&f.drv[TX], b.at, bytes, len);
	free(bytes);
	return b;
}

static void assert_pattern(uint64_t len)
{
	uint64_t i = 0;

	wait_for_bytes(len);
	/* One assertion: each costs a message to Check. */
	while (i < len && peer.got[i] == pattern(i))
		i++;
	ck_assert_uint_eq(i, len);
}

/* Without a kick: the device finds it when there is something to deliver. */
static void stage_rx(uint32_t len)
{
	struct vqd_buf b = {vqd_alloc(&f.drv[RX], len), len, true};

	(void)vqd_add(&f.drv[RX], &b, 1);
}

static void add_rx(uint32_t len)
{
	stage_rx(len);
	fix_kick(&f, RX);
}

static size_t type(const char *text)
{
	return stream_send(&peer.end, (const uint8_t *)text, strlen(text));
}

/*
 * Output.
 */

START_TEST(output_reaches_the_stream)
{
	struct vqd_buf b;

	up(_i, ALL);
	b = text_buf("hello\n");
	ck_assert_uint_eq(fix_run(&f, TX, &b, 1), 0);
	assert_got("hello\n");
	down();
}
END_TEST

START_TEST(segments_are_sent_in_order)
{
	struct vqd_buf b[3];

	up(_i, FIX_BASIC);
	b[0] = text_buf("one ");
	b[1] = text_buf("two ");
	b[2] = text_buf("three");
	(void)fix_run(&f, TX, b, 3);
	assert_got("one two three");
	down();
}
END_TEST

START_TEST(long_output_is_whole)
{
	struct vqd_buf b;

	up(_i, ALL);
	b = pattern_buf(200000);
	(void)fix_run(&f, TX, &b, 1);
	assert_pattern(200000);
	down();
}
END_TEST

START_TEST(output_vanishes_when_nobody_listens)
{
	struct vqd_buf b;

	up(_i, ALL);
	con_stream(f.d)->peer = NULL;
	b = pattern_buf(100000);
	(void)fix_run(&f, TX, &b, 1);
	ck_assert_uint_eq(peer_got(), 0);
	down();
}
END_TEST

START_TEST(full_peer_gets_the_rest_later_byte_by_byte)
{
	struct vqd_buf b;
	uint32_t head, len;

	up(_i, ALL);
	peer.room = 10;
	b = pattern_buf(5000);
	(void)vqd_add(&f.drv[TX], &b, 1);
	fix_kick(&f, TX);
	wait_for_bytes(10);
	for (unsigned i = 0; i < 300; i++)
		give_room(1);
	wait_for_bytes(310);
	give_room(UINT64_MAX);
	fix_wait(&f, TX, &head, &len);
	assert_pattern(5000);
	down();
}
END_TEST

/* An UNMAP must not wait for somebody who reads slowly. */
START_TEST(waiting_output_holds_no_memory)
{
	struct vqd_buf b;

	up(_i, ALL);
	peer.room = 1;
	b = pattern_buf(50000);
	(void)vqd_add(&f.drv[TX], &b, 1);
	fix_kick(&f, TX);
	wait_for_bytes(1);
	fix_lock(&f);
	ck_assert_uint_eq(fix_holds(&f), 0);
	ck_assert_uint_eq(f.d->inflight, 0);
	fix_unlock(&f);
	down();
}
END_TEST

/* Unmapped while it waits: what was copied goes out, the rest is lost. */
START_TEST(output_unmapped_while_it_waits_ends_the_chain)
{
	struct vqd_buf b;
	uint32_t head, len;

	if (!(_i & FIX_SCATTERED))
		return;
	up(_i, ALL);
	peer.room = 1;
	b = pattern_buf(50000);
	(void)vqd_add(&f.drv[TX], &b, 1);
	fix_kick(&f, TX);
	wait_for_bytes(1);
	fake_dma_unmap(&f.view, align_up(b.at, 4096) + 8192, 4096);
	give_room(UINT64_MAX);
	fix_wait(&f, TX, &head, &len);
	ck_assert_uint_lt(peer_got(), 50000);
	ck_assert(!fix_is_broken(&f));
	down();
}
END_TEST

START_TEST(several_chains_are_sent_in_order_after_a_stall)
{
	struct vqd_buf b[3];
	uint32_t head, len;

	up(_i, ALL);
	peer.room = 0;
	b[0] = text_buf("one ");
	b[1] = text_buf("two ");
	b[2] = text_buf("three");
	for (unsigned i = 0; i < 3; i++) {
		(void)vqd_add(&f.drv[TX], &b[i], 1);
		fix_force_kick(&f, TX);
	}
	give_room(UINT64_MAX);
	for (unsigned i = 0; i < 3; i++)
		fix_wait(&f, TX, &head, &len);
	assert_got("one two three");
	down();
}
END_TEST

START_TEST(accepted_output_survives_a_reset)
{
	struct vqd_buf b;
	uint32_t head, len;

	up(_i, ALL);
	peer.room = 2;
	b = text_buf("last words");
	(void)vqd_add(&f.drv[TX], &b, 1);
	fix_kick(&f, TX);
	fix_wait(&f, TX, &head, &len); /* it is copied: the chain is done */
	wait_for_bytes(2);
	fix_start(&f, ALL);
	give_room(UINT64_MAX);
	assert_got("last words");
	down();
}
END_TEST

START_TEST(reset_drops_a_chain_that_waits)
{
	struct vqd_buf b;

	up(_i, ALL);
	peer.room = 1;
	b = pattern_buf(50000);
	(void)vqd_add(&f.drv[TX], &b, 1);
	fix_kick(&f, TX);
	wait_for_bytes(1);
	fix_start(&f, ALL);
	give_room(UINT64_MAX);
	ck_assert_uint_le(peer_got(), 4096);
	peer.ngot = 0;
	b = text_buf("new");
	(void)fix_run(&f, TX, &b, 1);
	assert_got("new");
	down();
}
END_TEST

START_TEST(ring_reset_drops_a_chain_that_waits)
{
	struct vqd_buf b;
	struct vq *q;

	up(_i, ALL);
	q = &f.d->vqs[TX];
	peer.room = 1;
	b = pattern_buf(50000);
	(void)vqd_add(&f.drv[TX], &b, 1);
	fix_kick(&f, TX);
	wait_for_bytes(1);
	fix_lock(&f);
	virtio_queue_reset(f.d, q);
	ck_assert(!q->resetting && !q->enabled);
	vqd_renew(&f.drv[TX]);
	vqd_connect(&f.drv[TX], f.d, TX);
	fix_unlock(&f);
	give_room(UINT64_MAX);
	ck_assert_uint_le(peer_got(), 4096);
	peer.ngot = 0;
	b = text_buf("new");
	(void)fix_run(&f, TX, &b, 1);
	assert_got("new");
	down();
}
END_TEST

START_TEST(paused_device_sends_what_it_has_and_reads_nothing_more)
{
	struct vqd_buf b;
	uint32_t head, len;

	up(_i, ALL);
	peer.room = 1;
	b = pattern_buf(50000);
	(void)vqd_add(&f.drv[TX], &b, 1);
	fix_kick(&f, TX);
	wait_for_bytes(1);
	fix_lock(&f);
	virtio_pause(f.d, true);
	fix_unlock(&f);
	give_room(UINT64_MAX);
	ck_assert_uint_eq(peer_got(), 4096);
	fix_lock(&f);
	virtio_pause(f.d, false);
	fix_unlock(&f);
	fix_wait(&f, TX, &head, &len);
	assert_pattern(50000);
	down();
}
END_TEST

START_TEST(unreachable_output_is_skipped)
{
	struct vqd_buf b = {FIX_NOWHERE, UINT32_MAX, false};

	up(_i, ALL);
	ck_assert_uint_eq(fix_run(&f, TX, &b, 1), 0);
	ck_assert(!fix_is_broken(&f));
	b = text_buf("next");
	(void)fix_run(&f, TX, &b, 1);
	assert_got("next");
	down();
}
END_TEST

START_TEST(chain_with_nothing_to_read_is_returned)
{
	struct vqd_buf b = {.len = 16, .write = true};

	up(_i, ALL);
	b.at = vqd_alloc(&f.drv[TX], 16);
	ck_assert_uint_eq(fix_run(&f, TX, &b, 1), 0);
	down();
}
END_TEST

/* Far more than one round of the loop may send, out of 1 MiB of memory. */
START_TEST(huge_output_does_not_keep_the_loop)
{
	struct vqd_buf b[10];
	iova_t at;

	up(_i, ALL);
	at = vqd_alloc(&f.drv[TX], MIB(1));
	for (unsigned i = 0; i < 10; i++)
		b[i] = (struct vqd_buf){at, (uint32_t)MIB(1), false};
	(void)fix_run(&f, TX, b, 10);
	wait_for_bytes(10 * MIB(1));
	down();
}
END_TEST

/*
 * Input.
 */

START_TEST(typed_bytes_reach_a_buffer)
{
	uint32_t head, len;
	uint8_t got[16];

	up(_i, ALL);
	add_rx(16);
	ck_assert_uint_eq(type("ls\n"), 3);
	fix_lock(&f);
	ck_assert_uint_eq(f.transport.queue_irqs[RX], 1);
	fix_unlock(&f);
	fix_wait(&f, RX, &head, &len);
	ck_assert_uint_eq(len, 3);
	vqd_read(&f.drv[RX], f.drv[RX].heap - 16, got, 3);
	ck_assert_int_eq(memcmp(got, "ls\n", 3), 0);
	down();
}
END_TEST

START_TEST(long_input_fills_one_buffer_after_the_other)
{
	uint32_t head, len;

	up(_i, ALL);
	add_rx(4);
	add_rx(4);
	add_rx(4);
	ck_assert_uint_eq(type("0123456789"), 10);
	fix_wait(&f, RX, &head, &len);
	ck_assert_uint_eq(len, 4);
	fix_wait(&f, RX, &head, &len);
	ck_assert_uint_eq(len, 4);
	fix_wait(&f, RX, &head, &len);
	ck_assert_uint_eq(len, 2);
	down();
}
END_TEST

START_TEST(input_without_buffer_is_refused_and_asked_for_later)
{
	uint32_t head, len;

	up(_i, ALL);
	ck_assert_uint_eq(type("abc"), 0);
	ck_assert_uint_eq(peer_rooms(), 0);
	add_rx(16);
	wait_for_rooms(1);
	ck_assert_uint_eq(type("abc"), 3);
	fix_wait(&f, RX, &head, &len);
	ck_assert_uint_eq(len, 3);
	down();
}
END_TEST

START_TEST(input_too_long_is_taken_in_part)
{
	up(_i, ALL);
	stage_rx(4); /* a kick that comes late would be taken for room */
	ck_assert_uint_eq(type("abcdef"), 4);
	ck_assert_uint_eq(peer_rooms(), 0);
	add_rx(4);
	wait_for_rooms(1);
	down();
}
END_TEST

START_TEST(room_is_not_offered_to_who_was_not_refused)
{
	struct vqd_buf b;

	up(_i, ALL);
	add_rx(4);
	add_rx(4);
	ck_assert_uint_eq(type("a"), 1);
	fix_force_kick(&f, RX);
	b = text_buf("x");
	(void)fix_run(&f, TX, &b, 1); /* the loop has been round */
	ck_assert_uint_eq(peer_rooms(), 0);
	down();
}
END_TEST

START_TEST(useless_buffers_are_returned_and_passed_over)
{
	struct vqd_buf useless[2] = {{.len = 4}, {FIX_NOWHERE, 64, true}};
	uint32_t head, len;

	up(_i, ALL);
	useless[0].at = vqd_alloc(&f.drv[RX], 4);
	(void)vqd_add(&f.drv[RX], &useless[0], 1);
	(void)vqd_add(&f.drv[RX], &useless[1], 1);
	add_rx(16);
	ck_assert_uint_eq(type("hi"), 2);
	for (unsigned i = 0; i < 3; i++) {
		fix_wait(&f, RX, &head, &len);
		ck_assert_uint_eq(len, i == 2 ? 2 : 0);
	}
	ck_assert(!fix_is_broken(&f));
	down();
}
END_TEST

START_TEST(ring_of_useless_buffers_does_not_keep_the_sender)
{
	struct vqd_buf b = {FIX_NOWHERE, 64, true};
	uint32_t head, len;

	up(_i, ALL);
	for (unsigned i = 0; i < f.drv[RX].size; i++)
		(void)vqd_stage(&f.drv[RX], &b, 1);
	vqd_publish(&f.drv[RX]);
	ck_assert_uint_eq(type("x"), 0);
	for (unsigned i = 0; i < f.drv[RX].size; i++)
		fix_wait(&f, RX, &head, &len);
	add_rx(4);
	wait_for_rooms(1);
	ck_assert_uint_eq(type("x"), 1);
	down();
}
END_TEST

START_TEST(input_waits_while_the_device_does_not_run)
{
	up(_i, ALL);
	fix_lock(&f);
	virtio_reset(f.d);
	fix_unlock(&f);
	ck_assert_uint_eq(type("abc"), 0);
	fix_start(&f, ALL);
	add_rx(16);
	wait_for_rooms(1);
	ck_assert_uint_eq(type("abc"), 3);
	down();
}
END_TEST

START_TEST(input_waits_while_the_device_is_paused)
{
	up(_i, ALL);
	add_rx(16);
	fix_lock(&f);
	virtio_pause(f.d, true);
	fix_unlock(&f);
	ck_assert_uint_eq(type("abc"), 0);
	fix_lock(&f);
	virtio_pause(f.d, false);
	fix_unlock(&f);
	wait_for_rooms(1);
	ck_assert_uint_eq(type("abc"), 3);
	down();
}
END_TEST

/*
 * Configuration.
 */

START_TEST(window_size_is_in_the_configuration)
{
	up(_i, ALL);
	ck_assert_uint_eq(f.d->offered >> CON_F_SIZE & 1, 1);
	ck_assert_uint_eq(virtio_config_read(f.d, 0, 4), 0);
	con_resize(f.d, 80, 25);
	ck_assert_uint_eq(virtio_config_read(f.d, 0, 2), 80);
	ck_assert_uint_eq(virtio_config_read(f.d, 2, 2), 25);
	con_resize(f.d, 0xffff, 0xffff);
	ck_assert_uint_eq(virtio_config_read(f.d, 0, 8), 0xffffffff);
	virtio_config_write(f.d, 0, 4, 0);
	ck_assert_uint_eq(virtio_config_read(f.d, 0, 4), 0xffffffff);
	down();
}
END_TEST

START_TEST(resize_interrupts_once_and_changes_the_generation)
{
	uint8_t generation;

	up(_i, ALL);
	generation = f.d->generation;
	con_resize(f.d, 80, 25);
	ck_assert_uint_eq(f.transport.config_irqs, 1);
	ck_assert_uint_ne(f.d->generation, generation);
	con_resize(f.d, 80, 25);
	ck_assert_uint_eq(f.transport.config_irqs, 1);
	con_resize(f.d, 81, 25);
	ck_assert_uint_eq(f.transport.config_irqs, 2);
	down();
}
END_TEST

START_TEST(broken_ring_needs_a_reset_and_works_after_it)
{
	struct vqd_buf b;

	up(_i, ALL);
	vqd_offer(&f.drv[RX], 0xffff);
	ck_assert_uint_eq(type("abc"), 0);
	ck_assert(fix_is_broken(&f));
	fix_start(&f, ALL);
	b = text_buf("back");
	(void)fix_run(&f, TX, &b, 1);
	assert_got("back");
	down();
}
END_TEST

/*
 * A terminal that types while another thread takes output in small pieces.
 */

#define TALK  500
#define TALKS 20 /* chains of 1000 bytes */

static void *typist(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < TALK; i++) {
		give_room(1 + i % 7);
		(void)type("k");
	}
	give_room(UINT64_MAX);
	return NULL;
}

START_TEST(input_and_output_run_in_several_threads)
{
	struct vqd_buf b, in;
	uint32_t head, len;
	pthread_t t;

	up(_i | FIX_LOOPED, ALL);
	peer.room = 0;
	b = pattern_buf(1000);
	in = (struct vqd_buf){vqd_alloc(&f.drv[RX], 8), 8, true};
	ck_assert_int_eq(pthread_create(&t, NULL, typist, NULL), 0);
	for (unsigned i = 0; i < TALKS; i++) {
		(void)fix_run(&f, TX, &b, 1);
		while (f.drv[RX].nfree > 0)
			(void)vqd_add(&f.drv[RX], &in, 1);
		fix_kick(&f, RX);
		while (vqd_get_used(&f.drv[RX], &head, &len))
			ck_assert_uint_eq(len, 1);
	}
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	wait_for_bytes(TALKS * 1000);
	for (unsigned i = 0; i < TALKS; i++)
		ck_assert_int_eq(memcmp(peer.got + i * 1000, peer.got, 1000),
				 0);
	ck_assert_uint_eq(peer.got[999], pattern(999));
	down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/console");
	TCase *tc = tcase_create("console");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
#define ADD(t) tcase_add_loop_test(tc, t, 0, FIX_WAYS)
	ADD(output_reaches_the_stream);
	ADD(segments_are_sent_in_order);
	ADD(long_output_is_whole);
	ADD(output_vanishes_when_nobody_listens);
	ADD(full_peer_gets_the_rest_later_byte_by_byte);
	ADD(waiting_output_holds_no_memory);
	ADD(output_unmapped_while_it_waits_ends_the_chain);
	ADD(several_chains_are_sent_in_order_after_a_stall);
	ADD(accepted_output_survives_a_reset);
	ADD(reset_drops_a_chain_that_waits);
	ADD(ring_reset_drops_a_chain_that_waits);
	ADD(paused_device_sends_what_it_has_and_reads_nothing_more);
	ADD(unreachable_output_is_skipped);
	ADD(chain_with_nothing_to_read_is_returned);
	ADD(huge_output_does_not_keep_the_loop);
	ADD(typed_bytes_reach_a_buffer);
	ADD(long_input_fills_one_buffer_after_the_other);
	ADD(input_without_buffer_is_refused_and_asked_for_later);
	ADD(input_too_long_is_taken_in_part);
	ADD(room_is_not_offered_to_who_was_not_refused);
	ADD(useless_buffers_are_returned_and_passed_over);
	ADD(ring_of_useless_buffers_does_not_keep_the_sender);
	ADD(input_waits_while_the_device_does_not_run);
	ADD(input_waits_while_the_device_is_paused);
	ADD(window_size_is_in_the_configuration);
	ADD(resize_interrupts_once_and_changes_the_generation);
	ADD(broken_ring_needs_a_reset_and_works_after_it);
	tcase_add_loop_test(tc, input_and_output_run_in_several_threads, 0, 2);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
