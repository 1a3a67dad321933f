/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Requests on their way to a server and back: whole and in pieces, refused,
 * lost with the server, and in the way of a reset.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"
#include "devices/fs/device.h"
#include "devices/fs/wire.h"
#include "devices/tests/dev_fixture.h"
#include "devices/tests/fake_backend.h"

#define RQ FS_QUEUE_REQUEST
#define HP FS_QUEUE_HIPRIO

#define TIMEOUT_MS 10000

static struct dev_fixture f;
static struct fake_backend b;
static struct fb_req req;
static unsigned patience_ms;
static struct err err;

static void setup(void)
{
	fb_init(&b);
	patience_ms = 0;
}

static void up(int way, uint64_t features)
{
	const struct fs_config config = {
		.tag = "moat",
		.path = "/dir",
		.patience_ms = patience_ms,
	};
	struct virtio_dev *d;

	fix_init(&f, (unsigned)way | FIX_LOOPED);
	ck_assert_msg(fs_new_on(&d, &f.env, &config, fb_start(&b), TIMEOUT_MS,
				&err) == 0,
		      "%s", err.msg);
	fix_adopt(&f, d);
	fix_start(&f, features);
}

static void down(void)
{
	fix_fini(&f);
	fb_stop(&b);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 13 + i / 255);
}

/* A FUSE request of @len bytes, its header included. */
static struct vqd_buf request(unsigned qi, uint64_t unique, uint32_t len)
{
	struct fuse_in_header_wire in = {
		.len = le32_put(len),
		.unique = le64_put(unique),
	};
	struct vqd_buf buf = {vqd_alloc(&f.drv[qi], len), len, false};
	uint8_t *bytes = malloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern(i);
	memcpy(bytes, &in, min_u64(sizeof(in), len));
	vqd_write(&f.drv[qi], buf.at, bytes, len);
	free(bytes);
	return buf;
}

static struct vqd_buf room(unsigned qi, uint32_t len)
{
	return (struct vqd_buf){vqd_alloc(&f.drv[qi], len), len, true};
}

/* A small request; @ret_at: where its answer goes. */
static uint16_t send_small(unsigned qi, uint64_t unique, iova_t *ret_at)
{
	const struct vqd_buf bufs[] = {request(qi, unique, 40), room(qi, 64)};
	uint16_t head = vqd_add(&f.drv[qi], bufs, 2);

	fix_kick(&f, qi);
	*ret_at = bufs[1].at;
	return head;
}

static void assert_refused(unsigned qi, iova_t at, uint64_t unique, int error)
{
	struct fuse_out_header_wire out;

	vqd_read(&f.drv[qi], at, &out, sizeof(out));
	ck_assert_uint_eq(le32_get(out.len), sizeof(out));
	ck_assert_int_eq((int32_t)le32_get(out.error), error);
	ck_assert_uint_eq(le64_get(out.unique), unique);
}

static void take(unsigned qi)
{
	ck_assert(fb_wait(&b, qi));
	ck_assert(fb_pop(&b, qi, &req));
}

static bool nothing_in_flight(void *arg)
{
	(void)arg;
	return f.d->inflight == 0;
}

static bool needs_reset(void *arg)
{
	(void)arg;
	return f.d->status & VIRTIO_STATUS_NEEDS_RESET;
}

/*
 * Work.
 */

START_TEST(configuration_names_the_tag_and_one_request_queue)
{
	up(_i, FIX_USUAL & ~BIT_ULL(VIRTIO_F_RING_RESET));
	ck_assert_uint_eq(f.d->config_len, 40);
	ck_assert_int_eq(memcmp(f.d->config, "moat\0\0\0", 7), 0);
	ck_assert_uint_eq(virtio_config_read(f.d, 36, 4), 1);
	ck_assert_uint_eq(f.d->nvqs, 2);
	down();
}
END_TEST

#define FEATURES (FIX_USUAL & ~BIT_ULL(VIRTIO_F_RING_RESET))

