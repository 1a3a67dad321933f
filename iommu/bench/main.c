/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu-bench - what a translation costs, moat beside others in one run.
 *
 * docs/benchmarks.md says what is measured, and has the figures.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "iommu/bench/load.h"
#include "iommu/bench/samples.h"

static const struct subject_ops *const all_subjects[] = {
	&subject_moat,
	&subject_generation, /* only if it is asked for */
#ifdef HAVE_GLIB
	&subject_gtree,
#endif
	&subject_sorted,
};
#define SUBJECTS ARRAY_SIZE(all_subjects)

/* Beyond so many mappings a subject that keeps an order takes too long. */
#define IN_ORDER_MAX 262144

static const size_t all_sizes[] = {64, 1024, 16384, 262144, 4194304};

static const struct {
	const char *name;
	enum load_pattern pattern;
} patterns[] = {
	{"hot", LOAD_HOT},
	{"random", LOAD_RANDOM},
	{"sequential", LOAD_SEQUENTIAL},
	{"strided", LOAD_STRIDED},
};

static const struct {
	const char *name;
	enum load_pair how;
} pairs[] = {
	{"map-unmap", LOAD_IN_HOLE},
	{"map-unmap-lone", LOAD_ALONE},
	{"map-use-unmap", LOAD_LIVELY},
};

/* The case's name goes on with this. */
static const struct {
	const char *name;
	unsigned readers;
	enum load_writer writer;
} crews[] = {
	{"", 1, LOAD_NO_WRITER},       {"-2", 2, LOAD_NO_WRITER},
	{"-1w", 1, LOAD_WRITER},       {"-2w", 2, LOAD_WRITER},
	{"-1wl", 1, LOAD_LONE_WRITER},
};

struct options {
	bool json;
	unsigned rounds, ms;
	const char *filter;
	size_t size; /* 0: all */
	bool subjects[SUBJECTS];
};

struct bench {
	const struct options *o;
	struct samples samples;
	struct gmem mem;
	struct load_space space;
	struct subject *s[SUBJECTS];
	size_t n;
};

__attribute__((format(printf, 4, 5))) static void add(struct bench *b,
						      const struct subject *s,
						      double value,
						      const char *format, ...)
{
	const char *unit = strncmp(format, "memory", 6) == 0   ? "B"
			   : strncmp(format, "writer", 6) == 0 ? "op/s"
							       : "ns";
	char name[48];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(name, sizeof(name), format, ap);
	va_end(ap);
	samples_add(&b->samples, s->ops->name, name, value, unit);
}

static bool wanted(const struct bench *b, const char *name, const char *crew)
{
	char buf[64];

	(void)snprintf(buf, sizeof(buf), "%s%s/%zu", name, crew, b->space.n);
	return !b->o->filter || strstr(buf, b->o->filter);
}

static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void fill(struct bench *b)
{
	b->n = 0;
	for (size_t k = 0; k < SUBJECTS; k++) {
		struct subject *s;
		size_t before;

		if (!b->o->subjects[k])
			continue;
		s = all_subjects[k]->create(&b->mem);
		if (!s) {
			fprintf(stderr, "iommu-bench: no memory\n");
			exit(1);
		}
		before = heap();
		load_fill(&b->space, s);
		if (wanted(b, "memory", ""))
			add(b, s,
			    (double)(heap() - before) / (double)b->space.n,
			    "memory/%zu", b->space.n);
		b->s[b->n++] = s;
	}
}

static void reads(struct bench *b, size_t pattern,
		  const struct load_addresses *a)
{
	const char *name = patterns[pattern].name;

	for (size_t c = 0; c < ARRAY_SIZE(crews); c++) {
		if (!wanted(b, name, crews[c].name))
			continue;
		for (size_t k = 0; k < b->n; k++) {
			struct load_result r =
				load_read(&b->space, b->s[k], a,
					  crews[c].readers, crews[c].writer,
					  b->o->ms);

			add(b, b->s[k], r.read_ns, "%s%s/%zu", name,
			    crews[c].name, b->space.n);
			if (crews[c].writer != LOAD_NO_WRITER)
				add(b, b->s[k], r.write_ops_s,
				    "writer-%s%s/%zu", name, crews[c].name,
				    b->space.n);
		}
	}
}

