/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/bench/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void samples_add(struct samples *s, const char *subject, const char *name,
		 double value, const char *unit)
{
	struct sample *sample;

	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 256;
		s->at = realloc(s->at, s->cap * sizeof(*s->at));
		if (!s->at) {
			perror("iommu-bench");
			exit(1);
		}
	}
	sample = &s->at[s->n++];
	sample->value = value;
	(void)snprintf(sample->subject, sizeof(sample->subject), "%s", subject);
	(void)snprintf(sample->name, sizeof(sample->name), "%s", name);
	(void)snprintf(sample->unit, sizeof(sample->unit), "%s", unit);
}

static bool same(const struct sample *a, const struct sample *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       strcmp(a->subject, b->subject) == 0;
}

static bool is_first(const struct samples *s, size_t k, bool of_case)
{
	for (size_t j = 0; j < k; j++)
		if (of_case ? strcmp(s->at[j].name, s->at[k].name) == 0
			    : same(&s->at[j], &s->at[k]))
			return false;
	return true;
}

struct summary {
	double median, min, max;
	unsigned n;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct summary summarise(const struct samples *s,
				const struct sample *of)
{
	double *values = calloc(s->n, sizeof(*values));
	struct summary sum;
	unsigned n = 0;

	if (!values) {
		perror("iommu-bench");
		exit(1);
	}
	for (size_t k = 0; k < s->n; k++)
		if (same(&s->at[k], of))
			values[n++] = s->at[k].value;
	qsort(values, n, sizeof(*values), compare);
	sum = (struct summary){
		.median = n % 2 ? values[n / 2]
				: (values[n / 2 - 1] + values[n / 2]) / 2,
		.min = values[0],
		.max = values[n - 1],
		.n = n,
	};
	free(values);
	return sum;
}

static void print_one(const struct sample *sample, const struct summary *sum,
		      double first, const char *bench, bool json)
{
	if (json)
		printf("{\"bench\":\"%s\",\"subject\":\"%s\",\"case\":\"%s\","
		       "\"value\":%.4g,\"unit\":\"%s\",\"min\":%.4g,"
		       "\"max\":%.4g,\"n\":%u}\n",
		       bench, sample->subject, sample->name, sum->median,
		       sample->unit, sum->min, sum->max, sum->n);
	else
		printf("  %-22s %10.4g %7.2f %10.4g %10.4g %4u\n",
		       sample->subject, sum->median,
		       first > 0 ? sum->median / first : 0, sum->min, sum->max,
		       sum->n);
}

static void print_case(const struct samples *s, size_t from, const char *bench,
		       bool json)
{
	double first = 0;

	if (!json)
		printf("%-24s %10s %7s %10s %10s %4s\n", s->at[from].name,
		       s->at[from].unit, "ratio", "min", "max", "n");
	for (size_t k = from; k < s->n; k++) {
		struct summary sum;

		if (strcmp(s->at[k].name, s->at[from].name) != 0 ||
		    !is_first(s, k, false))
			continue;
		sum = summarise(s, &s->at[k]);
		if (k == from)
			first = sum.median;
		print_one(&s->at[k], &sum, first, bench, json);
	}
	if (!json)
		printf("\n");
}

void samples_print(const struct samples *s, const char *bench, bool json)
{
	for (size_t k = 0; k < s->n; k++)
		if (is_first(s, k, true))
			print_case(s, k, bench, json);
}

void samples_fini(struct samples *s)
{
	free(s->at);
}
