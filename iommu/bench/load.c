/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/bench/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "iommu/bench/pin.h"

#define HOT_PAGES    64
#define BUFFER_PAGES 16
/* Mappings from one buffer to the next: as where each has a range of 64 KiB. */
#define STRIDE 16
/* Long enough for no branch predictor to know them by heart. */
#define ADDRESSES (UINT64_C(1) << 18)
/* Addresses between two looks at the clock or the end. */
#define CHUNK 1024
/* Before the clock runs: chunks, and time. */
#define WARM	4
#define WARM_NS 5000000
/* The writer: 400,000 operations a second, MAP and UNMAP by turns. */
#define PAIR_NS 5000
/* Where the lone writer maps: each page needs a table of its own. */
#define LONE_AT	    GIB(64)
#define LONE_STRIDE MIB(2)

static const struct gmem_slot layout[] = {
	{.base = 0, .size = KIB(640)},
	{.base = MIB(1), .size = GIB(3) - MIB(1)},
	{.base = GIB(4), .size = GIB(1)},
};

static void die(const char *what)
{
	fprintf(stderr, "iommu-bench: %s\n", what);
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* This thread's: what others do to the machine is left out. */
static uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static uint64_t scramble(uint64_t v)
{
	v ^= v >> 33;
	v *= UINT64_C(0xff51afd7ed558ccd);
	v ^= v >> 33;
	v *= UINT64_C(0xc4ceb9fe1a85ec53);
	return v ^ v >> 33;
}

void load_memory(struct gmem *mem)
{
	if (gmem_init(mem, layout, ARRAY_SIZE(layout), NULL))
		die("no guest memory");
}

/* Neighbours in IOVA space are none in memory. */
gpa_t load_phys(size_t k)
{
	const struct gmem_slot *slot = &layout[1 + k % 2];

	return slot->base + align_down(scramble(k) % slot->size, BENCH_PAGE);
}

/* The @k-th page of mappings and hole together. */
static iova_t page_at(const struct load_space *sp, size_t k)
{
	return -(iova_t)((sp->n + LOAD_HOLE - k) * BENCH_PAGE);
}

iova_t load_page(const struct load_space *sp, size_t k)
{
	return page_at(sp, k < sp->n / 2 ? k : k + LOAD_HOLE);
}

static iova_t hole_page(const struct load_space *sp, size_t k)
{
	return page_at(sp, sp->n / 2 + k % LOAD_HOLE);
}

static iova_t writer_page(const struct load_space *sp, bool lone, size_t k)
{
	return lone ? LONE_AT + k % LOAD_HOLE * LONE_STRIDE : hole_page(sp, k);
}

static void map(struct subject *s, iova_t at, gpa_t phys)
{
	if (s->ops->map(s, at, at + BENCH_PAGE - 1, phys))
		die("MAP refused");
}

/* As load_phys(), without the divisions. */
static gpa_t writer_phys(size_t k)
{
	return layout[1].base + k % LOAD_HOLE * 7 * BENCH_PAGE;
}

static void unmap(struct subject *s, iova_t at)
{
	if (s->ops->unmap(s, at, at + BENCH_PAGE - 1))
		die("UNMAP refused");
}

/*
 * In no order, as a guest's buffers come and go; in order where it would take
 * for ever and makes no difference afterwards.
 */
void load_fill(const struct load_space *sp, struct subject *s)
{
	const size_t step = s->ops->fill_in_order ? 1 : 0x9e3779b1;

	for (size_t j = 0; j < sp->n; j++) {
		size_t k = j * step % sp->n;

		map(s, load_page(sp, k), load_phys(k));
	}
}

void load_addresses_init(struct load_addresses *a, const struct load_space *sp,
			 enum load_pattern pattern)
{
	const bool sequential = pattern == LOAD_SEQUENTIAL;
	const size_t stride = sp->n > STRIDE ? STRIDE : 1;
	size_t hot[HOT_PAGES];

	a->n = ADDRESSES;
	a->len = sequential ? BUFFER_PAGES * BENCH_PAGE : BENCH_PAGE;
	a->at = calloc(a->n, sizeof(*a->at));
	if (!a->at)
		die("no memory");
	for (size_t k = 0; k < HOT_PAGES; k++)
		hot[k] = scramble(k + 1) % sp->n;
	for (size_t k = 0; k < a->n; k++) {
		size_t page = scramble(k) % sp->n;

		if (pattern == LOAD_HOT)
			page = hot[scramble(k) % HOT_PAGES];
		if (sequential)
			page = k * BUFFER_PAGES % sp->n;
		/* A page on each time round, so all of them in turn. */
		if (pattern == LOAD_STRIDED)
			page = (k * stride + k * stride / sp->n) % sp->n;
		a->at[k] = load_page(sp, page);
	}
}

void load_addresses_fini(struct load_addresses *a)
{
	free(a->at);
}

void load_compare(const struct load_addresses *a, struct subject *const *s,
		  size_t n)
{
	struct dma_slice want[BENCH_SLICES], got[BENCH_SLICES];

	memset(want, 0, sizeof(want));
	memset(got, 0, sizeof(got));
	for (size_t k = 0; k < a->n; k += a->n / 1024) {
		int pieces = s[0]->ops->slices(s[0], 0, a->at[k], a->len, want,
					       BENCH_SLICES);

		if (pieces <= 0)
			die("not translated");
		for (size_t j = 1; j < n; j++)
			if (s[j]->ops->slices(s[j], 0, a->at[k], a->len, got,
					      BENCH_SLICES) != pieces ||
			    memcmp(want, got, (size_t)pieces * sizeof(*want)) !=
				    0)
				die("subjects disagree");
	}
}

/* What the threads of one measurement share. */
struct run {
	const struct load_space *sp;
	struct subject *s;
	const struct load_addresses *a;
	bool lone;
	pthread_barrier_t ready;
	_Atomic bool stop;
	_Atomic uint64_t sink;
};

struct worker {
	pthread_t thread;
	struct run *run;
	unsigned number; /* of the reader */
	bool alone;	 /* no other reader: processor time counts */
	uint64_t ops, ns;
};

static bool stopped(const struct run *r)
{
	return atomic_load_explicit(&r->stop, memory_order_relaxed);
}

static uint64_t read_chunk(struct worker *w, size_t k)
{
	const struct load_addresses *a = w->run->a;
	struct subject *s = w->run->s;
	uint64_t sum =
		s->ops->run(s, w->number, &a->at[k % a->n], CHUNK, a->len);

	if (sum == 0)
		die("not translated");
	return sum;
}

static void *reader(void *arg)
{
	struct worker *w = arg;
	uint64_t begin, sum = 0;
	size_t k;

	if (!w->alone)
		pin(w->number);
	begin = now_ns();
	for (k = 0; k < WARM * CHUNK || now_ns() < begin + WARM_NS; k += CHUNK)
		sum += read_chunk(w, k);
	pthread_barrier_wait(&w->run->ready);
	begin = w->alone ? cpu_ns() : now_ns();
	k = 0;
	do {
		sum += read_chunk(w, k);
		k += CHUNK;
	} while (!stopped(w->run));
	w->ns = (w->alone ? cpu_ns() : now_ns()) - begin;
	w->ops = k;
	atomic_fetch_add(&w->run->sink, sum);
	return NULL;
}

/* Late pairs are not made up for. */
static void *writer(void *arg)
{
	struct worker *w = arg;
	struct run *r = w->run;
	uint64_t begin, due;

	pthread_barrier_wait(&r->ready);
	begin = due = now_ns();
	for (; !stopped(r); w->ops += 2) {
		iova_t at = writer_page(r->sp, r->lone, w->ops / 2);
		uint64_t now;

		map(r->s, at, writer_phys(w->ops / 2));
		unmap(r->s, at);
		due += PAIR_NS;
		while ((now = now_ns()) < due)
			;
		due = max_u64(due, now - PAIR_NS);
	}
	w->ns = now_ns() - begin;
	return NULL;
}

static void start(struct worker *w, void *(*body)(void *))
{
	if (pthread_create(&w->thread, NULL, body, w))
		die("no thread");
}

struct load_result load_read(const struct load_space *sp, struct subject *s,
			     const struct load_addresses *a, unsigned readers,
			     enum load_writer how, unsigned ms)
{
	struct run r = {
		.sp = sp, .s = s, .a = a, .lone = how == LOAD_LONE_WRITER};
	struct worker w[BENCH_USERS + 1];
	unsigned n = readers + (how != LOAD_NO_WRITER);
	struct load_result result = {0};

	pthread_barrier_init(&r.ready, NULL, n + 1);
	for (unsigned k = 0; k < n; k++) {
		w[k] = (struct worker){
			.run = &r, .number = k, .alone = readers == 1};
		start(&w[k], k < readers ? reader : writer);
	}
	pthread_barrier_wait(&r.ready);
	usleep(ms * 1000);
	atomic_store(&r.stop, true);
	for (unsigned k = 0; k < n; k++) {
		pthread_join(w[k].thread, NULL);
		if (k < readers)
			result.read_ns +=
				(double)w[k].ns / (double)w[k].ops / readers;
		else
			result.write_ops_s =
				(double)w[k].ops * 1e9 / (double)w[k].ns;
	}
	pthread_barrier_destroy(&r.ready);
	return result;
}

void load_write(const struct load_space *sp, struct subject *s, unsigned ms,
		double *ret_map, double *ret_unmap)
{
	uint64_t end = cpu_ns() + UINT64_C(1000000) * ms;
	uint64_t maps = 0, unmaps = 0, looks = 0, n = 0, t[4];

	do {
		t[0] = cpu_ns();
		for (size_t k = 0; k < LOAD_HOLE; k++)
			map(s, hole_page(sp, k), writer_phys(k));
		t[1] = cpu_ns();
		for (size_t k = 0; k < LOAD_HOLE; k++)
			unmap(s, hole_page(sp, k));
		t[2] = cpu_ns();
		/* A look at the clock is a system call, and costs as much as
		 * several of what is measured. */
		t[3] = cpu_ns();
		maps += t[1] - t[0];
		unmaps += t[2] - t[1];
		looks += t[3] - t[2];
		n += LOAD_HOLE;
	} while (t[2] < end);
	*ret_map = ((double)maps - (double)looks) / (double)n;
	*ret_unmap = ((double)unmaps - (double)looks) / (double)n;
}

static void use_twice(struct subject *s, iova_t at)
{
	const iova_t buffers[] = {at, at};

	if (s->ops->run(s, 0, buffers, ARRAY_SIZE(buffers), BENCH_PAGE) == 0)
		die("not translated");
}

double load_write_pair(const struct load_space *sp, struct subject *s,
		       enum load_pair how, unsigned ms)
{
	uint64_t begin = cpu_ns(), now, n = 0;

	do {
		/* The clock is a system call. */
		for (unsigned k = 0; k < CHUNK; k++, n++) {
			iova_t at = writer_page(sp, how == LOAD_ALONE, n);

			map(s, at, writer_phys(n));
			if (how == LOAD_LIVELY)
				use_twice(s, at);
			unmap(s, at);
		}
		now = cpu_ns();
	} while (now < begin + UINT64_C(1000000) * ms);
	return (double)(now - begin) / (double)n;
}
