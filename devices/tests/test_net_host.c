/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The network device on the host's own taps and passt, in a network namespace
 * of its own.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/child.h"
#include "core/err.h"
#include "core/fd.h"
#include "devices/net/device.h"
#include "devices/net/tap.h"
#include "devices/tests/dev_fixture.h"

#define RX     0
#define TX     1
#define HEADER sizeof(struct net_header_wire)
#define MRG    (FIX_USUAL | BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_STATUS))

static struct dev_fixture f;
static struct err err;
static char last_line[512];

static const struct net_config user = {
	.kind = NET_USER,
	.mac = {2, 0, 0, 0, 0, 1},
	.queues = 1,
	.host = true,
	.address = {"10.0.2.15", 24, "10.0.2.2", "10.0.2.3"},
};

static void keep_line(enum log_level level, const char *line)
{
	(void)level;
	(void)snprintf(last_line, sizeof(last_line), "%s", line);
}

static int run(const char *command)
{
	return system(command);
}

/* passt looks for a way out. */
static bool make_place(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	return run("ip link set lo up && ip tuntap add out0 mode tap && "
		   "ip address add 198.51.100.2/24 dev out0 && "
		   "ip link set out0 up && "
		   "ip route add default via 198.51.100.1 && "
		   "ip tuntap add many0 mode tap multi_queue && "
		   "ip tuntap add one0 mode tap && "
		   "ip link set one0 mtu 9000 up && ip link set many0 up") == 0;
}

static int up(const struct net_config *config)
{
	struct virtio_dev *d;
	int r;

	err.msg[0] = last_line[0] = '\0';
	fix_init(&f, FIX_LOOPED);
	log_set_sink(keep_line);
	r = net_new(&d, &f.env, config, &err);
	if (r < 0) {
		fix_fini(&f);
		return r;
	}
	fix_adopt(&f, d);
	fix_start(&f, MRG);
	return 0;
}

static struct net_config tap_named(const char *name, unsigned queues)
{
	return (struct net_config){
		.kind = NET_TAP,
		.tap = name,
		.mac = {2, 0, 0, 0, 0, 1},
		.queues = queues,
	};
}

static void send_frame(const uint8_t *bytes, size_t len)
{
	static const struct net_header_wire plain;
	struct vqd_buf b[2] = {
		{.at = vqd_put(&f.drv[TX], &plain, HEADER), .len = HEADER},
		{.at = vqd_put(&f.drv[TX], bytes, len), .len = (uint32_t)len},
	};

	(void)vqd_add(&f.drv[TX], b, 2);
	fix_kick(&f, TX);
}

static void add_buffers(unsigned n, iova_t *at)
{
	for (unsigned i = 0; i < n; i++) {
		struct vqd_buf b = {.len = 2048, .write = true};

		b.at = at[i] = vqd_alloc(&f.drv[RX], b.len);
		(void)vqd_add(&f.drv[RX], &b, 1);
	}
	fix_kick(&f, RX);
}

/* Of EtherType @type; others are the kernel's own.  The last buffer is @at. */
static uint32_t wait_for_type(const iova_t *at, unsigned n, unsigned type,
			      uint8_t *ret_frame)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t head, len;

		fix_wait(&f, RX, &head, &len);
		vqd_read(&f.drv[RX], at[i] + HEADER, ret_frame, len - HEADER);
		if ((unsigned)(ret_frame[12] << 8 | ret_frame[13]) == type)
			return len - (uint32_t)HEADER;
	}
	ck_abort_msg("no frame of type %#x", type);
	return 0;
}

static int packet_socket(const char *name)
{
	const struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(0x88b5),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	const int fd = socket(AF_PACKET, SOCK_RAW, htons(0x88b5));

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/*
 * Somebody has opened the tap: the kernel finds that out a little later, and
 * drops what is sent before.
 */
static void wait_for_carrier(const char *name)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	do {
		sched_yield();
		ck_assert_int_eq(ioctl(fd, SIOCGIFFLAGS, &r), 0);
	} while (!(r.ifr_flags & IFF_RUNNING));
	/* It says so before it is ready, but with the lock that this wants. */
	r.ifr_qlen = 1000;
	ck_assert_int_eq(ioctl(fd, SIOCSIFTXQLEN, &r), 0);
	close(fd);
}

static bool link_is_down(void *arg)
{
	struct net_config_wire w;

	(void)arg;
	memcpy(&w, f.d->config, sizeof(w));
	return le16_get(w.status) == 0;
}

