/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/bench/smaps.h"

#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void add_line(const char *line, bool guest, struct smaps *s)
{
	char name[32];
	uint64_t kib;

	if (sscanf(line, "%31[^:]: %" SCNu64 " kB", name, &kib) != 2)
		return;
	if (guest)
		s->guest += name[0] == 'R' && name[1] == 's' ? kib : 0;
	else if (strcmp(name, "Rss") == 0)
		s->rss += kib;
	else if (strcmp(name, "Pss") == 0)
		s->pss += kib;
	else if (strcmp(name, "Private_Dirty") == 0)
		s->dirty += kib;
}

void smaps_read(pid_t pid, uint64_t guest_kib, struct smaps *ret_s)
{
	struct smaps s = {0};
	bool guest = false;
	uint64_t first, end;
	char line[512];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/smaps", (int)pid);
	f = fopen(line, "re");
	if (!f)
		err(1, "cannot read '%s'", line);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &first, &end) == 2)
			guest = (end - first) >> 10 >= guest_kib;
		else
			add_line(line, guest, &s);
	}
	fclose(f);
	if (s.guest == 0)
		errx(1, "no mapping of %" PRIu64 " KiB in process %d",
		     guest_kib, (int)pid);
	*ret_s = s;
}
