/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A network device on a vhost-user server, polite or not.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "devices/net/device.h"
#include "devices/net/vhost_user.h"
#include "devices/net/vring.h"
#include "devices/tests/dev_fixture.h"
#include "devices/tests/fake_backend.h"

#define RX     0
#define TX     1
#define HEADER sizeof(struct net_header_wire)

/* A thread runs the loop; ways 2 and 3. */
#define PLAIN FIX_LOOPED

#define OFFLOADS                                                 \
	(BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_GUEST_CSUM) |       \
	 BIT_ULL(NET_F_GUEST_TSO4) | BIT_ULL(NET_F_GUEST_TSO6) | \
	 BIT_ULL(NET_F_HOST_TSO4) | BIT_ULL(NET_F_HOST_TSO6))
#define SERVER                                               \
	(FB_FEATURES | OFFLOADS | BIT_ULL(NET_F_MQ) |        \
	 BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_CTRL_VQ) | \
	 BIT_ULL(NET_F_MAC) | BIT_ULL(NET_F_STATUS))
#define DRIVER                                          \
	(FIX_USUAL | OFFLOADS | BIT_ULL(NET_F_STATUS) | \
	 BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_CTRL_VQ))

static struct dev_fixture f;
static struct fake_backend b;
static struct fb_req req;
static struct net_config config;
static struct err err;
static char dir[32], path[48];

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[1024]; /* all lines */

static void on_log(enum log_level level, const char *line)
{
	(void)level;
	pthread_mutex_lock(&log_lock);
	strncat(logged, line, sizeof(logged) - strlen(logged) - 2);
	strcat(logged, "\n");
	pthread_mutex_unlock(&log_lock);
}

static bool has_logged(const char *what)
{
	bool has;

	pthread_mutex_lock(&log_lock);
	has = strstr(logged, what);
	pthread_mutex_unlock(&log_lock);
	return has;
}

static void server(void)
{
	fb_init(&b);
	b.features = SERVER;
	b.max_rings = FB_RINGS / 2; /* pairs */
}

static void setup(void)
{
	strcpy(dir, "/tmp/moat-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	config = (struct net_config){
		.kind = NET_SERVED,
		.socket = path,
		.queues = 1,
		.mac = {2, 1, 2, 3, 4, 5},
	};
	err.msg[0] = logged[0] = '\0';
	server();
}

static int make(unsigned ways)
{
	struct virtio_dev *d = NULL;
	int r;

	fix_init(&f, ways);
	log_set_sink(on_log);
	fb_listen(&b, path);
	r = net_new(&d, &f.env, &config, &err);
	if (r == 0)
		fix_adopt(&f, d);
	return r;
}

static void up(int ways, uint64_t features)
{
	ck_assert_msg(make((unsigned)ways) == 0, "%s", err.msg);
	fix_start(&f, features);
	fb_wait_begun(&b, RX, 1);
	fb_wait_begun(&b, TX, 1);
}

static void teardown(void)
{
	fix_fini(&f);
	fb_stop(&b);
	log_set_sink(NULL);
	(void)unlink(path);
	(void)rmdir(dir);
}

static struct net *net(void)
{
	return container_of(f.d, struct net, dev);
}

static bool is_up(void *arg)
{
	(void)arg;
	return net()->link;
}

static bool is_down(void *arg)
{
	(void)arg;
	return !net()->link;
}

/* The link is down, and @why is said of the server, once. */
static void check_lost(const char *why)
{
	char line[256];

	fix_until(&f, is_down, NULL);
	snprintf(line, sizeof(line),
		 "the server at '%s' %s; the guest's link is down %s\n", path,
		 why,
		 config.reconnect_ms ? "until it is there again"
				     : "from now on");
	ck_assert_msg(has_logged(line), "%s", logged);
	ck_assert(!fix_is_broken(&f));
}

/* A buffer for the guest to receive in. */
static uint64_t offer(uint32_t len)
{
	struct vqd_buf buf = {.len = len, .write = true};

	buf.at = vqd_alloc(&f.drv[RX], len);
	(void)vqd_add(&f.drv[RX], &buf, 1);
	fix_kick(&f, RX);
	return buf.at;
}

/* The server sends a frame of @len bytes. */
static void emit(const struct net_header_wire *h, const char *frame, size_t len)
{
	uint8_t bytes[1024] = {0};

	if (h)
		memcpy(bytes, h, HEADER);
	memcpy(bytes + HEADER, frame, len);
	ck_assert(fb_wait(&b, RX) && fb_pop(&b, RX, &req));
	fb_scatter(req.in, req.nin, bytes, HEADER + len);
	fb_push(&b, RX, req.head, (uint32_t)(HEADER + len));
}

