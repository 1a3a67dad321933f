/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/bench/tracer.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum state { ASKED, TRACING, FAILED };

struct tracer_shared {
	_Atomic uint64_t calls;
	_Atomic enum state state;
	_Atomic int error;
	_Atomic bool allowed; /* the thread's process has said who may */
};

static void seize(struct tracer_shared *s, pid_t tid)
{
	int status;

	while (!atomic_load(&s->allowed))
		usleep(100);
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD) ==
		    0 &&
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0 &&
	    waitpid(tid, &status, __WALL) == tid) {
		atomic_store(&s->state, TRACING);
		return;
	}
	atomic_store(&s->error, errno);
	atomic_store(&s->state, FAILED);
	_exit(1);
}

/* Each call stops twice, at its beginning and at its end. */
static void count(struct tracer_shared *s, pid_t tid)
{
	bool inside = false;
	int status, sig = 0;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)sig) < 0 ||
		    waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
			_exit(0);
		sig = 0;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			inside = !inside;
			if (inside)
				atomic_fetch_add(&s->calls, 1);
		} else if (status >> 16 == 0) {
			sig = WSTOPSIG(status);
		}
	}
}

int tracer_start(struct tracer *t, pid_t tid)
{
	struct tracer_shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		return -errno;
	t->shared = s;
	t->process = fork();
	if (t->process < 0)
		return -errno;
	if (t->process == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		seize(s, tid);
		count(s, tid);
	}
	(void)prctl(PR_SET_PTRACER, (unsigned long)t->process);
	atomic_store(&s->allowed, true);
	while (atomic_load(&s->state) == ASKED)
		usleep(100);
	if (atomic_load(&s->state) == TRACING)
		return 0;
	tracer_stop(t);
	return -atomic_load(&s->error);
}

uint64_t tracer_calls(const struct tracer *t)
{
	return atomic_load(&t->shared->calls);
}

/* The thread goes on when its tracer is gone. */
void tracer_stop(struct tracer *t)
{
	(void)kill(t->process, SIGKILL);
	(void)waitpid(t->process, NULL, 0);
}