START_TEST(bytes_go_out_and_come_back)
{
	const uint32_t lens[] = {40, 41, 4096, 5000, 100000};

	up(_i, FEATURES);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		const struct vqd_buf bufs[] = {request(RQ, i, lens[i]),
					       room(RQ, lens[i])};
		uint8_t *bytes = calloc(1, lens[i]);
		uint32_t head, len;
		uint16_t h = vqd_add(&f.drv[RQ], bufs, 2);

		fix_kick(&f, RQ);
		take(RQ);
		ck_assert_uint_eq(fb_gather(req.out, req.nout, bytes, lens[i]),
				  lens[i]);
		for (size_t n = 40; n < lens[i]; n++)
			ck_assert_uint_eq(bytes[n], pattern(n));
		fb_scatter(req.in, req.nin, bytes, lens[i] - 1);
		fb_push(&b, RQ, req.head, lens[i] - 1);
		fix_wait(&f, RQ, &head, &len);
		ck_assert_uint_eq(head, h);
		ck_assert_uint_eq(len, lens[i] - 1);
		memset(bytes, 0, lens[i]);
		vqd_read(&f.drv[RQ], bufs[1].at, bytes, lens[i]);
		for (size_t n = 40; n < lens[i] - 1; n++)
			ck_assert_uint_eq(bytes[n], pattern(n));
		ck_assert_uint_eq(bytes[lens[i] - 1], 0);
		free(bytes);
	}
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

/* A file or directory is opened.  Return: the flags that the server sees; the
 * rest is as it was sent. */
static uint32_t seen_flags(uint64_t unique, uint32_t opcode, uint32_t flags)
{
	struct {
		struct fuse_in_header_wire header;
		struct fuse_open_in_wire open;
		uint8_t more[16];
	} sent = {.header = {.len = le32_put(64),
			     .opcode = le32_put(opcode),
			     .unique = le64_put(unique),
			     .nodeid = le64_put(77)},
		  .open = {.flags = le32_put(flags), .open_flags = le32_put(5)},
		  .more = "and more"},
	  seen;
	const struct vqd_buf bufs[] = {request(RQ, unique, 64), room(RQ, 32)};
	uint32_t head, len;

	vqd_write(&f.drv[RQ], bufs[0].at, &sent, sizeof(sent));
	(void)vqd_add(&f.drv[RQ], bufs, 2);
	fix_kick(&f, RQ);
	take(RQ);
	ck_assert_uint_eq(fb_gather(req.out, req.nout, (void *)&seen,
				    sizeof(seen)),
			  sizeof(seen));
	sent.open.flags = seen.open.flags;
	ck_assert_mem_eq(&seen, &sent, sizeof(sent));
	fb_push(&b, RQ, req.head, 32);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 32);
	return le32_get(seen.open.flags);
}

