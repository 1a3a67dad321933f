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

static bool is_mapping(const char *line, uint64_t *ret_first, uint64_t *ret_end)
{
	return sscanf(line, "%" SCNx64 "-%" SCNx64 " ", ret_first, ret_end) ==
	       2;
}

/* Where guest memory begins; it may be in two pieces, the first of them of 2
 * MiB (small pages, see core/gmem.c).  UINT64_MAX: there is none. */
static uint64_t find_guest(FILE *f, uint64_t guest_kib)
{
	uint64_t first, end, found = UINT64_MAX;
	char line[512];

	while (fgets(line, sizeof(line), f)) {
		if (!is_mapping(line, &first, &end))
			continue;
		if ((end - first) >> 10 >= guest_kib)
			found = first;
		else if (((end - first) >> 10) + 2048 == guest_kib)
			found = end - (guest_kib << 10);
	}
	rewind(f);
	return found;
}

void smaps_read(pid_t pid, uint64_t guest_kib, struct smaps *ret_s)
{
	struct smaps s = {0};
	bool guest = false;
	uint64_t first, end, at;
	char line[512];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/smaps", (int)pid);
	f = fopen(line, "re");
	if (!f)
		err(1, "cannot read '%s'", line);
	at = find_guest(f, guest_kib);
	while (fgets(line, sizeof(line), f)) {
		if (is_mapping(line, &first, &end))
			guest = at != UINT64_MAX && first >= at &&
				(first - at) >> 10 < guest_kib;
		else
			add_line(line, guest, &s);
	}
	fclose(f);
	if (s.guest == 0)
		errx(1, "no mapping of %" PRIu64 " KiB in process %d",
		     guest_kib, (int)pid);
	*ret_s = s;
}
