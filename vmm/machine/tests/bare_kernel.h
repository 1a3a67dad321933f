/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bare_kernel.h - a kernel of a few instructions, as an ELF file.
 *
 * It is entered in 64-bit mode with the first 4 GiB mapped one to one, and
 * runs on any KVM, also one that only emulates instructions.
 */
#ifndef MOAT_VMM_MACHINE_TESTS_BARE_KERNEL_H
#define MOAT_VMM_MACHINE_TESTS_BARE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* Where it is loaded and entered. */
#define BARE_KERNEL_AT 0x1000000

/*
 * bare_kernel_make - write @code as a kernel to a new temporary file.
 * @path: template for mkstemp(), becomes the file's name
 */
void bare_kernel_make(char *path, const uint8_t *code, size_t len);

#endif
