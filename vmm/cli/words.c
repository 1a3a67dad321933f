/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/words.h"

#include <stdio.h>
#include <string.h>

#include "core/bits.h"

/* Words of people and of our tables; longer ones are near to nothing. */
#define WORD_MAX 32

void words_list(char *buf, size_t len, const char *const *words, size_t n,
		const char *last)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && at < len; i++) {
		const char *space = i ? " " : "";
		const char *comma = i && i + 1 < n ? "," : "";
		int w;

		if (i && i + 1 == n)
			w = snprintf(buf + at, len - at, " %s %s", last,
				     words[i]);
		else
			w = snprintf(buf + at, len - at, "%s%s%s", comma, space,
				     words[i]);
		if (w < 0)
			return;
		at += (size_t)w;
	}
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment distance, three rows of the usual table. */
static unsigned slips(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][WORD_MAX + 1];

	for (unsigned j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3];
		const unsigned *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			row[j] = min3(above[j] + 1, row[j - 1] + 1,
				      above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && above2[j - 2] + 1 < row[j])
				row[j] = above2[j - 2] + 1;
		}
	}
	return rows[na % 3][nb];
}

const char *words_nearest(const char *typed, const char *const *words, size_t n)
{
	const size_t len = strlen(typed);
	/* One slip in three letters is a typing error, two are another word. */
	unsigned best = (unsigned)(len + 2) / 3 + 1;
	const char *nearest = NULL;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const size_t wlen = strlen(words[i]);
		unsigned d;

		if (wlen > WORD_MAX)
			continue;
		d = slips(typed, len, words[i], wlen);
		if (d < best && d < wlen) {
			best = d;
			nearest = words[i];
		}
	}
	return nearest;
}