/* Overlayfs opens with that, and a server without privileges may not. */
START_TEST(files_are_opened_without_noatime)
{
	static const struct {
		uint32_t opcode, flags, seen;
	} cases[] = {
		{FUSE_OP_OPEN, 0100000 | FUSE_O_NOATIME, 0100000},
		{FUSE_OP_OPENDIR, 0200000 | FUSE_O_NOATIME, 0200000},
		{FUSE_OP_OPEN, 02, 02},
		{35, FUSE_O_NOATIME, FUSE_O_NOATIME}, /* FUSE_CREATE */
	};

	up(_i, FEATURES);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_uint_eq(seen_flags(i, cases[i].opcode,
					     cases[i].flags),
				  cases[i].seen);
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

START_TEST(a_forget_has_no_answer)
{
	struct vqd_buf buf;
	uint32_t head, len;

	up(_i, FEATURES);
	buf = request(HP, 1, 48);
	(void)vqd_add(&f.drv[HP], &buf, 1);
	fix_kick(&f, HP);
	take(HP);
	ck_assert_uint_eq(req.nin, 0);
	fb_push(&b, HP, req.head, 0);
	fix_wait(&f, HP, &head, &len);
	ck_assert_uint_eq(len, 0);
	down();
}
END_TEST

START_TEST(requests_are_held_until_the_server_is_done)
{
	uint32_t head, len;
	iova_t at;

	up(FIX_SCATTERED, FEATURES);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	ck_assert_uint_gt(fix_holds(&f), 0);
	fb_push(&b, RQ, req.head, 16);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

START_TEST(answers_come_in_any_order)
{
	struct fb_req first;
	uint32_t head, len;
	uint16_t heads[2];
	iova_t at;

	up(_i, FEATURES);
	heads[0] = send_small(RQ, 1, &at);
	heads[1] = send_small(RQ, 2, &at);
	take(RQ);
	first = req;
	take(RQ);
	fb_push(&b, RQ, req.head, 20);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(head, heads[1]);
	ck_assert_uint_eq(len, 20);
	fb_push(&b, RQ, first.head, 21);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(head, heads[0]);
	ck_assert_uint_eq(len, 21);
	down();
}
END_TEST

/* All heads busy, indices past 2^16. */
START_TEST(many_requests_go_round_the_ring)
{
	static const unsigned total = 70000;
	struct vqd_buf bufs[2];
	unsigned sent = 0, served = 0, done = 0;
	uint32_t head, len;

	if (_i)
		b.features = FB_FEATURES & ~BIT_ULL(VIRTIO_F_EVENT_IDX);
	up(0, _i ? FIX_BASIC : FEATURES);
	bufs[0] = request(RQ, 1, 40);
	bufs[1] = room(RQ, 64);
	while (done < total) {
		while (sent < total && f.drv[RQ].nfree >= 2) {
			(void)vqd_stage(&f.drv[RQ], bufs, 2);
			sent++;
		}
		vqd_publish(&f.drv[RQ]);
		fix_kick(&f, RQ);
		if (served < sent)
			ck_assert(fb_wait(&b, RQ));
		for (; fb_pop(&b, RQ, &req); served++)
			fb_push(&b, RQ, req.head, 17);
		fix_wait(&f, RQ, &head, &len);
		do {
			ck_assert_uint_eq(len, 17);
			done++;
		} while (vqd_get_used(&f.drv[RQ], &head, &len));
	}
	ck_assert_uint_eq(done, total);
	down();
}
END_TEST

/*
 * What cannot be done.
 */

START_TEST(unreachable_buffers_are_answered_with_efault)
{
	struct vqd_buf bufs[3];
	uint32_t head, len;

	up(FIX_SCATTERED, FEATURES);
	bufs[0] = request(RQ, 77, 40);
	bufs[1] = (struct vqd_buf){FIX_NOWHERE, 100, false};
	bufs[2] = room(RQ, 64);
	(void)vqd_add(&f.drv[RQ], bufs, 3);
	fix_kick(&f, RQ);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 16);
	assert_refused(RQ, bufs[2].at, 77, -EFAULT);
	ck_assert_uint_eq(fix_holds(&f), 0);
	ck_assert(!fix_is_broken(&f));
	down();
}
END_TEST

START_TEST(an_answer_that_cannot_be_written_is_none)
{
	struct vqd_buf bufs[2];
	uint32_t head, len;

	up(FIX_SCATTERED, FEATURES);
	bufs[0] = request(RQ, 77, 40);
	bufs[1] = (struct vqd_buf){FIX_NOWHERE, 64, true};
	(void)vqd_add(&f.drv[RQ], bufs, 2);
	fix_kick(&f, RQ);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 0);
	down();
}
END_TEST

/* Each page of the scattered view is a piece: 1023 for the data, 1 and 1. */
START_TEST(more_pieces_than_a_table_has_are_answered_with_e2big)
{
	static const uint32_t bytes[] = {500 * 4096, 510 * 4096};
	struct vqd_buf bufs[8];
	uint32_t head, len;
	uint32_t part;

	up(FIX_SCATTERED, FEATURES);
	bufs[0] = request(RQ, 5, 40);
	part = (bytes[0] / 4) & ~4095u;
	bufs[1] = room(RQ, 64);
	/* The same pages again and again: the heap is small. */
	bufs[2] = room(RQ, part);
	for (unsigned i = 3; i < 8; i++)
		bufs[i] = bufs[2];
	(void)vqd_add(&f.drv[RQ], bufs, 8); /* 6 * 125 pieces */
	fix_kick(&f, RQ);
	take(RQ);
	ck_assert_uint_ge(req.nin, 6 * 125);
	fb_push(&b, RQ, req.head, 16);
	fix_wait(&f, RQ, &head, &len);

	struct vqd_buf many[16];

	many[0] = bufs[0];
	many[1] = bufs[1];
	for (unsigned i = 2; i < 16; i++)
		many[i] = bufs[2]; /* 14 * 125 */
	(void)vqd_add(&f.drv[RQ], many, 16);
	fix_kick(&f, RQ);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 16);
	assert_refused(RQ, many[1].at, 5, -E2BIG);
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

