/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A disk that another process serves: what the driver sees of the server, and
 * what of it reaches the server.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child.h"
#include "devices/tests/vublk_rig.h"

#define WRITEBACK offsetof(struct blk_config_wire, writeback)

static struct vublk_rig r;
static struct fb_req req;

static void setup(void)
{
	rig_init(&r);
}

static void teardown(void)
{
	rig_down(&r);
}

static struct blk_config_wire config_of_driver(void)
{
	struct blk_config_wire w;

	fix_lock(&r.f.dev);
	memcpy(&w, r.f.dev.d->config, sizeof(w));
	fix_unlock(&r.f.dev);
	return w;
}

static void assert_refused(int code, const char *why)
{
	char sentence[ERR_MAX];

	ck_assert_int_eq(rig_make(&r, 0), -code);
	snprintf(sentence, sizeof(sentence), "the server of '%s' %s", r.path,
		 why);
	ck_assert_str_eq(r.err.msg, sentence);
}

/*
 * What the driver sees.
 */

START_TEST(features_and_configuration_are_those_of_the_server)
{
	struct blk_config_wire w;

	r.config.queues = 2;
	ck_assert_msg(rig_make(&r, (unsigned)_i) == 0, "%s", r.err.msg);
	w = config_of_driver();
	ck_assert_uint_eq(r.f.dev.d->offered & 0x7fff, RIG_FEATURES & 0x7fff);
	ck_assert_uint_eq(le64_get(w.capacity), RIG_SECTORS);
	ck_assert_uint_eq(le32_get(w.seg_max), 100);
	ck_assert_uint_eq(le16_get(w.num_queues), 2);
	ck_assert_uint_eq(le32_get(w.max_discard_sectors), 77);
	/* Every page may be a piece: 100 * (9 + 1) of them fit, with the
	 * header and the status. */
	ck_assert_uint_eq(le32_get(w.size_max),
			  _i == FIX_SCATTERED ? 9 * 4096 : 65536);
	ck_assert_uint_eq(r.b.agreed & 0xffffff, RIG_FEATURES & 0xffffff);
}
END_TEST

START_TEST(what_the_server_has_not_is_not_offered)
{
	r.b.features = FB_FEATURES;
	memset(r.b.config + 8, 0, 52);
	ck_assert_msg(rig_make(&r, 0) == 0, "%s", r.err.msg);
	ck_assert_uint_eq(r.f.dev.d->offered & 0x7fff, BIT_ULL(BLK_F_SEG_MAX));
	ck_assert_uint_eq(le32_get(config_of_driver().seg_max), 126);
}
END_TEST

START_TEST(a_server_with_fewer_queues_is_enough_if_none_were_asked_for)
{
	r.b.max_rings = 2;
	r.config.queues = 4;
	r.config.fewer_queues = true;
	ck_assert_msg(rig_make(&r, 0) == 0, "%s", r.err.msg);
	ck_assert_uint_eq(r.f.dev.d->nvqs, 2);
}
END_TEST

START_TEST(a_server_with_fewer_queues_is_refused_if_they_were)
{
	r.b.max_rings = 2;
	r.config.queues = 4;
	assert_refused(ENOTSUP, "has 2 queues, not the 4 it takes");
}
END_TEST

START_TEST(a_server_without_several_queues_has_one)
{
	r.b.features &= ~BIT_ULL(BLK_F_MQ);
	r.config.queues = 4;
	if (_i) {
		assert_refused(ENOTSUP, "has 1 queue, not the 4 it takes");
		return;
	}
	r.config.fewer_queues = true;
	ck_assert_msg(rig_make(&r, 0) == 0, "%s", r.err.msg);
	ck_assert_uint_eq(r.f.dev.d->nvqs, 1);
}
END_TEST

START_TEST(a_server_without_configuration_is_refused)
{
	r.b.protocol &= ~BIT_ULL(VHU_PROTOCOL_F_CONFIG);
	assert_refused(ENOTSUP, "does not tell its device's configuration");
}
END_TEST

START_TEST(a_server_with_a_short_configuration_is_refused)
{
	r.b.config_max = 59;
	assert_refused(EPROTO, "sent a reply to GET_CONFIG that is none: "
			       "request 24, flags 0x5, 0 bytes");
}
END_TEST

