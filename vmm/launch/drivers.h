/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * drivers.h - the kernel modules that the devices of a guest need.
 *
 * Distributions pack them, and to unpack them takes longer than all else that
 * is done before a machine starts.  So the result is kept in the cache.
 */
#ifndef MOAT_VMM_LAUNCH_DRIVERS_H
#define MOAT_VMM_LAUNCH_DRIVERS_H

struct buf;
struct err;
struct launch_plan;

/*
 * launch_drivers_put - append the modules for @p to the archive @archive,
 * and to the instructions @words, in what order to load them.
 *
 * Return: 0; -ENODEV if the kernel lacks a driver that the plan needs; -errno;
 * all with a sentence.
 */
int launch_drivers_put(const struct launch_plan *p, struct buf *archive,
		       struct buf *words, struct err *err);

#endif
