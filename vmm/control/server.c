/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/control/server.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/socket.h"
#include "vmm/control/line.h"
#include "vmm/machine/machine.h"

/* Between two pages of one answer, so that requests of the guest, which wait
 * for the same lock, come in between. */
#define PAUSE_NS 50000
/* After a connection that could not be taken: no descriptors, no memory. */
#define RETRY_MS 100

struct control {
	struct mach *m;
	/* The one that was asked for, and the one of the guest's name. */
	struct socket_server servers[2];
	int stop;
	bool running;
	pthread_t thread;
	struct iommu_mapping page[CONTROL_PAGE];
};

static bool stopped(const struct control *c, long pause_ns)
{
	const struct timespec t = {.tv_nsec = pause_ns};
	struct pollfd p = {.fd = c->stop, .events = POLLIN};

	return ppoll(&p, 1, &t, NULL) > 0;
}

/*
 * Answers.
 */

static void say_error(FILE *out, const char *text)
{
	struct control_line l = {.kind = CONTROL_ERROR};

	(void)snprintf(l.error, sizeof(l.error), "%s", text);
	control_line_print(&l, out);
}

static void say_end(FILE *out)
{
	control_line_print(&(struct control_line){.kind = CONTROL_END}, out);
}

static uint64_t saturated_len(const struct iommu_mapping *m)
{
	uint64_t len = m->last - m->first + 1;

	return len ? len : UINT64_MAX; /* 2^64 */
}

/* Return: false if there is no more to examine. */
static bool examine_page(struct control *c, struct control_line *l,
			 iova_t *from)
{
	int n = mach_iommu_mappings(c->m, l->endpoint.id, *from, c->page,
				    CONTROL_PAGE);

	for (int i = 0; i < n; i++)
		l->largest = max_u64(l->largest, saturated_len(&c->page[i]));
	if (n <= 0)
		return false;
	l->examined += (uint64_t)n;
	*from = c->page[n - 1].last + 1;
	return n == CONTROL_PAGE && *from && l->examined < CONTROL_EXAMINED_MAX;
}

static void answer_iommu(struct control *c, FILE *out)
{
	struct control_line l = {.kind = CONTROL_ENDPOINT};
	size_t n = 0;

	if (!mach_iommu_on(c->m)) {
		say_error(out, "the machine has no IOMMU");
		return;
	}
	while (mach_iommu_endpoint(c->m, n++, &l.endpoint)) {
		iova_t from = 0;

		l.largest = l.examined = 0;
		while (examine_page(c, &l, &from) && !stopped(c, PAUSE_NS))
			;
		control_line_print(&l, out);
	}
	say_end(out);
}

static void answer_stats(struct control *c, FILE *out)
{
	struct control_line l = {.kind = CONTROL_DEVICE};

	for (size_t n = 0; mach_device_stats(c->m, n, &l.device); n++)
		control_line_print(&l, out);
	say_end(out);
}

static void answer_map(struct control *c, uint32_t endpoint, iova_t from,
		       FILE *out)
{
	struct control_line l = {.kind = CONTROL_MAPPING};
	int n = mach_iommu_mappings(c->m, endpoint, from, c->page,
				    CONTROL_PAGE);

	if (n < 0) {
		say_error(out, "the machine's IOMMU has no such endpoint");
		return;
	}
	for (int i = 0; i < n; i++) {
		l.mapping = c->page[i];
		control_line_print(&l, out);
	}
	if (n == CONTROL_PAGE && l.mapping.last != UINT64_MAX) {
		l.kind = CONTROL_NEXT;
		l.next = l.mapping.last + 1;
		control_line_print(&l, out);
	} else {
		say_end(out);
	}
}

/* Digits from @text on; hexadecimal behind 0x. */
static bool number(const char *text, char **ret_end, uint64_t *ret_n)
{
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_n = strtoull(text, ret_end, strncmp(text, "0x", 2) ? 10 : 16);
	return errno == 0;
}

static bool parse_map(const char *text, uint64_t *ret_endpoint,
		      uint64_t *ret_from)
{
	char *end;

	return strncmp(text, "map ", 4) == 0 &&
	       number(text + 4, &end, ret_endpoint) &&
	       *ret_endpoint <= UINT32_MAX && *end == ' ' &&
	       number(end + 1, &end, ret_from) && *end == '\0';
}