START_TEST(a_server_that_writes_is_refused_for_a_disk_that_is_not_written)
{
	r.config.readonly = true;
	assert_refused(ENOTSUP, "lets the guest write, which ro=on forbids");
}
END_TEST

START_TEST(a_server_may_have_a_disk_that_is_not_written)
{
	r.b.features |= BIT_ULL(BLK_F_RO);
	r.config.readonly = _i;
	ck_assert_msg(rig_make(&r, 0) == 0, "%s", r.err.msg);
	ck_assert(r.f.dev.d->offered & BIT_ULL(BLK_F_RO));
}
END_TEST

static const enum vhu_request words[] = {
	VHU_GET_FEATURES,     VHU_GET_PROTOCOL_FEATURES,
	VHU_GET_QUEUE_NUM,    VHU_SET_BACKEND_REQ_FD,
	VHU_GET_CONFIG,	      VHU_SET_FEATURES,
	VHU_SET_VRING_ENABLE,
};

START_TEST(a_server_that_hangs_up_while_it_is_met_is_told)
{
	r.b.prank = (struct fb_prank){.request = words[_i], .hang_up = true};
	ck_assert_int_eq(rig_make(&r, 0), -ECONNRESET);
	ck_assert_ptr_nonnull(strstr(r.err.msg, "hung up during "));
}
END_TEST

START_TEST(nobody_at_the_socket_is_told)
{
	struct virtio_dev *d;
	char sentence[ERR_MAX];
	char name[109] = "";

	fix_init(&r.f.dev, FIX_LOOPED);
	ck_assert_int_eq(vublk_new(&d, &r.f.dev.env, &r.config, &r.err),
			 -ENOENT);
	snprintf(sentence, sizeof(sentence),
		 "disk '%s': no server there: No such file or directory",
		 r.path);
	ck_assert_str_eq(r.err.msg, sentence);
	/* Longer than an address has room for. */
	memset(name, 'x', sizeof(name) - 1);
	r.config.socket = name;
	ck_assert_int_eq(vublk_new(&d, &r.f.dev.env, &r.config, &r.err),
			 -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(r.err.msg, "has less than 108 bytes"));
}
END_TEST

/*
 * Requests.
 */

START_TEST(bytes_come_from_the_server)
{
	struct blk_call c;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	for (unsigned i = 0; i < 300; i++) {
		c = rig_read(&r, 0, i);
		rig_serve(&r, 0);
		ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_OK);
		blk_assert_memory(&r.f, c.data[0].at, i, 1);
	}
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
}
END_TEST

START_TEST(each_queue_is_a_ring_of_the_server)
{
	struct blk_call c[FB_RINGS];

	r.config.queues = FB_RINGS;
	rig_up(&r, (unsigned)_i, RIG_DRIVER | BIT_ULL(BLK_F_MQ));
	for (unsigned i = 0; i < FB_RINGS; i++)
		c[i] = rig_read(&r, i, 10 + i);
	for (unsigned i = FB_RINGS; i-- > 0;) {
		rig_serve(&r, i);
		ck_assert_uint_eq(rig_wait(&r, i, &c[i]), BLK_S_OK);
		blk_assert_memory(&r.f, c[i].data[0].at, 10 + i, 1);
	}
}
END_TEST

static bool second_is_reset(void *arg)
{
	(void)arg;
	return !r.f.dev.d->vqs[1].resetting;
}

