/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The network device, on a stream socket as passt has one, and on a fake tap:
 * a packet socket with the driver's header in front of each frame.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fd.h"
#include "devices/net/device.h"
#include "devices/net/header.h"
#include "devices/net/stream.h"
#include "devices/tests/dev_fixture.h"

#define RX     0
#define TX     1
#define HEADER sizeof(struct net_header_wire)

/* Ways 2 and 3 of the fixture: a thread runs the loop. */
#define FIRST_WAY FIX_LOOPED

#define OFFLOADS                                              \
	(BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_HOST_TSO4) |     \
	 BIT_ULL(NET_F_HOST_TSO6) | BIT_ULL(NET_F_HOST_ECN) | \
	 BIT_ULL(NET_F_GUEST_CSUM) | BIT_ULL(NET_F_GUEST_TSO4))
#define CONTROL                                            \
	(BIT_ULL(NET_F_CTRL_VQ) | BIT_ULL(NET_F_CTRL_RX) | \
	 BIT_ULL(NET_F_CTRL_MAC_ADDR))
#define MRG (FIX_USUAL | BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_STATUS))

static const uint8_t mac[NET_MAC_LEN] = {2, 1, 2, 3, 4, 5};

struct fake {
	struct net_stream stream; /* for its memory; of a fake tap only fds */
	int fds[NET_QUEUES_MAX];
	uint64_t features; /* as offload() was told */
	unsigned active;
	struct net_filter filter;
	unsigned mtu;
	bool empty;		  /* it had nothing for the guest; */
	unsigned irqs_when_empty; /* when it was asked first then */
};

static struct dev_fixture f;
static struct fake fake;
static int peers[NET_QUEUES_MAX];

/*
 * Backends.
 */

static void stream_free(struct net_backend *b)
{
	(void)b;
	net_stream_fini(&fake.stream);
}

static const struct net_backend_ops stream_ops = {
	.incoming = net_stream_incoming,
	.receive = net_stream_receive,
	.send = net_stream_send,
	.send_rest = net_stream_send_rest,
	.free = stream_free,
};

static ssize_t tap_incoming(struct net_backend *b, unsigned q)
{
	(void)b;
	(void)q;
	return 200; /* a guess, and often wrong */
}

static ssize_t tap_receive(struct net_backend *b, unsigned q, struct iovec *iov,
			   unsigned n, struct net_header_wire *hdr,
			   bool *ret_end)
{
	ssize_t r;

	(void)b;
	iov[0] = (struct iovec){hdr, HEADER};
	r = readv(fake.fds[q], iov, (int)n + 1);
	if (r > 0)
		fake.empty = false;
	else if (!fake.empty) {
		fake.empty = true;
		fake.irqs_when_empty = f.transport.queue_irqs[RX];
	}
	if (r <= (ssize_t)HEADER)
		return r < 0 ? -errno : -EPIPE;
	*ret_end = true;
	return r - (ssize_t)HEADER;
}

static ssize_t tap_send(struct net_backend *b, unsigned q, struct iovec *iov,
			unsigned n, size_t len,
			const struct net_header_wire *hdr)
{
	struct net_header_wire copy = *hdr;

	(void)b;
	iov[0] = (struct iovec){&copy, HEADER};
	return writev(fake.fds[q], iov, (int)n + 1) < 0 ? -errno : (ssize_t)len;
}

static int tap_offload(struct net_backend *b, uint64_t features)
{
	(void)b;
	fake.features = features;
	return 0;
}

static int tap_activate(struct net_backend *b, unsigned n)
{
	(void)b;
	fake.active = n;
	return 0;
}

static void tap_filter(struct net_backend *b, const struct net_filter *filter)
{
	(void)b;
	fake.filter = *filter;
}

static void tap_free(struct net_backend *b)
{
	for (unsigned i = 0; i < b->nqueues; i++)
		close(fake.fds[i]);
}

static const struct net_backend_ops tap_ops = {
	.incoming = tap_incoming,
	.receive = tap_receive,
	.send = tap_send,
	.offload = tap_offload,
	.activate = tap_activate,
	.filter = tap_filter,
	.free = tap_free,
};

static void start(int ways, uint64_t features)
{
	struct virtio_dev *d;

	fix_init(&f, (unsigned)ways);
	ck_assert_int_eq(net_new_on(&d, &f.env, mac, fake.mtu,
				    &fake.stream.backend, NULL),
			 0);
	fix_adopt(&f, d);
	fix_start(&f, features);
}

static void up_stream(int ways, uint64_t features)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(net_stream_init(&fake.stream, fds[0]), 0);
	fake.stream.backend.ops = &stream_ops;
	fake.stream.backend.name = "fake";
	peers[0] = fds[1];
	start(ways, features);
}

static void up_tap_with_mtu(int ways, uint64_t features, unsigned queues,
			    unsigned mtu)
{
	memset(&fake, 0, sizeof(fake));
	fake.mtu = mtu;
	for (unsigned i = 0; i < queues; i++) {
		int fds[2];

		ck_assert_int_eq(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
					    fds),
				 0);
		fake.fds[i] = fds[0];
		peers[i] = fds[1];
	}
	fake.stream.backend = (struct net_backend){
		.ops = &tap_ops,
		.name = "fake tap",
		.fds = fake.fds,
		.nqueues = queues,
		.features = OFFLOADS,
	};
	start(ways, features);
}

static void up_tap(int ways, uint64_t features, unsigned queues)
{
	up_tap_with_mtu(ways, features, queues, 0);
}

