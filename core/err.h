/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * err.h - the sentence that goes with an error code.
 *
 * Whatever runs before the guest does takes a `struct err *` last.  The spot
 * that knows writes the sentence, callers put context in front, main() prints
 * it.  NULL is allowed everywhere: then only the code is returned.
 *
 * Sentences have no trailing newline or full stop; words from users stand in
 * 'ticks'.
 */
#ifndef MOAT_CORE_ERR_H
#define MOAT_CORE_ERR_H

#define ERR_MAX 256

struct err {
	char msg[ERR_MAX];
};

/*
 * err_set - write the sentence, replacing any earlier one.
 * @code: positive errno value
 *
 * Return: -@code, so that "return err_set(err, ENOEXEC, ...)" reads well.
 */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code,
						  const char *fmt, ...);

/*
 * err_errno - err_set() with ": " and the text of @code behind the sentence.
 */
__attribute__((format(printf, 3, 4))) int err_errno(struct err *err, int code,
						    const char *fmt, ...);

/*
 * err_prefix - put "context: " in front of the sentence.
 */
__attribute__((format(printf, 2, 3))) void err_prefix(struct err *err,
						      const char *fmt, ...);

#endif
