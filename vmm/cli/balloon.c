/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/err.h"
#include "vmm/cli/ask.h"
#include "vmm/cli/command.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/value.h"

/* The answer has no lines. */
static void print_nothing(const struct control_line *l)
{
	(void)l;
}

static const struct ask_table nothing = {
	.kind = CONTROL_DEVICE,
	.row = print_nothing,
};

static int read_size(const struct settings *s, uint64_t *ret_bytes,
		     struct err *err)
{
	const char *text = s->second_operand;
	int r;

	if (!text)
		return err_set(err, EINVAL, "SIZE is missing, like 256M");
	r = value_size(text, 0, MACH_MEMORY_MAX, ret_bytes, err);
	if (r < 0)
		err_prefix(err, "SIZE '%.40s'", text);
	return r;
}

int command_balloon(struct settings *s, struct err *err)
{
	char request[CONTROL_REQUEST_MAX];
	struct ask a;
	uint64_t bytes;
	iova_t next;
	int r = ask_init(&a, s, err);

	if (r == 0)
		r = read_size(s, &bytes, err);
	if (r == 0) {
		(void)snprintf(request, sizeof(request),
			       "balloon %" PRIu64 "\n", bytes);
		r = ask_print(&a, request, &nothing, &next, err);
	}
	ask_fini(&a);
	return ask_status(r, "balloon", err);
}
