/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * How a front end and a server get to know each other, and what a server may
 * say wrong.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"
#include "devices/fs/device.h"
#include "devices/tests/dev_fixture.h"
#include "devices/tests/fake_backend.h"
#include "devices/vhost_user/link.h"
#include "virtio/wire.h"

#define TIMEOUT_MS 10000

static struct dev_fixture f;
static struct fake_backend b;
static struct err err;
static const struct fs_config config = {.tag = "t", .path = "/dir"};

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void setup(void)
{
	fix_init(&f, FIX_LOOPED);
	fb_init(&b);
	err.msg[0] = '\0';
}

static void teardown(void)
{
	fix_fini(&f);
}

static int connect_for(unsigned timeout_ms)
{
	struct virtio_dev *d = NULL;
	int r = fs_new_on(&d, &f.env, &config, fb_start(&b), timeout_ms, &err);

	if (r == 0)
		fix_adopt(&f, d);
	return r;
}

static void assert_fails(int code, const char *why)
{
	const unsigned files = open_files();
	char sentence[ERR_MAX];

	ck_assert_int_eq(connect_for(TIMEOUT_MS), -code);
	snprintf(sentence, sizeof(sentence), "the server of '/dir' %s", why);
	ck_assert_str_eq(err.msg, sentence);
	fb_stop(&b);
	for (unsigned i = 0; i < FB_RINGS; i++)
		b.rings[i].kick_fd = b.rings[i].call_fd = -1;
	ck_assert_uint_eq(open_files(), files);
}

/*
 * The polite.
 */

START_TEST(server_knows_memory_rings_and_features_when_it_is_connected)
{
	ck_assert_int_eq(connect_for(TIMEOUT_MS), 0);
	ck_assert_uint_eq(b.agreed, BIT_ULL(28) | BIT_ULL(29) | BIT_ULL(30) |
					    BIT_ULL(32));
	ck_assert_uint_eq(b.agreed_protocol, FB_PROTOCOL);
	ck_assert_uint_eq(b.nregions, 2);
	/* In the order of their addresses, so either may be the guest's. */
	ck_assert(b.regions[0].wire.size == gmem_size(&f.mem) ||
		  b.regions[1].wire.size == gmem_size(&f.mem));
	for (unsigned i = 0; i < b.nregions; i++)
		ck_assert_uint_eq(b.regions[i].wire.guest_addr,
				  b.regions[i].wire.user_addr);
	for (unsigned i = 0; i < f.d->nvqs; i++) {
		ck_assert(b.rings[i].enabled);
		ck_assert_uint_eq(b.rings[i].num, f.d->vqs[i].size_max);
		ck_assert_int_ge(b.rings[i].kick_fd, 0);
		ck_assert_int_ge(b.rings[i].call_fd, 0);
	}
	fb_stop(&b);
}
END_TEST

START_TEST(server_without_protocol_features_is_asked_for_none)
{
	b.features &= ~BIT_ULL(VHU_F_PROTOCOL_FEATURES);
	b.prank = (struct fb_prank){
		.request = VHU_GET_PROTOCOL_FEATURES,
		.hang_up = true,
	};
	ck_assert_int_eq(connect_for(TIMEOUT_MS), 0);
	fb_stop(&b);
	ck_assert_uint_eq(b.agreed_protocol, 0);
	ck_assert(!b.rings[0].enabled);
}
END_TEST

START_TEST(server_without_acks_is_not_waited_for)
{
	b.protocol = BIT_ULL(VHU_PROTOCOL_F_MQ);
	ck_assert_int_eq(connect_for(TIMEOUT_MS), 0);
	fb_stop(&b);
}
END_TEST

START_TEST(features_we_do_not_know_are_not_accepted)
{
	b.features = UINT64_MAX;
	b.protocol = UINT64_MAX;
	ck_assert_int_eq(connect_for(TIMEOUT_MS), 0);
	ck_assert_uint_eq(b.agreed, BIT_ULL(28) | BIT_ULL(29) | BIT_ULL(30) |
					    BIT_ULL(32));
	ck_assert_uint_eq(b.agreed_protocol, FB_PROTOCOL);
	fb_stop(&b);
}
END_TEST