static void check_received(uint64_t at, const char *frame, size_t len)
{
	uint8_t bytes[1024];
	uint32_t head, used;

	fix_wait(&f, RX, &head, &used);
	ck_assert_uint_eq(used, HEADER + len);
	vqd_read(&f.drv[RX], at, bytes, HEADER + len);
	ck_assert_mem_eq(bytes + HEADER, frame, len);
}

static const char frame[] = "to: all; from: the one; a frame that is long "
			    "enough to be one of Ethernet's";

/* The guest sends. */
static void begin_sending(size_t len)
{
	struct vqd_buf buf = {.len = (uint32_t)(HEADER + len)};

	buf.at = vqd_alloc(&f.drv[TX], buf.len);
	vqd_write(&f.drv[TX], buf.at + HEADER, frame,
		  len < sizeof(frame) ? len : sizeof(frame));
	(void)vqd_add(&f.drv[TX], &buf, 1);
	fix_kick(&f, TX);
}

static void collect(unsigned qi, unsigned n)
{
	uint32_t head, len;

	while (n-- > 0)
		fix_wait(&f, qi, &head, &len);
}

static void send_and_collect(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		begin_sending(20);
	collect(TX, n);
}

static void check_sent(size_t len)
{
	uint8_t bytes[1024];

	ck_assert(fb_wait(&b, TX) && fb_pop(&b, TX, &req));
	ck_assert_uint_eq(fb_gather(req.out, req.nout, bytes, sizeof(bytes)),
			  HEADER + len);
	ck_assert_mem_eq(bytes + HEADER, frame, len);
	fb_push(&b, TX, req.head, 0);
}

/*
 * Meeting.
 */

START_TEST(the_guest_is_offered_what_the_server_has)
{
	const uint64_t lacks = _i ? BIT_ULL(NET_F_GUEST_TSO6) : 0;

	b.features &= ~lacks;
	ck_assert_msg(make(PLAIN) == 0, "%s", err.msg);
	ck_assert_uint_eq(f.d->offered & OFFLOADS, OFFLOADS & ~lacks);
	ck_assert(f.d->offered & BIT_ULL(NET_F_STATUS));
	ck_assert_mem_eq(f.d->config, config.mac, NET_MAC_LEN);
}
END_TEST

START_TEST(offloads_rest_on_checksums)
{
	b.features &= ~(BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_GUEST_CSUM));
	ck_assert_msg(make(PLAIN) == 0, "%s", err.msg);
	ck_assert_uint_eq(f.d->offered & OFFLOADS, 0);
	/* Nor is the server told that it is wanted. */
	ck_assert_uint_eq(b.agreed & OFFLOADS, 0);
}
END_TEST

START_TEST(the_server_has_none_of_the_guests_memory)
{
	up(_i, DRIVER);
	ck_assert_uint_eq(b.nregions, 1);
	ck_assert_uint_eq(b.regions[0].wire.size, 2 * net_vring_bytes());
	ck_assert_ptr_null(gmem_host(&f.mem, b.regions[0].wire.user_addr, 1));
}
END_TEST

START_TEST(its_rings_run_with_what_the_driver_accepts)
{
	up(PLAIN, FIX_USUAL | BIT_ULL(NET_F_CSUM));
	ck_assert_uint_eq(b.agreed, BIT_ULL(NET_F_CSUM) |
					    BIT_ULL(VIRTIO_F_VERSION_1) |
					    BIT_ULL(VHU_F_PROTOCOL_FEATURES));
}
END_TEST

static void assert_refused(int code, const char *why)
{
	char sentence[ERR_MAX];

	ck_assert_int_eq(make(PLAIN), -code);
	snprintf(sentence, sizeof(sentence), "network: the server at '%s' %s",
		 path, why);
	ck_assert_str_eq(err.msg, sentence);
}

START_TEST(a_server_with_too_few_queues_is_refused)
{
	config.queues = 2;
	if (_i == 0)
		b.max_rings = 1;
	else
		b.features &= ~BIT_ULL(NET_F_MQ);
	assert_refused(ENOTSUP, _i == 0 ? "has 1 queues, not the 2 it takes"
					: "has 1 queue, not the 2 it takes");
}
END_TEST

START_TEST(nobody_at_the_socket_is_told)
{
	struct virtio_dev *d;
	char sentence[ERR_MAX];

	fix_init(&f, PLAIN);
	ck_assert_int_eq(net_new(&d, &f.env, &config, &err), -ENOENT);
	snprintf(sentence, sizeof(sentence),
		 "network: no server at '%s': No such file or directory", path);
	ck_assert_str_eq(err.msg, sentence);
}
END_TEST

