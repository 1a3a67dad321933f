/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * pin_threads.h - where a monitor's threads run.
 *
 * Whether the scheduler puts a vCPU and the thread that serves its devices on
 * one processor or on two lasts for a whole boot, and decides what a
 * notification costs: rates of two boots of one kind differ by a factor of two.
 */
#ifndef MOAT_TOOLS_BENCH_PIN_THREADS_H
#define MOAT_TOOLS_BENCH_PIN_THREADS_H

#include <sys/types.h>

/* The first vCPU's thread of @pid, by the name that moat, QEMU (with debug-threads=on)
 * or kvmtool gave it, to processor 0; its other threads, and those that they make
 * (vhost's are the kernel's before Linux 6.4, and stay free), to processor 1.  Exits when there is no such thread.
 * Does nothing where there is one processor. */
void pin_threads(pid_t pid);

#endif