/*
 * The others.
 */

START_TEST(server_without_indirect_tables_is_refused)
{
	b.features &= ~BIT_ULL(VIRTIO_F_INDIRECT_DESC);
	assert_fails(ENOTSUP, "lacks the features 0x10000000");
}
END_TEST

START_TEST(server_of_the_old_interface_is_refused)
{
	b.features = 0;
	assert_fails(ENOTSUP, "lacks the features 0x110000000");
}
END_TEST

START_TEST(server_with_one_ring_is_refused)
{
	b.max_rings = 1;
	assert_fails(ENOTSUP, "has 1 queues, not the 2 it takes");
}
END_TEST

static const struct {
	enum vhu_request request;
	const char *name;
} requests[] = {
	{VHU_GET_FEATURES, "GET_FEATURES"},
	{VHU_GET_PROTOCOL_FEATURES, "GET_PROTOCOL_FEATURES"},
	{VHU_GET_QUEUE_NUM, "GET_QUEUE_NUM"},
	{VHU_SET_OWNER, "SET_OWNER"},
	{VHU_SET_FEATURES, "SET_FEATURES"},
	{VHU_SET_MEM_TABLE, "SET_MEM_TABLE"},
	{VHU_SET_VRING_NUM, "SET_VRING_NUM"},
	{VHU_SET_VRING_BASE, "SET_VRING_BASE"},
	{VHU_SET_VRING_ADDR, "SET_VRING_ADDR"},
	{VHU_SET_VRING_CALL, "SET_VRING_CALL"},
	{VHU_SET_VRING_KICK, "SET_VRING_KICK"},
	{VHU_SET_VRING_ENABLE, "SET_VRING_ENABLE"},
};
#define FIRST_SET 3

START_TEST(hanging_up_at_any_message_is_told)
{
	char why[80];

	b.prank = (struct fb_prank){
		.request = requests[_i].request,
		.hang_up = true,
	};
	snprintf(why, sizeof(why), "hung up during %s", requests[_i].name);
	assert_fails(ECONNRESET, why);
}
END_TEST

START_TEST(refusing_any_setting_is_told)
{
	char why[80];

	b.refuse = requests[_i].request;
	snprintf(why, sizeof(why), "refused %s with 0x16", requests[_i].name);
	assert_fails(EREMOTEIO, why);
}
END_TEST

START_TEST(silence_at_any_message_ends_in_time)
{
	char why[80];

	b.prank = (struct fb_prank){
		.request = requests[_i].request,
		.silent = true,
	};
	ck_assert_int_eq(connect_for(1500), -ETIMEDOUT);
	snprintf(why, sizeof(why), "the server of '/dir' does not answer %s",
		 requests[_i].name);
	ck_assert_str_eq(err.msg, why);
	fb_stop(&b);
}
END_TEST

static void prank_reply(struct vhu_header_wire h, size_t len)
{
	b.prank = (struct fb_prank){
		.request = VHU_GET_FEATURES,
		.len = len,
		.hang_up = true,
	};
	memcpy(b.prank.bytes, &h, sizeof(h));
}

static const struct vhu_header_wire good_reply = {
	.request = VHU_GET_FEATURES,
	.flags = VHU_VERSION | VHU_REPLY,
	.size = 8,
};

/* 0 is "hanging up"; 20 is right. */
START_TEST(replies_cut_at_any_byte_are_told)
{
	prank_reply(good_reply, (size_t)_i);
	assert_fails(ECONNRESET, "hung up during GET_FEATURES");
}
END_TEST

START_TEST(replies_of_a_wrong_size_are_told)
{
	static const uint32_t sizes[] = {0,   1,   7,	      9,	 12,
					 255, 256, INT32_MAX, UINT32_MAX};
	struct vhu_header_wire h = good_reply;
	char why[120];

	h.size = sizes[_i];
	prank_reply(h, 20);
	snprintf(why, sizeof(why),
		 "sent a reply to GET_FEATURES that is none: request 1, flags "
		 "0x5, %u bytes",
		 h.size);
	assert_fails(EPROTO, why);
}
END_TEST