static void down(void)
{
	const unsigned queues = fake.stream.backend.nqueues;

	fix_fini(&f);
	for (unsigned i = 0; i < queues; i++)
		close(peers[i]);
}

/*
 * The far end.
 */

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 256);
}

static void fill(uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern(i);
}

static uint8_t frame[NET_FRAME_MAX + 100];

static void peer_write(const void *buf, size_t len)
{
	ck_assert_int_eq(fd_write_full(peers[0], buf, len), 0);
}

static void stream_frame(size_t len)
{
	const be32_t head = be32_put((uint32_t)len);

	fill(frame, len);
	peer_write(&head, sizeof(head));
	peer_write(frame, len);
}

static void tap_frame(size_t len)
{
	const struct net_header_wire hdr = {.flags = NET_HDR_F_DATA_VALID};

	memcpy(frame, &hdr, HEADER);
	fill(frame + HEADER, len);
	ck_assert_int_eq(send(peers[0], frame, HEADER + len, 0),
			 (ssize_t)(HEADER + len));
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) > 0;
}

static void peer_read(void *buf, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n;

		ck_assert(readable(peers[0], 10000));
		n = read(peers[0], (uint8_t *)buf + at, len - at);
		ck_assert_int_gt(n, 0);
		at += (size_t)n;
	}
}

static void peer_gets_frame(size_t len)
{
	be32_t head;

	peer_read(&head, sizeof(head));
	ck_assert_uint_eq(be32_get(head), len);
	peer_read(frame, len);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(frame[i], pattern(i));
}

/*
 * The driver.
 */

static iova_t post(uint32_t len)
{
	struct vqd_buf b = {.len = len, .write = true};

	b.at = vqd_alloc(&f.drv[RX], len);
	(void)vqd_add(&f.drv[RX], &b, 1);
	return b.at;
}

static uint16_t num_buffers(iova_t at)
{
	struct net_header_wire hdr;

	vqd_read(&f.drv[RX], at, &hdr, HEADER);
	return le16_get(hdr.num_buffers);
}

/* Bytes @from and up of a frame are at @at. */
static void has_bytes(iova_t at, size_t from, size_t len)
{
	static uint8_t got[NET_FRAME_MAX];

	vqd_read(&f.drv[RX], at, got, len);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(got[i], pattern(from + i));
}

static uint32_t next_used(unsigned qi)
{
	uint32_t head, len;

	fix_wait(&f, qi, &head, &len);
	return len;
}

static bool is_used(unsigned qi)
{
	uint32_t head, len;

	return vqd_get_used(&f.drv[qi], &head, &len);
}

static bool nothing_used(unsigned qi)
{
	const struct timespec ms = {.tv_nsec = 20000000};

	nanosleep(&ms, NULL);
	return !is_used(qi);
}

static void stage_frame(const struct net_header_wire *hdr, size_t len)
{
	struct vqd_buf b[2] = {
		{.at = vqd_put(&f.drv[TX], hdr, HEADER), .len = HEADER},
		{.len = (uint32_t)len},
	};

	fill(frame, len);
	b[1].at = vqd_put(&f.drv[TX], frame, len);
	(void)vqd_add(&f.drv[TX], b, 2);
}

static void send_frame(const struct net_header_wire *hdr, size_t len)
{
	stage_frame(hdr, len);
	fix_kick(&f, TX);
}

static const struct net_header_wire plain;

static struct net_stats stats(void)
{
	struct net_stats s;

	net_stats(f.d, &s);
	return s;
}

/*
 * Receiving.
 */

START_TEST(frame_lies_behind_its_header)
{
	iova_t at;

	up_stream(_i, MRG);
	at = post(2048);
	fix_kick(&f, RX);
	stream_frame(1000);
	ck_assert_uint_eq(next_used(RX), HEADER + 1000);
	ck_assert_uint_eq(num_buffers(at), 1);
	has_bytes(at + HEADER, 0, 1000);
	down();
}
END_TEST

START_TEST(frame_of_a_tap_that_was_guessed_wrong_is_whole)
{
	static const size_t lens[] = {100, 1500, 60, 9000};
	iova_t at;

	up_tap(_i, MRG, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		at = post(10000);
		fix_kick(&f, RX);
		tap_frame(lens[i]);
		ck_assert_uint_eq(next_used(RX), HEADER + lens[i]);
		has_bytes(at + HEADER, 0, lens[i]);
	}
	down();
}
END_TEST

/* [virtio 1.2, 5.1.6.3.1, 5.1.6.4.1] */
static void merged(void (*arrive)(size_t))
{
	iova_t at[8];

	for (unsigned i = 0; i < 8; i++)
		at[i] = post(1000);
	fix_kick(&f, RX);
	arrive(5000);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(next_used(RX), 1000);
	ck_assert_uint_eq(next_used(RX), HEADER);
	ck_assert_uint_eq(num_buffers(at[0]), 6);
	has_bytes(at[0] + HEADER, 0, 1000 - HEADER);
	for (unsigned i = 1; i < 5; i++)
		has_bytes(at[i], i * 1000 - HEADER, 1000);
	/* The others serve the next. */
	arrive(100);
	ck_assert_uint_eq(next_used(RX), HEADER + 100);
	has_bytes(at[6] + HEADER, 0, 100);
}

START_TEST(long_frame_takes_several_buffers)
{
	up_stream(_i, MRG);
	merged(stream_frame);
	down();
	up_tap(_i, MRG, 1);
	merged(tap_frame);
	down();
}
END_TEST

static bool frame_has_ended(void *arg)
{
	const struct net *net = (struct net *)(void *)f.d;

	(void)arg;
	return net->stats.received || net->stats.dropped ||
	       f.d->status & VIRTIO_STATUS_NEEDS_RESET;
}

