/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * talk - both ends of connections, in guests and on the host.
 *
 *	talk copy ADDRESS [GREETING]	standard input to there, what comes
 *					back to standard output
 *	talk echo ADDRESS [N]		send all back; end after N connections
 *	talk storm ADDRESS N AT_ONCE [GREETING]
 *					open N connections, AT_ONCE at a time,
 *					exchange a byte on each, close them
 *
 * An ADDRESS is vsock:CID:PORT or unix:PATH.  With a GREETING, a line that is
 * sent first, the other side answers with a line.
 */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_vm vm;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "talk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static socklen_t parse(const char *text, union address *a)
{
	unsigned cid, port;

	memset(a, 0, sizeof(*a));
	if (sscanf(text, "vsock:%u:%u", &cid, &port) == 2) {
		a->vm.svm_family = AF_VSOCK;
		a->vm.svm_cid = cid;
		a->vm.svm_port = port;
		return sizeof(a->vm);
	}
	if (strncmp(text, "unix:", 5) == 0) {
		a->un.sun_family = AF_UNIX;
		snprintf(a->un.sun_path, sizeof(a->un.sun_path), "%s",
			 text + 5);
		return sizeof(a->un);
	}
	fprintf(stderr, "talk: '%s' is no address\n", text);
	exit(2);
}

static int dial(const char *text)
{
	union address a;
	const socklen_t len = parse(text, &a);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &a.any, len) < 0)
		fail(text);
	return fd;
}

static void send_all(int fd, const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, buf, len);

		if (n < 0)
			fail("write");
		buf += n;
		len -= (size_t)n;
	}
}

/*
 * copy
 */

static void greet(int fd, const char *greeting)
{
	char byte = 0;

	send_all(fd, greeting, strlen(greeting));
	send_all(fd, "\n", 1);
	while (byte != '\n') {
		if (read(fd, &byte, 1) != 1) {
			fprintf(stderr, "talk: hung up\n");
			exit(1);
		}
	}
}

/* Return: false at the end. */
static bool pass(int from, int to)
{
	static char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n < 0)
		fail("read");
	send_all(to, buf, (size_t)n);
	return n > 0;
}

static int copy(const char *address, const char *greeting)
{
	const int fd = dial(address);
	int writer;

	if (greeting)
		greet(fd, greeting);
	/* Two processes, so that neither direction waits for the other. */
	writer = fork();
	if (writer < 0)
		fail("fork");
	if (writer == 0) {
		while (pass(STDIN_FILENO, fd))
			;
		(void)shutdown(fd, SHUT_WR);
		_exit(0);
	}
	while (pass(fd, STDOUT_FILENO))
		;
	return 0;
}

/*
 * echo
 */

static void add(int epoll, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		fail("epoll_ctl");
}

static int echo(const char *address, unsigned long limit)
{
	union address a;
	const socklen_t len = parse(address, &a);
	const int server =
		socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned long ended = 0;

	if (server < 0 || epoll < 0 || bind(server, &a.any, len) < 0 ||
	    listen(server, BACKLOG) < 0)
		fail(address);
	add(epoll, server);
	while (!limit || ended < limit) {
		struct epoll_event ev;

		if (epoll_wait(epoll, &ev, 1, -1) < 0)
			continue;
		if (ev.data.fd == server) {
			int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);

			if (fd >= 0)
				add(epoll, fd);
		} else if (!pass(ev.data.fd, ev.data.fd)) {
			close(ev.data.fd);
			ended++;
		}
	}
	return 0;
}

/*
 * storm
 */

static int storm(const char *address, unsigned n, unsigned at_once,
		 const char *greeting)
{
	int *fds = calloc(at_once, sizeof(*fds));
	char byte = 'x';

	if (!fds)
		fail("calloc");
	for (unsigned done = 0; done < n; done += at_once) {
		for (unsigned i = 0; i < at_once; i++) {
			fds[i] = dial(address);
			if (greeting)
				greet(fds[i], greeting);
		}
		for (unsigned i = 0; i < at_once; i++)
			send_all(fds[i], &byte, 1);
		for (unsigned i = 0; i < at_once; i++) {
			if (read(fds[i], &byte, 1) != 1)
				fail("read");
			close(fds[i]);
		}
	}
	free(fds);
	return 0;
}

/* Beyond the hard limit where we may: a guest's first process has 4096. */
static void raise_limit(void)
{
	struct rlimit r = {1 << 16, 1 << 16};

	if (setrlimit(RLIMIT_NOFILE, &r) == 0 ||
	    getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

int main(int argc, char **argv)
{
	raise_limit();
	if (argc >= 3 && argc <= 4 && strcmp(argv[1], "copy") == 0)
		return copy(argv[2], argv[3]);
	if (argc >= 3 && argc <= 4 && strcmp(argv[1], "echo") == 0)
		return echo(argv[2], argc == 4 ? strtoul(argv[3], NULL, 0) : 0);
	if (argc >= 5 && argc <= 6 && strcmp(argv[1], "storm") == 0)
		return storm(argv[2], (unsigned)atoi(argv[3]),
			     (unsigned)atoi(argv[4]), argv[5]);
	fprintf(stderr, "usage: talk copy ADDRESS [GREETING]\n"
			"       talk echo ADDRESS [N]\n"
			"       talk storm ADDRESS N AT_ONCE "
			"[GREETING]\n");
	return 2;
}
