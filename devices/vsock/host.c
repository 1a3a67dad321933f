/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The host's side: unix sockets.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "devices/vsock/private.h"

/* "CONNECT 4294967295\n" */
#define GREETING_MAX 32
/* Clients taken in one go of the loop. */
#define ACCEPTS_MAX 64
/* Ports of the host's clients; those of its servers are small numbers. */
#define FIRST_PORT UINT32_C(0x40000000)
#define LAST_PORT  UINT32_C(0x7fffffff)

/*
 * From guest to host.
 */

void vsock_host_dial(struct vsock *v, struct vsock_conn *c)
{
	char path[SOCKET_PATH_MAX + 1];
	int fd;

	(void)snprintf(path, sizeof(path), "%s_%" PRIu32, v->path,
		       c->host_port);
	fd = socket_connect(path);
	if (fd == -EAGAIN) { /* more clients than it has accepted */
		v->ndialling++;
		return;
	}
	c->state = CONN_OPEN;
	if (fd < 0 || conn_adopt(c, v->dev.loop, &v->dev.lock, fd) < 0) {
		vsock_conn_reset(c);
		return;
	}
	v->opened++;
	c->due |= CONN_DUE_RESPONSE;
	c->ops->wants(c);
}

/*
 * From host to guest.
 */

static uint32_t free_port(struct vsock *v, uint32_t guest_port)
{
	/* There are more ports than connections. */
	do {
		v->next_port = v->next_port < LAST_PORT ? v->next_port + 1
							: FIRST_PORT;
	} while (vsock_conn_find(v, v->next_port, guest_port));
	return v->next_port;
}

/* Return: false if it is no greeting. */
static bool parse_greeting(char *line, uint32_t *ret_port)
{
	static const char word[] = "CONNECT ";
	unsigned long long n;
	char *end;

	if (strncmp(line, word, sizeof(word) - 1) != 0)
		return false;
	line += sizeof(word) - 1;
	if (*line < '0' || *line > '9')
		return false;
	errno = 0;
	n = strtoull(line, &end, 10);
	if (*end == '\r')
		end++;
	if (errno || *end || n >= UINT32_MAX) /* that is "any port" */
		return false;
	*ret_port = (uint32_t)n;
	return true;
}

/*
 * The client's line, and not a byte of what comes behind it.
 * Return: 1 with a line; 0 if it is not whole yet; -1 if it will never be.
 */
static int read_line(int fd, char *line)
{
	ssize_t n = recv(fd, line, GREETING_MAX, MSG_PEEK | MSG_DONTWAIT);
	char *end;
	size_t len;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	end = memchr(line, '\n', (size_t)n);
	if (!end)
		return n == 0 || n == GREETING_MAX ? -1 : 0;
	len = (size_t)(end - line);
	if (recv(fd, line, len + 1, MSG_DONTWAIT) != (ssize_t)len + 1)
		return -1;
	line[len] = '\0';
	return strlen(line) == len ? 1 : -1;
}

void vsock_host_greeting(struct vsock *v, struct vsock_conn *c)
{
	char line[GREETING_MAX];
	int r = read_line(c->fd, line);

	if (r == 0)
		return;
	if (r < 0 || !parse_greeting(line, &c->guest_port)) {
		vsock_conn_drop(c);
		return;
	}
	c->host_port = free_port(v, c->guest_port);
	vsock_conn_enter(v, c);
	c->due |= CONN_DUE_REQUEST;
	conn_set_state(c, CONN_REQUESTED);
	c->ops->wants(c);
	vsock_serve(v);
}

void vsock_host_accepted(struct vsock *v, struct vsock_conn *c)
{
	char line[GREETING_MAX];
	int len =
		snprintf(line, sizeof(line), "OK %" PRIu32 "\n", c->host_port);

	/* The first bytes always fit; a client that is gone shows later. */
	(void)!send(c->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	conn_set_state(c, CONN_OPEN);
	v->opened++;
}

/* Return: false if there is no other one now. */
static bool take_client(struct vsock *v)
{
	AUTO_CLOSE int fd =
		accept4(v->server.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct vsock_conn *c;

	if (fd < 0) {
		v->deaf = errno != EAGAIN && errno != EINTR &&
			  errno != ECONNABORTED;
		return false;
	}
	c = vsock_conn_make(v, CONN_GREETING);
	if (c && conn_adopt(c, v->dev.loop, &v->dev.lock, take_fd(&fd)) < 0)
		vsock_conn_drop(c);
	return true;
}

static void on_clients(struct loop_watch *w, uint32_t events)
{
	struct vsock *v = container_of(w, struct vsock, listening);

	(void)events;
	for (unsigned i = 0; i < ACCEPTS_MAX && take_client(v); i++)
		;
	if (v->deaf) {
		loop_watch_set(w, 0);
		vsock_tick_soon(v);
	}
}

void vsock_host_listen(struct vsock *v, bool on)
{
	v->deaf = false;
	loop_watch_set(&v->listening, on ? EPOLLIN : 0);
}

int vsock_host_init(struct vsock *v, const struct vsock_config *config,
		    struct err *err)
{
	int r;

	v->next_port = LAST_PORT;
	(void)snprintf(v->path, sizeof(v->path), "%s", config->path);
	if (config->plan)
		return 0;
	r = socket_server_open(&v->server, v->path, err);
	if (r < 0)
		return r;
	v->listening.fn = on_clients;
	v->listening.lock = &v->dev.lock;
	r = loop_watch_add(v->dev.loop, &v->listening, v->server.fd, 0);
	return r < 0 ? err_errno(err, -r, "cannot watch a socket") : 0;
}

void vsock_host_fini(struct vsock *v)
{
	loop_watch_del(&v->listening);
	socket_server_close(&v->server);
}
