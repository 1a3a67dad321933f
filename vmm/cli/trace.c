/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/trace_record.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "core/err.h"
#include "vmm/cli/command.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"

/* Return: 0 or -errno, with a sentence. */
static int print_all(FILE *in, const char *path, struct err *err)
{
	uint8_t head[TRACE_HEAD] = {0}, bytes[TRACE_RECORD];
	struct trace_record r;
	off_t at = TRACE_HEAD;
	size_t n;

	errno = 0;
	n = fread(head, 1, sizeof(head), in);
	if (!ferror(in) && (n < sizeof(head) || !trace_head_ok(head)))
		return err_set(err, EINVAL, "trace: '%.120s' is no trace",
			       path);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) == sizeof(bytes) &&
	       !ferror(stdout)) {
		trace_record_get(&r, bytes);
		if (!trace_record_ok(&r))
			return err_set(err, EINVAL,
				       "trace: '%.120s' is damaged at byte %jd",
				       path, (intmax_t)at);
		trace_record_print(&r, stdout);
		at += TRACE_RECORD;
	}
	/* fread() of the C library leaves errno as read() has set it. */
	if (ferror(in))
		return err_errno(err, errno ? errno : EIO,
				 "trace: cannot read '%.120s'", path);
	if (n > 0 && n < sizeof(bytes))
		return err_set(err, EINVAL,
			       "trace: '%.120s' ends in the middle of a record",
			       path);
	return 0;
}

int command_trace(struct settings *s, struct err *err)
{
	FILE *in;
	int r;

	if (!s->operand) {
		(void)err_set(err, EINVAL,
			      "trace: FILE is missing: what 'moat run --trace "
			      "FILE' has written");
		return STATUS_USAGE;
	}
	in = fopen(s->operand, "re");
	if (!in) {
		(void)err_errno(err, errno, "trace: cannot open '%.120s'",
				s->operand);
		return STATUS_HOST;
	}
	r = print_all(in, s->operand, err);
	(void)fclose(in);
	return r < 0 ? STATUS_HOST : STATUS_OK;
}
