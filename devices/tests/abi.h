/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * abi.h - numbers that two sides must agree on, each side listing its own.
 *
 * Our names and the kernel's cannot be included together, so abi_ours.c and
 * abi_linux.c each compile one list, and test_abi.c compares them.
 */
#ifndef MOAT_DEVICES_TESTS_ABI_H
#define MOAT_DEVICES_TESTS_ABI_H

#include <stddef.h>
#include <stdint.h>

struct abi_item {
	const char *name;
	uint64_t value;
};

extern const struct abi_item abi_ours[], abi_linux[];
extern const size_t abi_nours, abi_nlinux;

#define ABI_OFFSET(s, m)           \
	{                          \
#m, offsetof(s, m) \
	}

#endif
