/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * virtio-bench - what a request costs its device, without a guest.
 *
 * docs/benchmarks.md says what is measured, and has the figures.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "iommu/bench/pin.h"
#include "iommu/bench/samples.h"
#include "virtio/bench/rig.h"
#include "virtio/bench/tracer.h"

static const struct subject_ops *const subjects[] = {
	&subject_blk_read, &subject_blk_write, &subject_blk_own,
	&subject_net_tx,   &subject_net_rx,    &subject_vsock,
	&subject_console,
};

static const unsigned depths[] = {1, 32, RIG_DEPTH_MAX};

/* Before the clock runs. */
#define WARM_NS 20000000u
/* Under the tracer, at depth 1; more where more are in flight. */
#define TRACED 2000u

struct options {
	bool json, no_syscalls;
	unsigned rounds, ms;
	const char *filter;
};

struct bench {
	const struct options *o;
	struct samples samples;
	bool traced_in_vain;
};

static void add(struct bench *b, const struct rig *r, unsigned depth,
		const char *what, double value, const char *unit)
{
	char name[48];

	(void)snprintf(name, sizeof(name), "%s/%u:%s", r->ops->name, depth,
		       what);
	samples_add(&b->samples, rig_memory_names[r->memory], name, value,
		    unit);
}

static void time_one(struct bench *b, struct rig *r, unsigned depth)
{
	struct rig_result res;
	double n;

	rig_run(r, depth, b->o->ms * 1000000ull, 0, &res);
	n = (double)res.requests;
	add(b, r, depth, "cpu", res.cpu_ns / n, "ns");
	add(b, r, depth, "wall", res.wall_ns / n, "ns");
	add(b, r, depth, "allocations", (double)res.allocations / n, "");
	add(b, r, depth, "locks", (double)res.locks / n, "");
	add(b, r, depth, "interrupts", (double)res.interrupts / n, "");
	add(b, r, depth, "kicks", (double)res.kicks / n, "");
}

static void trace_one(struct bench *b, struct rig *r, unsigned depth)
{
	struct rig_result res;
	struct tracer t;
	uint64_t before;

	if (b->o->no_syscalls || b->traced_in_vain)
		return;
	if (tracer_start(&t, r->tid)) {
		fprintf(stderr, "virtio-bench: may not trace its own thread: "
				"system calls are not counted\n");
		b->traced_in_vain = true;
		return;
	}
	before = tracer_calls(&t);
	rig_run(r, depth, 0, TRACED * (depth > 1 ? 4 : 1), &res);
	add(b, r, depth, "syscalls",
	    (double)(tracer_calls(&t) - before) / (double)res.requests, "");
	tracer_stop(&t);
}

static bool wanted(const struct bench *b, const char *subject, unsigned depth)
{
	char name[48];

	(void)snprintf(name, sizeof(name), "%s/%u:", subject, depth);
	return !b->o->filter || strstr(name, b->o->filter);
}

/* The three ways to memory by turns, on devices of their own. */
static void one_case(struct bench *b, const struct subject_ops *ops,
		     unsigned depth)
{
	struct rig *rigs = calloc(RIG_MEMORIES, sizeof(*rigs));
	struct rig_result res;

	if (!rigs)
		exit(1);
	for (unsigned m = 0; m < RIG_MEMORIES; m++) {
		rig_up(&rigs[m], ops, (enum rig_memory)m);
		/* At most as many as the queue takes. */
		depth = (unsigned)min_u64(depth, rigs[m].driver.size);
		rig_run(&rigs[m], depth, WARM_NS, 0, &res);
	}
	for (unsigned round = 0; round < b->o->rounds; round++)
		for (unsigned m = 0; m < RIG_MEMORIES; m++)
			time_one(b, &rigs[m], depth);
	for (unsigned m = 0; m < RIG_MEMORIES; m++) {
		trace_one(b, &rigs[m], depth);
		rig_down(&rigs[m]);
	}
	free(rigs);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: virtio-bench [--json] [--rounds N] [--ms N] [--case TEXT]\n"
		"                    [--whole] [--dir DIR | --disk FILE] "
		"[--no-syscalls]\n"
		"\n"
		"  --json         one object a line instead of tables\n"
		"  --rounds N     samples of each case (7)\n"
		"  --ms N         length of a sample (100)\n"
		"  --case TEXT    only cases with this in their name, as in "
		"blk-read/32:\n"
		"  --whole        the driver waits for all requests of a batch "
		"before the next:\n"
		"                 each batch is as large as the other\n"
		"  --dir DIR      where the disk's image is made "
		"($TMPDIR or /dev/shm)\n"
		"  --disk FILE    a file or block device of at least 64 MiB, "
		"which is written\n"
		"  --no-syscalls  do not count them\n"
		"\n"
		"blk-read, blk-write   4 KiB somewhere on the disk\n"
		"blk-own               blk-read on a queue with a lock of its "
		"own\n"
		"net-tx, net-rx        a frame of 1,514 bytes, by a socket "
		"as passt's\n"
		"vsock                 448 bytes to a program of the host\n"
		"console               64 bytes of output\n"
		"/N                    so many requests at a time\n"
		"\n"
		"cpu                   of the device's thread, a request\n"
		"wall                  time between two requests' ends\n"
		"allocations, locks    calls of the device's thread, a "
		"request\n"
		"interrupts, kicks     seen and sent by the driver, a "
		"request\n"
		"syscalls              of the device's thread, a request; "
		"counted apart\n"
		"\n"
		"off                   no IOMMU\n"
		"hot                   behind it, everything mapped before\n"
		"map-unmap             each buffer mapped before its request, "
		"unmapped after\n");
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text && !*end && v > 0 && v < 1000000)
		return (unsigned)v;
	usage(stderr);
	exit(2);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"rounds", required_argument, NULL, 'r'},
		{"ms", required_argument, NULL, 'm'},
		{"case", required_argument, NULL, 'c'},
		{"dir", required_argument, NULL, 'd'},
		{"disk", required_argument, NULL, 'f'},
		{"no-syscalls", no_argument, NULL, 's'},
		{"whole", no_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			exit(0);
		} else if (c == 'j') {
			o->json = true;
		} else if (c == 'r') {
			o->rounds = number(optarg);
		} else if (c == 'm') {
			o->ms = number(optarg);
		} else if (c == 'c') {
			o->filter = optarg;
		} else if (c == 'd') {
			rig_options.dir = optarg;
		} else if (c == 'f') {
			rig_options.path = optarg;
		} else if (c == 's') {
			o->no_syscalls = true;
		} else if (c == 'w') {
			rig_options.whole = true;
		} else {
			usage(stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options o = {.rounds = 7, .ms = 100};
	struct bench b = {.o = &o};
	const char *tmp = getenv("TMPDIR");

	rig_options.dir = tmp && *tmp ? tmp : "/dev/shm";
	parse(&o, argc, argv);
	pin(0);
	for (size_t s = 0; s < ARRAY_SIZE(subjects); s++)
		for (size_t d = 0; d < ARRAY_SIZE(depths); d++)
			if (wanted(&b, subjects[s]->name, depths[d]))
				one_case(&b, subjects[s], depths[d]);
	samples_print(&b.samples, "virtio", o.json);
	samples_fini(&b.samples);
	return 0;
}
