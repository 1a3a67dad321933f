/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/keys.h"

#include <stddef.h>
#include <string.h>

/*
 * Ends the item at @p with a NUL, doubled commas made single.
 * Return: where the next item starts; NULL if this was the last.
 */
static char *cut_item(char *p)
{
	char *to = p;

	for (; *p; p++) {
		if (*p == ',' && p[1] == ',')
			p++;
		else if (*p == ',')
			break;
		*to++ = *p;
	}
	/* @to may be @p: look before the NUL goes there. */
	p = *p ? p + 1 : NULL;
	*to = '\0';
	return p;
}

bool keys_next(char **cursor, struct keys_item *ret_item)
{
	char *item = *cursor;
	char *equals;

	if (!item)
		return false;
	*cursor = cut_item(item);
	equals = strchr(item, '=');
	if (equals) {
		*equals = '\0';
		*ret_item = (struct keys_item){item, equals + 1};
	} else {
		*ret_item = (struct keys_item){NULL, item};
	}
	return true;
}
