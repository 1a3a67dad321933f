/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <stdio.h>

#include "vmm/cli/command.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"
#include "vmm/machine/machine.h"

int command_topology(struct settings *s, struct err *err)
{
	struct mach *m;
	int r = mach_new(&m, &s->machine, MACH_PLAN_ONLY, err);

	if (r < 0)
		return status_of_error(r);
	mach_print_topology(m, stdout);
	mach_free(m);
	return STATUS_OK;
}
