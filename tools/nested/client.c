/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * client - runs one command inside the nested host, for kvm-host.
 *
 *	client STATE-DIR RENEW-COMMAND [SHARED-DIR]... -- COMMAND [ARG]...
 *
 * STATE-DIR/address says where the nested host is.  If it is frozen or gone,
 * the client runs RENEW-COMMAND with the number of that host, which starts
 * another, and runs the command once more.
 *
 * FRAME_START carries strings: token, directory, number of shared directories,
 * those, number of arguments, those, number of variables, those.
 */
#include "tools/nested/link.h"

#include <arpa/inet.h>
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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWN_FAILURE  125
#define TICK_SECONDS 1
#define REPLAY_MAX   (16u << 20) /* input kept for a second run */

enum outcome { RUNNING, DONE, LOST };

struct address {
	unsigned port;
	char token[128];
	char generation[64]; /* which nested host it is */
};

struct client {
	struct link link;
	struct source input;
	struct sink output[2];
	struct buf replay; /* the frames of all input sent so far */
	int64_t replay_bytes;
	bool replay_full;
	int signals, timer;
	unsigned silent_ticks, silent_max;
	enum outcome outcome;
	const char *why_lost;
	uint32_t status;
};

static const int passed_signals[] = {SIGHUP,  SIGINT,  SIGQUIT,
				     SIGTERM, SIGUSR1, SIGUSR2};

static void read_address(const char *state, struct address *ret_address)
{
	char *path;
	FILE *f;

	if (asprintf(&path, "%s/address", state) < 0)
		errx(OWN_FAILURE, "no memory");
	f = fopen(path, "re");
	if (!f || fscanf(f, "%u %127s %63s", &ret_address->port,
			 ret_address->token, ret_address->generation) != 3)
		errx(OWN_FAILURE, "the nested host left no address in '%s'",
		     path);
	fclose(f);
	free(path);
}

static void add_string(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s) + 1);
}

static void add_strings(struct buf *b, char *const *list, size_t count)
{
	char number[24];

	snprintf(number, sizeof(number), "%zu", count);
	add_string(b, number);
	for (size_t i = 0; i < count; i++)
		add_string(b, list[i]);
}

