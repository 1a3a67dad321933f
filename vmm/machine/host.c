/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/host.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"

/* A word of a list separated by spaces. */
static bool has_word(const char *list, const char *word)
{
	const size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += len) {
		if ((p == list || p[-1] == ' ') &&
		    (p[len] == ' ' || p[len] == '\n' || p[len] == '\0'))
			return true;
	}
	return false;
}

static void probe_cpuinfo(struct mach_host *h)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	AUTO_FREE char *line = NULL;
	size_t cap = 0;

	if (!f)
		return;
	while (getline(&line, &cap, f) > 0) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		h->cpu_flag = has_word(line, "svm") || has_word(line, "vmx");
		h->in_vm = has_word(line, "hypervisor");
		break;
	}
	(void)fclose(f);
}

static void probe_meminfo(struct mach_host *h)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[256];
	uint64_t val;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemTotal: %" SCNu64 " kB", &val) == 1)
			h->memory = KIB(val);
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &val) == 1)
			h->memory_available = KIB(val);
		if (sscanf(line, "HugePages_Free: %" SCNu64, &val) == 1)
			h->hugepages_free = val;
		if (sscanf(line, "Hugepagesize: %" SCNu64 " kB", &val) == 1)
			h->hugepage_size = KIB(val);
	}
	(void)fclose(f);
}

/* A sandbox or a sysctl may forbid it; the library would say no more. */
static int probe_io_uring(void)
{
	struct io_uring_params params = {0};
	long fd = syscall(SYS_io_uring_setup, 1, &params);

	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

static uint64_t value(rlim_t limit)
{
	return limit == RLIM_INFINITY ? UINT64_MAX : limit;
}

static void probe_limits(struct mach_host *h)
{
	struct rlimit files = {0, RLIM_INFINITY};
	struct rlimit space = {RLIM_INFINITY, 0};

	(void)getrlimit(RLIMIT_NOFILE, &files);
	(void)getrlimit(RLIMIT_AS, &space);
	h->open_files = value(files.rlim_max); /* a run takes all of them */
	h->address_space = value(space.rlim_cur);
}

void mach_host_probe(struct mach_host *ret_h)
{
	*ret_h = (struct mach_host){
		.io_uring = probe_io_uring(),
	};
	probe_limits(ret_h);
	vm_probe(&ret_h->kvm);
	probe_cpuinfo(ret_h);
	probe_meminfo(ret_h);
}

uint64_t mach_host_memory(void)
{
	struct sysinfo i;

	if (sysinfo(&i) < 0)
		return 0;
	return ((uint64_t)i.totalram + i.totalswap) * i.mem_unit;
}