static const enum vhu_request words[] = {
	VHU_GET_FEATURES, VHU_GET_PROTOCOL_FEATURES, VHU_GET_QUEUE_NUM,
	VHU_SET_FEATURES, VHU_SET_MEM_TABLE,
};

START_TEST(a_server_that_hangs_up_while_it_is_met_is_told)
{
	b.prank = (struct fb_prank){.request = words[_i], .hang_up = true};
	ck_assert_int_eq(make(PLAIN), -ECONNRESET);
	ck_assert_ptr_nonnull(strstr(err.msg, "hung up during "));
}
END_TEST

START_TEST(a_server_that_never_answers_is_told)
{
	config.setup_ms = 100;
	b.prank = (struct fb_prank){.request = words[_i], .silent = true};
	ck_assert_int_eq(make(PLAIN), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(err.msg, "does not answer "));
}
END_TEST

START_TEST(a_server_that_refuses_its_memory_is_told)
{
	b.refuse = VHU_SET_MEM_TABLE;
	assert_refused(EREMOTEIO, "refused SET_MEM_TABLE with 0x16");
}
END_TEST

START_TEST(descriptors_that_nobody_asked_for_are_told)
{
	b.prank = (struct fb_prank){.request = VHU_GET_FEATURES,
				    .bytes = {VHU_GET_FEATURES, 0, 0, 0, 5, 0,
					      0, 0, 8},
				    .len = 20,
				    .nfds = 3};
	assert_refused(EPROTO, "sent descriptors in its reply to GET_FEATURES");
}
END_TEST

/*
 * Frames.
 */

START_TEST(frames_go_both_ways)
{
	up(_i, DRIVER);
	/* More of them than there are buffers, so that all come again. */
	for (unsigned i = 0; i < 2 * NET_VRING_SIZE + 10; i++) {
		const size_t len = 14 + i % (sizeof(frame) - 14);
		const uint64_t at = offer(2048);

		emit(NULL, frame, len);
		check_received(at, frame, len);
		begin_sending(len);
		check_sent(len);
		collect(TX, 1);
	}
}
END_TEST

START_TEST(buffers_that_wait_for_a_frame_hold_no_memory)
{
	up(FIX_LOOPED | FIX_SCATTERED, DRIVER);
	for (unsigned i = 0; i < 20; i++)
		(void)offer(2048);
	ck_assert_uint_eq(fix_holds(&f), 0);
	/* Nor does a reset wait for the server. */
	fix_start(&f, DRIVER);
	ck_assert_uint_eq(f.d->inflight, 0);
}
END_TEST

/* Not one that the guest could be harmed by. */
START_TEST(what_the_server_says_of_a_frame_is_checked)
{
	const struct net_header_wire bad[] = {
		{.gso_type = NET_GSO_TCPV4, .gso_size = le16_put(100)},
		{.flags = NET_HDR_F_NEEDS_CSUM, .csum_start = le16_put(4000)},
		{.gso_type = 77},
	};
	uint64_t at;

	up(PLAIN, DRIVER);
	at = offer(2048);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		emit(&bad[i], frame, 60);
	emit(NULL, frame, 13);
	emit(NULL, frame, 0);
	emit(NULL, frame, sizeof(frame));
	check_received(at, frame, sizeof(frame));
}
END_TEST

START_TEST(frames_wait_for_a_server_that_takes_none)
{
	const unsigned n = NET_VRING_SIZE + 5;

	up(PLAIN, DRIVER);
	send_and_collect(200);
	for (unsigned i = 200; i < n; i++)
		begin_sending(20);
	/* Its memory is full; nothing turns round and round meanwhile. */
	(void)poll(NULL, 0, 50);
	loop_barrier(f.loop);
	for (unsigned i = 0; i < n; i++)
		check_sent(20);
	collect(TX, n - 200);
	ck_assert_uint_eq(net()->stats.dropped, 0);
}
END_TEST

START_TEST(several_pairs_are_enabled_as_the_driver_wants)
{
	config.queues = 2;
	ck_assert_msg(make(PLAIN) == 0, "%s", err.msg);
	fix_start(&f, DRIVER | BIT_ULL(NET_F_MQ));
	fb_wait_begun(&b, 0, 1);
	fix_lock(&f);
	ck_assert_int_eq(net_activate(net(), 2), 0);
	fix_unlock(&f);
	fb_wait_begun(&b, 3, 1);
	fix_lock(&f);
	ck_assert_int_eq(net_activate(net(), 1), 0);
	ck_assert_int_eq(net_activate(net(), 2), 0);
	fix_unlock(&f);
	fb_wait_begun(&b, 2, 2);
	fb_wait_begun(&b, 3, 2);
	ck_assert_uint_eq(b.rings[0].begun, 1);
}
END_TEST

