/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Bytes between the command and the ports, and the lines of the control port,
 * until the command has ended.
 */
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/poll.h>
#include <asm/signal.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

#define WNOHANG_ 1

/* One direction. */
struct pump {
	int from, to; /* from -1: done */
	uint64_t count;
	unsigned at, end; /* of buf, not yet written */
	uint8_t buf[32768];
};

enum {
	PUMP_IN,
	PUMP_OUT,
	PUMP_ERR,
	PUMP_TTY, /* what the terminal shows */
	PUMPS,
};

struct state {
	struct pump pumps[PUMPS];
	const struct child *child;
	int control, signals;
	bool ended; /* the command */
	int status;
	char line[LAUNCH_LINE_MAX];
	unsigned line_len;
};

static bool is_waiting(const struct pump *p)
{
	return p->at < p->end;
}

/* The reader has gone: the writer shall know. */
static void pump_stop(struct pump *p)
{
	if (p->from >= 0)
		sys_close(p->from);
	p->from = -1;
	p->at = p->end = 0;
}

static void pump_read(struct pump *p)
{
	const long n = sys_read(p->from, p->buf, sizeof(p->buf));

	if (n == -EAGAIN || n == -EINTR)
		return;
	p->at = 0;
	p->end = n > 0 ? (unsigned)n : 0;
	if (n <= 0) /* the end; EIO: of a terminal */
		pump_stop(p);
}

static void pump_write(struct pump *p)
{
	const long n = sys_write(p->to, p->buf + p->at, p->end - p->at);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n < 0) {
		pump_stop(p);
		return;
	}
	p->at += (unsigned)n;
	p->count += (uint64_t)n;
}

/*
 * The control port.
 */

static void obey(const struct state *s)
{
	const char *rest;
	uint32_t number;

	if ((rest = text_behind(s->line, "signal ")) &&
	    text_number(&rest, &number))
		(void)SYS2(__NR_kill, -s->child->pid, number);
	else if ((rest = text_behind(s->line, "size ")))
		terminal_resize(s->child->master, rest);
}

static void control_ready(struct state *s)
{
	char buf[64];
	const long n = sys_read(s->control, buf, sizeof(buf));

	for (long i = 0; i < n; i++) {
		if (buf[i] == '\n') {
			s->line[s->line_len] = '\0';
			obey(s);
			s->line_len = 0;
		} else if (s->line_len < sizeof(s->line) - 1) {
			s->line[s->line_len++] = buf[i];
		}
	}
}

/*
 * Processes.
 */

static void command_ended(struct state *s, int status)
{
	const int sig = status & 0x7f;

	s->ended = true;
	s->status = sig ? 128 + sig : status >> 8 & 0xff;
	/* Nobody is left to keep the streams open. */
	(void)SYS2(__NR_kill, -1, SIGKILL);
	pump_stop(&s->pumps[PUMP_IN]);
}

static void reap(struct state *s)
{
	uint8_t info[128]; /* struct signalfd_siginfo */
	int status;
	long pid;

	(void)sys_read(s->signals, info, sizeof(info));
	while ((pid = SYS4(__NR_wait4, -1, &status, WNOHANG_, 0)) > 0) {
		if (pid == s->child->pid)
			command_ended(s, status);
	}
}

static void watch_children(struct state *s)
{
	const unsigned long set = 1ul << (SIGCHLD - 1);

	(void)SYS4(__NR_rt_sigprocmask, SIG_BLOCK, &set, 0, sizeof(set));
	s->signals = (int)SYS4(__NR_signalfd4, -1, &set, sizeof(set),
			       O_CLOEXEC | O_NONBLOCK);
	if (s->signals < 0)
		fail("cannot watch the command", "", s->signals);
}

/*
 * The loop.
 */

/* Two entries a pump; a negative descriptor is none. */
static void fill(const struct pump *p, struct pollfd *f)
{
	const bool waiting = is_waiting(p);

	f[0] = (struct pollfd){.fd = waiting ? -1 : p->from, .events = POLLIN};
	f[1] = (struct pollfd){.fd = p->from >= 0 || waiting ? p->to : -1,
			       .events = waiting ? POLLOUT : 0};
}

static void turn(struct pump *p, const struct pollfd *f, bool hangup_ends)
{
	if (hangup_ends && f[1].fd >= 0 &&
	    (f[1].revents & (POLLHUP | POLLERR))) {
		pump_stop(p);
		return;
	}
	if (f[0].fd >= 0 && f[0].revents)
		pump_read(p);
	if (is_waiting(p))
		pump_write(p);
}

/* An input whose command has closed it, or whose host has, is closed. */
static void turn_input(struct state *s, const struct pollfd *f)
{
	struct pump *p = &s->pumps[PUMP_IN];
	const bool was_open = p->from >= 0;

	turn(p, f, s->child->in >= 0);
	if (was_open && p->from < 0 && !is_waiting(p) && s->child->in >= 0) {
		sys_close(p->to);
		p->to = -1;
	}
}

/* All that the command has said is on its way. */
static bool drained(const struct state *s)
{
	for (int i = PUMP_OUT; i <= PUMP_TTY; i++) {
		if (s->pumps[i].from >= 0 || is_waiting(&s->pumps[i]))
			return false;
	}
	return true;
}

static void loop_once(struct state *s)
{
	struct pollfd f[2 * PUMPS + 2];

	for (int i = 0; i < PUMPS; i++)
		fill(&s->pumps[i], &f[2 * i]);
	f[2 * PUMPS] = (struct pollfd){.fd = s->control, .events = POLLIN};
	f[2 * PUMPS + 1] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	if (SYS3(__NR_poll, f, 2 * PUMPS + 2, -1) < 0)
		return;
	if (f[2 * PUMPS].revents)
		control_ready(s);
	turn_input(s, f);
	for (int i = PUMP_OUT; i < PUMPS; i++)
		turn(&s->pumps[i], &f[2 * i], true);
	if (f[2 * PUMPS + 1].revents)
		reap(s);
}

static void connect(struct state *s, const struct child *c,
		    const struct ports *ports)
{
	struct pump *p = s->pumps;
	const bool out_is_tty = c->master >= 0 && c->out < 0;

	for (int i = 0; i < PUMPS; i++)
		p[i].from = p[i].to = -1;
	p[PUMP_IN].from = ports->in;
	p[PUMP_IN].to = c->in >= 0 ? c->in : c->master;
	p[PUMP_OUT].from = c->out;
	p[PUMP_OUT].to = ports->out;
	p[PUMP_ERR].from = c->err;
	p[PUMP_ERR].to = ports->err;
	p[PUMP_TTY].from = c->master;
	p[PUMP_TTY].to = out_is_tty ? ports->out : ports->err;
}

int relay(const struct child *c, const struct ports *ports,
	  struct counts *ret_counts)
{
	static struct state s;
	struct pump *tty = &s.pumps[PUMP_TTY];

	s.child = c;
	s.control = ports->control;
	connect(&s, c, ports);
	watch_children(&s);
	reap(&s); /* it may have ended before we watched */
	while (!s.ended || !drained(&s))
		loop_once(&s);
	ret_counts->out = s.pumps[PUMP_OUT].count;
	ret_counts->err = s.pumps[PUMP_ERR].count;
	if (tty->to == ports->out)
		ret_counts->out += tty->count;
	else
		ret_counts->err += tty->count;
	return s.status;
}
