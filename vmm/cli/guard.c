/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/guard.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/report.h"
#include "vmm/cli/status.h"
#include "vmm/cli/terminal.h"
#include "vmm/machine/machine.h"

static const int watched[] = {SIGINT,  SIGTERM, SIGHUP,
			      SIGTSTP, SIGCONT, SIGWINCH};
/* Only where there is somebody to forward them to. */
static const int forwarded[] = {SIGQUIT, SIGUSR1, SIGUSR2};

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void guard_die(int sig)
{
	sigset_t set;

	terminal_close();
	(void)signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	(void)kill(getpid(), sig);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	_exit(STATUS_SIGNAL + sig);
}

/* End the process here and now. */
__attribute__((noreturn)) static void leave(struct guard *g,
					    enum guard_cause cause, int sig)
{
	g->ops->leaves(g);
	if (cause == GUARD_SIGNAL)
		guard_die(sig);
	terminal_close();
	_exit(cause == GUARD_TIMEOUT ? STATUS_TIMEOUT : g->ops->user_status);
}

void guard_report_timeout(const struct guard *g)
{
	report("timeout: the guest has not ended after %g s",
	       (double)g->timeout_ms / 1000);
}

static void ask_locked(struct guard *g, enum guard_cause cause, int sig)
{
	g->cause = cause;
	g->signal = sig;
	g->give_up_ms = now_ms() + GUARD_GRACE_MS;
	mach_stop(g->m);
}

/* A signal or the timeout wants the end. */
static void want_end(struct guard *g, enum guard_cause cause, int sig)
{
	bool at_once;

	pthread_mutex_lock(&g->lock);
	at_once = !g->m || (g->cause != GUARD_NONE && cause == GUARD_SIGNAL);
	if (!at_once && g->cause == GUARD_NONE)
		ask_locked(g, cause, sig);
	pthread_mutex_unlock(&g->lock);
	if (!at_once)
		return;
	if (cause == GUARD_TIMEOUT)
		guard_report_timeout(g);
	leave(g, cause, sig);
}

/* By SIGTSTP itself, not by SIGSTOP: the kernel knows when there is no shell
 * that could continue us. */
static void stop_process(void)
{
	sigset_t set;

	terminal_suspend();
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	(void)kill(getpid(), SIGTSTP);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	terminal_resume();
}

/* Who asks again and again wants an end, whatever the guest makes of it. */
static bool insists(struct guard *g)
{
	const uint64_t now = now_ms(), first = g->forwarded_ms[0];

	g->forwarded_ms[0] = g->forwarded_ms[1];
	g->forwarded_ms[1] = now;
	return first && now - first < GUARD_INSIST_MS;
}

static bool is_forwarded(struct guard *g, int sig)
{
	return g->ops->forward && !insists(g) && g->ops->forward(g, sig);
}

static void on_signal(struct guard *g, int sig)
{
	switch (sig) {
	case SIGTSTP:
		stop_process();
		break;
	case SIGCONT:
		terminal_resume();
		g->ops->resized(g);
		break;
	case SIGWINCH:
		g->ops->resized(g);
		break;
	default:
		if (!is_forwarded(g, sig))
			want_end(g, GUARD_SIGNAL, sig);
	}
}

/* Milliseconds to wait for what is due next; -1: nothing is. */
static int wait_ms(struct guard *g, uint64_t now)
{
	uint64_t due = UINT64_MAX;

	if (g->timeout_ms)
		due = g->deadline_ms;
	pthread_mutex_lock(&g->lock);
	if (g->cause != GUARD_NONE)
		due = g->give_up_ms;
	pthread_mutex_unlock(&g->lock);
	if (due == UINT64_MAX)
		return -1;
	return due <= now ? 0 : (int)min_u64(due - now, INT_MAX);
}

static void check_clock(struct guard *g, uint64_t now)
{
	enum guard_cause cause;
	bool overdue;
	int sig;

	pthread_mutex_lock(&g->lock);
	cause = g->cause;
	sig = g->signal;
	overdue = cause != GUARD_NONE && now >= g->give_up_ms;
	pthread_mutex_unlock(&g->lock);
	if (overdue) {
		if (cause == GUARD_TIMEOUT)
			guard_report_timeout(g);
		report("the machine does not stop, leaving it");
		leave(g, cause, sig);
	}
	if (g->timeout_ms && cause == GUARD_NONE && now >= g->deadline_ms)
		want_end(g, GUARD_TIMEOUT, 0);
}