/* Two queues, and the server has a request of each. */
START_TEST(a_queue_reset_waits_for_its_own_requests_alone)
{
	struct vq *q;
	struct blk_call c[3];

	r.config.queues = 2;
	rig_up(&r, (unsigned)_i,
	       RIG_DRIVER | BIT_ULL(BLK_F_MQ) | BIT_ULL(VIRTIO_F_RING_RESET));
	q = &r.f.dev.d->vqs[1];
	c[0] = rig_read(&r, 0, 10);
	c[1] = rig_read(&r, 1, 11);
	rig_take(&r, 1, &req);
	fix_lock(&r.f.dev);
	virtio_queue_reset(r.f.dev.d, q);
	ck_assert(q->resetting);
	fix_unlock(&r.f.dev);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c[0]), BLK_S_OK);
	fix_lock(&r.f.dev);
	ck_assert(q->resetting);
	fix_unlock(&r.f.dev);
	fb_push(&r.b, 1, req.head, rig_carry_out(&req));
	fix_until(&r.f.dev, second_is_reset, NULL);
	ck_assert(!q->enabled);
	ck_assert_uint_eq(vqd_used_idx(&r.f.dev.drv[1]), 0);
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
	/* ... and it works again. */
	fix_lock(&r.f.dev);
	vqd_renew(&r.f.dev.drv[1]);
	vqd_connect(&r.f.dev.drv[1], r.f.dev.d, 1);
	fix_unlock(&r.f.dev);
	c[2] = rig_read(&r, 1, 12);
	rig_serve(&r, 1);
	ck_assert_uint_eq(rig_wait(&r, 1, &c[2]), BLK_S_OK);
	blk_assert_memory(&r.f, c[2].data[0].at, 12, 1);
}
END_TEST

START_TEST(the_serial_number_is_ours_if_there_is_one)
{
	struct blk_call c = {.type = BLK_T_GET_ID, .ndata = 1};
	char id[BLK_ID_LEN + 1] = "";

	r.config.id = "a disk";
	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	c.data[0] = (struct vqd_buf){vqd_alloc(r.f.drv, BLK_ID_LEN), BLK_ID_LEN,
				     true};
	ck_assert_uint_eq(blk_run(&r.f, &c, NULL), BLK_S_OK);
	vqd_read(r.f.drv, c.data[0].at, id, BLK_ID_LEN);
	ck_assert_str_eq(id, "a disk");
	/* Too short for it. */
	c.data[0].len = BLK_ID_LEN - 1;
	ck_assert_uint_eq(blk_run(&r.f, &c, NULL), BLK_S_IOERR);
}
END_TEST

START_TEST(the_serial_number_is_the_servers_otherwise)
{
	struct blk_call c = {.type = BLK_T_GET_ID, .ndata = 1};

	rig_up(&r, 0, RIG_DRIVER);
	c.data[0] = (struct vqd_buf){vqd_alloc(r.f.drv, BLK_ID_LEN), BLK_ID_LEN,
				     true};
	blk_begin(&r.f, &c);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_OK);
}
END_TEST

START_TEST(unreachable_buffers_are_io_errors)
{
	struct blk_call c = {.type = BLK_T_IN, .ndata = 1};

	rig_up(&r, FIX_SCATTERED, RIG_DRIVER);
	c.data[0] = (struct vqd_buf){FIX_NOWHERE, BLK_SECTOR, true};
	ck_assert_uint_eq(blk_run(&r.f, &c, NULL), BLK_S_IOERR);
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
	ck_assert(!fix_is_broken(&r.f.dev));
}
END_TEST

/*
 * The cache.
 */

#define NO_FLUSH (RIG_DRIVER & ~BIT_ULL(BLK_F_FLUSH))

START_TEST(a_driver_that_cannot_flush_has_the_server_write_through)
{
	rig_up(&r, (unsigned)_i, NO_FLUSH);
	fb_wait_writes(&r.b, 1);
	ck_assert_uint_eq(r.b.written.offset, WRITEBACK);
	ck_assert_uint_eq(r.b.written.size, 1);
	ck_assert_uint_eq(r.b.written.region[0], 0);
	/* The next one can, and does not want to pay for it. */
	fix_start(&r.f.dev, RIG_DRIVER);
	fb_wait_writes(&r.b, 2);
	ck_assert_uint_eq(r.b.written.region[0], 1);
}
END_TEST

static bool was_kicked(void *arg)
{
	(void)arg;
	return r.f.dev.d->vqs[0].stats.kicks > 0;
}

START_TEST(a_driver_that_can_flush_has_the_server_cache)
{
	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	fb_wait_writes(&r.b, 1);
	ck_assert_uint_eq(r.b.written.region[0], 1);
	ck_assert_uint_eq(config_of_driver().writeback, 1);
}
END_TEST

