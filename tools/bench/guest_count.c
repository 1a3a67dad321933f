/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * By tracepoints of the kernel's IOMMU layer, and by probes at functions.
 * What a kernel does not have counts as 0.
 */
#include "tools/bench/guest_count.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/bench/guest_talk.h"

struct counter {
	const char *name;
	const char *points[2]; /* "iommu/..." is a tracepoint */
	int fds[2];
	uint64_t before;
};

static struct counter counters[] = {
	{"maps", {"iommu/map"}, {-1, -1}, 0},
	{"unmaps", {"iommu/unmap"}, {-1, -1}, 0},
	{"calls", {"dma_map_page_attrs", "dma_map_sg_attrs"}, {-1, -1}, 0},
	{"requests", {"viommu_map_pages", "viommu_unmap_pages"}, {-1, -1}, 0},
	{"kicks", {"vp_notify"}, {-1, -1}, 0},
};

#define NCOUNTERS (sizeof(counters) / sizeof(counters[0]))

static bool counting;

static unsigned read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned n;

	if (!f || fscanf(f, "%u", &n) != 1)
		fail("cannot read", path);
	fclose(f);
	return n;
}

static int open_point(const char *point)
{
	struct perf_event_attr attr = {.size = sizeof(attr)};
	char path[96];

	if (strchr(point, '/')) {
		snprintf(path, sizeof(path), "/tracing/events/%s/id", point);
		attr.type = PERF_TYPE_TRACEPOINT;
		attr.config = read_number(path);
	} else {
		attr.type = read_number(
			"/sys/bus/event_source/devices/kprobe/type");
		attr.kprobe_func = (uintptr_t)point;
	}
	return (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1,
			    PERF_FLAG_FD_CLOEXEC);
}

void count_open(void)
{
	mkdir("/tracing", 0755);
	if (mount("tracing", "/tracing", "tracefs", 0, "") < 0)
		fail("cannot mount", "tracefs");
	mkdir("/sys", 0755);
	if (mount("sys", "/sys", "sysfs", 0, "") < 0 && errno != EBUSY)
		fail("cannot mount", "sysfs");
	for (unsigned i = 0; i < NCOUNTERS; i++)
		for (unsigned k = 0; k < 2 && counters[i].points[k]; k++)
			counters[i].fds[k] = open_point(counters[i].points[k]);
	counting = true;
}

static uint64_t count_of(const struct counter *c)
{
	uint64_t sum = 0, n;

	for (unsigned k = 0; k < 2; k++) {
		if (c->fds[k] < 0)
			continue;
		if (read(c->fds[k], &n, sizeof(n)) != sizeof(n))
			fail("cannot read the counter", c->name);
		sum += n;
	}
	return sum;
}

void measure_begin(const char *name)
{
	for (unsigned i = 0; counting && i < NCOUNTERS; i++)
		counters[i].before = count_of(&counters[i]);
	say(name);
}

void measure_end(const char *name)
{
	char mark[160];
	int len = snprintf(mark, sizeof(mark), "%s-end", name);

	for (unsigned i = 0; counting && i < NCOUNTERS; i++)
		len += snprintf(mark + len, sizeof(mark) - (size_t)len,
				"%c%s=%" PRIu64, i ? ',' : ':',
				counters[i].name,
				count_of(&counters[i]) - counters[i].before);
	say(mark);
}
