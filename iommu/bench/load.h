/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * load.h - what iommu-bench does to a subject, and how long it takes.
 */
#ifndef MOAT_IOMMU_BENCH_LOAD_H
#define MOAT_IOMMU_BENCH_LOAD_H

#include <stdbool.h>

#include "iommu/bench/subject.h"

/* Pages in the middle of the mapped ones that only the writer maps. */
#define LOAD_HOLE 256

/*
 * Mappings of one page each, @n of them with the hole in their middle, up to
 * the last page of the 64-bit space, as guests allocate; each page somewhere
 * in memory.
 */
struct load_space {
	size_t n; /* a power of two */
};

enum load_pattern {
	LOAD_HOT,	 /* 64 pages, in random order */
	LOAD_RANDOM,	 /* all pages, in random order */
	LOAD_SEQUENTIAL, /* buffers of 64 KiB, one after the other */
	LOAD_STRIDED,	 /* every 16th page, then those beside */
};

enum load_writer {
	LOAD_NO_WRITER,
	LOAD_WRITER,	  /* in the hole: tables stay */
	LOAD_LONE_WRITER, /* far from all others: tables come and go */
};

/* What users translate. */
struct load_addresses {
	iova_t *at;
	size_t n;
	uint64_t len; /* of each buffer */
};

struct load_result {
	double read_ns;	    /* a buffer, for each reader: processor time of one,
			 * time of two, which may wait for each other */
	double write_ops_s; /* MAPs and UNMAPs that were reached */
};

/* Memory that all mappings lie in; slots like a PC's. */
void load_memory(struct gmem *mem);
gpa_t load_phys(size_t k);
iova_t load_page(const struct load_space *sp, size_t k);

/* Exit if the subject refuses. */
void load_fill(const struct load_space *sp, struct subject *s);
/* Each subject says the same for a sample of the addresses, or exit. */
void load_compare(const struct load_addresses *a, struct subject *const *s,
		  size_t n);

void load_addresses_init(struct load_addresses *a, const struct load_space *sp,
			 enum load_pattern pattern);
void load_addresses_fini(struct load_addresses *a);

/* @readers threads for @ms milliseconds, beside a writer that does 400,000
 * operations a second. */
struct load_result load_read(const struct load_space *sp, struct subject *s,
			     const struct load_addresses *a, unsigned readers,
			     enum load_writer writer, unsigned ms);

/* MAP and then UNMAP of the hole, page by page; ns for each. */
void load_write(const struct load_space *sp, struct subject *s, unsigned ms,
		double *ret_map, double *ret_unmap);
enum load_pair {
	LOAD_IN_HOLE,
	LOAD_ALONE,  /* in a table of its own */
	LOAD_LIVELY, /* in the hole, and translated twice in between */
};

/* MAP and UNMAP of one page; ns for both. */
double load_write_pair(const struct load_space *sp, struct subject *s,
		       enum load_pair how, unsigned ms);

#endif