/* The server does not answer: it may still be writing the old way. */
START_TEST(its_requests_wait_until_the_server_knows)
{
	struct blk_call c;

	r.b.prank = (struct fb_prank){
		.request = VHU_SET_CONFIG,
		.silent = true,
	};
	rig_up(&r, (unsigned)_i, NO_FLUSH);
	c = rig_read(&r, 0, 1);
	fix_until(&r.f.dev, was_kicked, NULL);
	ck_assert(!fb_pop(&r.b, 0, &req));
	ck_assert_uint_eq(fix_holds(&r.f.dev), 0);
	ck_assert_uint_eq(blk_status(&r.f, &c), NO_STATUS);
}
END_TEST

START_TEST(its_requests_go_when_the_server_knows)
{
	struct blk_call c;

	rig_up(&r, (unsigned)_i, NO_FLUSH);
	c = rig_read(&r, 0, 1);
	rig_take(&r, 0, &req);
	pthread_mutex_lock(&r.b.lock);
	ck_assert_uint_eq(r.b.writes, 1);
	pthread_mutex_unlock(&r.b.lock);
	fb_push(&r.b, 0, req.head, rig_carry_out(&req));
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_OK);
}
END_TEST

START_TEST(a_server_that_refuses_to_write_through_is_given_up)
{
	struct blk_call c;

	r.b.refuse = VHU_SET_CONFIG;
	rig_up(&r, (unsigned)_i, NO_FLUSH);
	c = rig_read(&r, 0, 1);
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_IOERR);
}
END_TEST

START_TEST(without_a_switch_drivers_have_to_flush)
{
	bool ok;

	r.b.features &= ~BIT_ULL(BLK_F_CONFIG_WCE);
	ck_assert_msg(rig_make(&r, 0) == 0, "%s", r.err.msg);
	fix_lock(&r.f.dev);
	ok = vqd_negotiate(r.f.dev.d, NO_FLUSH);
	fix_unlock(&r.f.dev);
	ck_assert(!ok);
	fix_start(&r.f.dev, RIG_DRIVER);
}
END_TEST

START_TEST(the_drivers_switch_reaches_the_server)
{
	rig_up(&r, (unsigned)_i, RIG_DRIVER | BIT_ULL(BLK_F_CONFIG_WCE));
	for (unsigned i = 0; i < 4; i++) {
		fix_lock(&r.f.dev);
		virtio_config_write(r.f.dev.d, WRITEBACK, 1, i & 1);
		fix_unlock(&r.f.dev);
		fb_wait_writes(&r.b, i + 2);
		ck_assert_uint_eq(r.b.written.region[0], i & 1);
	}
}
END_TEST

/* [virtio 1.2, 5.2.5.2]: it reads so from FEATURES_OK on. */
START_TEST(a_switch_without_a_flush_begins_with_write_through)
{
	const uint64_t features = NO_FLUSH | BIT_ULL(BLK_F_CONFIG_WCE);

	rig_up(&r, (unsigned)_i, RIG_DRIVER | BIT_ULL(BLK_F_CONFIG_WCE));
	fb_wait_writes(&r.b, 1);
	ck_assert_uint_eq(config_of_driver().writeback, 1);
	fix_lock(&r.f.dev);
	ck_assert(vqd_negotiate(
		r.f.dev.d,
		features | (r.f.dev.env.access_platform
				    ? BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)
				    : 0)));
	fix_unlock(&r.f.dev);
	ck_assert_uint_eq(config_of_driver().writeback, 0);
	fix_start(&r.f.dev, features);
	fb_wait_writes(&r.b, 2);
	ck_assert_uint_eq(r.b.written.region[0], 0);
	/* The next one finds what the first one found. */
	fix_start(&r.f.dev, RIG_DRIVER | BIT_ULL(BLK_F_CONFIG_WCE));
	ck_assert_uint_eq(config_of_driver().writeback, 1);
}
END_TEST

START_TEST(a_server_without_a_flush_has_no_switch)
{
	r.b.features &= ~BIT_ULL(BLK_F_FLUSH);
	ck_assert_msg(rig_make(&r, 0) == 0, "%s", r.err.msg);
	ck_assert(!(r.f.dev.d->offered & BIT_ULL(BLK_F_CONFIG_WCE)));
	fix_start(&r.f.dev, NO_FLUSH);
}
END_TEST