static void answer_balloon(struct control *c, uint64_t bytes, FILE *out)
{
	switch (mach_balloon(c->m, bytes)) {
	case 0:
		say_end(out);
		break;
	case -ENODEV:
		say_error(out, "the machine has no balloon");
		break;
	default:
		say_error(out, "the machine has less memory");
	}
}

static bool parse_balloon(const char *text, uint64_t *ret_bytes)
{
	char *end;

	return strncmp(text, "balloon ", 8) == 0 &&
	       number(text + 8, &end, ret_bytes) && *end == '\0';
}

static void answer(struct control *c, const char *request, FILE *out)
{
	uint64_t endpoint, from, bytes;

	if (strcmp(request, "iommu") == 0)
		answer_iommu(c, out);
	else if (strcmp(request, "stats") == 0)
		answer_stats(c, out);
	else if (parse_balloon(request, &bytes))
		answer_balloon(c, bytes, out);
	else if (parse_map(request, &endpoint, &from))
		answer_map(c, (uint32_t)endpoint, from, out);
	else
		say_error(out, "no such request");
}

/*
 * A client.
 */

/*
 * Return: 1 with a request; 0 if it is too long; -1 if the client went away,
 * is too slow or the server stops.
 */
static int read_request(const struct control *c, int fd, char *line)
{
	const long until = socket_now_ms() + CONTROL_PATIENCE_MS;
	size_t len = 0;

	while (socket_wait(fd, POLLIN, c->stop, until)) {
		ssize_t n = read(fd, line + len, CONTROL_REQUEST_MAX - len);
		char *end;

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return -1;
		end = memchr(line + len, '\n', (size_t)n);
		if (end) {
			*end = '\0';
			return 1;
		}
		len += (size_t)n;
		if (len == CONTROL_REQUEST_MAX)
			return 0;
	}
	return -1;
}

static void send_all(const struct control *c, int fd, const char *text,
		     size_t len)
{
	const long until = socket_now_ms() + CONTROL_PATIENCE_MS;

	while (len && socket_wait(fd, POLLOUT, c->stop, until)) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void serve(struct control *c, int fd)
{
	char request[CONTROL_REQUEST_MAX];
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	FILE *out;
	int r = read_request(c, fd, request);

	if (r < 0)
		return;
	out = open_memstream(&text, &len);
	if (!out)
		return;
	if (r)
		answer(c, request, out);
	else
		say_error(out, "the request is too long");
	if (fclose(out) == 0)
		send_all(c, fd, text, len);
}

/* Return: false if none came. */
static bool take_client(struct control *c, const struct socket_server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	serve(c, fd);
	close(fd);
	return true;
}

static void *thread(void *arg)
{
	struct control *c = arg;
	struct pollfd p[3] = {
		{.fd = c->servers[0].fd, .events = POLLIN},
		{.fd = c->servers[1].fd, .events = POLLIN},
		{.fd = c->stop, .events = POLLIN},
	};

	(void)pthread_setname_np(pthread_self(), "control");
	while (!stopped(c, 0)) {
		if (poll(p, ARRAY_SIZE(p), -1) <= 0)
			continue;
		for (unsigned i = 0; i < ARRAY_SIZE(c->servers); i++) {
			if (p[i].revents && !take_client(c, &c->servers[i]))
				(void)stopped(c, RETRY_MS * 1000000L);
		}
	}
	return NULL;
}

static int start(struct control *c, const char *path, const char *named,
		 struct err *err)
{
	int r;

	c->stop = eventfd_new();
	if (c->stop < 0)
		return err_errno(err, -c->stop, "cannot make an eventfd");
	r = path ? socket_server_open(&c->servers[0], path, err) : 0;
	if (r < 0)
		return r;
	if (named)
		(void)socket_server_open(&c->servers[1], named, NULL);
	r = pthread_create(&c->thread, NULL, thread, c);
	if (r)
		return err_errno(err, r, "cannot start a thread");
	c->running = true;
	return 0;
}

int control_new(struct control **ret_c, struct mach *m, const char *path,
		const char *named, struct err *err)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(err, ENOMEM, "out of memory");
	c->m = m;
	c->servers[0].fd = c->servers[1].fd = c->stop = -1;
	r = start(c, path, named, err);
	if (r < 0) {
		err_prefix(err, "--control");
		control_free(c);
		return r;
	}
	*ret_c = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	if (c->running) {
		eventfd_signal(c->stop);
		(void)pthread_join(c->thread, NULL);
	}
	socket_server_close(&c->servers[0]);
	socket_server_close(&c->servers[1]);
	if (c->stop >= 0)
		close(c->stop);
	free(c);
}