START_TEST(frames_pass_a_tap_both_ways)
{
	const struct net_config c = tap_named("one0", 1);
	static uint8_t frame[1000] = {2, 0, 0, 0, 0,	1,    2, 0,
				      0, 0, 0, 2, 0x88, 0xb5, 42};
	static uint8_t got[9100];
	struct pollfd p = {.events = POLLIN};
	iova_t at[32];

	ck_assert_msg(up(&c) == 0, "%s", err.msg);
	ck_assert_uint_eq(le16_load(f.d->config + 10), 9000);
	p.fd = packet_socket("one0");
	wait_for_carrier("one0");
	add_buffers(32, at);
	ck_assert_int_eq(send(p.fd, frame, sizeof(frame), 0), sizeof(frame));
	ck_assert_uint_eq(wait_for_type(at, 32, 0x88b5, got), sizeof(frame));
	ck_assert_uint_eq(got[14], 42);
	send_frame(frame, sizeof(frame));
	ck_assert_int_gt(poll(&p, 1, 10000), 0);
	ck_assert_int_eq(recv(p.fd, got, sizeof(got), 0), sizeof(frame));
	close(p.fd);
	fix_fini(&f);
}
END_TEST

static int own_tap(const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &r), 0);
	return fd;
}

/* Of EtherType @type, on its way to whoever has @fd. */
static bool has_frame(int fd, unsigned type)
{
	struct pollfd p = {fd, POLLIN, 0};
	static uint8_t got[9100];
	ssize_t n;

	while (poll(&p, 1, 100) > 0) {
		n = read(fd, got, sizeof(got));
		ck_assert_int_gt(n, (int)HEADER);
		if ((unsigned)(got[HEADER + 12] << 8 | got[HEADER + 13]) ==
		    type)
			return true;
	}
	return false;
}

static void send_to_other(int packets)
{
	static uint8_t frame[100] = {2, 0, 0, 0, 0, 9,	  2,
				     0, 0, 0, 0, 2, 0x88, 0xb5};

	wait_for_carrier("one0");
	ck_assert_int_eq(send(packets, frame, sizeof(frame), 0), sizeof(frame));
}

START_TEST(tap_takes_over_no_filter_and_leaves_none)
{
	const struct net_config c = tap_named("one0", 1);
	/* As struct tun_filter, which has no end. */
	const struct {
		uint16_t flags, count;
		uint8_t mac[NET_MAC_LEN];
	} others = {.count = 1, .mac = {2, 0, 0, 0, 0, 7}};
	const struct net_filter own = {.own = {2, 0, 0, 0, 0, 1}};
	int packets = packet_socket("one0"), fd = own_tap("one0");
	struct net_backend *b;

	ck_assert_int_eq(ioctl(fd, TUNSETTXFILTER, &others), 1);
	close(fd);
	ck_assert_msg(net_tap_new(&b, &c, &err) == 0, "%s", err.msg);
	send_to_other(packets);
	ck_assert(has_frame(b->fds[0], 0x88b5));
	b->ops->filter(b, &own);
	send_to_other(packets);
	ck_assert(!has_frame(b->fds[0], 0x88b5));
	/* A machine ends without a reset of its devices. */
	b->ops->free(b);
	fd = own_tap("one0");
	send_to_other(packets);
	ck_assert(has_frame(fd, 0x88b5));
	close(fd);
	close(packets);
}
END_TEST

START_TEST(tap_that_is_deleted_takes_the_link_down)
{
	const struct net_config c = tap_named("gone0", 1);
	static const uint8_t frame[60] = {2};
	uint32_t head, len;
	iova_t at[64];

	ck_assert_msg(up(&c) == 0, "%s", err.msg);
	/* Without buffers, the next frame that is sent would show it. */
	add_buffers(64, at);
	ck_assert_int_eq(run("ip link del gone0"), 0);
	fix_until(&f, link_is_down, NULL);
	ck_assert_ptr_nonnull(strstr(last_line, "tap 'gone0'"));
	send_frame(frame, sizeof(frame));
	fix_wait(&f, TX, &head, &len);
	fix_fini(&f);
}
END_TEST

START_TEST(tap_has_several_queues)
{
	const struct net_config c = tap_named("many0", 2);

	ck_assert_msg(up(&c) == 0, "%s", err.msg);
	ck_assert(f.d->offered & BIT_ULL(NET_F_MQ));
	fix_lock(&f);
	ck_assert_int_eq(net_activate((struct net *)(void *)f.d, 2), 0);
	ck_assert_int_eq(net_activate((struct net *)(void *)f.d, 1), 0);
	fix_unlock(&f);
	fix_fini(&f);
}
END_TEST

START_TEST(tap_of_another_kind_is_refused_by_a_sentence)
{
	struct net_config c = tap_named("one0", 2);

	ck_assert_int_eq(up(&c), -EINVAL);
	ck_assert_str_eq(err.msg, "tap 'one0' is no tap with several queues "
				  "('ip tuntap add ... multi_queue')");
	c = tap_named("lo", 1);
	ck_assert_int_eq(up(&c), -EINVAL);
	ck_assert_str_eq(err.msg, "'lo' is no tap");
}
END_TEST

