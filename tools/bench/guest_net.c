/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/bench/guest_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/bench/guest_talk.h"

#define FRAMES	   64
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

void net_use(void)
{
	static const char frame[FRAME_SIZE];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	struct ifreq r = {.ifr_name = "eth0"};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &r) < 0)
		return;
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
