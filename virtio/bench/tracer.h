/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tracer.h - counts every system call of one thread, whoever makes it.
 *
 * Another process stops the thread at each, so it runs slowly meanwhile: for
 * counting, not for timing.
 */
#ifndef MOAT_VIRTIO_BENCH_TRACER_H
#define MOAT_VIRTIO_BENCH_TRACER_H

#include <stdint.h>
#include <sys/types.h>

struct tracer {
	pid_t process;
	struct tracer_shared *shared; /* with that process */
};

/* Return: 0; -errno where tracing is not permitted. */
int tracer_start(struct tracer *t, pid_t tid);
uint64_t tracer_calls(const struct tracer *t);
void tracer_stop(struct tracer *t);

#endif
