/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/bench/guest_talk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

void say(const char *text)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "@%s\n", text);

	(void)!write(STDOUT_FILENO, line, (size_t)n);
}

_Noreturn void halt(void)
{
	say("halt");
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

_Noreturn void fail(const char *what, const char *which)
{
	char text[120];

	snprintf(text, sizeof(text), "failed: %s '%.60s': %s", what, which,
		 strerror(errno));
	say(text);
	halt();
}