/* Of eight buffers, a frame of 5,000 bytes; so many have something. */
static unsigned filled(void)
{
	uint32_t head, len;
	unsigned n = 0;

	while (vqd_get_used(&f.drv[RX], &head, &len))
		n += len > 0;
	return n;
}

/*
 * The header says how many buffers there are: a driver that sees one of them
 * looks for all.  Wherever memory goes away, none or all have been shown.
 */
START_TEST(frame_is_seen_whole_or_not_at_all)
{
	bool missed = false;

	for (unsigned n = 1; !missed; n++) {
		unsigned seen;

		up_tap(FIX_SCATTERED | FIX_LOOPED, MRG, 1);
		for (unsigned i = 0; i < 8; i++)
			(void)post(1000);
		fix_kick(&f, RX);
		fix_lock(&f);
		pthread_mutex_lock(&f.view.lock);
		f.view.fault_in = n;
		pthread_mutex_unlock(&f.view.lock);
		tap_frame(5000);
		fix_unlock(&f);
		fix_until(&f, frame_has_ended, NULL);
		fix_lock(&f);
		missed = f.view.fault_in > 0;
		seen = filled();
		fix_unlock(&f);
		ck_assert_msg(seen == 0 || seen == 6, "%u, without access %u",
			      seen, n);
		ck_assert(!missed || seen == 6);
		down();
	}
}
END_TEST

START_TEST(lone_frame_interrupts_before_it_is_known_to_be_alone)
{
	up_tap(_i, MRG, 1);
	(void)post(2048);
	(void)post(2048);
	fix_kick(&f, RX);
	tap_frame(100);
	ck_assert_uint_eq(next_used(RX), HEADER + 100);
	fix_lock(&f); /* it has had its turn */
	ck_assert_uint_eq(fake.irqs_when_empty, 1);
	fix_unlock(&f);
	down();
}
END_TEST

START_TEST(longest_frame_arrives)
{
	iova_t at;

	/* As much as a driver makes room for, and a VLAN. */
	ck_assert_uint_eq(NET_FRAME_MAX, 65589 + 4);
	up_stream(_i, MRG);
	at = post(NET_FRAME_MAX + HEADER);
	fix_kick(&f, RX);
	stream_frame(NET_FRAME_MAX);
	ck_assert_uint_eq(next_used(RX), NET_FRAME_MAX + HEADER);
	has_bytes(at + HEADER, 0, NET_FRAME_MAX);
	down();
}
END_TEST

START_TEST(frame_waits_for_a_buffer)
{
	iova_t at;

	up_stream(_i, MRG);
	stream_frame(500);
	ck_assert(nothing_used(RX));
	at = post(2048);
	fix_kick(&f, RX);
	ck_assert_uint_eq(next_used(RX), HEADER + 500);
	has_bytes(at + HEADER, 0, 500);
	down();
}
END_TEST

START_TEST(frame_waits_for_the_rest_of_its_buffers)
{
	iova_t at[2];

	up_tap(_i, MRG, 1);
	at[0] = post(512);
	fix_kick(&f, RX);
	tap_frame(700);
	ck_assert(nothing_used(RX));
	at[1] = post(512);
	fix_kick(&f, RX);
	ck_assert_uint_eq(next_used(RX), 512);
	ck_assert_uint_eq(next_used(RX), 700 + HEADER - 512);
	ck_assert_uint_eq(num_buffers(at[0]), 2);
	has_bytes(at[1], 512 - HEADER, 700 + HEADER - 512);
	down();
}
END_TEST

static bool asked(void *arg)
{
	(void)arg;
	return ((struct net *)(void *)f.d)->pairs[0].rx.begun;
}

