/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * From the entry to guest(), and the command line.
 */
#include "start.h"
#include "bare.h"

#define CMD_LINE_PTR 0x228 /* in struct boot_params */

static const char *cmdline = "";

void bare_start(const uint8_t *boot_params)
{
	uint32_t at;

	memcpy(&at, boot_params + CMD_LINE_PTR, sizeof(at));
	cmdline = (const char *)(uintptr_t)at;
	guest();
	pass();
}

static bool starts_with(const char *s, const char *word, size_t len)
{
	return memcmp(s, word, len) == 0;
}

bool has_word(const char *word, const char **ret_value)
{
	size_t len = strlen(word);
	const char *s = cmdline;

	while (*s) {
		if (starts_with(s, word, len) &&
		    (word[len - 1] == '=' || s[len] == ' ' || !s[len])) {
			if (ret_value)
				*ret_value = s + len;
			return true;
		}
		while (*s && *s != ' ')
			s++;
		while (*s == ' ')
			s++;
	}
	return false;
}

bool word_is(const char *word, const char *value)
{
	size_t len = strlen(value);
	const char *found;

	return has_word(word, &found) && starts_with(found, value, len) &&
	       (found[len] == ' ' || !found[len]);
}
