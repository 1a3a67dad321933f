/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * trace.h - writes what the IOMMU is asked and what it refuses to a file.
 *
 * Records are gathered and written some hundred at a time, by the thread that
 * brings the last of them: a regular file, which the host's kernel takes in
 * bounded time.  When it cannot (a full disk) the trace ends, with a line in
 * the log.
 *
 * Threads: the watcher under the IOMMU device's lock; the rest while no guest
 * runs.
 */
#ifndef MOAT_VMM_MACHINE_TRACE_H
#define MOAT_VMM_MACHINE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "iommu/virtio_iommu.h"
#include "vmm/machine/trace_record.h"

#define TRACE_GATHERED 512

struct trace {
	struct viommu_watcher watcher;
	int fd; /* -1: no trace */
	uint64_t began_ns;
	unsigned n;
	uint8_t gathered[TRACE_GATHERED][TRACE_RECORD];
};

/* A watcher that does nothing yet. */
void trace_init(struct trace *t);
/* Writes the rest; accepts a zeroed object. */
void trace_fini(struct trace *t);

/*
 * trace_start - once.
 * @fd: a regular file, empty; the trace's from here on, failure included
 *
 * Return: 0; -EINVAL for another kind of file; -errno; with a sentence.
 */
int trace_start(struct trace *t, int fd, struct err *err);

#endif