START_TEST(empty_chains_come_back_empty)
{
	struct vqd_buf buf;
	uint32_t head, len;

	up(_i, FEATURES);
	buf = (struct vqd_buf){vqd_alloc(&f.drv[RQ], 16), 0, false};
	(void)vqd_add(&f.drv[RQ], &buf, 1);
	fix_kick(&f, RQ);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 0);
	down();
}
END_TEST

/* Shorter than a header, or nothing but room: the server's to judge. */
START_TEST(short_requests_reach_the_server)
{
	struct vqd_buf buf;
	uint32_t head, len;

	up(_i, FEATURES);
	buf = request(RQ, 1, 1);
	(void)vqd_add(&f.drv[RQ], &buf, 1);
	buf = room(RQ, 1);
	(void)vqd_add(&f.drv[RQ], &buf, 1);
	fix_kick(&f, RQ);
	for (unsigned i = 0; i < 2; i++) {
		take(RQ);
		ck_assert_uint_eq(req.nin + req.nout, 1);
		fb_push(&b, RQ, req.head, req.nin);
		fix_wait(&f, RQ, &head, &len);
		ck_assert_uint_eq(len, req.nin);
	}
	down();
}
END_TEST

START_TEST(a_broken_ring_stops_the_device_not_the_server)
{
	iova_t at;

	up(_i, FEATURES);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	vqd_offer(&f.drv[RQ], 60000);
	fix_force_kick(&f, RQ);
	fix_until(&f, needs_reset, NULL);
	/* What it had comes back unseen, and the reset can wait for that. */
	fb_push(&b, RQ, req.head, 16);
	down();
}
END_TEST

/*
 * A server that is gone, or should be.
 */

START_TEST(requests_of_a_dead_server_are_answered_with_enotconn)
{
	uint32_t head, len;
	iova_t at[3];

	up(_i, FEATURES);
	(void)send_small(RQ, 101, &at[0]);
	(void)send_small(RQ, 102, &at[1]);
	take(RQ);
	fb_stop(&b);
	for (unsigned i = 0; i < 2; i++) {
		fix_wait(&f, RQ, &head, &len);
		ck_assert_uint_eq(len, 16);
		assert_refused(RQ, at[i], 101 + i, -ENOTCONN);
	}
	/* ... and so are later ones. */
	(void)send_small(RQ, 103, &at[2]);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 16);
	assert_refused(RQ, at[2], 103, -ENOTCONN);
	/* The loop holds a place in the ring for a moment, after an answer, too. */
	fix_lock(&f);
	ck_assert_uint_eq(fix_holds(&f), 0);
	fix_unlock(&f);
	ck_assert(!fix_is_broken(&f));
	down();
}
END_TEST

/* Each breaks the ring in its way while two requests are under way. */
static void misbehave(int how)
{
	switch (how) {
	case 0: /* a head past the end */
		fb_push(&b, RQ, 512, 0);
		break;
	case 1:
		fb_push(&b, RQ, UINT32_MAX, 0);
		break;
	case 2: /* one that it does not have */
		fb_push(&b, RQ, req.head + 9u, 0);
		break;
	case 3: /* more than there is room for */
		fb_push(&b, RQ, req.head, 65);
		break;
	case 4:
		fb_push(&b, RQ, req.head, UINT32_MAX);
		break;
	case 5: /* more than there are */
		fb_set_used_idx(&b, RQ, 3);
		fb_call(&b, RQ);
		break;
	case 6: /* backwards */
		fb_set_used_idx(&b, RQ, UINT16_MAX);
		fb_call(&b, RQ);
		break;
	case 7: /* the same one twice */
		fb_push(&b, RQ, req.head, 16);
		fb_push(&b, RQ, req.head, 16);
		fb_call(&b, RQ);
		break;
	case 8: /* speaks */
		(void)!write(b.fd, "?", 1);
		break;
	}
}
#define MISBEHAVIOURS 9

START_TEST(a_server_that_breaks_the_rules_is_given_up)
{
	uint32_t head, len;
	iova_t at[2];
	unsigned refused = 0;

	up(FIX_SCATTERED, FEATURES);
	(void)send_small(RQ, 1, &at[0]);
	(void)send_small(RQ, 2, &at[1]);
	take(RQ);
	take(RQ);
	misbehave(_i);
	for (unsigned i = 0; i < 2; i++) {
		fix_wait(&f, RQ, &head, &len);
		ck_assert_uint_eq(len, 16);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct fuse_out_header_wire out;

		vqd_read(&f.drv[RQ], at[i], &out, sizeof(out));
		refused += (int32_t)le32_get(out.error) == -ENOTCONN;
	}
	ck_assert_uint_eq(refused, _i == 7 ? 1 : 2);
	fix_lock(&f);
	ck_assert_uint_eq(fix_holds(&f), 0);
	fix_unlock(&f);
	down();
}
END_TEST