/*
 * What the server says by itself.
 */

static bool has_grown(void *arg)
{
	struct blk_config_wire w;

	(void)arg;
	memcpy(&w, r.f.dev.d->config, sizeof(w));
	return le64_get(w.capacity) == 2 * RIG_SECTORS &&
	       r.f.dev.transport.config_irqs == 1;
}

static void grow(void)
{
	struct blk_config_wire w;

	pthread_mutex_lock(&r.b.lock);
	memcpy(&w, r.b.config, sizeof(w));
	w.capacity = le64_put(2 * RIG_SECTORS);
	w.num_queues = le16_put(7);
	w.writeback = 0;
	memcpy(r.b.config, &w, 60);
	pthread_mutex_unlock(&r.b.lock);
}

START_TEST(an_image_that_grows_is_told_to_the_driver)
{
	struct blk_config_wire w;
	struct blk_call c;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	grow();
	ck_assert_uint_eq(fb_change_config(&r.b), 0);
	fix_until(&r.f.dev, has_grown, NULL);
	w = config_of_driver();
	ck_assert_uint_eq(le16_get(w.num_queues), 1);
	ck_assert_uint_eq(w.writeback, 1);
	c = rig_read(&r, 0, 5);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_OK);
}
END_TEST

START_TEST(a_change_that_is_none_interrupts_nobody)
{
	struct blk_call c;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	for (unsigned i = 0; i < 20; i++)
		ck_assert_uint_eq(fb_change_config(&r.b), 0);
	c = rig_read(&r, 0, 5);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_OK);
	fix_lock(&r.f.dev);
	ck_assert_uint_eq(r.f.dev.transport.config_irqs, 0);
	fix_unlock(&r.f.dev);
}
END_TEST

START_TEST(a_configuration_that_shrinks_ends_the_server)
{
	struct blk_call c;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	pthread_mutex_lock(&r.b.lock);
	r.b.config_max = 32;
	pthread_mutex_unlock(&r.b.lock);
	ck_assert_uint_eq(fb_change_config(&r.b), 0);
	c = rig_read(&r, 0, 5);
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_IOERR);
}
END_TEST

static void say(const void *bytes, size_t len)
{
	ck_assert_int_eq(send(r.b.channel, bytes, len, MSG_NOSIGNAL),
			 (ssize_t)len);
}

START_TEST(words_nobody_knows_are_answered_and_do_nothing)
{
	const struct vhu_header_wire h = {
		.request = (uint32_t[]){0, 1, 3, 99}[_i],
		.flags = VHU_VERSION | VHU_NEED_REPLY,
		.size = 40,
	};
	uint8_t bytes[52] = {0}, reply[20];
	uint64_t word;

	memcpy(bytes, &h, sizeof(h));
	rig_up(&r, 0, RIG_DRIVER);
	/* In two pieces. */
	say(bytes, 30);
	say(bytes + 30, 22);
	ck_assert_int_eq(recv(r.b.channel, reply, sizeof(reply), MSG_WAITALL),
			 sizeof(reply));
	memcpy(&word, reply + 12, 8);
	ck_assert_uint_eq(word, EINVAL);
	ck_assert_uint_eq(fb_change_config(&r.b), 0);
}
END_TEST

START_TEST(nonsense_on_its_channel_ends_the_server)
{
	const struct vhu_header_wire h = {.request = 2, .size = UINT32_MAX};
	struct blk_call c;

	r.config.wait_ms = 0;
	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	say(&h, sizeof(h));
	c = rig_read(&r, 0, 5);
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_IOERR);
}
END_TEST

START_TEST(a_server_that_closes_its_channel_serves_on)
{
	struct blk_call c;

	rig_up(&r, (unsigned)_i, RIG_DRIVER);
	ck_assert_int_eq(shutdown(r.b.channel, SHUT_RDWR), 0);
	c = rig_read(&r, 0, 5);
	rig_serve(&r, 0);
	ck_assert_uint_eq(rig_wait(&r, 0, &c), BLK_S_OK);
}
END_TEST

