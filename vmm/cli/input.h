/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * input.h - what is typed or piped in, on its way to the guest.
 *
 * From a terminal: always read, so that moat's own keys work however stuck
 * the guest is; keys that the guest does not take are kept up to a bound and
 * dropped then.  From anything else: read as fast as the guest takes it,
 * every byte for the guest; the end is harmless.
 *
 * Threads: one.
 */
#ifndef MOAT_VMM_CLI_INPUT_H
#define MOAT_VMM_CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/cli/escape.h"

#define INPUT_BUFFER 65536

struct input {
	int fd;	    /* -1: none, or ended */
	bool owned; /* the fd */
	bool tty, socket;
	struct escape escape;
	uint8_t *buf; /* INPUT_BUFFER, for the guest */
	size_t at, len;
};

/*
 * input_init
 * @fd: borrowed; terminals and pipes are opened anew where possible.  -1: no
 * input.
 *
 * Return: 0; -ENOMEM.
 */
int input_init(struct input *in, int fd);
/* Only after input_init() was well. */
void input_fini(struct input *in);

/*
 * input_read - read once; the descriptor is readable.
 *
 * Return: false if nothing more will come: then fd is -1.
 */
bool input_read(struct input *in, struct escape_keys *ret_keys);

/* May it be read now?  Not while the guest has to catch up. */
bool input_wants(const struct input *in);

/* The bytes that wait; the first @n of them have been taken. */
const uint8_t *input_bytes(const struct input *in, size_t *ret_len);
void input_taken(struct input *in, size_t n);

#endif
