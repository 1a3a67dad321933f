/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * trim.h - give memory back that only the start has needed.
 */
#ifndef MOAT_VMM_CLI_TRIM_H
#define MOAT_VMM_CLI_TRIM_H

/*
 * trim_memory - free memory of the heap; and the pages of the libraries that
 * nobody has written, which come back from the page cache when they are used
 * again.  Most of them never are: they have found, linked and unpacked.
 *
 * Threads: any.  moat's own pages stay, with what a debugger has set there.
 */
void trim_memory(void);

#endif