/*
 * qemu-storage-daemon.
 */

static char image[64];

static void make_image(void)
{
	blk_fix_image(&r.f, DISK_BYTES);
	snprintf(image, sizeof(image), "%s", r.f.path);
	r.config.socket = NULL;
	r.config.path = image;
}

static int start_daemon(unsigned ways)
{
	struct virtio_dev *d = NULL;
	int e;

	r.err.msg[0] = '\0';
	fix_init(&r.f.dev, ways | FIX_LOOPED);
	e = vublk_new(&d, &r.f.dev.env, &r.config, &r.err);
	if (e == 0)
		fix_adopt(&r.f.dev, d);
	return e;
}

/* Return: false if there is none on this machine. */
static bool has_daemon(void)
{
	char *path = child_find("qemu-storage-daemon");
	const bool has = path;

	if (!has)
		fprintf(stderr, "skipped: no qemu-storage-daemon\n");
	free(path);
	return has;
}

START_TEST(the_installed_daemon_serves_and_leaves_nothing_behind)
{
	uint8_t sector[BLK_SECTOR];
	struct blk_call c;
	iova_t at;

	if (!has_daemon())
		return;
	make_image();
	r.config.format = "raw";
	r.config.queues = 2;
	ck_assert_msg(start_daemon((unsigned)_i) == 0, "%s", r.err.msg);
	fix_start(&r.f.dev, RIG_DRIVER | BIT_ULL(BLK_F_MQ));
	blk_fix_queue(&r.f, 1);
	at = vqd_alloc(r.f.drv, 8 * BLK_SECTOR);
	ck_assert_uint_eq(blk_rw(&r.f, BLK_T_IN, 40, at, 8 * BLK_SECTOR),
			  BLK_S_OK);
	blk_assert_memory(&r.f, at, 40, 8);
	/* What the driver writes is in the image. */
	blk_pattern(7, sector);
	vqd_write(r.f.drv, at, sector, sizeof(sector));
	ck_assert_uint_eq(blk_rw(&r.f, BLK_T_OUT, 7, at, BLK_SECTOR), BLK_S_OK);
	c = (struct blk_call){.type = BLK_T_FLUSH};
	ck_assert_uint_eq(blk_run(&r.f, &c, NULL), BLK_S_OK);
	blk_assert_image(&r.f, 7, 1);
	fix_fini(&r.f.dev);
	r.f.dev = (struct dev_fixture){0};
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	blk_fix_remove(&r.f);
}
END_TEST

START_TEST(the_installed_daemon_does_not_write_what_is_read_only)
{
	uint8_t sector[BLK_SECTOR] = {1};
	iova_t at;

	if (!has_daemon())
		return;
	make_image();
	r.config.format = "raw";
	r.config.readonly = true;
	ck_assert_msg(start_daemon(0) == 0, "%s", r.err.msg);
	ck_assert(r.f.dev.d->offered & BIT_ULL(BLK_F_RO));
	fix_start(&r.f.dev, RIG_DRIVER);
	blk_fix_queue(&r.f, 0);
	at = vqd_put(r.f.drv, sector, sizeof(sector));
	ck_assert_uint_ne(blk_rw(&r.f, BLK_T_OUT, 7, at, BLK_SECTOR), BLK_S_OK);
	blk_assert_image(&r.f, 7, 1);
	blk_fix_remove(&r.f);
}
END_TEST

START_TEST(an_image_of_another_format_is_told_with_the_daemons_words)
{
	char sentence[ERR_MAX];

	if (!has_daemon())
		return;
	make_image();
	r.config.format = "qcow2";
	ck_assert_int_eq(start_daemon(0), -ECONNRESET);
	snprintf(sentence, sizeof(sentence),
		 "disk '%s': its server hung up during GET_FEATURES, ended "
		 "with status 1: Image is not in qcow2 format",
		 image);
	ck_assert_str_eq(r.err.msg, sentence);
	blk_fix_remove(&r.f);
}
END_TEST