START_TEST(tap_in_use_is_refused_by_a_sentence)
{
	const struct net_config c = tap_named("one0", 1);
	const int fd = own_tap("one0");

	ck_assert_int_eq(up(&c), -EBUSY);
	ck_assert_str_eq(err.msg, "tap 'one0' is in use by another program");
	close(fd);
	ck_assert_int_eq(up(&c), 0);
	fix_fini(&f);
}
END_TEST

START_TEST(passt_answers_arp)
{
	static const uint8_t question[42] = {
		255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0,  1, 8, 6,
		0,   1,	  8,   0,   6,	 4,   0, 1, 2, 0, 0,  0, 0, 1,
		10,  0,	  2,   15,  0,	 0,   0, 0, 0, 0, 10, 0, 2, 2};
	static uint8_t got[9100];
	iova_t at[8];

	ck_assert_msg(up(&user) == 0, "%s", err.msg);
	ck_assert_uint_eq(le16_load(f.d->config + 10), 65520);
	add_buffers(8, at);
	send_frame(question, sizeof(question));
	(void)wait_for_type(at, 8, 0x0806, got);
	ck_assert_int_eq(memcmp(got + 28, question + 38, 4), 0);
	fix_fini(&f);
	ck_assert_int_ne(run("pgrep -P $PPID passt >/dev/null"), 0);
}
END_TEST

static int send_room(int fd)
{
	socklen_t len = sizeof(int);
	int room = 0;

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &len), 0);
	return room;
}

/* What finds no room there is dropped. */
START_TEST(socket_to_passt_has_more_room_than_others)
{
	int others[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
	ck_assert_msg(up(&user) == 0, "%s", err.msg);
	ck_assert_int_gt(
		send_room(container_of(f.d, struct net, dev)->backend->fds[0]),
		send_room(others[0]));
	fix_fini(&f);
	close(others[0]);
	close(others[1]);
}
END_TEST

START_TEST(passt_that_is_killed_takes_the_link_down)
{
	ck_assert_msg(up(&user) == 0, "%s", err.msg);
	ck_assert_int_eq(run("pkill -KILL -P $PPID passt"), 0);
	fix_until(&f, link_is_down, NULL);
	ck_assert_ptr_nonnull(
		strstr(last_line, "passt was killed by signal 9"));
	fix_fini(&f);
}
END_TEST

START_TEST(port_that_is_taken_is_named)
{
	const struct net_forward forward = {
		.host = "127.0.0.1",
		.host_port = 8080,
		.guest_port = 80,
	};
	const struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(8080),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct net_config c = user;
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	c.forwards = &forward;
	c.nforwards = 1;
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_lt(up(&c), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "127.0.0.1/8080:80"));
	close(fd);
	ck_assert_msg(up(&c) == 0, "%s", err.msg);
	fix_fini(&f);
}
END_TEST

START_TEST(missing_passt_is_one_sentence)
{
	char *path = strdup(getenv("PATH"));

	ck_assert_int_eq(setenv("PATH", "/nowhere", 1), 0);
	ck_assert_int_eq(up(&user), -ENOENT);
	ck_assert_str_eq(err.msg, "there is no 'passt' for user networking "
				  "(Debian has it in passt)");
	/* Other tests may run in this process. */
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
	free(path);
}
END_TEST

START_TEST(program_that_does_not_answer_is_one_sentence)
{
	struct net_config c = user;

	c.program = "/bin/false";
	ck_assert_int_lt(up(&c), 0);
	ck_assert_str_eq(err.msg,
			 "passt does not answer, it ended with status 1");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/net_host");
	TCase *tc = tcase_create("net_host");
	SRunner *sr = srunner_create(s);
	char *passt = child_find("passt");
	int failed;

	if (geteuid() != 0 || !make_place()) {
		puts("skipped: no network namespace with taps");
		return 77;
	}
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, frames_pass_a_tap_both_ways);
	tcase_add_test(tc, tap_takes_over_no_filter_and_leaves_none);
	tcase_add_test(tc, tap_that_is_deleted_takes_the_link_down);
	tcase_add_test(tc, tap_has_several_queues);
	tcase_add_test(tc, tap_of_another_kind_is_refused_by_a_sentence);
	tcase_add_test(tc, tap_in_use_is_refused_by_a_sentence);
	tcase_add_test(tc, missing_passt_is_one_sentence);
	tcase_add_test(tc, program_that_does_not_answer_is_one_sentence);
	if (passt) {
		tcase_add_test(tc, passt_answers_arp);
		tcase_add_test(tc, socket_to_passt_has_more_room_than_others);
		tcase_add_test(tc, passt_that_is_killed_takes_the_link_down);
		tcase_add_test(tc, port_that_is_taken_is_named);
	}
	free(passt);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
