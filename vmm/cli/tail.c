/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/tail.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/fd.h"
#include "vmm/cli/report.h"

void tail_add(struct tail *t, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		t->buf[t->len++ % TAIL_BYTES] = (char)buf[i];
}

/* All that is left, from the start of a line on; NULL without memory. */
static char *text_of(const struct tail *t)
{
	const uint64_t from = t->len > TAIL_BYTES ? t->len - TAIL_BYTES : 0;
	const size_t n = (size_t)(t->len - from);
	char *text = malloc(n + 1), *line;

	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char c = t->buf[(from + i) % TAIL_BYTES];

		text[i] = c ? c : '?';
	}
	text[n] = '\0';
	line = from ? strchr(text, '\n') : NULL;
	if (line)
		memmove(text, line + 1, strlen(line + 1) + 1);
	return text;
}

/* "[    1.234567] text", "[    1.234567][    T1] text" */
static const char *behind_stamp(const char *line)
{
	while (*line == '[') {
		const char *end = line + strspn(line + 1, " .0123456789TC") + 1;

		if (*end != ']')
			return line;
		line = end + 1;
		if (*line == ' ')
			line++;
	}
	return line;
}

static bool begins(const char *line, const char *head)
{
	return strncmp(behind_stamp(line), head, strlen(head)) == 0;
}

static char *next_line(char **rest)
{
	char *line = strsep(rest, "\n");
	size_t len = line ? strlen(line) : 0;

	while (len > 0 && line[len - 1] == '\r')
		line[--len] = '\0';
	return line;
}

int tail_find(const struct tail *t, const char *head, char **ret_rest)
{
	AUTO_FREE char *text = text_of(t);
	char *rest = text, *line, *found = NULL;

	if (!text)
		return -ENOMEM;
	while ((line = next_line(&rest))) {
		if (begins(line, head))
			found = line;
	}
	if (!found)
		return 0;
	*ret_rest = strdup(behind_stamp(found) + strlen(head));
	return *ret_rest ? 1 : -ENOMEM;
}

enum sign {
	SIGN_NONE,
	SIGN_TROUBLE, /* that a kernel may survive */
	SIGN_CRASH,
};

static enum sign sign_of(const char *line)
{
	static const struct {
		const char *head;
		enum sign sign;
	} heads[] = {
		{"Kernel panic", SIGN_CRASH},
		{"BUG:", SIGN_CRASH},
		{"Oops", SIGN_CRASH},
		{"general protection", SIGN_CRASH},
		{"kernel BUG", SIGN_CRASH},
		{"divide error", SIGN_CRASH},
		{"Unable", SIGN_CRASH},
		{"VFS:", SIGN_CRASH},
		{"WARNING:", SIGN_TROUBLE},
		{"INFO:", SIGN_TROUBLE},
		{"watchdog", SIGN_TROUBLE},
		{"sysrq:", SIGN_TROUBLE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		if (begins(line, heads[i].head))
			return heads[i].sign;
	}
	return SIGN_NONE;
}

/* The first lines of trouble, and the last ones of all. */
struct report {
	char *lines[TAIL_LINES], *last[TAIL_LINES - TAIL_CRASH];
	size_t n, nlast;
	enum sign sign; /* the worst so far */
	bool gap;
};

/* Return: whether the first one had to go. */
static bool keep_last(char **lines, size_t max, size_t *n, char *line)
{
	const bool full = *n == max;

	if (full) {
		memmove(lines, lines + 1, (max - 1) * sizeof(*lines));
		(*n)--;
	}
	lines[(*n)++] = line;
	return full;
}

static void add_line(struct report *r, char *line)
{
	const enum sign sign = sign_of(line);

	/* Trouble long before a crash has nothing to do with it. */
	if (sign > r->sign && (!r->sign || r->n == TAIL_CRASH)) {
		r->gap = false;
		r->n = r->nlast = 0;
	}
	if (sign > r->sign)
		r->sign = sign;
	if (!r->sign || r->n < TAIL_CRASH)
		(void)keep_last(r->lines, TAIL_LINES, &r->n, line);
	else if (keep_last(r->last, TAIL_LINES - TAIL_CRASH, &r->nlast, line))
		r->gap = true;
}

static void report_lines(char **lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		report("guest: %s", lines[i]);
}

void tail_report(const struct tail *t, size_t max)
{
	AUTO_FREE char *text = text_of(t);
	struct report r = {.n = 0};
	char *rest = text, *line;
	size_t skip;

	if (!text)
		return;
	while ((line = next_line(&rest))) {
		if (*line)
			add_line(&r, line);
	}
	skip = r.sign || r.n <= max ? 0 : r.n - max;
	report_lines(r.lines + skip, r.n - skip);
	if (r.gap)
		report("guest: ...");
	report_lines(r.last, r.nlast);
}