START_TEST(replies_with_wrong_flags_are_told)
{
	/* No reply; version 0, 2 and 3. */
	static const uint32_t flags[] = {1, 4, 6, 7, 0, UINT32_MAX & ~4u};
	struct vhu_header_wire h = good_reply;
	char why[120];

	h.flags = flags[_i];
	prank_reply(h, 20);
	snprintf(why, sizeof(why),
		 "sent a reply to GET_FEATURES that is none: request 1, flags "
		 "%#x, 8 bytes",
		 h.flags);
	assert_fails(EPROTO, why);
}
END_TEST

START_TEST(replies_to_something_else_are_told)
{
	static const uint32_t others[] = {0, 2, 15, 1000, UINT32_MAX};
	struct vhu_header_wire h = good_reply;
	char why[120];

	h.request = others[_i];
	prank_reply(h, 20);
	snprintf(why, sizeof(why),
		 "sent a reply to GET_FEATURES that is none: request %u, flags "
		 "0x5, 8 bytes",
		 h.request);
	assert_fails(EPROTO, why);
}
END_TEST

/* Some fit into our room for them, others do not; all are closed. */
START_TEST(descriptors_nobody_asked_for_are_closed_and_told)
{
	static const unsigned counts[] = {1, 2, 15, 16, 17, 40};

	prank_reply(good_reply, 20);
	b.prank.nfds = counts[_i];
	assert_fails(EPROTO, "sent descriptors in its reply to GET_FEATURES");
}
END_TEST

START_TEST(replies_that_come_in_pieces_are_put_together)
{
	int fds[2];
	struct vhu_link l;
	uint64_t val = 0;
	const uint64_t want = 0x1122334455667788;
	uint8_t bytes[20];
	pid_t pid;

	memcpy(bytes, &good_reply, sizeof(good_reply));
	memcpy(bytes + sizeof(good_reply), &want, sizeof(want));
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < sizeof(bytes); i++) {
			(void)!write(fds[1], &bytes[i], 1);
			usleep(1000);
		}
		_exit(0);
	}
	vhu_link_init(&l, fds[0], TIMEOUT_MS);
	ck_assert_int_eq(vhu_get(&l, VHU_GET_FEATURES, &val, NULL), 0);
	ck_assert_uint_eq(val, want);
	vhu_link_fini(&l);
	close(fds[1]);
	waitpid(pid, NULL, 0);
}
END_TEST

static void add_polite(TCase *t)
{
	tcase_add_test(
		t, server_knows_memory_rings_and_features_when_it_is_connected);
	tcase_add_test(t, server_without_protocol_features_is_asked_for_none);
	tcase_add_test(t, server_without_acks_is_not_waited_for);
	tcase_add_test(t, features_we_do_not_know_are_not_accepted);
	tcase_add_test(t, replies_that_come_in_pieces_are_put_together);
}

static void add_rude(TCase *t)
{
	tcase_add_test(t, server_without_indirect_tables_is_refused);
	tcase_add_test(t, server_of_the_old_interface_is_refused);
	tcase_add_test(t, server_with_one_ring_is_refused);
	tcase_add_loop_test(t, hanging_up_at_any_message_is_told, 0,
			    ARRAY_SIZE(requests));
	tcase_add_loop_test(t, refusing_any_setting_is_told, FIRST_SET,
			    ARRAY_SIZE(requests));
	tcase_add_loop_test(t, silence_at_any_message_ends_in_time, 0,
			    ARRAY_SIZE(requests));
	tcase_add_loop_test(t, replies_cut_at_any_byte_are_told, 1, 20);
	tcase_add_loop_test(t, replies_of_a_wrong_size_are_told, 0, 9);
	tcase_add_loop_test(t, replies_with_wrong_flags_are_told, 0, 6);
	tcase_add_loop_test(t, replies_to_something_else_are_told, 0, 5);
	tcase_add_loop_test(t, descriptors_nobody_asked_for_are_closed_and_told,
			    0, 6);
}

int main(void)
{
	Suite *s = suite_create("devices/vhost_user");
	TCase *t = tcase_create("vhost_user");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	add_polite(t);
	add_rude(t);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
