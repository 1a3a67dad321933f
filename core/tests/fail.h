/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fail.h - make the n-th allocation or system call fail.
 *
 *	for (unsigned n = 1;; n++) {
 *		fail_arm(n);
 *		r = x_new(&x, ...);
 *		failed = fail_disarm();
 *		if (!failed)
 *			break;		every way to fail has been taken
 *		ck_assert_int_lt(r, 0);
 *	}
 *
 * The linker redirects the calls of the program under test and of the static
 * libraries in it (core_fail_dep brings the arguments), not those inside libc.
 * Check allocates, too: no ck_assert between arm and disarm.
 *
 * Threads: the count is the process's.
 */
#ifndef MOAT_CORE_TESTS_FAIL_H
#define MOAT_CORE_TESTS_FAIL_H

#include <stdbool.h>

/* The @n-th call from now fails, once, with ENOMEM; n >= 1. */
void fail_arm(unsigned n);

/* Return: true if a call has failed since fail_arm(). */
bool fail_disarm(void);

#endif
