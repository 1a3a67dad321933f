/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * report.h - moat's own lines, on standard error: "moat: ...".
 *
 * One call is one line.  Bytes that would steer a terminal come out as '?',
 * and while the terminal is raw the line ends as a raw terminal needs it.
 *
 * Threads: any.
 */
#ifndef MOAT_VMM_CLI_REPORT_H
#define MOAT_VMM_CLI_REPORT_H

#include "core/log.h"

__attribute__((format(printf, 1, 2))) void report(const char *fmt, ...);

/* The sink for core/log.h: "moat: warn: ...". */
void report_log(enum log_level level, const char *line);

#endif
