/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hash.h - XXH64: a fast checksum of 64 bits.  It finds damage, it does not
 * withstand an attacker.  [xxHash fast digest algorithm, XXH64]
 */
#ifndef MOAT_BOOT_HASH_H
#define MOAT_BOOT_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *data, size_t len, uint64_t seed);

#endif
