/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/err.h"
#include "vmm/cli/ask.h"
#include "vmm/cli/command.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"

#define ROW	   "%-8s %-12s %8s %14s %14s %12s %9s %9s %8s\n"
#define NUMBER_MAX 32

static void number(char *text, uint64_t n, const char *mark)
{
	(void)snprintf(text, NUMBER_MAX, "%" PRIu64 "%s", n, mark);
}

static void print_domain(char *text, const struct iommu_endpoint_state *e)
{
	if (e->attached)
		number(text, e->domain, e->bypass ? " bypass" : "");
	else
		(void)snprintf(text, NUMBER_MAX, "%s",
			       e->bypass ? "bypass" : "-");
}

/* '+': the largest of those that were looked at. */
static void print_endpoint(const struct control_line *l)
{
	const struct iommu_endpoint_state *e = &l->endpoint;
	char t[9][NUMBER_MAX];

	number(t[0], e->id, "");
	print_domain(t[1], e);
	number(t[2], e->mappings, "");
	number(t[3], e->mapped_bytes, "");
	number(t[4], l->largest, l->examined < e->mappings ? "+" : "");
	number(t[5], e->cache_hits, "");
	number(t[6], e->cache_misses, "");
	number(t[7], e->walks, "");
	number(t[8], e->faults, "");
	printf(ROW, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8]);
}

static void print_mapping(const struct control_line *l)
{
	const struct iommu_mapping *m = &l->mapping;

	printf("0x%" PRIx64 "-0x%" PRIx64 " to 0x%" PRIx64 " %s\n", m->first,
	       m->last, m->phys, control_flags(m->flags));
}

static void print_head(void)
{
	printf(ROW, "ENDPOINT", "DOMAIN", "MAPPINGS", "BYTES", "LARGEST",
	       "HITS", "MISSES", "WALKS", "FAULTS");
}

static const struct ask_table endpoints = {
	.kind = CONTROL_ENDPOINT,
	.head = print_head,
	.row = print_endpoint,
};

static const struct ask_table mappings = {
	.kind = CONTROL_MAPPING,
	.row = print_mapping,
};

/* A page a request. */
static int print_map(struct ask *a, unsigned endpoint, struct err *err)
{
	char request[CONTROL_REQUEST_MAX];
	iova_t from = 0, next;
	int r;

	for (;;) {
		(void)snprintf(request, sizeof(request),
			       "map %u 0x%" PRIx64 "\n", endpoint, from);
		r = ask_print(a, request, &mappings, &next, err);
		if (r < 0 || !next || ferror(stdout))
			return r;
		if (next <= from)
			return err_set(err, EPROTO,
				       "the answer is not a machine's");
		from = next;
	}
}

int command_iommu(struct settings *s, struct err *err)
{
	struct ask a = {0};
	int r;

	if (s->watch && s->map)
		r = err_set(err, EINVAL,
			    "--watch and --map do not go together");
	else
		r = ask_init(&a, s, err);
	if (r == 0)
		r = s->map ? print_map(&a, s->map_endpoint, err)
			   : ask_again(&a, "iommu\n", &endpoints, err);
	ask_fini(&a);
	return ask_status(r, "iommu", err);
}
