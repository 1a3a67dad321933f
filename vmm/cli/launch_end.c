/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * How a command in a guest ended, in a status and, if it was not the command
 * that ended the run, a line.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/launch.h"
#include "vmm/cli/observe.h"
#include "vmm/cli/output_file.h"
#include "vmm/cli/report.h"
#include "vmm/cli/status.h"
#include "vmm/launch/junit.h"

/* What a kernel said last that did not come to its end. */
#define BOOT_LINES 12

/* The last line on standard error, and the report's. */
__attribute__((format(printf, 3, 4))) static void
conclude(struct launch *l, const char *trouble, const char *fmt, ...)
{
	va_list ap;

	l->trouble = trouble;
	va_start(ap, fmt);
	(void)vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	report("%s", l->why);
}

/*
 * The kernel's last lines.  Its console has them unless it was quiet, or had
 * none yet; its memory has them all.
 */
static void report_kernel(struct launch *l)
{
	AUTO_FREE char *text = malloc(TAIL_BYTES);
	AUTO_FREE struct tail *log = calloc(1, sizeof(*log));
	size_t len = 0;

	if (text && log)
		len = mach_kernel_log(l->m, text, TAIL_BYTES);
	if (len == 0) {
		tail_report(&l->tail, TAIL_LINES);
		return;
	}
	tail_add(log, (const uint8_t *)text, len);
	tail_report(log, BOOT_LINES);
}

static int end_by_panic(struct launch *l, const char *what)
{
	char *text = NULL;

	tail_report(&l->tail, TAIL_LINES);
	if (tail_find(&l->tail, "Kernel panic - not syncing: ", &text) == 1)
		conclude(l, "panic", "%s: %s", what, text);
	else
		conclude(l, "panic", "%s", what);
	free(text);
	return STATUS_GUEST;
}

static int end_by_stuck_boot(struct launch *l)
{
	report_kernel(l);
	conclude(l, "moat",
		 "the guest did not start: its kernel had not come to its "
		 "first process after %g s",
		 (double)launch_boot_ms(l) / 1000);
	return STATUS_LAUNCH;
}

static int end_by_timeout(struct launch *l, const struct session_news *news)
{
	const double s = (double)l->settings->timeout_ms / 1000;

	if (news->state == SESSION_BOOTING) {
		report_kernel(l);
		conclude(l, "timeout",
			 "timeout after %g s: the command was not started, the "
			 "kernel had not come to its first process",
			 s);
	} else if (news->state == SESSION_UP) {
		conclude(l, "timeout",
			 "timeout after %g s: the command was not started, the "
			 "guest was still being set up",
			 s);
	} else {
		conclude(l, "timeout",
			 "timeout: the command has not ended after %g s", s);
	}
	return STATUS_TIMEOUT;
}

static int end_by_request(struct launch *l, const struct session_news *news)
{
	int sig;

	switch (guard_cause(&l->guard, &sig)) {
	case GUARD_TIMEOUT:
		return end_by_timeout(l, news);
	case GUARD_SIGNAL:
		conclude(l, "moat", "ended by signal %d", sig);
		return STATUS_SIGNAL + sig;
	case GUARD_USER:
		conclude(l, "moat", "ended on request");
		return STATUS_SIGNAL + SIGTERM;
	case GUARD_NONE:
		break;
	}
	return STATUS_LAUNCH;
}

/* Of what init could not do. */
static int end_by_init(struct launch *l, const char *why)
{
	const bool driver = strncmp(why, "the kernel has no ", 18) == 0;

	conclude(l, "moat", "in the guest: %s%s", why,
		 driver && !l->kernel.modules
			 ? " (no folder of its modules was found, --modules "
			   "DIR names one)"
			 : "");
	return STATUS_LAUNCH;
}

/* Init has no port to say it through: then it is in the kernel's text. */
static int end_by_guest(struct launch *l, const char *how)
{
	char *why;

	if (tail_find(&l->tail, "moat: fail ", &why) == 1) {
		(void)end_by_init(l, why);
		free(why);
		return STATUS_LAUNCH;
	}
	tail_report(&l->tail, TAIL_LINES);
	conclude(l, "moat", "the guest %s before the command ended", how);
	return STATUS_LAUNCH;
}

/*
 * What could not be written.
 */

static bool is_lost(struct launch *l, struct host_console *c, const char *what)
{
	const int error = host_console_error(c);

	/* A reader who has enough of it is no trouble of ours. */
	if (error == 0 || error == EPIPE)
		return false;
	conclude(l, "moat", "%s: %s", what, strerror(error));
	return true;
}

static bool report_lost(struct launch *l)
{
	const char *path = l->settings->log_path;
	char what[160];
	bool lost = is_lost(l, &l->streams[LAUNCH_OUT],
			    "cannot write the command's output");

	lost |= is_lost(l, &l->streams[LAUNCH_ERR],
			"cannot write the command's errors");
	(void)snprintf(what, sizeof(what), "--log '%.120s': cannot write",
		       path ? path : "");
	return is_lost(l, &l->kernel_text, what) || lost;
}

static int report_end(struct launch *l, enum mach_outcome outcome)
{
	struct session_news news;

	session_get(&l->session, &news);
	if (l->settings->verbosity > 0) {
		observe_report(l->m);
		launch_report_times(l, &news);
	}
	if (news.state == SESSION_EXITED)
		return news.status;
	if (news.state == SESSION_FAILED)
		return end_by_init(l, news.why);
	if (l->stuck)
		return end_by_stuck_boot(l);
	switch (outcome) {
	case MACH_PANICKED:
		return end_by_panic(l, "the guest's kernel panicked");
	case MACH_CRASHED: /* the machine has said how */
		return end_by_panic(l, "the guest crashed");
	case MACH_STOPPED:
		return end_by_request(l, &news);
	case MACH_POWERED_OFF:
		return end_by_guest(l, "powered off");
	case MACH_REBOOTED:
		return end_by_guest(l, "rebooted");
	case MACH_HALTED:
		return end_by_guest(l, "halted");
	case MACH_FAILED:
		break;
	}
	return STATUS_LAUNCH;
}

int launch_report(struct launch *l, enum mach_outcome outcome)
{
	const bool lost = report_lost(l);
	const int status = report_end(l, outcome);

	return lost && status == 0 ? STATUS_LAUNCH : status;
}

int launch_open_junit(struct launch *l, struct err *err)
{
	const struct settings *s = l->settings;
	int fd;

	if (!s->junit_path)
		return 0;
	fd = output_file_open(s, "--junit '", s->junit_path, err);
	if (fd < 0)
		return fd;
	l->junit = fdopen(fd, "w");
	if (!l->junit) {
		close(fd);
		return err_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

int launch_write_junit(struct launch *l, int status, struct err *err)
{
	const struct settings *s = l->settings;
	const struct junit j = {
		.command = (const char *const *)s->command,
		.kernel = l->kernel.path ? l->kernel.path : "",
		.seconds = launch_now() - l->times.start,
		.status = status,
		.trouble = l->trouble,
		.text = l->why,
	};
	int r;

	if (!l->junit)
		return 0;
	junit_write(&j, l->junit);
	r = ferror(l->junit) ? -EIO : 0;
	if (fclose(l->junit) != 0)
		r = -errno;
	return r < 0 ? err_errno(err, -r, "--junit '%.120s': cannot write",
				 s->junit_path)
		     : 0;
}
