/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "vmm/cli/command.h"
#include "vmm/cli/host_report.h"
#include "vmm/cli/status.h"

int command_check(struct settings *s, struct err *err)
{
	struct mach_host host;

	(void)s;
	(void)err;
	mach_host_probe(&host);
	return host_report(&host, stdout) ? STATUS_OK : STATUS_HOST;
}
