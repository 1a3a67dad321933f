/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * words.h - words for people: lists of them, and the one that was meant.
 */
#ifndef MOAT_VMM_CLI_WORDS_H
#define MOAT_VMM_CLI_WORDS_H

#include <stddef.h>

/*
 * words_list - "a", "a or b", "a, b or c"; cut if @len is too short.
 * @last: stands before the last word
 */
void words_list(char *buf, size_t len, const char *const *words, size_t n,
		const char *last);

/*
 * words_nearest - the word that @typed may have been meant to be: the one
 * with the fewest slips (a letter too many, too few, wrong, or two swapped).
 *
 * Return: NULL if none is near.
 */
const char *words_nearest(const char *typed, const char *const *words,
			  size_t n);

#endif
