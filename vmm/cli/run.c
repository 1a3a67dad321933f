/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/command.h"
#include "vmm/cli/guard.h"
#include "vmm/cli/host_console.h"
#include "vmm/cli/observe.h"
#include "vmm/cli/output_file.h"
#include "vmm/cli/report.h"
#include "vmm/cli/service.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"
#include "vmm/cli/terminal.h"
#include "vmm/cli/trim.h"
#include "vmm/machine/host.h"
#include "vmm/machine/machine.h"

/* Times 100 ms for a reader who does not, once the end has been asked for. */
#define DRAIN_WAITS 10

struct run {
	const struct settings *settings;
	struct mach *m;
	struct guard guard;
	struct host_console console;
	struct service service;
	struct control *control; /* NULL: none */
	struct loop_timer trim;
	uint16_t cols, rows; /* what the guest has been told */
	unsigned drain_waits;
	bool drain_cut;
};

static struct run *of_console(struct host_console *c)
{
	return container_of(c, struct run, console);
}

static struct run *of_guard(struct guard *g)
{
	return container_of(g, struct run, guard);
}

/*
 * What happens while the guest runs.
 */

static void on_end_key(struct host_console *c)
{
	guard_ask(&of_console(c)->guard);
}

/* A line of ours does not start in the middle of the guest's. */
static void start_line(struct run *run)
{
	const char *end = terminal_is_raw() ? "\r\n" : "\n";

	if (isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) &&
	    host_console_mid_line(&run->console))
		(void)!write(STDERR_FILENO, end, strlen(end));
}

static void on_help_key(struct host_console *c)
{
	start_line(of_console(c));
	report("Ctrl-a x ends the run, Ctrl-a h prints this, Ctrl-a Ctrl-a "
	       "sends Ctrl-a");
}

static void tell_size(struct run *run)
{
	uint16_t cols, rows;

	if (!terminal_size(STDOUT_FILENO, &cols, &rows) &&
	    !terminal_size(STDIN_FILENO, &cols, &rows))
		return;
	if (cols == run->cols && rows == run->rows)
		return;
	run->cols = cols;
	run->rows = rows;
	mach_console_resize(run->m, cols, rows);
}

static void on_console_resized(struct host_console *c)
{
	tell_size(of_console(c));
}

static void on_guard_resized(struct guard *g)
{
	host_console_resized(&of_guard(g)->console);
}

static void on_guard_leaves(struct guard *g)
{
	service_forget(&of_guard(g)->service);
}

static const struct guard_ops guard_ops = {
	.resized = on_guard_resized,
	.leaves = on_guard_leaves,
	.user_status = STATUS_OK,
};

static bool may_read_terminal(struct host_console *c)
{
	(void)c;
	return terminal_foreground();
}

static void on_panic_text(struct host_console *c)
{
	mach_panicked(of_console(c)->m);
}

static void on_text(struct host_console *c, const uint8_t *buf, size_t len)
{
	service_seen(&of_console(c)->service, buf, len);
}

static const struct host_console_ops console_ops = {
	.seen = on_text,
	.end = on_end_key,
	.help = on_help_key,
	.resized = on_console_resized,
	.may_read = may_read_terminal,
	.panicked = on_panic_text,
};

static void on_stop(struct service *s, bool again)
{
	(void)again;
	guard_ask(&container_of(s, struct run, service)->guard);
}

static void on_typed(struct service *s, const uint8_t *buf, size_t len)
{
	struct run *run = container_of(s, struct run, service);

	(void)stream_send(&run->console.end, buf, len);
}

static const struct service_ops service_ops = {
	.stop = on_stop,
	.typed = on_typed,
};

/*
 * Before and after.
 */

/* Not before the machine stands: a run that cannot be leaves an old file as
 * it is. */
static int open_output(struct run *run, struct err *err)
{
	const struct settings *s = run->settings;
	int fd, r;

	switch (s->output) {
	case OUTPUT_NONE:
		return 0;
	case OUTPUT_TTY:
		return host_console_set_output(&run->console, STDOUT_FILENO,
					       false, err);
	case OUTPUT_FILE:
		break;
	}
	fd = output_file_open(s, "--output 'file=", s->output_path, err);
	if (fd < 0)
		return fd;
	r = host_console_set_output(&run->console, fd, true, err);
	if (r < 0)
		close(fd);
	return r;
}

static bool wait_for_reader(struct host_console *c)
{
	struct run *run = of_console(c);
	int sig;

	if (guard_cause(&run->guard, &sig) != GUARD_NONE &&
	    run->drain_waits++ >= DRAIN_WAITS)
		run->drain_cut = true;
	return !run->drain_cut;
}

static void report_outcome(struct run *run, enum mach_outcome outcome)
{
	const bool verbose = run->settings->verbosity > 0;
	const int error = host_console_error(&run->console);

	if (error && error != EPIPE)
		report("cannot write the guest's text: %s", strerror(error));
	switch (outcome) {
	case MACH_POWERED_OFF:
		if (verbose)
			report("the guest powered off");
		break;
	case MACH_REBOOTED:
		if (verbose)
			report("the guest rebooted");
		break;
	case MACH_HALTED:
		report("the guest halted");
		break;
	case MACH_PANICKED:
		report("the guest's kernel panicked");
		break;
	case MACH_CRASHED: /* the machine has said how */
	case MACH_STOPPED:
	case MACH_FAILED:
		break;
	}
	if (verbose)
		observe_report(run->m);
}

/* The status of a run that was ended from outside.  A signal's comes last, in
 * command_run(). */
