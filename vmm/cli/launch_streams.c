/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The command's three streams and the kernel's text.
 *
 * The end of the input closes its port, a reader of ours that has gone closes
 * the output's: init passes both on.  The run is over when init has told how
 * the command ended and all bytes it counted have come.
 */
#include <errno.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/launch.h"
#include "vmm/cli/output_file.h"
#include "vmm/cli/report.h"
#include "vmm/cli/terminal.h"

/* Their ports, behind the control port. */
#define PORT_OF(stream) ((unsigned)(stream) + 1)

/* Times 100 ms for a reader who does not, once the end has been asked for. */
#define DRAIN_WAITS 10

static struct launch *of_in(struct host_console *c)
{
	return container_of(c, struct launch, streams[LAUNCH_IN]);
}

/*
 * Input.
 */

static void on_end_key(struct host_console *c)
{
	guard_ask(&of_in(c)->guard);
}

static void on_help_key(struct host_console *c)
{
	(void)c;
	report("Ctrl-a x ends the run, Ctrl-a h prints this, Ctrl-a Ctrl-a "
	       "sends Ctrl-a");
}

static void on_resized(struct host_console *c)
{
	struct launch *l = of_in(c);
	uint16_t cols, rows;

	if (!l->tty || !terminal_size(STDIN_FILENO, &cols, &rows))
		return;
	if (cols == l->cols && rows == l->rows)
		return;
	if (!session_resize(&l->session, cols, rows))
		return; /* not yet: told when it runs */
	l->cols = cols;
	l->rows = rows;
}

static bool may_read_terminal(struct host_console *c)
{
	(void)c;
	return terminal_foreground();
}

/* Not before init has the port: it would wait for it in vain. */
static void close_input(struct launch *l)
{
	struct session_news news;

	session_get(&l->session, &news);
	if (!l->input_over || l->closed_input || news.state < SESSION_RUNNING)
		return;
	l->closed_input = true;
	stream_close(&l->streams[LAUNCH_IN].end);
}

static void on_input_ended(struct host_console *c)
{
	of_in(c)->input_over = true;
	close_input(of_in(c));
}

static const struct host_console_ops in_ops = {
	.end = on_end_key,
	.help = on_help_key,
	.resized = on_resized,
	.may_read = may_read_terminal,
	.input_ended = on_input_ended,
};

/*
 * Output.
 */

static void reader_gone(struct host_console *c)
{
	stream_close(&c->end);
}

static void stream_caught_up(struct launch *l)
{
	if (++l->caught_up == l->wanted)
		mach_stop(l->m);
}

static void on_out_caught_up(struct host_console *c)
{
	stream_caught_up(container_of(c, struct launch, streams[LAUNCH_OUT]));
}

static void on_err_caught_up(struct host_console *c)
{
	stream_caught_up(container_of(c, struct launch, streams[LAUNCH_ERR]));
}

static const struct host_console_ops out_ops = {
	.output_failed = reader_gone,
	.caught_up = on_out_caught_up,
};

static const struct host_console_ops err_ops = {
	.output_failed = reader_gone,
	.caught_up = on_err_caught_up,
};

/*
 * The kernel's text.
 */

static void on_kernel_text(struct host_console *c, const uint8_t *buf,
			   size_t len)
{
	struct launch *l = container_of(c, struct launch, kernel_text);

	tail_add(&l->tail, buf, len);
	service_seen(&l->service, buf, len);
}

static void on_panic_text(struct host_console *c)
{
	mach_panicked(container_of(c, struct launch, kernel_text)->m);
}

static const struct host_console_ops kernel_ops = {
	.panicked = on_panic_text,
	.seen = on_kernel_text,
};

/*
 * News.
 */

void launch_news(struct launch *l)
{
	struct session_news news;

	session_get(&l->session, &news);
	if (news.state != SESSION_BOOTING)
		loop_timer_cancel(&l->boot_timer);
	if (news.state >= SESSION_RUNNING && l->times.command == 0)
		l->times.command = launch_now();
	close_input(l);
	launch_resized(l);
	if (news.state == SESSION_FAILED)
		mach_stop(l->m);
	if (news.state != SESSION_EXITED || l->draining)
		return;
	l->draining = true;
	l->times.exited = launch_now();
	l->wanted = 2;
	host_console_expect(&l->streams[LAUNCH_OUT], news.out);
	host_console_expect(&l->streams[LAUNCH_ERR], news.err);
}

void launch_resized(struct launch *l)
{
	host_console_resized(&l->streams[LAUNCH_IN]);
}

/*
 * Life.
 */

static struct host_console *console(struct launch *l, unsigned i)
{
	return i < LAUNCH_STREAMS ? &l->streams[i] : &l->kernel_text;
}

static int make(struct launch *l, const struct host_console_ops *ops, int in,
		int out, struct err *err)
{
	struct host_console *c = console(l, l->nconsoles);
	int r = host_console_init(c, ops, in, err);

	if (r < 0)
		return r;
	l->nconsoles++;
	return out < 0 ? 0 : host_console_set_output(c, out, false, err);
}

static int make_kernel_text(struct launch *l, struct err *err)
{
	const struct settings *s = l->settings;
	int r = make(l, &kernel_ops, -1, -1, err);
	int fd;

	if (r < 0 || !s->log_path)
		return r;
	fd = output_file_open(s, "--log '", s->log_path, err);
	if (fd < 0)
		return fd;
	r = host_console_set_output(&l->kernel_text, fd, true, err);
	if (r < 0)
		close(fd);
	return r;
}

int launch_make_streams(struct launch *l, struct err *err)
{
	int r = make(l, &in_ops, STDIN_FILENO, -1, err);

	if (r == 0)
		r = make(l, &out_ops, -1, STDOUT_FILENO, err);
	if (r == 0)
		r = make(l, &err_ops, -1, STDERR_FILENO, err);
	if (r == 0)
		r = make_kernel_text(l, err);
	return r;
}

int launch_attach_streams(struct launch *l, struct err *err)
{
	struct loop *loop = mach_loop(l->m);
	int r = session_attach(&l->session, mach_port(l->m, 0), loop, err);

	for (unsigned i = 0; r == 0 && i < LAUNCH_STREAMS; i++)
		r = host_console_attach(&l->streams[i],
					mach_port(l->m, PORT_OF(i)), loop, err);
	if (r == 0)
		r = host_console_attach(&l->kernel_text, mach_console(l->m),
					loop, err);
	return r;
}

void launch_detach_streams(struct launch *l)
{
	session_detach(&l->session);
	for (unsigned i = 0; i < l->nconsoles; i++)
		host_console_detach(console(l, i));
}

static bool wait_for_reader(struct launch *l)
{
	int sig;

	return guard_cause(&l->guard, &sig) == GUARD_NONE ||
	       l->drain_waits++ < DRAIN_WAITS;
}

static bool wait_for_out(struct host_console *c)
{
	return wait_for_reader(
		container_of(c, struct launch, streams[LAUNCH_OUT]));
}

static bool wait_for_err(struct host_console *c)
{
	return wait_for_reader(
		container_of(c, struct launch, streams[LAUNCH_ERR]));
}

void launch_drain_streams(struct launch *l)
{
	host_console_drain(&l->streams[LAUNCH_OUT], wait_for_out);
	host_console_drain(&l->streams[LAUNCH_ERR], wait_for_err);
}

void launch_fini_streams(struct launch *l)
{
	while (l->nconsoles > 0)
		host_console_fini(console(l, --l->nconsoles));
}
