/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * spawn.h - the moat command as a child, with pipes or on a terminal.
 *
 * Every function asserts; nothing waits longer than SPAWN_PATIENCE_MS.
 */
#ifndef MOAT_VMM_CLI_TESTS_SPAWN_H
#define MOAT_VMM_CLI_TESTS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#define SPAWN_PATIENCE_MS 60000
#define SPAWN_TEXT_MAX	  (1024 * 1024)

/* The program; argv[0] is "moat". */
extern const char *spawn_program;

/* Words for spawn_run() and spawn_tty(). */
#define ARGV(...)                               \
	(const char *const[])                   \
	{                                       \
		__VA_ARGS__, (const char *)NULL \
	}

/* In the child, before it becomes the program; NULL: nothing. */
typedef void (*spawn_before_fn)(void);

struct spawn_result {
	int status; /* as a shell shows it: 128 + n for signal n */
	const char *out, *err;
	size_t out_len;
};

/*
 * spawn_run - run to the end.
 * @input, @len: its standard input; NULL: /dev/null
 * @argv: behind the program's name, up to a NULL
 *
 * Return: valid until the next call.
 */
struct spawn_result spawn_run(spawn_before_fn before, const void *input,
			      size_t len, const char *const *argv);

/* A child on a terminal that is its controlling one. */
struct spawn_tty {
	pid_t pid;
	int master, slave;
	struct termios mode; /* at first */
	char text[65536];    /* all it has printed */
	size_t len, seen;    /* spawn_expect() has been so far */
};

void spawn_tty(struct spawn_tty *t, spawn_before_fn before,
	       const char *const *argv);
/* Waits for @text, behind what was expected before. */
void spawn_expect(struct spawn_tty *t, const char *text);
void spawn_type(struct spawn_tty *t, const char *keys);
/* Waits until the terminal is raw, or is not. */
void spawn_wait_raw(struct spawn_tty *t, bool raw);
bool spawn_is_raw(struct spawn_tty *t);
/* As it was at first, by another's hand. */
void spawn_sane(struct spawn_tty *t);
/* Waits for the end.  Return: the status, as above. */
int spawn_end(struct spawn_tty *t);

/* As a shell shows it. */
int spawn_shell_status(int wait_status);

#endif