/* An UNMAP must not wait for a frame that may never come. */
START_TEST(buffer_that_waits_is_not_held)
{
	const be32_t head = be32_put(1000);

	up_stream(_i, MRG);
	(void)post(2048);
	fix_kick(&f, RX);
	ck_assert(nothing_used(RX));
	ck_assert_uint_eq(fix_holds(&f), 0);
	fill(frame, 1000);
	peer_write(&head, sizeof(head));
	peer_write(frame, 400);
	fix_until(&f, asked, NULL);
	ck_assert_uint_eq(fix_holds(&f), 0);
	peer_write(frame + 400, 600);
	ck_assert_uint_eq(next_used(RX), HEADER + 1000);
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

START_TEST(frame_in_single_bytes_is_one_frame)
{
	const be32_t head = be32_put(20);
	iova_t at;

	up_stream(_i, MRG);
	at = post(100);
	fix_kick(&f, RX);
	fill(frame, 20);
	for (unsigned i = 0; i < sizeof(head); i++)
		peer_write((const uint8_t *)&head + i, 1);
	for (unsigned i = 0; i < 20; i++) {
		ck_assert(nothing_used(RX));
		peer_write(frame + i, 1);
	}
	ck_assert_uint_eq(next_used(RX), HEADER + 20);
	has_bytes(at + HEADER, 0, 20);
	down();
}
END_TEST

START_TEST(frame_too_long_for_its_buffer_is_dropped)
{
	iova_t at;

	up_stream(_i, FIX_USUAL);
	at = post(500);
	fix_kick(&f, RX);
	stream_frame(2000);
	stream_frame(100);
	ck_assert_uint_eq(next_used(RX), HEADER + 100);
	has_bytes(at + HEADER, 0, 100);
	ck_assert_uint_eq(stats().dropped, 1);
	down();
}
END_TEST

START_TEST(frame_too_long_for_a_full_ring_is_dropped)
{
	up_tap(_i, MRG, 1);
	for (unsigned i = 0; i < f.drv[RX].size; i++)
		(void)post(HEADER);
	fix_kick(&f, RX);
	tap_frame(5000);
	while (stats().dropped == 0)
		sched_yield();
	ck_assert_uint_eq(stats().dropped, 1);
	ck_assert(!is_used(RX));
	tap_frame(24);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(next_used(RX), HEADER);
	down();
}
END_TEST

START_TEST(buffer_too_short_for_a_header_comes_back_empty)
{
	up_stream(_i, MRG);
	(void)post(HEADER - 1);
	(void)post(1000);
	fix_kick(&f, RX);
	stream_frame(100);
	ck_assert_uint_eq(next_used(RX), 0);
	ck_assert_uint_eq(next_used(RX), HEADER + 100);
	ck_assert(!fix_is_broken(&f));
	down();
}
END_TEST

START_TEST(unreachable_buffer_comes_back_empty)
{
	const struct vqd_buf nowhere = {FIX_NOWHERE, 2000, true};

	up_stream(_i, MRG);
	(void)vqd_add(&f.drv[RX], &nowhere, 1);
	(void)post(1000);
	fix_kick(&f, RX);
	stream_frame(100);
	ck_assert_uint_eq(next_used(RX), 0);
	ck_assert_uint_eq(next_used(RX), HEADER + 100);
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

/* [virtio 1.2, 5.1.6.4.1] */
struct sized {
	uint16_t ether_type;
	uint8_t gso_type;
	size_t len;
	bool arrives;
};

static void tap_frame_sized(const struct sized *s)
{
	const struct net_header_wire hdr = {.gso_type = s->gso_type,
					    .flags = NET_HDR_F_NEEDS_CSUM};
	uint8_t *bytes = frame + HEADER;

	memcpy(frame, &hdr, HEADER);
	memset(bytes, 0, s->len);
	bytes[12] = (uint8_t)(s->ether_type >> 8);
	bytes[13] = (uint8_t)s->ether_type;
	ck_assert_int_eq(send(peers[0], frame, HEADER + s->len, 0),
			 (ssize_t)(HEADER + s->len));
}

#define WITH_GSO (MRG | BIT_ULL(NET_F_GUEST_CSUM) | BIT_ULL(NET_F_GUEST_TSO4))

/* [virtio 1.2, 5.1.4.1]; the header of Ethernet is not counted in it. */
START_TEST(frame_beyond_the_mtu_is_dropped)
{
	static const struct sized t[] = {
		{0x0800, NET_GSO_NONE, 1514, true},
		{0x0800, NET_GSO_NONE, 1515, false},
		{0x0800, NET_GSO_NONE, 1518, false},
		{0x0081, NET_GSO_NONE, 1518, false},
		{0x8101, NET_GSO_NONE, 1518, false},
		{0x8100, NET_GSO_NONE, 1518, true},
		{0x8100, NET_GSO_NONE, 1519, false},
		{0x0800, NET_GSO_TCPV4, 4000, true},
	};
	static const uint32_t buffers[] = {
		10000,	     /* all in one */
		HEADER + 12, /* the type is split off */
		HEADER + 13, /* and in the middle */
	};
	unsigned dropped = 0;

	for (unsigned b = 0; b < ARRAY_SIZE(buffers); b++) {
		up_tap_with_mtu(_i, WITH_GSO | BIT_ULL(NET_F_MTU), 1, 1500);
		dropped = 0;
		for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
			tap_frame_sized(&t[i]);
			dropped += !t[i].arrives;
			if (!t[i].arrives)
				continue;
			(void)post(buffers[b]);
			fix_kick(&f, RX);
			(void)post(10000);
			fix_kick(&f, RX);
			ck_assert_uint_eq(next_used(RX),
					  min_u64(buffers[b],
						  HEADER + t[i].len));
			if (buffers[b] < 10000)
				ck_assert_uint_eq(next_used(RX),
						  HEADER + t[i].len -
							  buffers[b]);
			ck_assert_uint_eq(stats().dropped, dropped);
		}
		down();
	}
}
END_TEST

START_TEST(mtu_is_nothing_to_a_driver_that_did_not_take_it)
{
	static const struct sized s = {0x0800, NET_GSO_NONE, 1600, true};

	up_tap_with_mtu(_i, WITH_GSO, 1, 1500);
	(void)post(10000);
	fix_kick(&f, RX);
	tap_frame_sized(&s);
	ck_assert_uint_eq(next_used(RX), HEADER + s.len);
	down();
}
END_TEST

START_TEST(header_says_nothing_of_checksums_unless_negotiated)
{
	struct net_header_wire hdr;
	iova_t at;

	for (unsigned i = 0; i < 2; i++) {
		up_tap(_i, MRG | (i ? BIT_ULL(NET_F_GUEST_CSUM) : 0), 1);
		at = post(1000);
		fix_kick(&f, RX);
		tap_frame(100);
		(void)next_used(RX);
		vqd_read(&f.drv[RX], at, &hdr, HEADER);
		ck_assert_uint_eq(hdr.flags, i ? NET_HDR_F_DATA_VALID : 0);
		down();
	}
}
END_TEST

/*
 * Sending.
 */

START_TEST(frame_goes_out_without_its_header)
{
	up_stream(_i, MRG);
	send_frame(&plain, 1000);
	peer_gets_frame(1000);
	ck_assert_uint_eq(next_used(TX), 0);
	ck_assert_uint_eq(stats().sent, 1);
	down();
}
END_TEST

START_TEST(frame_in_many_pieces_goes_out_whole)
{
	struct vqd_buf b[40];
	iova_t at;

	up_stream(_i, MRG);
	fill(frame, 40 * 50);
	/* The header itself is in two. */
	at = vqd_alloc(&f.drv[TX], HEADER);
	b[0] = (struct vqd_buf){at, 5, false};
	b[1] = (struct vqd_buf){at + 5, HEADER - 5, false};
	for (unsigned i = 2; i < 40; i++)
		b[i] = (struct vqd_buf){vqd_put(&f.drv[TX],
						frame + (i - 2) * 50, 50),
					50, false};
	(void)vqd_add_indirect(&f.drv[TX], b, 40);
	fix_kick(&f, TX);
	peer_gets_frame(38 * 50);
	down();
}
END_TEST

START_TEST(frame_of_no_use_is_returned_and_not_sent)
{
	struct vqd_buf b = {.len = HEADER - 1};

	up_stream(_i, MRG);
	b.at = vqd_alloc(&f.drv[TX], HEADER);
	(void)vqd_add(&f.drv[TX], &b, 1);
	b.len = HEADER;
	(void)vqd_add(&f.drv[TX], &b, 1);
	b = (struct vqd_buf){FIX_NOWHERE, 100, false};
	(void)vqd_add(&f.drv[TX], &b, 1);
	stage_frame(&plain, NET_FRAME_MIN - 1);
	stage_frame(&plain, NET_FRAME_MAX + 1);
	send_frame(&plain, 60);
	peer_gets_frame(60);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(next_used(TX), 0);
	ck_assert_uint_eq(stats().dropped, 5);
	ck_assert(!fix_is_broken(&f));
	down();
}
END_TEST

START_TEST(frames_wait_in_the_ring_for_room)
{
	enum { N = 60, LEN = 20000 };

	up_stream(_i, MRG);
	for (unsigned i = 0; i < N; i++)
		send_frame(&plain, LEN + i);
	/* The socket takes a few of them. */
	for (unsigned i = 0; i < N; i++) {
		peer_gets_frame(LEN + i);
		ck_assert_uint_eq(next_used(TX), 0);
	}
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

START_TEST(tap_without_room_takes_the_frame_later)
{
	unsigned n = 0;

	up_tap(_i, MRG, 1);
	for (unsigned i = 0; i < 100; i++)
		send_frame(&plain, 10000);
	while (n < 100 && readable(peers[0], 10000)) {
		ck_assert_int_eq(recv(peers[0], frame, sizeof(frame), 0),
				 10000 + HEADER);
		n++;
	}
	ck_assert_uint_eq(n, 100);
	down();
}
END_TEST

/* A stream is in the middle of a frame when the guest's driver goes. */
START_TEST(reset_leaves_no_frame_half_sent)
{
	uint32_t lens[200], total = 0;
	be32_t head;
	unsigned n = 0;

	up_stream(_i, MRG);
	for (unsigned i = 0; i < 40; i++)
		send_frame(&plain, 30000);
	ck_assert(readable(peers[0], 10000));
	fix_start(&f, MRG);
	send_frame(&plain, 77);
	do {
		peer_read(&head, sizeof(head));
		lens[n] = be32_get(head);
		peer_read(frame, lens[n]);
		total += lens[n];
	} while (lens[n++] != 77);
	ck_assert_uint_eq(total, (n - 1) * 30000 + 77);
	down();
}
END_TEST

START_TEST(reset_leaves_no_frame_half_received)
{
	const be32_t head = be32_put(1000);
	iova_t at;

	up_stream(_i, MRG);
	(void)post(2048);
	fix_kick(&f, RX);
	fill(frame, 1000);
	peer_write(&head, sizeof(head));
	peer_write(frame, 400);
	fix_until(&f, asked, NULL);
	fix_start(&f, MRG);
	at = post(2048);
	fix_kick(&f, RX);
	peer_write(frame + 400, 600);
	stream_frame(50);
	ck_assert_uint_eq(next_used(RX), HEADER + 50);
	has_bytes(at + HEADER, 0, 50);
	down();
}
END_TEST

START_TEST(queue_reset_gives_its_buffers_back)
{
	iova_t at;

	up_stream(_i, MRG);
	for (unsigned i = 0; i < 4; i++)
		(void)post(300);
	fix_kick(&f, RX);
	stream_frame(1500);
	fix_until(&f, asked, NULL);
	for (unsigned qi = 0; qi < 2; qi++) {
		fix_lock(&f);
		virtio_queue_reset(f.d, &f.d->vqs[qi]);
		ck_assert(!f.d->vqs[qi].resetting && !f.d->vqs[qi].enabled);
		vqd_renew(&f.drv[qi]);
		vqd_connect(&f.drv[qi], f.d, qi);
		fix_unlock(&f);
	}
	at = post(300);
	fix_kick(&f, RX);
	stream_frame(100);
	ck_assert_uint_eq(next_used(RX), HEADER + 100);
	has_bytes(at + HEADER, 0, 100);
	send_frame(&plain, 60);
	peer_gets_frame(60);
	down();
}
END_TEST

/*
 * The link.
 */

static bool link_is_down(void *arg)
{
	struct net_config_wire w;

	(void)arg;
	memcpy(&w, f.d->config, sizeof(w));
	return le16_get(w.status) == 0;
}

START_TEST(far_end_that_goes_takes_the_link_down)
{
	up_stream(_i, MRG);
	fix_lock(&f);
	ck_assert(!link_is_down(NULL));
	fix_unlock(&f);
	close(peers[0]);
	fix_until(&f, link_is_down, NULL);
	ck_assert_uint_ge(f.transport.config_irqs, 1);
	ck_assert(!stats().link);
	/* Nobody waits. */
	send_frame(&plain, 100);
	ck_assert_uint_eq(next_used(TX), 0);
	fix_start(&f, MRG);
	send_frame(&plain, 100);
	ck_assert_uint_eq(next_used(TX), 0);
	peers[0] = -1;
	down();
}
END_TEST

START_TEST(length_that_cannot_be_takes_the_link_down)
{
	const be32_t head = be32_put(NET_FRAME_MAX + 1);

	up_stream(_i, MRG);
	(void)post(2048);
	fix_kick(&f, RX);
	peer_write(&head, sizeof(head));
	fix_until(&f, link_is_down, NULL);
	down();
}
END_TEST

/*
 * Negotiation and control.
 */

/* [virtio 1.2, 5.1.3.1] */
START_TEST(features_need_those_they_build_on)
{
	static const struct {
		uint64_t features;
		bool ok;
	} t[] = {
		{BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_HOST_TSO4), true},
		{BIT_ULL(NET_F_HOST_TSO4), false},
		{BIT_ULL(NET_F_HOST_TSO6), false},
		{BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_HOST_ECN), false},
		{BIT_ULL(NET_F_GUEST_TSO4), false},
		{BIT_ULL(NET_F_GUEST_CSUM) | BIT_ULL(NET_F_GUEST_TSO4), true},
		{BIT_ULL(NET_F_CTRL_RX), false},
		{BIT_ULL(NET_F_CTRL_MAC_ADDR), false},
		{BIT_ULL(NET_F_MQ), false},
		{CONTROL | BIT_ULL(NET_F_MQ), true},
	};

	up_tap(_i, MRG, 2);
	fix_lock(&f);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		ck_assert_int_eq(
			vqd_negotiate(
				f.d,
				t[i].features | FIX_USUAL |
					(f.env.access_platform
						 ? BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)
						 : 0)),
			t[i].ok);
	fix_unlock(&f);
	down();
}
END_TEST

