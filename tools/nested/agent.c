/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * agent - runs commands inside the nested host for kvm-host.
 *
 * It is the nested host's first process.  Each connection asks for one
 * command and is served by a process of its own; the command ends when its
 * connection does.  Who connects must know the token in /token.
 */
#include "tools/nested/link.h"
#include "tools/nested/room.h"
#include "tools/nested/still.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct session {
	struct link link;
	struct sink input;
	struct source output[2];
	int control; /* to the room; -1: it has ended */
	pid_t room;  /* 0: none yet */
	int status;
	bool finished; /* the last frame is on its way */
};

static char token[256];

static void read_token(void)
{
	FILE *f = fopen("/token", "r");

	if (!f || !fgets(token, sizeof(token), f))
		errx(1, "no token");
	token[strcspn(token, "\n")] = '\0';
	fclose(f);
}

static _Noreturn void end(struct session *s)
{
	if (s->room > 0)
		kill(s->room, SIGKILL);
	_exit(0);
}

static void finish(struct session *s, enum frame_type type, uint32_t value,
		   const char *text)
{
	char data[sizeof(value) + 256];
	size_t len = strnlen(text, 255);

	memcpy(data, &value, sizeof(value));
	memcpy(data + sizeof(value), text, len);
	link_send(&s->link, type, 0, data, sizeof(value) + len);
	s->finished = true;
}

/* Strings follow each other, each ended by a NUL. */
static char *take_string(char **at, char *limit)
{
	char *s = *at;
	size_t len = strnlen(s, (size_t)(limit - s));

	if (s + len == limit)
		return NULL;
	*at = s + len + 1;
	return s;
}

static char **take_strings(char **at, char *limit, unsigned count)
{
	char **list;

	if (count > (size_t)(limit - *at))
		return NULL;
	list = calloc(count + 1, sizeof(*list));
	for (unsigned i = 0; list && i < count; i++) {
		list[i] = take_string(at, limit);
		if (!list[i])
			return NULL;
	}
	return list;
}

static char **take_counted(char **at, char *limit)
{
	char *count = take_string(at, limit);

	return count ? take_strings(at, limit, (unsigned)atoi(count)) : NULL;
}

static bool parse_job(struct room_job *job, char *at, char *limit)
{
	char *secret = take_string(&at, limit);

	if (!secret || strcmp(secret, token) != 0)
		return false;
	job->cwd = take_string(&at, limit);
	job->shares = job->cwd ? take_counted(&at, limit) : NULL;
	job->argv = job->shares ? take_counted(&at, limit) : NULL;
	job->envp = job->argv ? take_counted(&at, limit) : NULL;
	return job->envp && job->argv[0];
}

