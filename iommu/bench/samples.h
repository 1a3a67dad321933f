/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * samples.h - figures of several subjects, as a table or as JSON lines.
 *
 * What tools/bench/report prints, without the way through text.  Cases and
 * subjects stand in the order of their first sample; ratios are to a case's
 * first subject.
 */
#ifndef MOAT_IOMMU_BENCH_SAMPLES_H
#define MOAT_IOMMU_BENCH_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

struct sample {
	char subject[16], name[48], unit[16];
	double value;
};

struct samples {
	struct sample *at;
	size_t n, cap;
};

/* @name: of the case.  Exits without memory. */
void samples_add(struct samples *s, const char *subject, const char *name,
		 double value, const char *unit);
/* To stdout. */
void samples_print(const struct samples *s, const char *bench, bool json);
void samples_fini(struct samples *s);

#endif
