/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "core/err.h"
#include "core/socket.h"
#include "vmm/cli/command.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"
#include "vmm/control/client.h"

#define ROW	   "%-8s %-12s %10s %14s %14s %12s %10s %8s\n"
#define NUMBER_MAX 32

struct view {
	const struct settings *settings;
	unsigned tables; /* printed so far */
};

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
static void print_row(const struct control_line *l)
{
	const struct iommu_endpoint_state *e = &l->endpoint;
	char t[8][NUMBER_MAX];

	number(t[0], e->id, "");
	print_domain(t[1], e);
	number(t[2], e->mappings, "");
	number(t[3], e->mapped_bytes, "");
	number(t[4], l->largest, l->examined < e->mappings ? "+" : "");
	number(t[5], e->cache_hits, "");
	number(t[6], e->walks, "");
	number(t[7], e->faults, "");
	printf(ROW, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]);
}

static void print_mapping(const struct iommu_mapping *m)
{
	printf("0x%" PRIx64 "-0x%" PRIx64 " to 0x%" PRIx64 " %s\n", m->first,
	       m->last, m->phys, control_flags(m->flags));
}

/* Not before there is an answer. */
static void print_head(struct view *v)
{
	if (v->settings->json)
		return;
	printf("%s" ROW, v->tables++ ? "\n" : "", "ENDPOINT", "DOMAIN",
	       "MAPPINGS", "BYTES", "LARGEST", "HITS", "WALKS", "FAULTS");
}

static void print_line(const struct settings *s, const struct control_line *l)
{
	if (s->json)
		control_line_print(l, stdout);
	else if (l->kind == CONTROL_ENDPOINT)
		print_row(l);
	else
		print_mapping(&l->mapping);
}

/*
 * Print an answer of lines of @kind.
 * @ret_next: where to go on; 0: nowhere
 */
static int print_answer(struct view *v, struct control_call *c,
			enum control_kind kind, iova_t *ret_next,
			struct err *err)
{
	struct control_line l;
	int r = control_read(c, &l, err);

	*ret_next = 0;
	if (r == 0 && kind == CONTROL_ENDPOINT)
		print_head(v);
	for (; r == 0 && l.kind == kind; r = control_read(c, &l, err))
		print_line(v->settings, &l);
	if (r < 0 || l.kind == CONTROL_END)
		return r;
	if (l.kind != CONTROL_NEXT)
		return err_set(err, EPROTO, "the answer is not a machine's");
	*ret_next = l.next;
	return 0;
}

static int ask(struct view *v, const char *request, enum control_kind kind,
	       iova_t *ret_next, struct err *err)
{
	struct control_call c;
	int r = control_ask(&c, v->settings->operand, request, err);

	if (r == 0)
		r = print_answer(v, &c, kind, ret_next, err);
	control_hang_up(&c);
	return r;
}

/* A page a request. */
static int print_map(struct view *v, struct err *err)
{
	const unsigned endpoint = v->settings->map_endpoint;
	char request[CONTROL_REQUEST_MAX];
	iova_t from = 0, next;
	int r;

	for (;;) {
		(void)snprintf(request, sizeof(request),
			       "map %u 0x%" PRIx64 "\n", endpoint, from);
		r = ask(v, request, CONTROL_MAPPING, &next, err);
		if (r < 0 || !next || ferror(stdout))
			return r;
		if (next <= from)
			return err_set(err, EPROTO,
				       "the answer is not a machine's");
		from = next;
	}
}

static int print_endpoints(struct view *v, struct err *err)
{
	iova_t next;

	return ask(v, "iommu\n", CONTROL_ENDPOINT, &next, err);
}

static bool gone(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET;
}

static int watch(struct view *v, struct err *err)
{
	const struct timespec second = {.tv_sec = 1};
	bool seen = false;
	int r;

	for (;;) {
		r = print_endpoints(v, err);
		if (r < 0 || fflush(stdout) != 0)
			break;
		seen = true;
		(void)nanosleep(&second, NULL);
	}
	if (!seen || !gone(r))
		return r;
	err->msg[0] = '\0'; /* the guest has ended */
	return 0;
}

/* Return: -EINVAL with a sentence. */
static int check(const struct settings *s, struct err *err)
{
	int r;

	if (!s->operand)
		return err_set(err, EINVAL,
			       "PATH is missing: that of 'moat run --control "
			       "PATH'");
	if (s->watch && s->map)
		return err_set(err, EINVAL,
			       "--watch and --map do not go together");
	r = socket_path_check(s->operand, err);
	if (r < 0)
		err_prefix(err, "PATH");
	return r;
}

int command_iommu(struct settings *s, struct err *err)
{
	struct view v = {.settings = s};
	int r, status = STATUS_HOST;

	if (check(s, err) < 0) {
		status = STATUS_USAGE;
		r = -EINVAL;
	} else if (s->map) {
		r = print_map(&v, err);
	} else {
		r = s->watch ? watch(&v, err) : print_endpoints(&v, err);
	}
	if (r == 0)
		return STATUS_OK;
	err_prefix(err, "iommu");
	return status;
}