static bool quitting(struct guard *g)
{
	bool quit;

	pthread_mutex_lock(&g->lock);
	quit = g->quit;
	pthread_mutex_unlock(&g->lock);
	return quit;
}

static void *guard_thread(void *arg)
{
	struct guard *g = arg;
	struct pollfd p[2] = {
		{.fd = g->signal_fd, .events = POLLIN},
		{.fd = g->wake_fd, .events = POLLIN},
	};
	struct signalfd_siginfo info;

	(void)pthread_setname_np(pthread_self(), "guard");
	while (!quitting(g)) {
		(void)poll(p, 2, wait_ms(g, now_ms()));
		(void)eventfd_clear(g->wake_fd);
		if (read(g->signal_fd, &info, sizeof(info)) == sizeof(info))
			on_signal(g, (int)info.ssi_signo);
		check_clock(g, now_ms());
	}
	return NULL;
}

static void guard_fini(struct guard *g)
{
	if (g->signal_fd >= 0)
		close(g->signal_fd);
	if (g->wake_fd >= 0)
		close(g->wake_fd);
	pthread_mutex_destroy(&g->lock);
	(void)pthread_sigmask(SIG_SETMASK, &g->old_mask, NULL);
}

static int start_thread(struct guard *g, const sigset_t *set)
{
	g->signal_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (g->signal_fd < 0)
		return -errno;
	g->wake_fd = eventfd_new();
	if (g->wake_fd < 0)
		return g->wake_fd;
	return -pthread_create(&g->thread, NULL, guard_thread, g);
}

/* nohup and shells without job control have us ignore some: so we do.
 * (Blocked, they would come in all the same.) */
static void add_signals(sigset_t *set, const int *sigs, size_t n)
{
	struct sigaction act;

	for (size_t i = 0; i < n; i++) {
		if (sigaction(sigs[i], NULL, &act) == 0 &&
		    act.sa_handler != SIG_IGN)
			sigaddset(set, sigs[i]);
	}
}

int guard_start(struct guard *g, const struct guard_ops *ops,
		uint64_t timeout_ms, struct err *err)
{
	sigset_t set;
	int r;

	*g = (struct guard){
		.ops = ops,
		.signal_fd = -1,
		.wake_fd = -1,
		.timeout_ms = timeout_ms,
		.deadline_ms = now_ms() + timeout_ms,
	};
	pthread_mutex_init(&g->lock, NULL);
	sigemptyset(&set);
	add_signals(&set, watched, ARRAY_SIZE(watched));
	if (ops->forward)
		add_signals(&set, forwarded, ARRAY_SIZE(forwarded));
	(void)pthread_sigmask(SIG_BLOCK, &set, &g->old_mask);
	r = start_thread(g, &set);
	if (r < 0) {
		guard_fini(g);
		return err_errno(err, -r, "cannot watch for signals");
	}
	return 0;
}

void guard_end(struct guard *g)
{
	pthread_mutex_lock(&g->lock);
	g->m = NULL;
	g->quit = true;
	pthread_mutex_unlock(&g->lock);
	eventfd_signal(g->wake_fd);
	(void)pthread_join(g->thread, NULL);
	guard_fini(g);
}

void guard_watch(struct guard *g, struct mach *m)
{
	pthread_mutex_lock(&g->lock);
	g->m = m;
	pthread_mutex_unlock(&g->lock);
}

void guard_ask(struct guard *g)
{
	pthread_mutex_lock(&g->lock);
	if (g->m && g->cause == GUARD_NONE)
		ask_locked(g, GUARD_USER, 0);
	pthread_mutex_unlock(&g->lock);
	eventfd_signal(g->wake_fd);
}

enum guard_cause guard_cause(struct guard *g, int *ret_signal)
{
	enum guard_cause cause;

	pthread_mutex_lock(&g->lock);
	cause = g->cause;
	*ret_signal = g->signal;
	pthread_mutex_unlock(&g->lock);
	return cause;
}
