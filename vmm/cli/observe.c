/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/output_file.h"
#include "vmm/cli/report.h"
#include "vmm/cli/service.h"
#include "vmm/cli/settings.h"
#include "vmm/control/server.h"
#include "vmm/machine/machine.h"

static int open_trace(const struct settings *s, struct mach *m, struct err *err)
{
	int fd;

	if (!s->trace_path)
		return 0;
	fd = output_file_open(s, "--trace '", s->trace_path, err);
	return fd < 0 ? fd : mach_trace(m, fd, err);
}

int observe_start(struct control **ret_c, const struct settings *s,
		  struct mach *m, const struct service *service,
		  struct err *err)
{
	AUTO_FREE char *named = service_control_path(service);
	struct control *c = NULL;
	int r = open_trace(s, m, err);

	if (r == 0 && (s->control_path || named))
		r = control_new(&c, m, s->control_path, named, err);
	if (r == 0)
		*ret_c = c;
	return r;
}

void observe_stop(struct control *c)
{
	control_free(c);
}

static void report_iommu(struct mach *m)
{
	struct iommu_stats s;

	if (!mach_iommu_stats(m, &s))
		return;
	report("IOMMU: %" PRIu64 " attaches, %" PRIu64 " detaches, %" PRIu64
	       " maps, %" PRIu64 " unmaps, %" PRIu64 " rejected",
	       s.attaches, s.detaches, s.maps, s.unmaps, s.rejected);
	report("IOMMU: %" PRIu64 " translations, %" PRIu64
	       " cache hits, %" PRIu64 " misses, %" PRIu64 " walks, %" PRIu64
	       " faults",
	       s.translations, s.cache_hits, s.cache_misses, s.walks, s.faults);
}

static void report_nets(struct mach *m)
{
	char *text = NULL, *rest, *line;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	mach_print_nets(m, f);
	if (fclose(f) != 0)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			report("%s", line);
	}
	free(text);
}

/* "kind count" lines as one of ours. */
static void report_exits(struct mach *m)
{
	char line[256] = "";
	char *text = NULL, *rest, *kind;
	size_t len, at = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	mach_print_exits(m, f);
	if (fclose(f) != 0)
		return;
	rest = text;
	while ((kind = strsep(&rest, "\n")) && at < sizeof(line)) {
		if (*kind)
			at += (size_t)snprintf(line + at, sizeof(line) - at,
					       "%s%s", at ? ", " : "", kind);
	}
	free(text);
	report("exits: %s", line);
}

void observe_report(struct mach *m)
{
	report_iommu(m);
	report_nets(m);
	report_exits(m);
}