/*
 * Drivers that come and go.
 */

START_TEST(a_driver_with_the_same_features_finds_the_rings_as_they_are)
{
	uint64_t at;

	up(_i, DRIVER);
	fix_start(&f, DRIVER);
	at = offer(2048);
	emit(NULL, frame, 60);
	check_received(at, frame, 60);
	ck_assert_uint_eq(b.rings[RX].begun, 1);
}
END_TEST

START_TEST(a_driver_with_others_has_rings_that_begin_anew)
{
	uint64_t at;

	up(_i, DRIVER);
	emit(NULL, frame, 70);
	fix_start(&f, FIX_USUAL);
	fb_wait_begun(&b, RX, 2);
	fb_wait_begun(&b, TX, 2);
	ck_assert_uint_eq(b.agreed & OFFLOADS, 0);
	at = offer(2048);
	emit(NULL, frame, 60);
	check_received(at, frame, 60);
	begin_sending(30);
	check_sent(30);
}
END_TEST

START_TEST(a_server_that_does_not_stop_is_lost)
{
	config.patience_ms = 50;
	b.prank = (struct fb_prank){.request = VHU_GET_VRING_BASE,
				    .silent = true};
	up(PLAIN, DRIVER);
	fix_start(&f, FIX_USUAL);
	check_lost("does not stop its rings");
}
END_TEST

START_TEST(an_answer_of_another_size_is_none)
{
	b.prank = (struct fb_prank){.request = VHU_GET_VRING_BASE,
				    .bytes = {VHU_GET_VRING_BASE, 0, 0, 0, 5, 0,
					      0, 0, 4},
				    .len = 16};
	up(PLAIN, DRIVER);
	fix_start(&f, FIX_USUAL);
	check_lost("sent a reply to GET_VRING_BASE that is none");
}
END_TEST

/*
 * Servers that are not polite.
 */

START_TEST(a_server_that_hangs_up_takes_the_link_down)
{
	up(_i, DRIVER);
	fb_stop(&b);
	check_lost("hung up");
	ck_assert_uint_eq(f.d->config[offsetof(struct net_config_wire, status)],
			  0);
	/* What is sent is lost, and a driver may start again. */
	send_and_collect(1);
	fix_start(&f, DRIVER);
	ck_assert(!fix_is_broken(&f));
}
END_TEST

START_TEST(a_server_that_speaks_is_lost)
{
	const uint8_t word[20] = {VHU_GET_VRING_BASE, 0, 0, 0, 5, 0, 0, 0, 8};

	up(PLAIN, DRIVER);
	ck_assert_int_eq(send(b.fd, word, sizeof(word), 0), sizeof(word));
	check_lost("spoke out of turn");
}
END_TEST

START_TEST(a_message_without_end_is_none)
{
	const uint8_t word[12] = {
		VHU_GET_VRING_BASE, 0, 0, 0, 5, 0, 0, 0, 255, 255, 255, 255};

	up(PLAIN, DRIVER);
	ck_assert_int_eq(send(b.fd, word, sizeof(word), 0), sizeof(word));
	check_lost("sent a message that is none");
}
END_TEST

/* Used what it has not, or wrote more than there is. */
START_TEST(a_server_that_breaks_a_ring_is_lost)
{
	up(PLAIN, DRIVER);
	if (_i == 0) {
		fb_push(&b, RX, NET_VRING_SIZE, 60);
	} else if (_i == 1) {
		fb_push(&b, RX, 0, 0x7fffffff);
	} else if (_i == 2) {
		/* The same buffer twice. */
		fb_put(&b, RX, 3, 0);
		fb_set_used_idx(&b, RX, 0x8000);
		fb_call(&b, RX);
	} else {
		fb_push(&b, TX, NET_VRING_SIZE, 0);
		send_and_collect(200);
		send_and_collect(100);
	}
	check_lost("broke its ring");
}
END_TEST

/*
 * Servers that come back.
 */

static void next_server(void)
{
	server();
	fb_listen(&b, path);
	fb_wait_begun(&b, RX, 1);
	fb_wait_begun(&b, TX, 1);
	fix_until(&f, is_up, NULL);
}

