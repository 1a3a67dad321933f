/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tail.h - the last of a text, to be shown when something went wrong.
 *
 * Threads: the caller's lock.
 */
#ifndef MOAT_VMM_CLI_TAIL_H
#define MOAT_VMM_CLI_TAIL_H

#include <stddef.h>
#include <stdint.h>

#define TAIL_BYTES 16384
#define TAIL_LINES 60 /* shown at most */
#define TAIL_CRASH 48 /* ... of them, the first ones of a crash */

/* Zeroed: empty. */
struct tail {
	char buf[TAIL_BYTES]; /* a ring */
	uint64_t len;	      /* all that ever came */
};

void tail_add(struct tail *t, const uint8_t *buf, size_t len);

/*
 * tail_find - the last line that begins with @head, behind the kernel's time
 * stamp if there is one.
 * @ret_rest: what stands behind it, a copy to be freed
 *
 * Return: 1, 0 without one, -ENOMEM.
 */
int tail_find(const struct tail *t, const char *head, char **ret_rest);

/*
 * tail_report - its lines, each as one of ours: TAIL_CRASH from one on that
 * tells of a crash of the kernel, and the last ones of all; or the last ones.
 * @max: how many without a crash, at most TAIL_LINES
 */
void tail_report(const struct tail *t, size_t max);

#endif
