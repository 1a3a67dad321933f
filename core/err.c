/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Every function formats into a buffer of its own first: an argument may point
 * at err->msg. */

/* Bytes that vsnprintf() put into a buffer of @cap bytes. */
static size_t put_len(int n, size_t cap)
{
	if (n < 0)
		return 0;
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	char msg[ERR_MAX];
	va_list ap;

	if (!err)
		return -code;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	memcpy(err->msg, msg, sizeof(msg));
	return -code;
}

int err_errno(struct err *err, int code, const char *fmt, ...)
{
	char msg[ERR_MAX], why[64];
	const char *text;
	va_list ap;
	size_t n, room;

	if (!err)
		return -code;
	text = strerror_r(code, why, sizeof(why));
	va_start(ap, fmt);
	n = put_len(vsnprintf(msg, sizeof(msg), fmt, ap), sizeof(msg));
	va_end(ap);

	/* A path can be longer than the message; the reason must survive. */
	room = sizeof(msg) - 1 - put_len((int)strlen(text) + 2, sizeof(msg));
	if (n > room)
		n = room;
	(void)snprintf(msg + n, sizeof(msg) - n, ": %s", text);
	memcpy(err->msg, msg, sizeof(msg));
	return -code;
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char head[ERR_MAX];
	size_t n, keep;
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	n = put_len(vsnprintf(head, sizeof(head), fmt, ap), sizeof(head));
	va_end(ap);
	n += put_len(snprintf(head + n, sizeof(head) - n, ": "),
		     sizeof(head) - n);
	/* What does not fit is lost at the end. */
	keep = strlen(err->msg);
	if (keep > ERR_MAX - 1 - n)
		keep = ERR_MAX - 1 - n;
	memmove(err->msg + n, err->msg, keep);
	memcpy(err->msg, head, n);
	err->msg[n + keep] = '\0';
}
