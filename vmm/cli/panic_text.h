/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * panic_text.h - sees a kernel panic in the console's text.
 *
 * For guests whose kernel has no pvpanic driver.  What counts is
 *
 *	Kernel panic - not syncing
 *
 * at the start of a line, behind the kernel's time stamp ("[    1.234567] ",
 * "[    1.234567][    T1] ") if there is one.  The text may come in pieces
 * of any size.
 *
 * Limits: the phrase in the middle of a line does not count, so a program
 * that quotes it does not end the run; one that prints it at the start of a
 * line does.  A panic whose line is torn apart by another writer, or that the
 * console does not show, is not seen.
 *
 * Threads: the caller's lock.
 */
#ifndef MOAT_VMM_CLI_PANIC_TEXT_H
#define MOAT_VMM_CLI_PANIC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum panic_text_state {
	PANIC_TEXT_START,   /* of a line */
	PANIC_TEXT_STAMP,   /* between its brackets */
	PANIC_TEXT_STAMPED, /* behind them */
	PANIC_TEXT_PHRASE,
	PANIC_TEXT_OTHER, /* a line that is none; until its end */
};

/* Zeroed: at the start of a line. */
struct panic_text {
	enum panic_text_state state;
	unsigned len; /* of the stamp or the phrase so far */
};

/* Return: true if the phrase ended in these bytes. */
bool panic_text_feed(struct panic_text *p, const uint8_t *buf, size_t len);

#endif
