/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/bench/exits.h"

#include <err.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Filters are written in the kernel's numbers: KVM_EXIT_IO, KVM_EXIT_MMIO. */
static const struct {
	const char *event, *filter;
} counters[EXITS_KINDS] = {
	[EXITS_ALL] = {"kvm_exit", NULL},
	[EXITS_USER] = {"kvm_userspace_exit", NULL},
	[EXITS_IO] = {"kvm_userspace_exit", "reason == 2"},
	[EXITS_MMIO] = {"kvm_userspace_exit", "reason == 6"},
};

static unsigned event_id(const char *event)
{
	static const char *const roots[] = {"/sys/kernel/tracing",
					    "/sys/kernel/debug/tracing"};
	char path[128];
	unsigned id;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		FILE *f;
		int n;

		snprintf(path, sizeof(path), "%s/events/kvm/%s/id", roots[i],
			 event);
		f = fopen(path, "re");
		if (!f)
			continue;
		n = fscanf(f, "%u", &id);
		fclose(f);
		if (n == 1)
			return id;
	}
	errx(1, "no tracepoint kvm:%s (is tracefs mounted, is this root?)",
	     event);
}

static int open_counter(const char *event, const char *filter, pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = event_id(event),
		.disabled = 1,
		.inherit = 1,
		.enable_on_exec = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1,
			      PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		err(1, "cannot count kvm:%s", event);
	if (filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0)
		err(1, "cannot count kvm:%s with %s", event, filter);
	return fd;
}

void exits_open(struct exits *e, pid_t pid)
{
	for (int i = 0; i < EXITS_KINDS; i++)
		e->fds[i] = open_counter(counters[i].event, counters[i].filter,
					 pid);
}

void exits_read(const struct exits *e, uint64_t counts[EXITS_KINDS])
{
	for (int i = 0; i < EXITS_KINDS; i++) {
		if (read(e->fds[i], &counts[i], sizeof(counts[i])) !=
		    sizeof(counts[i]))
			err(1, "cannot read a counter");
	}
}
