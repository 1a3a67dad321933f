/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/bench/guest_rate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/bench/guest_talk.h"

#define BLOCK	  4096u
#define DISK_SIZE (64u << 20)
#define READS	  1024u
#define DEPTH_MAX 32u

struct reader {
	int fd;
	unsigned depth;
	aio_context_t aio;
	uint8_t *bufs;
	struct iocb iocbs[DEPTH_MAX];
	uint32_t random;
};

static struct reader reader;

/* xorshift: the same places in each run. */
static uint64_t next_place(struct reader *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 17;
	r->random ^= r->random << 5;
	return (uint64_t)(r->random % (DISK_SIZE / BLOCK)) * BLOCK;
}

static void submit(struct reader *r, unsigned i)
{
	struct iocb *io = &r->iocbs[i];

	*io = (struct iocb){
		.aio_data = i,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)r->fd,
		.aio_buf = (uintptr_t)(r->bufs + (size_t)i * BLOCK),
		.aio_nbytes = BLOCK,
		.aio_offset = (int64_t)next_place(r),
	};
}

static void submit_all(struct reader *r, struct iocb **ios, unsigned n)
{
	for (unsigned done = 0; done < n;) {
		long k = syscall(SYS_io_submit, r->aio, (long)(n - done),
				 ios + done);

		if (k < 0)
			fail("cannot submit", "a read");
		done += (unsigned)k;
	}
}

/* What has come back goes out again, elsewhere, until READS are done. */
static void read_all(struct reader *r)
{
	struct io_event events[DEPTH_MAX];
	struct iocb *ios[DEPTH_MAX];
	unsigned begun, done = 0;

	for (begun = 0; begun < r->depth; begun++) {
		submit(r, begun);
		ios[begun] = &r->iocbs[begun];
	}
	submit_all(r, ios, begun);
	while (done < READS) {
		long n = syscall(SYS_io_getevents, r->aio, 1L, (long)r->depth,
				 events, NULL);
		unsigned again = 0;

		if (n < 0)
			fail("cannot wait for", "a read");
		for (long i = 0; i < n; i++, done++) {
			unsigned which = (unsigned)events[i].data;

			if (events[i].res != BLOCK)
				fail("cannot read", "a block");
			if (begun == READS)
				continue;
			submit(r, which);
			ios[again++] = &r->iocbs[which];
			begun++;
		}
		submit_all(r, ios, again);
	}
}

/*
 * What the kernel does for the reads: by tracepoints of its IOMMU layer, and by
 * probes at functions.  What it does not have counts as 0.
 */

struct counter {
	const char *name;
	const char *points[2]; /* "iommu/..." is a tracepoint */
	int fds[2];
};

static struct counter counters[] = {
	{"maps", {"iommu/map"}, {-1, -1}},
	{"unmaps", {"iommu/unmap"}, {-1, -1}},
	{"calls", {"dma_map_page_attrs", "dma_map_sg_attrs"}, {-1, -1}},
	{"requests", {"viommu_map_pages", "viommu_unmap_pages"}, {-1, -1}},
	{"kicks", {"vp_notify"}, {-1, -1}},
};

#define NCOUNTERS (sizeof(counters) / sizeof(counters[0]))

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

static void open_counters(void)
{
	for (unsigned i = 0; i < NCOUNTERS; i++)
		for (unsigned k = 0; k < 2 && counters[i].points[k]; k++)
			counters[i].fds[k] = open_point(counters[i].points[k]);
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

static void one_depth(struct reader *r, unsigned depth, bool count)
{
	uint64_t before[NCOUNTERS];
	char mark[160];
	int len;

	for (unsigned i = 0; i < NCOUNTERS; i++)
		before[i] = count_of(&counters[i]);
	r->depth = depth;
	r->random = 1;
	snprintf(mark, sizeof(mark), "rate-%u", depth);
	say(mark);
	read_all(r);
	len = snprintf(mark, sizeof(mark), "rate-%u-end", depth);
	for (unsigned i = 0; count && i < NCOUNTERS; i++)
		len += snprintf(mark + len, sizeof(mark) - (size_t)len,
				"%c%s=%" PRIu64, i ? ',' : ':',
				counters[i].name,
				count_of(&counters[i]) - before[i]);
	say(mark);
}

void rate_all(int fd, bool count)
{
	reader.fd = fd;
	reader.bufs = aligned_alloc(BLOCK, (size_t)DEPTH_MAX * BLOCK);
	if (!reader.bufs)
		fail("no memory for", "blocks");
	memset(reader.bufs, 1, (size_t)DEPTH_MAX * BLOCK);
	if (syscall(SYS_io_setup, DEPTH_MAX, &reader.aio) < 0)
		fail("cannot set up", "aio");
	if (count) {
		mkdir("/tracing", 0755);
		if (mount("tracing", "/tracing", "tracefs", 0, "") < 0)
			fail("cannot mount", "tracefs");
		mkdir("/sys", 0755);
		if (mount("sys", "/sys", "sysfs", 0, "") < 0 && errno != EBUSY)
			fail("cannot mount", "sysfs");
		open_counters();
	}
	one_depth(&reader, 1, count);
	one_depth(&reader, DEPTH_MAX, count);
}
