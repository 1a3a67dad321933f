/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/command.h"
#include "vmm/cli/observe.h"
#include "vmm/cli/report.h"
#include "vmm/cli/status.h"
#include "vmm/cli/terminal.h"
#include "vmm/cli/trim.h"

static struct launch *of_guard(struct guard *g)
{
	return container_of(g, struct launch, guard);
}

static void on_guard_resized(struct guard *g)
{
	launch_resized(of_guard(g));
}

static bool on_guard_signal(struct guard *g, int sig)
{
	return session_signal(&of_guard(g)->session, sig);
}

static void on_guard_leaves(struct guard *g)
{
	service_forget(&of_guard(g)->service);
}

static const struct guard_ops guard_ops = {
	.resized = on_guard_resized,
	.leaves = on_guard_leaves,
	.forward = on_guard_signal,
	.user_status = STATUS_SIGNAL + SIGTERM,
};

static void on_news(struct session *s)
{
	launch_news(container_of(s, struct launch, session));
}

/* First as kill(1) would, then as Ctrl-a x does. */
static void on_stop(struct service *s, bool again)
{
	struct launch *l = container_of(s, struct launch, service);

	if (again || !session_signal(&l->session, SIGTERM))
		guard_ask(&l->guard);
}

static void on_typed(struct service *s, const uint8_t *buf, size_t len)
{
	struct launch *l = container_of(s, struct launch, service);

	(void)stream_send(&l->kernel_text.end, buf, len);
}

static const struct service_ops service_ops = {
	.stop = on_stop,
	.typed = on_typed,
};

static const struct session_ops session_ops = {.changed = on_news};

static void boot_takes_too_long(struct loop_timer *t)
{
	struct launch *l = container_of(t, struct launch, boot_timer);

	l->stuck = true;
	mach_stop(l->m);
}

uint64_t launch_boot_ms(const struct launch *l)
{
	const uint64_t ms = l->settings->test_boot_ms;

	return ms ? ms : LAUNCH_BOOT_MS;
}

static int watch_boot(struct launch *l, struct err *err)
{
	int r;

	l->boot_timer.fn = boot_takes_too_long;
	r = loop_timer_add(mach_loop(l->m), &l->boot_timer);
	if (r < 0)
		return err_errno(err, -r, "cannot watch the boot");
	loop_timer_set(&l->boot_timer, launch_boot_ms(l) * UINT64_C(1000000));
	return 0;
}

static int run_guest(struct launch *l, struct err *err)
{
	enum mach_outcome outcome = MACH_FAILED;

	if (l->tty && terminal_open(STDIN_FILENO))
		terminal_raw();
	guard_watch(&l->guard, l->m);
	trim_later(&l->trim, mach_loop(l->m));
	l->times.guest = launch_now();
	(void)mach_run(l->m, &outcome, err);
	l->times.ended = launch_now();
	if (!isatty(STDOUT_FILENO))
		terminal_close();
	launch_drain_streams(l);
	terminal_close();
	return launch_report(l, outcome);
}

static int run_machine(struct launch *l, struct err *err)
{
	int status = STATUS_LAUNCH;

	if (launch_attach_streams(l, err) == 0 && watch_boot(l, err) == 0 &&
	    service_attach(&l->service, mach_loop(l->m), err) == 0)
		status = run_guest(l, err);
	guard_watch(&l->guard, NULL);
	loop_timer_del(&l->boot_timer);
	loop_timer_del(&l->trim);
	service_detach(&l->service);
	launch_detach_streams(l);
	return status;
}

/* The usual case is not worth a line. */
static void report_iommu(const struct launch *l)
{
	const bool asked = l->settings->machine.iommu.on != MACH_AUTO;

	if ((!asked && !mach_iommu_on(l->m)) || l->settings->verbosity > 0)
		report("%s", mach_iommu_reason(l->m));
}

static int make_and_run(struct launch *l, struct err *err)
{
	struct control *control = NULL;
	int status = STATUS_LAUNCH;

	l->times.machine = launch_now();
	if (mach_new(&l->m, &l->config, 0, err) < 0)
		return STATUS_LAUNCH;
	/* It is in the guest, and a machine that reboots ends. */
	buf_fini(&l->archive);
	report_iommu(l);
	if (observe_start(&control, l->settings, l->m, &l->service, err) == 0)
		status = run_machine(l, err);
	observe_stop(control);
	mach_free(l->m);
	return status;
}

static int run_guarded(struct launch *l, struct err *err)
{
	int status = STATUS_LAUNCH;

	if (guard_start(&l->guard, &guard_ops, l->settings->timeout_ms, err) <
	    0)
		return STATUS_LAUNCH;
	if (launch_make_streams(l, err) == 0)
		status = make_and_run(l, err);
	launch_fini_streams(l);
	guard_end(&l->guard);
	return status;
}

static int run(struct launch *l, struct err *err)
{
	int status;

	if (session_init(&l->session, &session_ops, err) < 0)
		return STATUS_LAUNCH;
	status = run_guarded(l, err);
	session_fini(&l->session);
	return status;
}

static int run_named(struct launch *l, struct err *err)
{
	const struct settings *s = l->settings;
	int status;

	if (launch_configure(l, err) < 0)
		return STATUS_LAUNCH;
	if (service_init(&l->service, &service_ops, s->name,
			 (const char *const *)s->command, err) < 0)
		return STATUS_LAUNCH;
	status = run(l, err);
	service_fini(&l->service);
	return status;
}

static int run_reported(struct launch *l, struct err *err)
{
	struct err other = {""};
	int status;

	l->times.start = launch_now();
	if (launch_open_junit(l, err) < 0)
		return STATUS_LAUNCH;
	status = run_named(l, err);
	if (err->msg[0]) {
		l->trouble = "moat";
		(void)snprintf(l->why, sizeof(l->why), "%s", err->msg);
	}
	if (launch_write_junit(l, status, &other) == 0)
		return status;
	report("%s", other.msg);
	return status == 0 ? STATUS_LAUNCH : status;
}

int launch_run(struct settings *s, struct err *err)
{
	struct launch *l = calloc(1, sizeof(*l));
	int sig, status;

	if (!l) {
		(void)err_set(err, ENOMEM, "out of memory");
		return STATUS_LAUNCH;
	}
	l->settings = s;
	buf_init(&l->archive);
	status = run_reported(l, err);
	buf_fini(&l->archive);
	free(l->cmdline);
	launch_kernel_fini(&l->kernel);
	sig = l->guard.cause == GUARD_SIGNAL ? l->guard.signal : 0;
	free(l);
	if (sig && status == STATUS_SIGNAL + sig)
		guard_die(sig);
	return status;
}