START_TEST(a_missing_daemon_is_told_with_its_package)
{
	make_image();
	r.config.format = "qcow2";
	ck_assert_int_eq(setenv("PATH", "/nonexistent", 1), 0);
	ck_assert_int_eq(start_daemon(0), -ENOENT);
	ck_assert_msg(strstr(r.err.msg,
			     "there is no 'qemu-storage-daemon' to serve "
			     "format=qcow2 (Debian has it in "
			     "qemu-system-common)"),
		      "%s", r.err.msg);
	blk_fix_remove(&r.f);
}
END_TEST

static void add_sight(TCase *t)
{
	tcase_add_loop_test(
		t, features_and_configuration_are_those_of_the_server, 0, 2);
	tcase_add_test(t, what_the_server_has_not_is_not_offered);
	tcase_add_test(
		t, a_server_with_fewer_queues_is_enough_if_none_were_asked_for);
	tcase_add_test(t, a_server_with_fewer_queues_is_refused_if_they_were);
	tcase_add_loop_test(t, a_server_without_several_queues_has_one, 0, 2);
	tcase_add_test(t, a_server_without_configuration_is_refused);
	tcase_add_test(t, a_server_with_a_short_configuration_is_refused);
	tcase_add_test(
		t,
		a_server_that_writes_is_refused_for_a_disk_that_is_not_written);
	tcase_add_loop_test(t, a_server_may_have_a_disk_that_is_not_written, 0,
			    2);
	tcase_add_loop_test(t, a_server_that_hangs_up_while_it_is_met_is_told,
			    0, ARRAY_SIZE(words));
	tcase_add_test(t, nobody_at_the_socket_is_told);
}

static void add_work(TCase *t)
{
	tcase_add_loop_test(t, bytes_come_from_the_server, 0, 2);
	tcase_add_loop_test(t, each_queue_is_a_ring_of_the_server, 0, 2);
	tcase_add_loop_test(t, a_queue_reset_waits_for_its_own_requests_alone,
			    0, 2);
	tcase_add_loop_test(t, the_serial_number_is_ours_if_there_is_one, 0, 2);
	tcase_add_test(t, the_serial_number_is_the_servers_otherwise);
	tcase_add_test(t, unreachable_buffers_are_io_errors);
	tcase_add_loop_test(
		t, a_driver_that_cannot_flush_has_the_server_write_through, 0,
		2);
	tcase_add_loop_test(t, a_driver_that_can_flush_has_the_server_cache, 0,
			    2);
	tcase_add_loop_test(t, its_requests_wait_until_the_server_knows, 0, 2);
	tcase_add_loop_test(t, its_requests_go_when_the_server_knows, 0, 2);
	tcase_add_loop_test(
		t, a_server_that_refuses_to_write_through_is_given_up, 0, 2);
	tcase_add_test(t, without_a_switch_drivers_have_to_flush);
	tcase_add_loop_test(t, the_drivers_switch_reaches_the_server, 0, 2);
	tcase_add_loop_test(
		t, a_switch_without_a_flush_begins_with_write_through, 0, 2);
	tcase_add_test(t, a_server_without_a_flush_has_no_switch);
}

static void add_words(TCase *t)
{
	tcase_add_loop_test(t, an_image_that_grows_is_told_to_the_driver, 0, 2);
	tcase_add_loop_test(t, a_change_that_is_none_interrupts_nobody, 0, 2);
	tcase_add_loop_test(t, a_configuration_that_shrinks_ends_the_server, 0,
			    2);
	tcase_add_loop_test(t, words_nobody_knows_are_answered_and_do_nothing,
			    0, 4);
	tcase_add_loop_test(t, nonsense_on_its_channel_ends_the_server, 0, 2);
	tcase_add_loop_test(t, a_server_that_closes_its_channel_serves_on, 0,
			    2);
	tcase_add_loop_test(
		t, the_installed_daemon_serves_and_leaves_nothing_behind, 0, 2);
	tcase_add_test(t,
		       the_installed_daemon_does_not_write_what_is_read_only);
	tcase_add_test(
		t, an_image_of_another_format_is_told_with_the_daemons_words);
	tcase_add_test(t, a_missing_daemon_is_told_with_its_package);
}

int main(void)
{
	Suite *s = suite_create("devices/vublk");
	TCase *t = tcase_create("vublk");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	add_sight(t);
	add_work(t);
	add_words(t);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