static unsigned control_at;

/* Return: the answer; 0xff if there is none. */
static uint8_t control(const void *words, size_t len)
{
	struct vq_driver *v = &f.drv[control_at];
	struct vqd_buf b[2] = {
		{.at = vqd_put(v, words, len), .len = (uint32_t)len},
		{.len = 1, .write = true},
	};
	uint8_t ack = 0xff;

	b[1].at = vqd_put(v, &ack, 1);
	(void)fix_run(&f, control_at, b, 2);
	vqd_read(v, b[1].at, &ack, 1);
	return ack;
}

#define CONTROL_OF(...)                         \
	control((const uint8_t[]){__VA_ARGS__}, \
		sizeof((const uint8_t[]){__VA_ARGS__}))

/* [virtio 1.2, 5.1.6.5] */
START_TEST(control_queue_sets_filters_and_address)
{
	uint8_t before;

	up_tap(_i, MRG | CONTROL, 1);
	control_at = 2;
	ck_assert(fake.filter.promisc);
	ck_assert_uint_eq(CONTROL_OF(0, 0, 0), NET_CTRL_OK);
	ck_assert(!fake.filter.promisc);
	ck_assert_uint_eq(CONTROL_OF(0, 1, 1), NET_CTRL_OK);
	ck_assert(fake.filter.allmulti);
	ck_assert_uint_eq(CONTROL_OF(1, 0, 1, 0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0,
				     0, 0),
			  NET_CTRL_OK);
	ck_assert_uint_eq(fake.filter.n, 2);
	ck_assert_uint_eq(fake.filter.macs[1][0], 2);
	before = f.d->generation;
	fix_lock(&f);
	(void)virtio_config_read(f.d, 0, 1);
	fix_unlock(&f);
	ck_assert_uint_eq(CONTROL_OF(1, 1, 2, 9, 9, 9, 9, 9), NET_CTRL_OK);
	ck_assert_uint_eq(fake.filter.own[1], 9);
	ck_assert_uint_eq(f.d->config[1], 9);
	ck_assert_uint_ne(f.d->generation, before);
	/* All is as it was after a reset. */
	fix_start(&f, MRG | CONTROL);
	ck_assert(fake.filter.promisc);
	ck_assert_uint_eq(f.d->config[1], mac[1]);
	down();
}
END_TEST