static int status_of_cause(struct run *run)
{
	int sig;

	switch (guard_cause(&run->guard, &sig)) {
	case GUARD_NONE:
	case GUARD_USER:
		return STATUS_OK;
	case GUARD_SIGNAL:
		return STATUS_SIGNAL + sig;
	case GUARD_TIMEOUT:
		guard_report_timeout(&run->guard);
		return STATUS_TIMEOUT;
	}
	return STATUS_HOST;
}

/* Who ends the run of a guest that has panicked does not make it a good one;
 * only a signal counts more, because a shell ends its script by that. */
static int status_of_panic(struct run *run)
{
	int sig;

	if (guard_cause(&run->guard, &sig) == GUARD_SIGNAL)
		return STATUS_SIGNAL + sig;
	return STATUS_GUEST;
}

static int status_of_outcome(struct run *run, enum mach_outcome outcome)
{
	switch (outcome) {
	case MACH_POWERED_OFF:
	case MACH_REBOOTED:
	case MACH_HALTED:
		return run->drain_cut ? status_of_cause(run) : STATUS_OK;
	case MACH_PANICKED:
	case MACH_CRASHED:
		return status_of_panic(run);
	case MACH_STOPPED:
		return status_of_cause(run);
	case MACH_FAILED:
		break;
	}
	return STATUS_HOST;
}

static enum mach_outcome run_guest(struct run *run, struct err *err)
{
	enum mach_outcome outcome = MACH_FAILED;

	if (terminal_open(STDIN_FILENO))
		terminal_raw();
	tell_size(run);
	guard_watch(&run->guard, run->m);
	trim_later(&run->trim, mach_loop(run->m));
	(void)mach_run(run->m, &outcome, err);
	loop_timer_del(&run->trim);
	/* Text for a terminal needs it raw to the last byte; another reader may
	 * take long, and Ctrl-c has to work meanwhile. */
	if (!isatty(STDOUT_FILENO))
		terminal_close();
	host_console_drain(&run->console, wait_for_reader);
	start_line(run);
	terminal_close();
	report_outcome(run, outcome);
	return outcome;
}

static int run_machine(struct run *run, struct err *err)
{
	int status = STATUS_HOST;

	if (open_output(run, err) < 0 ||
	    observe_start(&run->control, run->settings, run->m, &run->service,
			  err) < 0)
		return STATUS_HOST;
	if (host_console_attach(&run->console, mach_console(run->m),
				mach_loop(run->m), err) == 0 &&
	    service_attach(&run->service, mach_loop(run->m), err) == 0)
		status = status_of_outcome(run, run_guest(run, err));
	guard_watch(&run->guard, NULL);
	service_detach(&run->service);
	host_console_detach(&run->console);
	return status;
}

static int make_and_run(struct run *run, struct err *err)
{
	const struct mach_config *config = &run->settings->machine;
	int status;

	if (mach_new(&run->m, config, 0, err) < 0)
		return STATUS_HOST;
	if (config->iommu.on == MACH_AUTO || run->settings->verbosity > 0)
		report("%s", mach_iommu_reason(run->m));
	status = run_machine(run, err);
	observe_stop(run->control);
	mach_free(run->m);
	return status;
}

static int guarded_run(struct run *run, struct err *err)
{
	const struct settings *s = run->settings;
	int status;

	if (guard_start(&run->guard, &guard_ops, s->timeout_ms, err) < 0)
		return STATUS_HOST;
	status = make_and_run(run, err);
	guard_end(&run->guard);
	return status;
}

static int run_named(struct run *run, struct err *err)
{
	const struct settings *s = run->settings;
	const char *const words[] = {s->machine.kernel, NULL};
	int status;

	if (service_init(&run->service, &service_ops, s->name, words, err) < 0)
		return STATUS_HOST;
	status = guarded_run(run, err);
	service_fini(&run->service);
	return status;
}

static int run_with_console(struct run *run, struct err *err)
{
	int status;

	if (host_console_init(&run->console, &console_ops, STDIN_FILENO, err) <
	    0)
		return STATUS_HOST;
	status = run_named(run, err);
	host_console_fini(&run->console);
	return status;
}

/* Reserving it costs nothing, and so succeeds. */
static void check_memory(const struct mach_config *c)
{
	const uint64_t host = mach_host_memory();

	if (host && c->memory > host)
		report("--memory: the guest may take %" PRIu64
		       " MiB and this host has %" PRIu64
		       ", swap included: if it does, the host's kernel ends "
		       "the run",
		       c->memory >> 20, host >> 20);
}

int command_run(struct settings *s, struct err *err)
{
	struct run *run;
	int status;

	/* Each connection of a vsock is one. */
	fd_raise_limit();
	if (mach_config_check(&s->machine, err) < 0)
		return s->command ? STATUS_LAUNCH : STATUS_USAGE;
	if (!s->command && !s->machine.kernel) {
		(void)err_set(err, EINVAL,
			      "--kernel is missing: it names the guest's "
			      "kernel (vmlinux or bzImage); or give a command "
			      "behind --");
		return STATUS_USAGE;
	}
	check_memory(&s->machine);
	if (s->command)
		return launch_run(s, err);
	run = calloc(1, sizeof(*run));
	if (!run) {
		(void)err_set(err, ENOMEM, "out of memory");
		return STATUS_HOST;
	}
	run->settings = s;
	status = run_with_console(run, err);
	free(run);
	if (status > STATUS_SIGNAL && status < STATUS_GUEST)
		guard_die(status - STATUS_SIGNAL);
	return status;
}
