/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * trim.h - give memory back that only the start has needed.
 */
#ifndef MOAT_VMM_CLI_TRIM_H
#define MOAT_VMM_CLI_TRIM_H

#include "core/loop.h"

/*
 * trim_memory - free memory of the heap; and the pages of the libraries that
 * nobody has written, which come back from the page cache when they are used
 * again.  Most of them never are: they have found, linked and unpacked.
 *
 * Threads: any.  moat's own pages stay, with what a debugger has set there.
 */
void trim_memory(void);

/*
 * trim_later - trim_memory() on @l, half a second after this: the guest's first
 * instruction need not wait for it, nor a guest that is gone by then.
 * @t: zeroed; loop_timer_del() takes it back, before the loop ends
 */
void trim_later(struct loop_timer *t, struct loop *l);

#endif