START_TEST(control_queue_refuses_what_it_cannot_do)
{
	up_tap(_i, MRG | CONTROL, 1);
	control_at = 2;
	ck_assert_uint_eq(CONTROL_OF(9, 0, 0), NET_CTRL_ERR);
	ck_assert_uint_eq(CONTROL_OF(0, 9, 0), NET_CTRL_ERR);
	ck_assert_uint_eq(CONTROL_OF(0), NET_CTRL_ERR);
	ck_assert_uint_eq(CONTROL_OF(0, 0, 2), NET_CTRL_ERR);
	ck_assert_uint_eq(CONTROL_OF(1, 1, 2, 9, 9), NET_CTRL_ERR);
	ck_assert_uint_eq(CONTROL_OF(1, 0, 255, 255, 255, 255), NET_CTRL_ERR);
	ck_assert_uint_eq(CONTROL_OF(4, 0, 1, 0), NET_CTRL_ERR);
	ck_assert(fake.filter.promisc);
	ck_assert_uint_eq(f.d->config[1], mac[1]);
	down();
}
END_TEST

/* [virtio 1.2, 5.1.6.5.5] */
START_TEST(driver_chooses_how_many_pairs_work)
{
	struct vqd_buf b;
	uint32_t head, len;

	up_tap(_i, MRG | CONTROL | BIT_ULL(NET_F_MQ), 2);
	control_at = 4;
	ck_assert_uint_eq(fake.active, 1);
	ck_assert_uint_eq(CONTROL_OF(4, 0, 0, 0), NET_CTRL_ERR);
	ck_assert_uint_eq(CONTROL_OF(4, 0, 3, 0), NET_CTRL_ERR);
	ck_assert_uint_eq(CONTROL_OF(4, 0, 2, 0), NET_CTRL_OK);
	ck_assert_uint_eq(fake.active, 2);
	b = (struct vqd_buf){vqd_alloc(&f.drv[2], 1000), 1000, true};
	(void)vqd_add(&f.drv[2], &b, 1);
	fix_kick(&f, 2);
	memset(frame, 0, 100);
	ck_assert_int_eq(send(peers[1], frame, 100, 0), 100);
	fix_wait(&f, 2, &head, &len);
	ck_assert_uint_eq(len, 100);
	down();
}
END_TEST

