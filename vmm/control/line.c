/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/control/line.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"

/* The numbers of an endpoint, in their order. */
static const struct {
	const char *key;
	size_t at;
} numbers[] = {
	{"mappings", offsetof(struct control_line, endpoint.mappings)},
	{"bytes", offsetof(struct control_line, endpoint.mapped_bytes)},
	{"largest", offsetof(struct control_line, largest)},
	{"examined", offsetof(struct control_line, examined)},
	{"translations", offsetof(struct control_line, endpoint.translations)},
	{"cache_hits", offsetof(struct control_line, endpoint.cache_hits)},
	{"cache_misses", offsetof(struct control_line, endpoint.cache_misses)},
	{"walks", offsetof(struct control_line, endpoint.walks)},
	{"faults", offsetof(struct control_line, endpoint.faults)},
};

static const char *const flag_names[] = {"-", "r",  "w",  "rw",
					 "m", "rm", "wm", "rwm"};

const char *control_flags(uint32_t flags)
{
	return flag_names[flags & (ARRAY_SIZE(flag_names) - 1)];
}

/* ... and of a device; those of its kind follow. */
static const struct {
	const char *key;
	size_t at;
} counts[] = {
	{"kicks", offsetof(struct mach_device_stats, kicks)},
	{"interrupts", offsetof(struct mach_device_stats, interrupts)},
	{"requests", offsetof(struct mach_device_stats, requests)},
	{"read", offsetof(struct mach_device_stats, read)},
	{"written", offsetof(struct mach_device_stats, written)},
	{"errors", offsetof(struct mach_device_stats, errors)},
	{"full", offsetof(struct mach_device_stats, full)},
	{"throttled", offsetof(struct mach_device_stats, throttled)},
};

static void print_device(const struct mach_device_stats *d, FILE *out)
{
	fprintf(out, "{\"device\":\"%s\",\"kind\":\"%s\"", d->name, d->kind);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		uint64_t n;

		memcpy(&n, (const char *)d + counts[i].at, sizeof(n));
		fprintf(out, ",\"%s\":%" PRIu64, counts[i].key, n);
	}
	for (unsigned i = 0; i < d->nmore; i++)
		fprintf(out, ",\"%s\":%" PRIu64, d->more[i].name,
			d->more[i].value);
	fputs("}\n", out);
}

static void print_endpoint(const struct control_line *l, FILE *out)
{
	const struct iommu_endpoint_state *e = &l->endpoint;

	fprintf(out, "{\"endpoint\":%" PRIu32 ",\"domain\":", e->id);
	if (e->attached)
		fprintf(out, "%" PRIu32, e->domain);
	else
		fputs("null", out);
	fprintf(out, ",\"bypass\":%s", e->bypass ? "true" : "false");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t n;

		memcpy(&n, (const char *)l + numbers[i].at, sizeof(n));
		fprintf(out, ",\"%s\":%" PRIu64, numbers[i].key, n);
	}
	fputs("}\n", out);
}

void control_line_print(const struct control_line *l, FILE *out)
{
	const struct iommu_mapping *m = &l->mapping;

	switch (l->kind) {
	case CONTROL_ENDPOINT:
		print_endpoint(l, out);
		break;
	case CONTROL_MAPPING:
		fprintf(out,
			"{\"first\":\"0x%" PRIx64 "\",\"last\":\"0x%" PRIx64
			"\",\"phys\":\"0x%" PRIx64 "\",\"flags\":\"%s\"}\n",
			m->first, m->last, m->phys, control_flags(m->flags));
		break;
	case CONTROL_DEVICE:
		print_device(&l->device, out);
		break;
	case CONTROL_NEXT:
		fprintf(out, "{\"next\":\"0x%" PRIx64 "\"}\n", l->next);
		break;
	case CONTROL_END:
		fputs("{\"end\":true}\n", out);
		break;
	case CONTROL_ERROR:
		fprintf(out, "{\"error\":\"%s\"}\n", l->error);
		break;
	}
}

/*
 * Parsing: @p moves behind what was there.
 */

static bool take(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len) != 0)
		return false;
	*p += len;
	return true;
}

/* Digits alone: strtoull() would take a sign and spaces, too. */
static bool take_number(const char **p, int base, uint64_t max, uint64_t *ret_n)
{
	const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
	char *end;

	if (**p == '\0' || !strchr(digits, **p))
		return false;
	errno = 0;
	*ret_n = strtoull(*p, &end, base);
	if (errno || *ret_n > max)
		return false;
	*p = end;
	return true;
}

