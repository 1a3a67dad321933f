/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/bench/guest_rate.h"

#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/bench/guest_count.h"
#include "tools/bench/guest_talk.h"

#define BLOCK	   4096u
#define SEQUENTIAL (1 << 20)
#define HUGE_PAGE  (2 << 20)
#define DISK_SIZE  (64 << 20)
#define REQUESTS   1024u
#define DEPTH_MAX  32u

struct reader {
	int fd;
	int opcode; /* IOCB_CMD_... */
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
	return (uint64_t)(r->random % ((unsigned)DISK_SIZE / BLOCK)) * BLOCK;
}

static void submit(struct reader *r, unsigned i)
{
	struct iocb *io = &r->iocbs[i];

	*io = (struct iocb){
		.aio_data = i,
		.aio_lio_opcode = (uint16_t)r->opcode,
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
			fail("cannot submit", "a request");
		done += (unsigned)k;
	}
}

/* What has come back goes out again, elsewhere, until REQUESTS are done. */
static void do_all(struct reader *r)
{
	struct io_event events[DEPTH_MAX];
	struct iocb *ios[DEPTH_MAX];
	unsigned begun, done = 0;

	for (begun = 0; begun < r->depth; begun++) {
		submit(r, begun);
		ios[begun] = &r->iocbs[begun];
	}
	submit_all(r, ios, begun);
	while (done < REQUESTS) {
		long n = syscall(SYS_io_getevents, r->aio, 1L, (long)r->depth,
				 events, NULL);
		unsigned again = 0;

		if (n < 0)
			fail("cannot wait for", "a request");
		for (long i = 0; i < n; i++, done++) {
			unsigned which = (unsigned)events[i].data;

			if (events[i].res != BLOCK)
				fail("cannot read or write", "a block");
			if (begun == REQUESTS)
				continue;
			submit(r, which);
			ios[again++] = &r->iocbs[which];
			begun++;
		}
		submit_all(r, ios, again);
	}
}

static void one_depth(struct reader *r, unsigned depth, const char *name)
{
	r->depth = depth;
	r->random = 1;
	measure_begin(name);
	do_all(r);
	measure_end(name);
}

static void get_blocks(struct reader *r, int fd, int opcode)
{
	*r = (struct reader){.fd = fd, .opcode = opcode};
	r->bufs = aligned_alloc(BLOCK, (size_t)DEPTH_MAX * BLOCK);
	if (!r->bufs)
		fail("no memory for", "blocks");
	memset(r->bufs, 1, (size_t)DEPTH_MAX * BLOCK);
	if (syscall(SYS_io_setup, DEPTH_MAX, &r->aio) < 0)
		fail("cannot set up", "aio");
}

static void put_blocks(struct reader *r)
{
	(void)syscall(SYS_io_destroy, r->aio);
	free(r->bufs);
}

void rate_reads(int fd)
{
	get_blocks(&reader, fd, IOCB_CMD_PREAD);
	one_depth(&reader, 1, "rate-1");
	one_depth(&reader, DEPTH_MAX, "rate-32");
	put_blocks(&reader);
}

void rate_writes(int fd)
{
	get_blocks(&reader, fd, IOCB_CMD_PWRITE);
	one_depth(&reader, 1, "write-1");
	one_depth(&reader, DEPTH_MAX, "write-32");
	put_blocks(&reader);
}

void rate_sequential(int fd)
{
	/* In one piece of memory: else it is chance how many mappings a block
	 * takes. */
	uint8_t *buf = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (buf == MAP_FAILED)
		fail("no huge page for", "a block");
	memset(buf, 1, SEQUENTIAL);
	measure_begin("seq-read");
	for (off_t at = 0; at < DISK_SIZE; at += SEQUENTIAL) {
		if (pread(fd, buf, SEQUENTIAL, at) != SEQUENTIAL)
			fail("cannot read", "a large block");
	}
	measure_end("seq-read");
	measure_begin("seq-write");
	for (off_t at = 0; at < DISK_SIZE; at += SEQUENTIAL) {
		if (pwrite(fd, buf, SEQUENTIAL, at) != SEQUENTIAL)
			fail("cannot write", "a large block");
	}
	measure_end("seq-write");
	munmap(buf, HUGE_PAGE);
}
