/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_LEN 512

static const char *const level_names[] = {
	[LOG_ERR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static void to_stderr(enum log_level level, const char *line)
{
	(void)fprintf(stderr, "moat: %s: %s\n", level_names[level], line);
}

/* The one piece of file-scope state: where an operator reads is a property
 * of the process.  Set before threads start. */
static log_sink_fn log_sink = to_stderr;
static enum log_level log_level = LOG_WARN;

void log_set_sink(log_sink_fn sink)
{
	log_sink = sink ? sink : to_stderr;
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

/* One call is one line, and no word in it steers the operator's terminal. */
static void tame(char *line)
{
	for (char *p = line; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
}

/* @end: said behind what @fmt says */
__attribute__((format(printf, 3, 0))) static void
log_line(enum log_level level, const char *name, const char *fmt, va_list ap,
	 const char *end)
{
	char line[LINE_MAX_LEN] = "";
	int saved = errno;
	int n = 0;

	if (level > log_level)
		return;
	if (name)
		n = snprintf(line, sizeof(line), "%s: ", name);
	if (n >= 0 && (size_t)n < sizeof(line))
		(void)vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	n = (int)strlen(line);
	(void)snprintf(line + n, sizeof(line) - (size_t)n, "%s", end);
	tame(line);
	log_sink(level, line);
	errno = saved;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(level, NULL, fmt, ap, "");
	va_end(ap);
}

void guest_warn(struct guest_log *g, const char *fmt, ...)
{
	va_list ap;
	unsigned n;

	/* The first one says it.  It comes to two only by a rearm between. */
	if (atomic_load(&g->lines) >= GUEST_LOG_LINES_MAX ||
	    atomic_exchange(&g->said, true))
		return;
	n = atomic_fetch_add(&g->lines, 1) + 1;
	if (n > GUEST_LOG_LINES_MAX)
		return;
	va_start(ap, fmt);
	log_line(LOG_WARN, g->name, fmt, ap,
		 n == GUEST_LOG_LINES_MAX ? " (says no more)" : "");
	va_end(ap);
}

void guest_log_rearm(struct guest_log *g)
{
	g->said = false;
}
