/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/escape.h"

#define CTRL_A 0x01

size_t escape_filter(struct escape *e, const uint8_t *in, size_t len,
		     uint8_t *out, struct escape_keys *ret_keys)
{
	size_t n = 0;

	*ret_keys = (struct escape_keys){0};
	for (size_t i = 0; i < len && !ret_keys->end; i++) {
		const uint8_t c = in[i];

		if (!e->open) {
			if (c == CTRL_A)
				e->open = true;
			else
				out[n++] = c;
			continue;
		}
		e->open = false;
		if (c == 'x') {
			ret_keys->end = true;
		} else if (c == 'h') {
			ret_keys->help = true;
		} else {
			out[n++] = CTRL_A;
			if (c != CTRL_A)
				out[n++] = c;
		}
	}
	return n;
}
