/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "core/err.h"
#include "vmm/cli/command.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"
#include "vmm/machine/machine.h"

int command_topology(struct settings *s, struct err *err)
{
	struct mach *m;

	if (s->command) {
		(void)err_set(err, EINVAL, "no command is run by 'topology'");
		return STATUS_USAGE;
	}
	if (mach_config_check(&s->machine, err) < 0)
		return STATUS_USAGE;
	if (mach_new(&m, &s->machine, MACH_PLAN_ONLY, err) < 0)
		return STATUS_HOST;
	mach_print_topology(m, stdout);
	mach_free(m);
	return STATUS_OK;
}
