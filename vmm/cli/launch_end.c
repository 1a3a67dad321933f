/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * How a command in a guest ended, in a status and, if it was not the command
 * that ended the run, a line.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/launch.h"
#include "vmm/cli/report.h"
#include "vmm/cli/status.h"

static void report_state(const struct session_news *news)
{
	if (news->state < SESSION_RUNNING)
		report("the command was not started: %s",
		       news->state == SESSION_BOOTING
			       ? "the kernel had not come to its first process"
			       : "the guest was still being set up");
}

static int report_panic(struct launch *l, const char *what)
{
	tail_report(&l->tail);
	report("%s", what);
	return STATUS_GUEST;
}

static int report_stuck(struct launch *l)
{
	tail_report(&l->tail);
	report("the guest did not start: its kernel had not come to its first "
	       "process after %d s",
	       LAUNCH_BOOT_MS / 1000);
	return STATUS_LAUNCH;
}

static int report_stopped(struct launch *l, const struct session_news *news)
{
	int sig;

	switch (guard_cause(&l->guard, &sig)) {
	case GUARD_TIMEOUT:
		if (news->state < SESSION_RUNNING)
			tail_report(&l->tail);
		report_state(news);
		guard_report_timeout(&l->guard);
		return STATUS_TIMEOUT;
	case GUARD_SIGNAL:
		return STATUS_SIGNAL + sig;
	case GUARD_USER:
		report("ended by Ctrl-a x");
		return STATUS_SIGNAL + SIGINT;
	case GUARD_NONE:
		break;
	}
	return STATUS_LAUNCH;
}

/* Init has no port to say it through: then it is in the kernel's text. */
static int report_gone(struct launch *l, const char *how)
{
	char *why;

	if (tail_find(&l->tail, "moat: fail ", &why) == 1) {
		report("in the guest: %s", why);
		free(why);
	} else {
		tail_report(&l->tail);
		report("the guest %s before the command ended", how);
	}
	return STATUS_LAUNCH;
}

int launch_report(struct launch *l, enum mach_outcome outcome)
{
	struct session_news news;

	session_get(&l->session, &news);
	if (news.state == SESSION_EXITED)
		return news.status;
	if (news.state == SESSION_FAILED) {
		report("in the guest: %s", news.why);
		return STATUS_LAUNCH;
	}
	if (l->stuck)
		return report_stuck(l);
	switch (outcome) {
	case MACH_PANICKED:
		return report_panic(l, "the guest's kernel panicked");
	case MACH_CRASHED: /* the machine has said how */
		return report_panic(l, "the guest crashed");
	case MACH_HALTED:
		return report_gone(l, "halted");
	case MACH_STOPPED:
		return report_stopped(l, &news);
	case MACH_POWERED_OFF:
		return report_gone(l, "powered off");
	case MACH_REBOOTED:
		return report_gone(l, "rebooted");
	case MACH_FAILED:
		break;
	}
	return STATUS_LAUNCH;
}