static void writes(struct bench *b)
{
	for (size_t k = 0; k < b->n; k++) {
		double map, unmap;
		struct subject *s = b->s[k];

		if (!wanted(b, "map-unmap", "") ||
		    (s->ops->fill_in_order && b->space.n > IN_ORDER_MAX))
			continue;
		load_write(&b->space, s, b->o->ms, &map, &unmap);
		add(b, s, map, "map/%zu", b->space.n);
		add(b, s, unmap, "unmap/%zu", b->space.n);
		for (size_t p = 0; p < ARRAY_SIZE(pairs); p++)
			add(b, s,
			    load_write_pair(&b->space, s, pairs[p].how,
					    b->o->ms),
			    "%s/%zu", pairs[p].name, b->space.n);
	}
}

static void one_size(struct bench *b, size_t size)
{
	struct load_addresses a[ARRAY_SIZE(patterns)];

	b->space.n = size;
	fill(b);
	for (size_t p = 0; p < ARRAY_SIZE(patterns); p++) {
		load_addresses_init(&a[p], &b->space, patterns[p].pattern);
		load_compare(&a[p], b->s, b->n);
	}
	for (unsigned round = 0; round < b->o->rounds; round++) {
		for (size_t p = 0; p < ARRAY_SIZE(patterns); p++)
			reads(b, p, &a[p]);
		writes(b);
	}
	for (size_t p = 0; p < ARRAY_SIZE(patterns); p++)
		load_addresses_fini(&a[p]);
	for (size_t k = 0; k < b->n; k++)
		b->s[k]->ops->destroy(b->s[k]);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: iommu-bench [--json] [--rounds N] [--ms N] [--size N]\n"
		"                   [--subject NAME]... [--case TEXT]\n"
		"\n"
		"  --json          one object a line instead of tables\n"
		"  --rounds N      samples of each case (5)\n"
		"  --ms N          length of a sample (20)\n"
		"  --size N        this many mappings only: a power of two, at least 64\n"
		"  --subject NAME  only this one (repeatable): moat, gtree, "
		"sorted,\n"
		"                  generation: moat, with an UNMAP that makes "
		"users forget all\n"
		"  --case TEXT     only cases with this in their name\n"
		"\n"
		"hot, random, sequential   a buffer of 4 KiB, 4 KiB, 64 KiB\n"
		"strided                   every 16th page of 4 KiB\n"
		"  -2, -1w, -2w, -1wl      two users; one, two beside a "
		"writer; beside one\n"
		"                          whose tables come and go\n"
		"map, unmap, map-unmap     of one page; -lone: far from "
		"others\n"
		"map-use-unmap             the same page translated twice "
		"between\n"
		"memory                    bytes for each mapping\n");
}

static bool add_subject(struct options *o, const char *name)
{
	for (size_t k = 0; k < SUBJECTS; k++)
		if (strcmp(all_subjects[k]->name, name) == 0)
			return o->subjects[k] = true;
	return false;
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text && !*end && v > 0 && v < UINT32_MAX)
		return (unsigned)v;
	usage(stderr);
	exit(2);
}

static size_t size(const char *text)
{
	size_t n = number(text);

	if (n >= 64 && is_pow2(n))
		return n;
	usage(stderr);
	exit(2);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"rounds", required_argument, NULL, 'r'},
		{"ms", required_argument, NULL, 'm'},
		{"size", required_argument, NULL, 'n'},
		{"subject", required_argument, NULL, 's'},
		{"case", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool any = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c == 'j')
			o->json = true;
		else if (c == 'r')
			o->rounds = number(optarg);
		else if (c == 'm')
			o->ms = number(optarg);
		else if (c == 'n')
			o->size = size(optarg);
		else if (c == 'c')
			o->filter = optarg;
		else if (c != 's' || !add_subject(o, optarg)) {
			usage(stderr);
			exit(2);
		} else
			any = true;
	}
	if (!any)
		for (size_t k = 0; k < SUBJECTS; k++)
			o->subjects[k] = all_subjects[k] != &subject_generation;
}

int main(int argc, char **argv)
{
	struct options o = {.rounds = 5, .ms = 20};
	struct bench b = {.o = &o};

	parse(&o, argc, argv);
	load_memory(&b.mem);
	if (o.size)
		one_size(&b, o.size);
	for (size_t k = 0; !o.size && k < ARRAY_SIZE(all_sizes); k++)
		one_size(&b, all_sizes[k]);
	samples_print(&b.samples, "iommu", o.json);
	samples_fini(&b.samples);
	gmem_fini(&b.mem);
	return 0;
}