static bool second_pair_starves(void *arg)
{
	(void)arg;
	return container_of(f.d, struct net, dev)->pairs[1].rx.starved;
}

/* What was kicked while it did not work is found when it does. */
START_TEST(pair_that_starved_works_when_it_is_chosen_again)
{
	struct vqd_buf b;
	uint32_t head, len;

	up_tap(_i, MRG | CONTROL | BIT_ULL(NET_F_MQ), 2);
	control_at = 4;
	ck_assert_uint_eq(CONTROL_OF(4, 0, 2, 0), NET_CTRL_OK);
	memset(frame, 0, 100);
	ck_assert_int_eq(send(peers[1], frame, 100, 0), 100);
	fix_until(&f, second_pair_starves, NULL);
	ck_assert_uint_eq(CONTROL_OF(4, 0, 1, 0), NET_CTRL_OK);
	b = (struct vqd_buf){vqd_alloc(&f.drv[2], 1000), 1000, true};
	(void)vqd_add(&f.drv[2], &b, 1);
	fix_kick(&f, 2);
	/* The control queue is served after that kick. */
	ck_assert_uint_eq(CONTROL_OF(4, 0, 1, 0), NET_CTRL_OK);
	ck_assert_uint_eq(CONTROL_OF(4, 0, 2, 0), NET_CTRL_OK);
	fix_wait(&f, 2, &head, &len);
	ck_assert_uint_eq(len, 100);
	down();
}
END_TEST

/*
 * Headers.
 */

static bool header_ok(uint8_t flags, uint8_t type, unsigned hdr_len,
		      unsigned size, unsigned start_at, unsigned offset,
		      uint64_t features)
{
	struct net_header_wire h = {
		.flags = flags,
		.gso_type = type,
		.hdr_len = le16_put((uint16_t)hdr_len),
		.gso_size = le16_put((uint16_t)size),
		.csum_start = le16_put((uint16_t)start_at),
		.csum_offset = le16_put((uint16_t)offset),
	};
	const bool ok = net_header_check(&h, features, 1000);

	ck_assert(!ok || le16_get(h.hdr_len) <= 1000);
	return ok;
}

START_TEST(header_that_points_outside_its_frame_is_refused)
{
	const uint64_t all = OFFLOADS;

	ck_assert(header_ok(0, 0, 0, 0, 0, 0, 0));
	ck_assert(header_ok(1, 0, 0, 0, 34, 16, all));
	ck_assert(!header_ok(1, 0, 0, 0, 34, 16, 0));
	ck_assert(header_ok(1, 0, 0, 0, 982, 16, all));
	ck_assert(!header_ok(1, 0, 0, 0, 983, 16, all));
	ck_assert(!header_ok(1, 0, 0, 0, 0xffff, 0xffff, all));
	ck_assert(!header_ok(1, 0, 0, 0, 13, 16, all));
	ck_assert(header_ok(1, 1, 54, 500, 34, 16, all));
	ck_assert(header_ok(1, 1, 0xffff, 500, 34, 16, all));
	ck_assert(header_ok(1, 0x81, 54, 500, 34, 16, all));
	ck_assert(header_ok(1, 4, 74, 500, 54, 16, all));
	/* Segments of no size; without a checksum; of no such protocol. */
	ck_assert(!header_ok(1, 1, 54, 0, 34, 16, all));
	ck_assert(!header_ok(0, 1, 54, 500, 34, 16, all));
	ck_assert(!header_ok(1, 3, 54, 500, 34, 6, all));
	ck_assert(!header_ok(1, 5, 54, 500, 34, 16, all));
	ck_assert(!header_ok(1, 0x80, 54, 500, 34, 16, all));
	ck_assert(!header_ok(1, 1, 54, 500, 34, 6, all));
	ck_assert(!header_ok(1, 1, 54, 500, 981, 16, all));
	ck_assert(!header_ok(1, 1, 54, 500, 34, 16, BIT_ULL(NET_F_CSUM)));
	/* What nobody asked for is nothing. */
	ck_assert(header_ok(0xfe, 0, 0xffff, 0xffff, 0xffff, 0xffff, all));
}
END_TEST

/* A tap keeps frames for the driver before this one, too. */
START_TEST(frame_for_a_driver_that_could_do_more_is_dropped)
{
	static const struct net_header_wire partial = {
		.flags = NET_HDR_F_NEEDS_CSUM,
		.gso_type = NET_GSO_TCPV4,
	};
	iova_t at;

	up_tap(_i, MRG, 1);
	at = post(1000);
	fix_kick(&f, RX);
	memcpy(frame, &partial, HEADER);
	ck_assert_int_eq(send(peers[0], frame, HEADER + 80, 0), HEADER + 80);
	tap_frame(100);
	ck_assert_uint_eq(next_used(RX), HEADER + 100);
	has_bytes(at + HEADER, 0, 100);
	ck_assert_uint_eq(stats().dropped, 1);
	down();
}
END_TEST

