/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * output.h - the guest's text on its way to a descriptor that may be slow.
 *
 * What the descriptor does not take at once waits in a bounded buffer; when
 * that is full, fewer bytes are taken and the guest waits.  Nothing here
 * blocks, except writes to what cannot be polled (files, /dev/null), which
 * the host's kernel bounds.
 *
 * A pipe whose reader has gone, a full disk: the text is thrown away from
 * then on and the guest runs on.
 *
 * Threads: the caller's lock.
 */
#ifndef MOAT_VMM_CLI_OUTPUT_H
#define MOAT_VMM_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define OUTPUT_BUFFER 65536

struct output {
	int fd;	      /* -1: bytes vanish */
	bool owned;   /* the fd */
	bool polled;  /* else written directly */
	int restore;  /* flags of a shared fd that fini() sets again; -1 */
	int error;    /* positive errno that ended it; 0 */
	bool starved; /* bytes were refused */
	uint8_t *buf; /* ring of OUTPUT_BUFFER bytes; NULL if not polled */
	size_t at, len;
};

/*
 * output_init - to @fd.
 * @owned: Takes @fd; else it is borrowed and keeps its mode as far as its
 * other users can tell: terminals and pipes are opened anew where possible,
 * because O_NONBLOCK belongs to the open file, which other processes share
 *
 * Return: 0 or -ENOMEM.
 */
int output_init(struct output *o, int fd, bool owned, struct err *err);
/* To nowhere. */
void output_init_none(struct output *o);
/* Closes or restores the fd; what waits is lost. */
void output_fini(struct output *o);

/* Return: bytes taken, 0 to @len. */
size_t output_put(struct output *o, const uint8_t *buf, size_t len);

/* Write what waits, as far as it goes without blocking. */
void output_flush(struct output *o);

/* Bytes that wait. */
static inline size_t output_waiting(const struct output *o)
{
	return o->len;
}

/*
 * output_take_room - is there room again after bytes were refused?  True once
 * for each time; only with half the buffer free, so that it is worth it.
 */
bool output_take_room(struct output *o);

#endif
