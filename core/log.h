/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * log.h - lines for the operator.
 *
 * No trailing newline.  Errors are returned, not logged.  What a guest
 * provokes goes through a struct guest_log: one line per device until its
 * reset, so many in all, never above warn.
 *
 * Threads: any.  The sink is process-wide and set once, before threads start.
 */
#ifndef MOAT_CORE_LOG_H
#define MOAT_CORE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* @line has neither the "moat: warn: " head nor a newline. */
typedef void (*log_sink_fn)(enum log_level level, const char *line);

/*
 * log_set_sink - replace the sink; NULL restores "moat: warn: ..." on stderr.
 */
void log_set_sink(log_sink_fn sink);

/*
 * log_set_level - drop lines above @level; the default is LOG_WARN.
 */
void log_set_level(enum log_level level);

__attribute__((format(printf, 2, 3))) void log_at(enum log_level level,
						  const char *fmt, ...);

#define log_err(...)   log_at(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* A guest can reset its devices for ever; the operator's disk has an end. */
#define GUEST_LOG_LINES_MAX 100

/*
 * One line per device until guest_log_rearm(), and GUEST_LOG_LINES_MAX in its
 * life; embedded in the device.
 */
struct guest_log {
	const char *name; /* instance, "blk0"; borrowed */
	_Atomic bool said;
	_Atomic unsigned lines;
};

__attribute__((format(printf, 2, 3))) void guest_warn(struct guest_log *g,
						      const char *fmt, ...);
void guest_log_rearm(struct guest_log *g);

#endif
