/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * peer - the other end of a benchmark guest's network, one connection after
 * the other (peer.h), until it is killed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/bench/peer.h"

static char buf[1 << 18];

static void echo(int fd)
{
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (write(fd, buf, (size_t)n) != n)
			return;
	}
}

static void sink(int fd)
{
	for (size_t got = 0; got < PEER_STREAM;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0)
			return;
		got += (size_t)n;
	}
	(void)!write(fd, "", 1);
}

static void source(int fd)
{
	for (size_t sent = 0; sent < PEER_STREAM;) {
		ssize_t n = write(fd, buf, sizeof(buf));

		if (n <= 0)
			return;
		sent += (size_t)n;
	}
}

static void serve(int fd)
{
	const int on = 1;
	char what;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    read(fd, &what, 1) != 1)
		return;
	if (what == PEER_ECHO)
		echo(fd);
	else if (what == PEER_SINK)
		sink(fd);
	else if (what == PEER_SOURCE)
		source(fd);
}

int main(void)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(PEER_PORT),
	};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	signal(SIGPIPE, SIG_IGN);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		err(1, "peer: no socket");
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))
		err(1, "peer: cannot listen at port %d", PEER_PORT);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			err(1, "peer: cannot accept");
		serve(c);
		close(c);
	}
}
