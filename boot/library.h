/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * library.h - shared libraries that are linked when they are needed: one that
 * is linked at the start costs every start, a tenth of the whole.
 */
#ifndef MOAT_BOOT_LIBRARY_H
#define MOAT_BOOT_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

struct library_function {
	const char *name;
	size_t at; /* of the pointer to it, in the object of library_link() */
};

struct library {
	const char *file;    /* as the dynamic linker looks for it */
	const char *package; /* Debian's that has it */
	const struct library_function *functions;
	size_t nfunctions;
};

/*
 * library_link - fill @ret_pointers, a struct of pointers to functions; NULL:
 * only see whether they are there.
 *
 * What was linked stays to the end of the process, and is found again at once.
 *
 * Threads: any.
 * Return: false if the library, or a function, is not there; @ret_pointers may
 * then be half filled.
 */
bool library_link(const struct library *l, void *ret_pointers);

#endif
