/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/bench/guest_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/bench/guest_count.h"
#include "tools/bench/guest_talk.h"
#include "tools/bench/peer.h"

#define FRAMES	   64
#define TRIPS	   2048
#define PIECE	   (64u << 10)
#define FRAME_SIZE 60000 /* in fragments, where the card takes less */

static void set(int fd, struct ifreq *r, unsigned long request,
		const char *address)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	inet_pton(AF_INET, address, &a.sin_addr);
	memcpy(&r->ifr_addr, &a, sizeof(a));
	if (ioctl(fd, request, r) < 0)
		fail("cannot set an address of", "eth0");
}

static void bring_up(int fd, struct ifreq *r)
{
	set(fd, r, SIOCSIFADDR, "10.99.0.2");
	set(fd, r, SIOCSIFNETMASK, "255.255.255.0");
	r->ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, r) < 0)
		fail("cannot bring up", "eth0");
}

/* Behind an IOMMU its driver may have to wait for that one's. */
static bool find_card(int fd, struct ifreq *r, unsigned wait_ms)
{
	while (ioctl(fd, SIOCGIFINDEX, r) < 0) {
		if (wait_ms-- == 0)
			return false;
		usleep(1000);
	}
	return true;
}

void net_use(unsigned wait_ms)
{
	static const char frame[FRAME_SIZE];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	struct ifreq r = {.ifr_name = "eth0"};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || !find_card(fd, &r, wait_ms)) {
		if (wait_ms > 0)
			fail("there is no", "eth0");
		return;
	}
	bring_up(fd, &r);
	inet_pton(AF_INET, "10.99.0.255", &to.sin_addr);
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0)
		fail("cannot broadcast by", "eth0");
	for (int i = 0; i < FRAMES; i++) {
		if (sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to,
			   sizeof(to)) < 0 &&
		    errno != ENOBUFS)
			fail("cannot send by", "eth0");
	}
	close(fd);
}

/* A connection to the peer for @what. */
static int call_peer(char what)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(PEER_PORT),
	};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	inet_pton(AF_INET, PEER_ADDRESS, &to.sin_addr);
	if (fd < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    write(fd, &what, 1) != 1)
		fail("cannot connect to", PEER_ADDRESS);
	return fd;
}

static void make_trips(void)
{
	const int fd = call_peer(PEER_ECHO);

	measure_begin("net-trips");
	for (int i = 0; i < TRIPS; i++) {
		char byte = 0;

		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			fail("no echo from", PEER_ADDRESS);
	}
	measure_end("net-trips");
	close(fd);
}

static void send_stream(char *buf)
{
	const int fd = call_peer(PEER_SINK);

	for (size_t sent = 0; sent < PEER_STREAM;) {
		ssize_t n = write(fd, buf, PIECE);

		if (n <= 0)
			fail("cannot send to", PEER_ADDRESS);
		sent += (size_t)n;
	}
	if (read(fd, buf, 1) != 1)
		fail("not everything reached", PEER_ADDRESS);
	close(fd);
}

static void receive_stream(char *buf)
{
	const int fd = call_peer(PEER_SOURCE);

	for (size_t got = 0; got < PEER_STREAM;) {
		ssize_t n = read(fd, buf, PIECE);

		if (n <= 0)
			fail("cannot receive from", PEER_ADDRESS);
		got += (size_t)n;
	}
	close(fd);
}

void net_measure(void)
{
	char *buf = calloc(1, PIECE);

	if (!buf)
		fail("no memory for", "a stream");
	make_trips();
	measure_begin("net-send");
	for (int i = 0; i < PEER_STREAMS; i++)
		send_stream(buf);
	measure_end("net-send");
	measure_begin("net-receive");
	for (int i = 0; i < PEER_STREAMS; i++)
		receive_stream(buf);
	measure_end("net-receive");
	free(buf);
}