static size_t count_strings(char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

static void send_start(struct client *c, const struct address *a, char **shares,
		       size_t nshares, char **argv)
{
	struct buf b = {0};
	char *cwd = getcwd(NULL, 0);

	if (!cwd)
		err(OWN_FAILURE, "cannot tell the current directory");
	add_string(&b, a->token);
	add_string(&b, cwd);
	add_strings(&b, shares, nshares);
	add_strings(&b, argv, count_strings(argv));
	add_strings(&b, environ, count_strings(environ));
	if (b.tail > FRAME_MAX)
		errx(OWN_FAILURE, "arguments and environment are too long");
	link_send(&c->link, FRAME_START, 0, b.data, b.tail);
	buf_free(&b);
	free(cwd);
}

static int dial(unsigned port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		err(OWN_FAILURE, "cannot open a socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void lose(struct client *c, const char *why)
{
	if (c->outcome != RUNNING)
		return;
	c->outcome = LOST;
	c->why_lost = why;
}

static void finish(struct client *c, const struct frame *f, const uint8_t *data)
{
	if (f->len < sizeof(c->status)) {
		lose(c, "talks nonsense");
		return;
	}
	memcpy(&c->status, data, sizeof(c->status));
	if (f->type == FRAME_FAILED) {
		fprintf(stderr, "kvm-host: %.*s\n",
			(int)(f->len - sizeof(c->status)),
			(const char *)data + sizeof(c->status));
		c->status <<= 8; /* as if the command had exited with it */
	}
	c->outcome = DONE;
}

static void handle_stream(struct client *c, const struct frame *f,
			  const uint8_t *data)
{
	struct sink *sink = f->stream == 2 ? &c->output[1] : &c->output[0];

	if (f->type == FRAME_DATA)
		sink_take(sink, data, f->len);
	else if (f->type == FRAME_EOF)
		sink_end(sink);
	else if (f->type == FRAME_ACK)
		c->input.window += frame_u32(f, data);
	else if (f->type == FRAME_CLOSE)
		source_close(&c->input);
}

static void handle_frames(struct client *c)
{
	const uint8_t *data;
	struct frame f;
	int r = 0;

	while (c->outcome == RUNNING &&
	       (r = link_next(&c->link, &f, &data)) > 0) {
		c->silent_ticks = 0;
		if (f.type == FRAME_EXIT || f.type == FRAME_FAILED)
			finish(c, &f, data);
		else
			handle_stream(c, &f, data);
	}
	if (r < 0)
		lose(c, "talks nonsense");
}

static void handle_signal(struct client *c)
{
	struct signalfd_siginfo info;

	if (read(c->signals, &info, sizeof(info)) == sizeof(info))
		link_send_u32(&c->link, FRAME_SIGNAL, 0, info.ssi_signo);
}

/*
 * Ticks are counted, not seconds: a client that was stopped for a while does
 * not take that for the nested host's silence.
 */
static void handle_tick(struct client *c)
{
	uint64_t expirations;

	if (read(c->timer, &expirations, sizeof(expirations)) < 0)
		return;
	if (++c->silent_ticks > c->silent_max)
		lose(c, "does not answer any more");
	else
		link_send(&c->link, FRAME_PING, 0, NULL, 0);
}

static void read_input(struct client *c)
{
	size_t before = c->link.out.tail - c->link.out.head;
	int64_t window = c->input.window;
	const uint8_t *added;
	size_t len;

	source_read(&c->input, &c->link);
	added = c->link.out.data + c->link.out.head + before;
	len = c->link.out.tail - c->link.out.head - before;
	c->replay_bytes += window - c->input.window;
	if (c->replay.tail + len <= REPLAY_MAX)
		buf_append(&c->replay, added, len);
	else
		c->replay_full = true;
}

static void serve_sink(struct client *c, struct sink *s, short revents)
{
	if (revents & POLLOUT)
		sink_write(s, &c->link);
	else if (revents & (POLLERR | POLLNVAL))
		sink_lost(s, &c->link);
}

enum { LINK, INPUT, OUTPUT, ERRORS, SIGNALS, TIMER, COUNT };

static void serve_once(struct client *c)
{
	struct pollfd p[COUNT] = {
		[LINK] = {c->link.fd, link_events(&c->link), 0},
		[INPUT] = {source_wants(&c->input) ? c->input.fd : -1, POLLIN,
			   0},
		[OUTPUT] = {c->output[0].fd, 0, 0},
		[ERRORS] = {c->output[1].fd, 0, 0},
		[SIGNALS] = {c->signals, POLLIN, 0},
		[TIMER] = {c->timer, POLLIN, 0},
	};

	for (int i = 0; i < 2; i++) {
		if (sink_wants(&c->output[i]))
			p[OUTPUT + i].events = POLLOUT;
	}
	if (poll(p, COUNT, -1) < 0)
		return;
	for (int i = 0; i < 2; i++)
		serve_sink(c, &c->output[i], p[OUTPUT + i].revents);
	if (p[SIGNALS].revents)
		handle_signal(c);
	if (p[INPUT].revents)
		read_input(c);
	if (p[TIMER].revents)
		handle_tick(c);
	if (link_io(&c->link, p[LINK].revents) < 0) {
		handle_frames(c); /* the exit status may be among the last */
		lose(c, "has ended");
	}
	handle_frames(c);
}

/* The command has ended; what it wrote may still wait for its readers. */
static void drain_output(struct client *c)
{
	while (sink_wants(&c->output[0]) || sink_wants(&c->output[1])) {
		struct pollfd p[2];

		for (int i = 0; i < 2; i++) {
			bool wants = sink_wants(&c->output[i]);

			p[i] = (struct pollfd){wants ? c->output[i].fd : -1,
					       POLLOUT, 0};
		}
		if (poll(p, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++)
			serve_sink(c, &c->output[i], p[i].revents);
	}
}

static void run(struct client *c, const struct address *a, char **shares,
		size_t nshares, char **argv)
{
	int fd = dial(a->port);

	c->outcome = RUNNING;
	c->silent_ticks = 0;
	if (fd < 0) {
		lose(c, "cannot be reached");
		return;
	}
	link_init(&c->link, fd);
	send_start(c, a, shares, nshares, argv);
	buf_append(&c->link.out, c->replay.data, c->replay.tail);
	c->input.window = STREAM_WINDOW - c->replay_bytes;
	if (c->input.fd < 0)
		link_send(&c->link, FRAME_EOF, 0, NULL, 0);
	while (c->outcome == RUNNING)
		serve_once(c);
	drain_output(c);
	close(fd);
	buf_free(&c->link.in);
	buf_free(&c->link.out);
}

static void renew(const char *command, const char *generation)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		err(OWN_FAILURE, "cannot start a process");
	if (!pid) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 0);
		dup2(2, 1);
		execl("/bin/sh", "sh", "-c", command, "kvm-host", generation,
		      (char *)NULL);
		_exit(OWN_FAILURE);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		exit(OWN_FAILURE); /* it has said why */
}

static bool was_stopped(const char *state, const struct address *a)
{
	char *path;
	bool found;

	if (asprintf(&path, "%s/stopped-%s", state, a->generation) < 0)
		return false;
	found = access(path, F_OK) == 0;
	free(path);
	return found;
}

static void prepare(struct client *c)
{
	const char *limit = getenv("MOAT_KVM_HOST_FREEZE");
	struct itimerspec tick = {{TICK_SECONDS, 0}, {TICK_SECONDS, 0}};
	sigset_t set;

	for (int fd = 0; fd < 3; fd++) { /* none may become a socket */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			exit(OWN_FAILURE);
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(passed_signals) / sizeof(int); i++)
		sigaddset(&set, passed_signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	c->signals = signalfd(-1, &set, SFD_CLOEXEC);
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(c->timer, 0, &tick, NULL);
	c->silent_max = limit && atoi(limit) > 0 ? (unsigned)atoi(limit) : 30;
	source_init(&c->input, 0, 0);
	sink_init(&c->output[0], 1, 1);
	/* Its own descriptor: ours stays open for what we have to say. */
	sink_init(&c->output[1], 2, fcntl(2, F_DUPFD_CLOEXEC, 3));
}

/* The command itself saw no error: its output went into a pipe. */
static void check_output(const struct client *c)
{
	for (int i = 0; i < 2; i++) {
		if (!c->output[i].error)
			continue;
		errno = c->output[i].error;
		err(OWN_FAILURE, "cannot write the command's standard %s",
		    i ? "error" : "output");
	}
}

static _Noreturn void end_like_command(uint32_t status)
{
	struct rlimit no_core = {0, 0};
	int number = WTERMSIG((int)status);
	sigset_t set;

	if (WIFEXITED((int)status))
		exit(WEXITSTATUS((int)status));
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
	exit(128 + number);
}

static void must_not_retry(struct client *c, const char *state,
			   const struct address *a, bool second)
{
	if (was_stopped(state, a))
		errx(OWN_FAILURE, "the nested host was stopped");
	if (second)
		errx(OWN_FAILURE, "the nested host %s, twice", c->why_lost);
	if (c->replay_full)
		errx(OWN_FAILURE,
		     "the nested host %s, and the command has read too much "
		     "input to run again",
		     c->why_lost);
}

int main(int argc, char **argv)
{
	struct client c = {0};
	struct address a;
	int dashes = 3;

	program_invocation_short_name = (char[]){"kvm-host"};
	while (dashes < argc && strcmp(argv[dashes], "--") != 0)
		dashes++;
	if (dashes + 1 >= argc)
		errx(OWN_FAILURE, "the client is for tools/kvm-host only");
	prepare(&c);
	for (bool second = false;; second = true) {
		read_address(argv[1], &a);
		run(&c, &a, argv + 3, (size_t)dashes - 3, argv + dashes + 1);
		if (c.outcome == DONE) {
			check_output(&c);
			end_like_command(c.status);
		}
		must_not_retry(&c, argv[1], &a, second);
		warnx("the nested host %s: starting another, running '%s' "
		      "again from its beginning",
		      c.why_lost, argv[dashes + 1]);
		renew(argv[2], a.generation);
	}
}
