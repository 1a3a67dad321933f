/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Where the time of a run has gone.  What happens inside the guest before its
 * command is told by init, the rest is seen from here.
 */
#include <time.h>

#include "vmm/cli/launch.h"
#include "vmm/cli/report.h"

double launch_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void launch_report_times(const struct launch *l,
			 const struct session_news *news)
{
	const struct launch_times *t = &l->times;
	const double modules = news->modules_ms / 1e3;
	const double ports = news->ports_ms / 1e3;
	const double root = news->root_ms / 1e3;

	if (news->state != SESSION_EXITED || t->exited == 0)
		return;
	report("seconds: moat %.3f, machine %.3f, kernel %.3f, modules %.3f, "
	       "ports %.3f, root %.3f, command %.3f, end %.3f",
	       t->machine - t->start, t->guest - t->machine,
	       t->command - t->guest - modules - ports - root, modules, ports,
	       root, t->exited - t->command, t->ended - t->exited);
}
