/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * keys.h - lists of keys inside one option: "root.img,ro=on,id=a,,b".
 *
 * Items stand between commas; a comma inside an item is written twice.  An
 * item is "key=value" or a bare word.
 */
#ifndef MOAT_VMM_CLI_KEYS_H
#define MOAT_VMM_CLI_KEYS_H

#include <stdbool.h>

struct keys_item {
	char *key;   /* NULL: a bare word */
	char *value; /* the word, then */
};

/*
 * keys_next - take the next item off the list.
 * @cursor: starts at the list, which is overwritten and holds the items
 *
 * Return: false at the end.
 */
bool keys_next(char **cursor, struct keys_item *ret_item);

#endif
