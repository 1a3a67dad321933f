/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/value.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/words.h"
#include "vmm/machine/config.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

int value_text(const char *text, const char **ret_text, struct err *err)
{
	if (text[0] == '\0')
		return err_set(err, EINVAL, "expected something, not nothing");
	*ret_text = text;
	return 0;
}

/*
 * Digits at the start of @text; no sign, no space, no hexadecimal.  What is
 * past 2^64 - 1 becomes that: too large for any use, and reported as such.
 * Return: what follows them; NULL if there is none.
 */
static const char *read_digits(const char *text, uint64_t *ret_val)
{
	const char *p = text;
	uint64_t val = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(val, 10, &val) ||
		    __builtin_add_overflow(val, (uint64_t)(*p - '0'), &val))
			val = UINT64_MAX;
	}
	if (p == text)
		return NULL;
	*ret_val = val;
	return p;
}

/* The first unit is that of a bare number.  Too large: 2^64 - 1. */
static bool read_with_unit(const char *text, const struct unit *units, size_t n,
			   uint64_t *ret_val)
{
	uint64_t val;
	const char *rest = read_digits(text, &val);

	if (!rest)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rest, units[i].suffix) != 0)
			continue;
		if (__builtin_mul_overflow(val, units[i].factor, ret_val))
			*ret_val = UINT64_MAX;
		return true;
	}
	return false;
}

int value_count(const char *text, unsigned min, unsigned max, unsigned *ret_n,
		struct err *err)
{
	uint64_t val;
	const char *rest = read_digits(text, &val);

	if (!rest || *rest || val < min || val > max)
		return err_set(err, EINVAL, "expected a number from %u to %u",
			       min, max);
	*ret_n = (unsigned)val;
	return 0;
}

/* A size in the largest unit that divides it. */
static void print_size(char *buf, size_t len, uint64_t bytes)
{
	static const char letters[] = "BKMGT";
	unsigned i = 0;

	while (i + 2 < sizeof(letters) && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	(void)snprintf(buf, len, "%" PRIu64 "%c", bytes, letters[i]);
}

int value_size(const char *text, uint64_t min, uint64_t max,
	       uint64_t *ret_bytes, struct err *err)
{
	static const struct unit units[] = {
		{"", MIB(1)},  {"K", KIB(1)},	 {"k", KIB(1)},
		{"M", MIB(1)}, {"m", MIB(1)},	 {"G", GIB(1)},
		{"g", GIB(1)}, {"T", GIB(1024)}, {"t", GIB(1024)},
	};
	char least[32], most[32];
	uint64_t val;

	if (!read_with_unit(text, units, ARRAY_SIZE(units), &val))
		return err_set(err, EINVAL,
			       "expected a size like 512M or 2G (K, M, G or T; "
			       "MiB without a letter)");
	print_size(least, sizeof(least), min);
	print_size(most, sizeof(most), max);
	if (val < min || val > max)
		return err_set(err, EINVAL, "expected a size from %s to %s",
			       least, most);
	if (val % MIB(1))
		return err_set(err, EINVAL, "expected whole MiB");
	*ret_bytes = val;
	return 0;
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return UINT_MAX;
}

/* Return: what follows; NULL without a digit or past 2^64 - 1. */
static const char *read_address(const char *p, uint64_t *ret_val)
{
	const unsigned base = p[0] == '0' && p[1] == 'x' ? 16 : 10;
	const char *start = p += base == 16 ? 2 : 0;
	uint64_t val = 0;

	for (; digit_of(*p) < base; p++) {
		if (__builtin_mul_overflow(val, base, &val) ||
		    __builtin_add_overflow(val, digit_of(*p), &val))
			return NULL;
	}
	*ret_val = val;
	return p == start ? NULL : p;
}

int value_range(const char *text, uint64_t *ret_first, uint64_t *ret_last,
		struct err *err)
{
	uint64_t first, last;
	const char *p = read_address(text, &first);

	p = p && *p == '-' ? read_address(p + 1, &last) : NULL;
	if (!p || *p)
		return err_set(err, EINVAL,
			       "expected addresses like 0x8000000-0x80fffff");
	if (first > last)
		return err_set(err, EINVAL,
			       "expected a range that does not end before it "
			       "begins");
	*ret_first = first;
	*ret_last = last;
	return 0;
}

int value_time(const char *text, uint64_t *ret_ms, struct err *err)
{
	static const struct unit units[] = {
		{"", 1000},	  {"ms", 1},	      {"s", 1000},
		{"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 86400 * 1000},
	};
	uint64_t val;

	if (!read_with_unit(text, units, ARRAY_SIZE(units), &val))
		return err_set(err, EINVAL,
			       "expected a time like 30s, 5m or 1h (ms, s, m, "
			       "h or d; seconds without a letter)");
	if (val < 1 || val > VALUE_TIME_MAX_MS)
		return err_set(err, EINVAL, "expected a time from 1ms to 365d");
	*ret_ms = val;
	return 0;
}

int value_wait(const char *text, unsigned *ret_ms, struct err *err)
{
	uint64_t ms = 0;

	if (strcmp(text, "off") != 0 &&
	    (value_time(text, &ms, NULL) < 0 || ms > MACH_SERVER_WAIT_MS_MAX))
		return err_set(err, EINVAL,
			       "expected off, or a time from 1ms to 24h");
	*ret_ms = (unsigned)ms;
	return 0;
}

/* In the largest unit that divides it. */
static void print_short_time(char *buf, size_t len, unsigned us)
{
	if (us % 1000000 == 0)
		(void)snprintf(buf, len, "%us", us / 1000000);
	else if (us % 1000 == 0)
		(void)snprintf(buf, len, "%ums", us / 1000);
	else
		(void)snprintf(buf, len, "%uus", us);
}

int value_short_time(const char *text, unsigned min_us, unsigned max_us,
		     unsigned *ret_us, struct err *err)
{
	static const struct unit units[] = {
		{"us", 1},
		{"ms", 1000},
		{"s", 1000000},
	};
	char least[16], most[16];
	uint64_t val;

	print_short_time(least, sizeof(least), min_us);
	print_short_time(most, sizeof(most), max_us);
	if (!read_with_unit(text, units, ARRAY_SIZE(units), &val) ||
	    val < min_us || val > max_us)
		return err_set(err, EINVAL,
			       "expected a time from %s to %s (us, ms or s)",
			       least, most);
	*ret_us = (unsigned)val;
	return 0;
}

int value_choice(const char *text, const char *const *words, size_t n,
		 unsigned *ret_index, struct err *err)
{
	char list[160];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret_index = (unsigned)i;
			return 0;
		}
	}
	words_list(list, sizeof(list), words, n, "or");
	return err_set(err, EINVAL, "expected %s", list);
}

int value_switch(const char *text, bool *ret_on, struct err *err)
{
	static const char *const words[] = {"on", "off"};
	unsigned i;
	int r = value_choice(text, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		*ret_on = i == 0;
	return r;
}
