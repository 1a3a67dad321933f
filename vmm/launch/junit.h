/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * junit.h - the outcome of a run as a JUnit report with one test case, the
 * format that CI services read.
 */
#ifndef MOAT_VMM_LAUNCH_JUNIT_H
#define MOAT_VMM_LAUNCH_JUNIT_H

#include <stdio.h>

struct junit {
	const char *const *command; /* up to a NULL */
	const char *kernel;	    /* path */
	double seconds;
	int status;
	/* The command itself ended with @status, or what kept it from it:
	 * "timeout", "panic", "moat"; NULL: the former */
	const char *trouble;
	const char *text; /* more about it; NULL: nothing */
};

/* Control characters, which XML has not, come out as '?'. */
void junit_write(const struct junit *j, FILE *out);

#endif