START_TEST(calls_without_a_reason_do_nothing)
{
	uint32_t head, len;
	iova_t at;

	up(_i, FEATURES);
	for (unsigned i = 0; i < 10; i++)
		fb_call(&b, i % 2);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	fb_push(&b, RQ, req.head, 16);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 16);
	down();
}
END_TEST

START_TEST(a_device_without_a_server_can_be_reset_and_started)
{
	up(0, FEATURES);
	fb_stop(&b);
	fix_lock(&f);
	virtio_reset(f.d);
	fix_unlock(&f);
	fix_start(&f, FEATURES);
	down();
}
END_TEST

/*
 * Reset.
 */

static void *reset(void *arg)
{
	(void)arg;
	fix_lock(&f);
	virtio_reset(f.d);
	fix_unlock(&f);
	return NULL;
}

static bool stopping(void *arg)
{
	(void)arg;
	return f.d->stopping;
}

START_TEST(reset_waits_for_the_server_and_goes_on_afterwards)
{
	uint32_t head, len;
	pthread_t t;
	iova_t at;

	up(_i, FEATURES);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	ck_assert_int_eq(pthread_create(&t, NULL, reset, NULL), 0);
	fix_until(&f, stopping, NULL);
	fb_push(&b, RQ, req.head, 16);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_uint_eq(fix_holds(&f), 0);

	fix_start(&f, FEATURES);
	(void)send_small(RQ, 2, &at);
	take(RQ);
	fb_push(&b, RQ, req.head, 17);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 17);
	down();
}
END_TEST

START_TEST(reset_ends_when_the_server_does)
{
	pthread_t t;
	iova_t at;

	up(_i, FEATURES);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	ck_assert_int_eq(pthread_create(&t, NULL, reset, NULL), 0);
	fix_until(&f, stopping, NULL);
	fb_stop(&b);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

/* The server has a request and does nothing; so has its thread. */
START_TEST(reset_gives_up_a_server_that_does_not_finish)
{
	iova_t at;

	patience_ms = 50;
	up(_i, FEATURES);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	(void)reset(NULL);
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

START_TEST(pause_gives_up_a_server_that_does_not_finish)
{
	uint32_t head, len;
	iova_t at;

	patience_ms = 50;
	up(_i, FEATURES);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	fix_lock(&f);
	virtio_pause(f.d, true);
	virtio_pause(f.d, false);
	fix_unlock(&f);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 16);
	assert_refused(RQ, at, 1, -ENOTCONN);
	down();
}
END_TEST

/* Nobody waits for it, so it may take its time. */
START_TEST(a_server_may_be_slow_while_the_device_runs)
{
	uint32_t head, len;
	iova_t at;

	patience_ms = 1;
	up(_i, FEATURES);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	usleep(20000);
	fb_push(&b, RQ, req.head, 17);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 17);
	down();
}
END_TEST

START_TEST(answers_wait_while_the_device_is_paused)
{
	uint32_t head, len;
	iova_t at;

	up(_i, FEATURES);
	(void)send_small(RQ, 1, &at);
	take(RQ);
	fix_lock(&f);
	f.d->paused = true; /* as if a pause were waiting */
	fix_unlock(&f);
	fb_push(&b, RQ, req.head, 16);
	fix_until(&f, nothing_in_flight, NULL);
	ck_assert(!vqd_get_used(&f.drv[RQ], &head, &len));
	fix_lock(&f);
	virtio_pause(f.d, false);
	fix_unlock(&f);
	fix_wait(&f, RQ, &head, &len);
	ck_assert_uint_eq(len, 16);
	down();
}
END_TEST

