/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * cache_prune.h - keep the cache small.
 */
#ifndef MOAT_BOOT_CACHE_PRUNE_H
#define MOAT_BOOT_CACHE_PRUNE_H

#include "boot/cache.h"

/* Names: a prefix and 16 hexadecimal digits. */
#define CACHE_ALIAS_PREFIX     "alias-"
#define CACHE_TEMPORARY_PREFIX ".kernel-"
#define CACHE_NAME_SIZE	       32

/* Of entries. */
const char *cache_prefix(enum cache_kind kind);

/*
 * cache_prune - in the directory @at, remove all but the CACHE_KERNELS_MAX kernels and the
 * CACHE_MODULES_MAX modules used last and the CACHE_ALIASES_MAX aliases made
 * last, and what interrupted runs left behind.  Other files are left alone.
 */
void cache_prune(int at);

#endif
