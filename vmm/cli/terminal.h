/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * terminal.h - the terminal at standard input: raw while a guest runs, and
 * back as it was however the run ends.
 *
 * Raw: every key is the guest's, and what the guest prints is not touched.
 * While it is raw, signals that end the process by default restore it first
 * (SIGKILL and SIGSTOP cannot be caught).  A job in the background leaves
 * the terminal alone: it is somebody else's then.
 *
 * One terminal can be raw at a time; that it is, and its old mode, is the
 * one thing that file-scope state is needed for.
 *
 * Threads: any.
 */
#ifndef MOAT_VMM_CLI_TERMINAL_H
#define MOAT_VMM_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * terminal_open - remember the mode of the terminal at @fd (borrowed until
 * terminal_close()).
 *
 * Return: false if @fd is no terminal: then all else does nothing.
 */
bool terminal_open(int fd);

/* Make it raw, now if we are in the foreground, else by terminal_resume(). */
void terminal_raw(void);

/* As it was, before the process stops; and raw again, if it is to be. */
void terminal_suspend(void);
void terminal_resume(void);

/* As it was, and no longer ours.  Does nothing if it is not. */
void terminal_close(void);

bool terminal_is_raw(void);

/* Is there a terminal, and are we the ones it talks with? */
bool terminal_foreground(void);

/* Window of the terminal at @fd.  Return: false if unknown. */
bool terminal_size(int fd, uint16_t *ret_cols, uint16_t *ret_rows);

#endif
