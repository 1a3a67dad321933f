/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * value.h - the words that options take: numbers, sizes, times, choices.
 *
 * Every function returns 0, or -EINVAL with a sentence that says what was
 * expected; the caller puts the option and the word in front.  Results are
 * written only on success.
 */
#ifndef MOAT_VMM_CLI_VALUE_H
#define MOAT_VMM_CLI_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Anything but nothing. */
int value_text(const char *text, const char **ret_text, struct err *err);

/* A decimal number, @min <= it <= @max. */
int value_count(const char *text, unsigned min, unsigned max, unsigned *ret_n,
		struct err *err);

/*
 * value_size - bytes: a number of MiB, or a number followed by K, M, G or T
 * (powers of 1024, upper or lower case); @min <= it <= @max, whole MiB.
 */
int value_size(const char *text, uint64_t min, uint64_t max,
	       uint64_t *ret_bytes, struct err *err);

/*
 * value_range - START-END, addresses with both ends included; decimal, or
 * hexadecimal behind 0x.
 */
int value_range(const char *text, uint64_t *ret_first, uint64_t *ret_last,
		struct err *err);

/*
 * value_time - a number of seconds, or a number followed by ms, s, m, h or d;
 * 1 ms to VALUE_TIME_MAX_MS.
 */
#define VALUE_TIME_MAX_MS (UINT64_C(365) * 24 * 60 * 60 * 1000)
int value_time(const char *text, uint64_t *ret_ms, struct err *err);
/* value_wait - "off", which is 0, or a time as above, up to 24h: how long a
 * server that went away is waited for. */
int value_wait(const char *text, unsigned *ret_ms, struct err *err);

/*
 * value_short_time - a number followed by us, ms or s;
 * @min_us <= it <= @max_us.
 */
int value_short_time(const char *text, unsigned min_us, unsigned max_us,
		     unsigned *ret_us, struct err *err);

/*
 * value_choice - one of @n words; the result is its index.
 */
int value_choice(const char *text, const char *const *words, size_t n,
		 unsigned *ret_index, struct err *err);

/* "on" or "off". */
int value_switch(const char *text, bool *ret_on, struct err *err);

#endif
