/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kernel_log.h - what a Linux guest has logged, out of its memory: for a
 * guest that is quiet on its console, or stuck before it has one.
 *
 * The log is a ring of blocks, each a number and a text, the numbers counting
 * up [Linux kernel/printk/printk_ringbuffer.c, 5.10 and later].  The first
 * block says "Linux version ...": it is searched for, and the numbers lead on
 * from there.  Nothing else is known of the kernel, and nothing in the
 * guest's memory is trusted.
 */
#ifndef MOAT_VMM_MACHINE_KERNEL_LOG_H
#define MOAT_VMM_MACHINE_KERNEL_LOG_H

#include <stddef.h>

#include "core/gmem.h"

/*
 * kernel_log_read - the last lines of the log.
 * @text: gets them, each with a newline, ended by a NUL; what is no printable
 * ASCII comes out as '?'
 * @cap: its size, at least 1
 *
 * Looks through all of the memory once, and follows a bounded number of
 * blocks.  Threads: while no vCPU runs.
 *
 * Return: length of @text; 0 if there is no log, or it has been overwritten.
 */
size_t kernel_log_read(const struct gmem *mem, char *text, size_t cap);

#endif