START_TEST(the_next_server_brings_the_link_back)
{
	uint64_t at;

	config.reconnect_ms = 60000;
	up(_i, DRIVER);
	for (unsigned i = 0; i < 3; i++) {
		fb_stop(&b);
		check_lost("hung up");
		next_server();
		ck_assert_uint_eq(
			f.d->config[offsetof(struct net_config_wire, status)],
			NET_S_LINK_UP);
		at = offer(2048);
		emit(NULL, frame, 60);
		check_received(at, frame, 60);
		begin_sending(30);
		check_sent(30);
	}
	ck_assert(has_logged("is there again; the guest's link is up"));
}
END_TEST

static bool gave_up(void *arg)
{
	char line[512];

	(void)arg;
	(void)snprintf(line, sizeof(line),
		       "dev0: the server at '%s' is not there for 0.05 s; the "
		       "guest's link stays down",
		       path);
	return has_logged(line);
}

START_TEST(when_the_time_is_over_the_link_stays_down)
{
	config.reconnect_ms = 50;
	up(PLAIN, DRIVER);
	fb_stop(&b);
	fix_until(&f, gave_up, NULL);
	ck_assert(!net()->link);
}
END_TEST

static bool complained(void *arg)
{
	(void)arg;
	return has_logged("dev0: the server that is at ") &&
	       has_logged("now lacks the features");
}

START_TEST(a_next_server_that_has_less_is_not_taken)
{
	config.reconnect_ms = 60000;
	up(PLAIN, DRIVER);
	fb_stop(&b);
	fix_until(&f, is_down, NULL);
	server();
	b.features &= ~BIT_ULL(NET_F_CSUM);
	fb_listen(&b, path);
	fix_until(&f, complained, NULL);
	ck_assert(!net()->link);
}
END_TEST

START_TEST(a_device_ends_while_its_server_is_met)
{
	config.reconnect_ms = 60000;
	up(PLAIN, DRIVER);
	fb_stop(&b);
	fix_until(&f, is_down, NULL);
	server();
	b.prank =
		(struct fb_prank){.request = VHU_GET_FEATURES, .silent = true};
	fb_listen(&b, path);
	(void)poll(NULL, 0, 300);
	/* In teardown(), well before the server's five seconds are over. */
}
END_TEST

#define BOTH(test) tcase_add_loop_test(t, test, PLAIN, FIX_WAYS)

int main(void)
{
	Suite *s = suite_create("devices/net_served");
	TCase *t = tcase_create("net_served");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, the_guest_is_offered_what_the_server_has, 0, 2);
	tcase_add_test(t, offloads_rest_on_checksums);
	BOTH(the_server_has_none_of_the_guests_memory);
	tcase_add_test(t, its_rings_run_with_what_the_driver_accepts);
	tcase_add_loop_test(t, a_server_with_too_few_queues_is_refused, 0, 2);
	tcase_add_test(t, nobody_at_the_socket_is_told);
	tcase_add_loop_test(t, a_server_that_hangs_up_while_it_is_met_is_told,
			    0, ARRAY_SIZE(words));
	tcase_add_loop_test(t, a_server_that_never_answers_is_told, 0,
			    ARRAY_SIZE(words));
	tcase_add_test(t, a_server_that_refuses_its_memory_is_told);
	tcase_add_test(t, descriptors_that_nobody_asked_for_are_told);
	BOTH(frames_go_both_ways);
	tcase_add_test(t, buffers_that_wait_for_a_frame_hold_no_memory);
	tcase_add_test(t, what_the_server_says_of_a_frame_is_checked);
	tcase_add_test(t, frames_wait_for_a_server_that_takes_none);
	tcase_add_test(t, several_pairs_are_enabled_as_the_driver_wants);
	BOTH(a_driver_with_the_same_features_finds_the_rings_as_they_are);
	BOTH(a_driver_with_others_has_rings_that_begin_anew);
	tcase_add_test(t, a_server_that_does_not_stop_is_lost);
	tcase_add_test(t, an_answer_of_another_size_is_none);
	BOTH(a_server_that_hangs_up_takes_the_link_down);
	tcase_add_test(t, a_server_that_speaks_is_lost);
	tcase_add_test(t, a_message_without_end_is_none);
	tcase_add_loop_test(t, a_server_that_breaks_a_ring_is_lost, 0, 4);
	BOTH(the_next_server_brings_the_link_back);
	tcase_add_test(t, when_the_time_is_over_the_link_stays_down);
	tcase_add_test(t, a_next_server_that_has_less_is_not_taken);
	tcase_add_test(t, a_device_ends_while_its_server_is_met);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