START_TEST(a_device_is_freed_with_requests_under_way)
{
	struct virtio_dev *d;
	iova_t at;

	up(_i, FEATURES);
	d = f.d;
	(void)send_small(RQ, 1, &at);
	take(RQ);
	loop_stop(f.loop);
	pthread_join(f.loop_thread, NULL);
	close(f.transport.irq_fd);
	f.d = NULL;
	virtio_dev_free(d);
	loop_free(f.loop);
	f.loop = NULL;
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

/*
 * The program.
 */

/* Return: fs_new()'s; fix_fini() is the caller's. */
static int begin(const struct fs_config *config)
{
	struct virtio_dev *d = NULL;
	int r;

	err.msg[0] = '\0';
	fix_init(&f, FIX_LOOPED);
	r = fs_new(&d, &f.env, config, &err);
	if (r == 0)
		fix_adopt(&f, d);
	return r;
}

static int new_fs(const char *path, const char *tag, const char *server)
{
	const struct fs_config config = {
		.tag = tag,
		.path = path,
		.server = server,
	};
	const int r = begin(&config);

	fix_fini(&f);
	return r;
}

START_TEST(bad_folders_and_tags_are_refused)
{
	char tag[40] = "";

	ck_assert_int_eq(new_fs("/nonexistent", "t", NULL), -ENOENT);
	ck_assert_str_eq(err.msg, "'/nonexistent': No such file or directory");
	ck_assert_int_eq(new_fs("/proc/self/status", "t", NULL), -ENOTDIR);
	ck_assert_str_eq(err.msg, "'/proc/self/status' is no directory");
	ck_assert_int_eq(new_fs("/tmp", "", NULL), -EINVAL);
	memset(tag, 'x', 37);
	ck_assert_int_eq(new_fs("/tmp", tag, NULL), -EINVAL);
}
END_TEST

/* Return: as begin(), for a server at @path. */
static int new_fs_at(const char *path)
{
	const struct fs_config config = {.tag = "t", .socket = path};

	return begin(&config);
}

/* It gets what the guest has sent. */
START_TEST(a_server_may_be_there_already)
{
	char dir[] = "/tmp/moat-test-XXXXXX", path[48], said[128];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(said, sizeof(said),
		 "'%s': no server there: No such file or directory", path);
	ck_assert_int_eq(new_fs_at(path), -ENOENT);
	ck_assert_str_eq(err.msg, said);
	fix_fini(&f);
	fb_listen(&b, path);
	ck_assert_msg(new_fs_at(path) == 0, "%s", err.msg);
	fix_start(&f, FEATURES);
	ck_assert_uint_eq(seen_flags(1, FUSE_OP_OPEN, FUSE_O_NOATIME),
			  FUSE_O_NOATIME);
	down();
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(a_missing_server_is_told)
{
	ck_assert_int_eq(new_fs("/tmp", "t", "/nonexistent/virtiofsd"),
			 -ENOENT);
	ck_assert_str_eq(err.msg, "'/tmp': '/nonexistent/virtiofsd' cannot be "
				  "executed: No such file or directory");
}
END_TEST

/* The server is a script of the shell: it ends with status 5. */
static void new_fs_by(const char *commands)
{
	char script[] = "/tmp/moat-server-XXXXXX";
	int fd = mkstemp(script);

	ck_assert_int_ge(dprintf(fd, "#!/bin/sh\n%s\nexit 5\n", commands), 0);
	ck_assert_int_eq(fchmod(fd, 0755), 0);
	close(fd);
	ck_assert_int_eq(new_fs("/tmp", "t", script), -ECONNRESET);
	unlink(script);
}

START_TEST(a_server_that_ends_at_once_is_told_with_its_last_words)
{
	new_fs_by("echo I have no hands >&2");
	ck_assert_str_eq(err.msg,
			 "the server of '/tmp' hung up during GET_FEATURES, "
			 "ended with status 5: I have no hands");
}
END_TEST

/* What overlayfs does not go into. */
START_TEST(a_server_in_rust_announces_no_mounts)
{
	new_fs_by("for word; do\n"
		  "	[ $word != --no-announce-submounts ] || echo good >&2\n"
		  "done");
	ck_assert_str_eq(err.msg,
			 "the server of '/tmp' hung up during GET_FEATURES, "
			 "ended with status 5: good");
}
END_TEST

/* FUSE_INIT, as Linux sends it, of protocol 7.31. */
static void assert_serves_fuse(void)
{
	const uint8_t init[56] = {
		[0] = 56, [4] = 26, [8] = 99, [40] = 7, [44] = 31,
	};
	struct fuse_out_header_wire out;
	struct vqd_buf bufs[2];
	uint32_t head, len;

	bufs[0] = (struct vqd_buf){vqd_put(&f.drv[RQ], init, sizeof(init)),
				   sizeof(init), false};
	bufs[1] = room(RQ, 256);
	(void)vqd_add(&f.drv[RQ], bufs, 2);
	fix_kick(&f, RQ);
	fix_wait(&f, RQ, &head, &len);
	vqd_read(&f.drv[RQ], bufs[1].at, &out, sizeof(out));
	ck_assert_uint_eq(le32_get(out.error), 0);
	ck_assert_uint_eq(le64_get(out.unique), 99);
	ck_assert_uint_eq(le32_get(out.len), len);
}

START_TEST(the_installed_server_serves_and_leaves_nothing_behind)
{
	const struct fs_config config = {
		.tag = "t",
		.path = "/tmp",
		.readonly = _i & 2,
	};
	struct virtio_dev *d;
	int r;

	fix_init(&f, (_i & 1) | FIX_LOOPED);
	r = fs_new(&d, &f.env, &config, &err);
	/* None is installed, or namespaces are forbidden here. */
	if (r == -ENOENT || r == -EPERM) {
		fprintf(stderr, "skipped: %s\n", err.msg);
		fix_fini(&f);
		return;
	}
	ck_assert_msg(r == 0, "%s", err.msg);
	fix_adopt(&f, d);
	fix_start(&f, FEATURES);
	assert_serves_fuse();
	fix_fini(&f);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

static void add_work(TCase *t)
{
	tcase_add_loop_test(
		t, configuration_names_the_tag_and_one_request_queue, 0, 2);
	tcase_add_loop_test(t, bytes_go_out_and_come_back, 0, 2);
	tcase_add_loop_test(t, files_are_opened_without_noatime, 0, 2);
	tcase_add_loop_test(t, a_forget_has_no_answer, 0, 2);
	tcase_add_test(t, requests_are_held_until_the_server_is_done);
	tcase_add_loop_test(t, answers_come_in_any_order, 0, 2);
	tcase_add_loop_test(t, many_requests_go_round_the_ring, 0, 2);
	tcase_add_test(t, unreachable_buffers_are_answered_with_efault);
	tcase_add_test(t, an_answer_that_cannot_be_written_is_none);
	tcase_add_test(t, more_pieces_than_a_table_has_are_answered_with_e2big);
	tcase_add_loop_test(t, empty_chains_come_back_empty, 0, 2);
	tcase_add_loop_test(t, short_requests_reach_the_server, 0, 2);
	tcase_add_loop_test(t, a_broken_ring_stops_the_device_not_the_server, 0,
			    2);
}

static void add_trouble(TCase *t)
{
	tcase_add_loop_test(
		t, requests_of_a_dead_server_are_answered_with_enotconn, 0, 2);
	tcase_add_loop_test(t, a_server_that_breaks_the_rules_is_given_up, 0,
			    MISBEHAVIOURS);
	tcase_add_loop_test(t, calls_without_a_reason_do_nothing, 0, 2);
	tcase_add_test(t, a_device_without_a_server_can_be_reset_and_started);
	tcase_add_loop_test(
		t, reset_waits_for_the_server_and_goes_on_afterwards, 0, 2);
	tcase_add_loop_test(t, reset_ends_when_the_server_does, 0, 2);
	tcase_add_loop_test(t, reset_gives_up_a_server_that_does_not_finish, 0,
			    2);
	tcase_add_loop_test(t, pause_gives_up_a_server_that_does_not_finish, 0,
			    2);
	tcase_add_loop_test(t, a_server_may_be_slow_while_the_device_runs, 0,
			    2);
	tcase_add_loop_test(t, answers_wait_while_the_device_is_paused, 0, 2);
	tcase_add_loop_test(t, a_device_is_freed_with_requests_under_way, 0, 2);
	tcase_add_test(t, bad_folders_and_tags_are_refused);
	tcase_add_loop_test(
		t, the_installed_server_serves_and_leaves_nothing_behind, 0, 4);
	tcase_add_test(t, a_server_may_be_there_already);
	tcase_add_test(t, a_missing_server_is_told);
	tcase_add_test(t,
		       a_server_that_ends_at_once_is_told_with_its_last_words);
	tcase_add_test(t, a_server_in_rust_announces_no_mounts);
}

int main(void)
{
	Suite *s = suite_create("devices/fs");
	TCase *t = tcase_create("fs");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	add_work(t);
	add_trouble(t);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