static bool take_address(const char **p, const char *key, uint64_t *ret_at)
{
	return take(p, key) && take(p, "\"0x") &&
	       take_number(p, 16, UINT64_MAX, ret_at) && take(p, "\"");
}

static bool take_endpoint(const char *p, struct control_line *l)
{
	struct iommu_endpoint_state *e = &l->endpoint;
	uint64_t n;

	if (!take_number(&p, 10, UINT32_MAX, &n) || !take(&p, ",\"domain\":"))
		return false;
	e->id = (uint32_t)n;
	if (!take(&p, "null")) {
		if (!take_number(&p, 10, UINT32_MAX, &n))
			return false;
		e->attached = true;
		e->domain = (uint32_t)n;
	}
	if (!take(&p, ",\"bypass\":"))
		return false;
	e->bypass = take(&p, "true");
	if (!e->bypass && !take(&p, "false"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!take(&p, ",\"") || !take(&p, numbers[i].key) ||
		    !take(&p, "\":") || !take_number(&p, 10, UINT64_MAX, &n))
			return false;
		memcpy((char *)l + numbers[i].at, &n, sizeof(n));
	}
	return strcmp(p, "}") == 0;
}

static bool take_mapping(const char *p, struct iommu_mapping *m)
{
	if (!take_address(&p, "{\"first\":", &m->first) ||
	    !take_address(&p, ",\"last\":", &m->last) ||
	    !take_address(&p, ",\"phys\":", &m->phys) ||
	    !take(&p, ",\"flags\":\"") || m->last < m->first)
		return false;
	for (m->flags = 0; m->flags < ARRAY_SIZE(flag_names); m->flags++) {
		size_t len = strlen(flag_names[m->flags]);

		if (strncmp(p, flag_names[m->flags], len) == 0 &&
		    strcmp(p + len, "\"}") == 0)
			return true;
	}
	return false;
}

/* Letters, digits, '-' and '_', and the quotation mark behind them. */
static bool take_name(const char **p, char *name, size_t cap)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const size_t len = strspn(*p, allowed);

	if (len == 0 || len >= cap || (*p)[len] != '"')
		return false;
	memcpy(name, *p, len);
	name[len] = '\0';
	*p += len + 1;
	return true;
}

static bool take_more(const char **p, struct mach_device_stats *d)
{
	const unsigned i = d->nmore;

	if (i == MACH_STATS_MAX || !take(p, ",\"") ||
	    !take_name(p, d->more[i].name, sizeof(d->more[i].name)) ||
	    !take(p, ":") || !take_number(p, 10, UINT64_MAX, &d->more[i].value))
		return false;
	d->nmore++;
	return true;
}

static bool take_device(const char *p, struct mach_device_stats *d)
{
	uint64_t n;

	if (!take_name(&p, d->name, sizeof(d->name)) ||
	    !take(&p, ",\"kind\":\"") ||
	    !take_name(&p, d->kind, sizeof(d->kind)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		if (!take(&p, ",\"") || !take(&p, counts[i].key) ||
		    !take(&p, "\":") || !take_number(&p, 10, UINT64_MAX, &n))
			return false;
		memcpy((char *)d + counts[i].at, &n, sizeof(n));
	}
	while (*p == ',') {
		if (!take_more(&p, d))
			return false;
	}
	return strcmp(p, "}") == 0;
}

static bool take_error(const char *p, char *error)
{
	size_t len = strcspn(p, "\"\\");

	if (len >= CONTROL_ERROR_MAX || strcmp(p + len, "\"}") != 0)
		return false;
	memcpy(error, p, len);
	error[len] = '\0';
	return true;
}

int control_line_parse(struct control_line *ret_l, const char *text)
{
	struct control_line *l = ret_l;
	const char *p = text;
	bool good;

	*l = (struct control_line){0};
	if (take(&p, "{\"endpoint\":")) {
		l->kind = CONTROL_ENDPOINT;
		good = take_endpoint(p, l);
	} else if (take(&p, "{\"device\":\"")) {
		l->kind = CONTROL_DEVICE;
		good = take_device(p, &l->device);
	} else if (take(&p, "{\"error\":\"")) {
		l->kind = CONTROL_ERROR;
		good = take_error(p, l->error);
	} else if (take_address(&p, "{\"next\":", &l->next)) {
		l->kind = CONTROL_NEXT;
		good = strcmp(p, "}") == 0;
	} else if (strcmp(text, "{\"end\":true}") == 0) {
		l->kind = CONTROL_END;
		good = true;
	} else {
		l->kind = CONTROL_MAPPING;
		good = take_mapping(text, &l->mapping);
	}
	return good ? 0 : -EPROTO;
}
