/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * escape.h - the keys that are moat's own: Ctrl-a x ends the run, Ctrl-a h
 * helps, Ctrl-a Ctrl-a is one Ctrl-a for the guest.  Ctrl-a and any other key
 * are both for the guest.
 */
#ifndef MOAT_VMM_CLI_ESCAPE_H
#define MOAT_VMM_CLI_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: no Ctrl-a is open. */
struct escape {
	bool open; /* Ctrl-a came, and nothing yet behind it */
};

struct escape_keys {
	bool end, help; /* seen in this piece */
};

/*
 * escape_filter - what of @in is for the guest.
 * @out: room for @len + 1 bytes (a Ctrl-a may be left from the last piece)
 *
 * Nothing behind the keys that end the run is passed on.
 *
 * Return: bytes in @out.
 */
size_t escape_filter(struct escape *e, const uint8_t *in, size_t len,
		     uint8_t *out, struct escape_keys *ret_keys);

#endif
