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
 * What the kernel's IOMMU layer does, by its tracepoints.
 */

static int open_counter(const char *event)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	char path[96];
	unsigned id;
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "/tracing/events/iommu/%s/id", event);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%u", &id) != 1)
		fail("no tracepoint", path);
	fclose(f);
	attr.config = id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1,
			  PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		fail("cannot count", event);
	return fd;
}

static uint64_t count_of(int fd)
{
	uint64_t n = 0;

	if (fd >= 0 && read(fd, &n, sizeof(n)) != sizeof(n))
		fail("cannot read", "a counter");
	return n;
}

static void one_depth(struct reader *r, unsigned depth, int maps, int unmaps)
{
	const uint64_t maps_before = count_of(maps);
	const uint64_t unmaps_before = count_of(unmaps);
	char mark[96];

	r->depth = depth;
	r->random = 1;
	snprintf(mark, sizeof(mark), "rate-%u", depth);
	say(mark);
	read_all(r);
	if (maps >= 0)
		snprintf(mark, sizeof(mark),
			 "rate-%u-end:maps=%" PRIu64 ",unmaps=%" PRIu64, depth,
			 count_of(maps) - maps_before,
			 count_of(unmaps) - unmaps_before);
	else
		strcat(mark, "-end");
	say(mark);
}

void rate_all(int fd, bool count)
{
	int maps = -1, unmaps = -1;

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
		maps = open_counter("map");
		unmaps = open_counter("unmap");
	}
	one_depth(&reader, 1, maps, unmaps);
	one_depth(&reader, DEPTH_MAX, maps, unmaps);
}
