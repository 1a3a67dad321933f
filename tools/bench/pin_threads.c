/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/bench/pin_threads.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_vcpu(pid_t pid, pid_t tid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	f = fopen(path, "re");
	if (f && !fgets(name, sizeof(name), f))
		name[0] = '\0';
	if (f)
		fclose(f);
	return strcmp(name, "vcpu0\n") == 0 ||
	       strcmp(name, "CPU 0/KVM\n") == 0 ||
	       strcmp(name, "kvm-vcpu-0\n") == 0;
}

static void pin(pid_t tid, unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(tid, sizeof(set), &set) && errno != ESRCH)
		err(1, "cannot keep a thread on processor %u", cpu);
}

void pin_threads(pid_t pid)
{
	const struct dirent *e;
	bool found = false;
	char path[32];
	DIR *tasks;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		err(1, "cannot look into '%s'", path);
	while ((e = readdir(tasks))) {
		const pid_t tid = (pid_t)atoi(e->d_name);
		const bool vcpu = tid > 0 && is_vcpu(pid, tid);

		if (tid > 0)
			pin(tid, vcpu ? 0 : 1);
		found |= vcpu;
	}
	closedir(tasks);
	if (!found)
		errx(1, "the monitor has no thread of a vCPU");
}
