/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "vmm/cli/terminal.h"

#define LINE_LEN 1024

/* Written with one call, so that lines of several threads do not mix. */
static void write_line(const char *level, const char *text)
{
	const bool raw = terminal_is_raw() && isatty(STDERR_FILENO);
	const char *end = raw ? "\r\n" : "\n";
	char line[LINE_LEN];
	int n;

	n = snprintf(line, sizeof(line) - 2, "moat: %s%s", level, text);
	if (n < 0)
		return;
	for (char *p = line; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	n = (int)strlen(line);
	memcpy(line + n, end, strlen(end));
	(void)fd_write_full(STDERR_FILENO, line, (size_t)n + strlen(end));
}

void report(const char *fmt, ...)
{
	char text[LINE_LEN];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	write_line("", text);
}

void report_log(enum log_level level, const char *line)
{
	static const char *const heads[] = {
		[LOG_ERR] = "error: ",
		[LOG_WARN] = "warn: ",
		[LOG_INFO] = "",
		[LOG_DEBUG] = "debug: ",
	};

	write_line(heads[level], line);
}
