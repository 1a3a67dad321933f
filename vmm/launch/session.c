/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/launch/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"

static struct session *of_end(struct stream_end *e)
{
	return container_of(e, struct session, end);
}

/*
 * What init says.
 */

static void go_to(struct session_news *n, enum session_state state)
{
	if (state > n->state)
		n->state = state;
}

static void take_exit(struct session_news *n, const char *rest)
{
	uint64_t out, err;
	unsigned status;
	int end = 0;

	if (sscanf(rest, "%3u %" SCNu64 " %" SCNu64 "%n", &status, &out, &err,
		   &end) != 3 ||
	    rest[end] || status > 255 || n->state != SESSION_RUNNING)
		return;
	n->status = (int)status;
	n->out = out;
	n->err = err;
	n->state = SESSION_EXITED;
}

static void take_times(struct session_news *n, const char *rest)
{
	const unsigned max = 1000000000; /* what %u takes of "-1" is more */
	unsigned modules, ports, root;
	int end = 0;

	if (sscanf(rest, "%9u %9u %9u%n", &modules, &ports, &root, &end) != 3 ||
	    rest[end] || n->state != SESSION_UP || modules > max ||
	    ports > max || root > max)
		return;
	n->modules_ms = modules;
	n->ports_ms = ports;
	n->root_ms = root;
}

static void take_line(struct session_news *n, const char *line)
{
	static const char exit[] = "exit ", fail[] = "fail ", took[] = "took ";

	if (strcmp(line, "up") == 0) {
		go_to(n, SESSION_UP);
	} else if (strcmp(line, "run") == 0) {
		if (n->state != SESSION_FAILED)
			go_to(n, SESSION_RUNNING);
	} else if (strncmp(line, took, strlen(took)) == 0) {
		take_times(n, line + strlen(took));
	} else if (strncmp(line, exit, strlen(exit)) == 0) {
		take_exit(n, line + strlen(exit));
	} else if (strncmp(line, fail, strlen(fail)) == 0 &&
		   n->state < SESSION_FAILED) {
		n->state = SESSION_FAILED;
		(void)snprintf(n->why, sizeof(n->why), "%s",
			       line + strlen(fail));
	}
}

/* What is too long for a line is cut off. */
static void take_byte(struct session *s, char c)
{
	if (c != '\n') {
		if (s->in_len < sizeof(s->in) - 1)
			s->in[s->in_len++] = c;
		return;
	}
	s->in[s->in_len] = '\0';
	s->in_len = 0;
	take_line(&s->news, s->in);
}

static size_t deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct session *s = of_end(e);

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < len; i++)
		take_byte(s, (char)buf[i]);
	pthread_mutex_unlock(&s->lock);
	eventfd_signal(s->wake_fd);
	return len;
}

static void room(struct stream_end *e)
{
	eventfd_signal(of_end(e)->wake_fd);
}

static const struct stream_ops end_ops = {
	.deliver = deliver,
	.room = room,
};

/*
 * What it is told.
 */

/* Taken out before and put back after, so that no lock of ours is held. */
static void send_out(struct session *s)
{
	char line[LAUNCH_LINE_MAX];
	size_t len, sent;

	pthread_mutex_lock(&s->lock);
	len = s->out_len;
	memcpy(line, s->out, len);
	pthread_mutex_unlock(&s->lock);
	if (len == 0)
		return;
	sent = stream_send(&s->end, (const uint8_t *)line, len);
	pthread_mutex_lock(&s->lock);
	s->out_len -= sent;
	memmove(s->out, s->out + sent, s->out_len);
	pthread_mutex_unlock(&s->lock);
}

static bool say(struct session *s, const char *line)
{
	const size_t len = strlen(line);
	bool fits;

	pthread_mutex_lock(&s->lock);
	fits = s->news.state == SESSION_RUNNING &&
	       len <= sizeof(s->out) - s->out_len;
	if (fits) {
		memcpy(s->out + s->out_len, line, len);
		s->out_len += len;
	}
	pthread_mutex_unlock(&s->lock);
	if (fits)
		eventfd_signal(s->wake_fd);
	return fits;
}

bool session_signal(struct session *s, int sig)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "signal %d\n", sig);
	return say(s, line);
}

bool session_resize(struct session *s, unsigned cols, unsigned rows)
{
	char line[48];

	(void)snprintf(line, sizeof(line), "size %u %u\n", cols, rows);
	return say(s, line);
}

void session_get(struct session *s, struct session_news *ret_n)
{
	pthread_mutex_lock(&s->lock);
	*ret_n = s->news;
	pthread_mutex_unlock(&s->lock);
}

/*
 * Life.
 */

static void woken(struct loop_watch *w, uint32_t events)
{
	struct session *s = container_of(w, struct session, wake_watch);

	(void)events;
	(void)eventfd_clear(s->wake_fd);
	send_out(s);
	s->ops->changed(s);
}

int session_init(struct session *s, const struct session_ops *ops,
		 struct err *err)
{
	*s = (struct session){
		.end.ops = &end_ops,
		.ops = ops,
		.wake_watch.fn = woken,
		.wake_fd = eventfd_new(),
	};
	if (s->wake_fd < 0)
		return err_errno(err, -s->wake_fd, "cannot make an eventfd");
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

void session_fini(struct session *s)
{
	close(s->wake_fd);
	pthread_mutex_destroy(&s->lock);
}

int session_attach(struct session *s, struct stream_end *port,
		   struct loop *loop, struct err *err)
{
	int r;

	stream_join(&s->end, port);
	r = loop_watch_add(loop, &s->wake_watch, s->wake_fd, EPOLLIN);
	return r < 0 ? err_errno(err, -r, "cannot watch the control port") : 0;
}

void session_detach(struct session *s)
{
	loop_watch_del(&s->wake_watch);
	if (s->end.peer)
		s->end.peer->peer = NULL;
	s->end.peer = NULL;
}