static void start(struct session *s, const uint8_t *data, size_t len)
{
	char *copy = malloc(len + 1);
	int in[2], out[2], error[2], control[2];
	struct room_job job;

	if (!copy || s->room)
		end(s);
	memcpy(copy, data, len);
	if (!parse_job(&job, copy, copy + len))
		end(s);
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    pipe2(error, O_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		end(s);
	job.fds[0] = in[0];
	job.fds[1] = out[1];
	job.fds[2] = error[1];
	sink_init(&s->input, 0, in[1]);
	source_init(&s->output[0], 1, out[0]);
	source_init(&s->output[1], 2, error[0]);
	s->control = control[0];
	s->room = room_start(&job, control[1]);
	if (s->room < 0)
		end(s);
	close(in[0]);
	close(out[1]);
	close(error[1]);
	close(control[1]);
}

static void pass_signal(struct session *s, uint32_t number)
{
	uint8_t byte = (uint8_t)number;

	if (s->control >= 0 && number < NSIG)
		send(s->control, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void handle_stream(struct session *s, const struct frame *f,
			  const uint8_t *data)
{
	struct source *source = f->stream == 2 ? &s->output[1] : &s->output[0];

	if (f->type == FRAME_DATA)
		sink_take(&s->input, data, f->len);
	else if (f->type == FRAME_EOF)
		sink_end(&s->input);
	else if (f->type == FRAME_ACK)
		source->window += frame_u32(f, data);
	else if (f->type == FRAME_CLOSE)
		source_close(source);
}

static void handle_frames(struct session *s)
{
	const uint8_t *data;
	struct frame f;
	int r;

	while ((r = link_next(&s->link, &f, &data)) > 0) {
		if (f.type == FRAME_PING)
			link_send(&s->link, FRAME_PONG, 0, NULL, 0);
		else if (f.type == FRAME_START)
			start(s, data, f.len);
		else if (!s->room)
			end(s);
		else if (f.type == FRAME_SIGNAL)
			pass_signal(s, frame_u32(&f, data));
		else
			handle_stream(s, &f, data);
	}
	if (r < 0)
		end(s);
}

static void room_ended(struct session *s, int status)
{
	s->status = status;
	close(s->control);
	s->control = -1;
	/* Its last process has gone then: all output lies in the pipes. */
	waitpid(s->room, NULL, 0);
}

static void handle_room(struct session *s)
{
	struct room_report r;

	if (recv(s->control, &r, sizeof(r), 0) != sizeof(r)) {
		room_ended(s, SIGKILL); /* somebody killed its init */
	} else if (r.event == ROOM_STARTED) {
		link_send(&s->link, FRAME_STARTED, 0, NULL, 0);
	} else if (r.event == ROOM_FAILED) {
		room_ended(s, 0);
		finish(s, FRAME_FAILED, (uint32_t)r.value, r.text);
	} else {
		room_ended(s, r.value);
	}
}

enum { LINK, INPUT, OUTPUT, ERRORS, CONTROL, COUNT };

static void serve_once(struct session *s)
{
	struct pollfd p[COUNT] = {
		[LINK] = {s->link.fd, link_events(&s->link), 0},
		[INPUT] = {s->input.fd, 0, 0},
		[OUTPUT] = {-1, POLLIN, 0},
		[ERRORS] = {-1, POLLIN, 0},
		[CONTROL] = {s->control, POLLIN, 0},
	};

	if (sink_wants(&s->input))
		p[INPUT].events = POLLOUT;
	for (int i = 0; i < 2; i++) {
		if (source_wants(&s->output[i]))
			p[OUTPUT + i].fd = s->output[i].fd;
	}
	poll(p, COUNT, -1);
	if (link_io(&s->link, p[LINK].revents) < 0)
		end(s);
	for (int i = 0; i < 2; i++) {
		if (p[OUTPUT + i].revents)
			source_read(&s->output[i], &s->link);
	}
	if (p[INPUT].revents & POLLERR)
		sink_lost(&s->input, &s->link);
	else if (p[INPUT].revents)
		sink_write(&s->input, &s->link);
	if (p[CONTROL].revents)
		handle_room(s);
	handle_frames(s);
	if (s->room && s->control < 0 && !s->finished && s->output[0].fd < 0 &&
	    s->output[1].fd < 0)
		finish(s, FRAME_EXIT, (uint32_t)s->status, "");
}

static _Noreturn void serve(int fd)
{
	struct session s = {.control = -1};
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	link_init(&s.link, fd);
	sink_init(&s.input, 0, -1);
	source_init(&s.output[0], 1, -1);
	source_init(&s.output[1], 2, -1);
	for (;;)
		serve_once(&s); /* until the client closes the connection */
}

static int listen_for_clients(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET,
				  .sin_port = htons(AGENT_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    listen(fd, 64) < 0)
		err(1, "cannot listen");
	return fd;
}

int main(void)
{
	int listener = listen_for_clients();

	read_token();
	signal(SIGCHLD, SIG_IGN); /* orphans, and finished servers */
	setpriority(PRIO_PROCESS, 0, -20);
	still_keep();
	printf("moat nested host: ready\n");
	fflush(stdout);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		if (fork() == 0) {
			close(listener);
			signal(SIGCHLD, SIG_DFL);
			serve(fd);
		}
		close(fd);
	}
}