START_TEST(received_header_has_nothing_that_was_not_negotiated)
{
	static const struct {
		uint8_t flags, type;
		unsigned needs[2]; /* each of them */
	} t[] = {
		{NET_HDR_F_NEEDS_CSUM,
		 NET_GSO_NONE,
		 {NET_F_GUEST_CSUM, NET_F_GUEST_CSUM}},
		{NET_HDR_F_NEEDS_CSUM,
		 NET_GSO_TCPV4,
		 {NET_F_GUEST_CSUM, NET_F_GUEST_TSO4}},
		{NET_HDR_F_NEEDS_CSUM,
		 NET_GSO_TCPV6,
		 {NET_F_GUEST_CSUM, NET_F_GUEST_TSO6}},
		{0, NET_GSO_TCPV4, {NET_F_GUEST_TSO4, NET_F_GUEST_TSO4}},
		{0,
		 NET_GSO_TCPV4 | NET_GSO_ECN,
		 {NET_F_GUEST_ECN, NET_F_GUEST_TSO4}},
	};
	const uint64_t all =
		BIT_ULL(NET_F_GUEST_CSUM) | BIT_ULL(NET_F_GUEST_TSO4) |
		BIT_ULL(NET_F_GUEST_TSO6) | BIT_ULL(NET_F_GUEST_ECN);
	struct net_header_wire h = {.flags = NET_HDR_F_DATA_VALID};

	ck_assert(net_header_fits(&h, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		h.flags = t[i].flags;
		h.gso_type = t[i].type;
		ck_assert(net_header_fits(&h, all));
		ck_assert(!net_header_fits(&h, all & ~BIT_ULL(t[i].needs[0])));
		ck_assert(!net_header_fits(&h, all & ~BIT_ULL(t[i].needs[1])));
	}
	/* UDP in pieces, and whatever else was never offered. */
	h.gso_type = 3;
	ck_assert(!net_header_fits(&h, all));
	h.gso_type = 5;
	ck_assert(!net_header_fits(&h, UINT64_MAX));
}
END_TEST

START_TEST(tap_sees_no_header_that_was_refused)
{
	const struct net_header_wire bad = {
		.flags = NET_HDR_F_NEEDS_CSUM,
		.csum_start = le16_put(5000),
	};
	struct net_header_wire got;

	up_tap(_i, MRG | BIT_ULL(NET_F_CSUM), 1);
	send_frame(&bad, 100);
	ck_assert_uint_eq(next_used(TX), 0);
	send_frame(&plain, 200);
	ck_assert(readable(peers[0], 10000));
	ck_assert_int_eq(recv(peers[0], frame, sizeof(frame), 0), 200 + HEADER);
	memcpy(&got, frame, HEADER);
	ck_assert_int_eq(memcmp(&got, &plain, HEADER), 0);
	ck_assert_uint_eq(stats().dropped, 1);
	down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices/net");
	TCase *tc = tcase_create("net");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
#define ADD(t) tcase_add_loop_test(tc, t, FIRST_WAY, FIX_WAYS)
	ADD(frame_lies_behind_its_header);
	ADD(frame_of_a_tap_that_was_guessed_wrong_is_whole);
	ADD(long_frame_takes_several_buffers);
	ADD(lone_frame_interrupts_before_it_is_known_to_be_alone);
	ADD(longest_frame_arrives);
	ADD(frame_waits_for_a_buffer);
	ADD(frame_waits_for_the_rest_of_its_buffers);
	ADD(buffer_that_waits_is_not_held);
	ADD(frame_in_single_bytes_is_one_frame);
	ADD(frame_too_long_for_its_buffer_is_dropped);
	ADD(frame_too_long_for_a_full_ring_is_dropped);
	ADD(buffer_too_short_for_a_header_comes_back_empty);
	ADD(unreachable_buffer_comes_back_empty);
	ADD(frame_beyond_the_mtu_is_dropped);
	ADD(mtu_is_nothing_to_a_driver_that_did_not_take_it);
	ADD(header_says_nothing_of_checksums_unless_negotiated);
	ADD(frame_goes_out_without_its_header);
	ADD(frame_in_many_pieces_goes_out_whole);
	ADD(frame_of_no_use_is_returned_and_not_sent);
	ADD(frames_wait_in_the_ring_for_room);
	ADD(tap_without_room_takes_the_frame_later);
	ADD(reset_leaves_no_frame_half_sent);
	ADD(reset_leaves_no_frame_half_received);
	ADD(queue_reset_gives_its_buffers_back);
	ADD(far_end_that_goes_takes_the_link_down);
	ADD(length_that_cannot_be_takes_the_link_down);
	ADD(features_need_those_they_build_on);
	ADD(control_queue_sets_filters_and_address);
	ADD(control_queue_refuses_what_it_cannot_do);
	ADD(driver_chooses_how_many_pairs_work);
	ADD(pair_that_starved_works_when_it_is_chosen_again);
	ADD(tap_sees_no_header_that_was_refused);
	ADD(frame_for_a_driver_that_could_do_more_is_dropped);
	tcase_add_test(tc, received_header_has_nothing_that_was_not_negotiated);
	tcase_add_test(tc, frame_is_seen_whole_or_not_at_all);
	tcase_add_test(tc, header_that_points_outside_its_frame_is_refused);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
