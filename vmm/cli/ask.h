/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ask.h - commands that ask a running guest's control socket and print the
 * answer, as a table or as JSON, once or every second.
 */
#ifndef MOAT_VMM_CLI_ASK_H
#define MOAT_VMM_CLI_ASK_H

#include "vmm/control/line.h"

struct err;
struct settings;

/* An answer of lines of one kind. */
struct ask_table {
	enum control_kind kind;
	void (*head)(void); /* may be NULL: none */
	void (*row)(const struct control_line *l);
};

struct ask {
	const struct settings *settings;
	char *path;	 /* of the socket; owned */
	unsigned tables; /* printed so far */
};

/*
 * ask_init - whom the command's operand names: a guest that "moat list" prints,
 * or a socket that was given to "moat run --control".  A word with a slash is a
 * socket; another one is a guest if there is one, else a socket.
 *
 * Return: 0; -EINVAL with a sentence if there is no operand or it is neither;
 * -ENOMEM.  ask_fini() in any case.
 */
int ask_init(struct ask *a, const struct settings *s, struct err *err);
void ask_fini(struct ask *a);

/*
 * ask_print - one request, one answer.
 * @ret_next: where to go on; 0: nowhere
 *
 * Return: 0; -errno with a sentence.
 */
int ask_print(struct ask *a, const char *request, const struct ask_table *t,
	      iova_t *ret_next, struct err *err);
/* The same for an answer without a next, and with --watch again until the
 * guest ends. */
int ask_again(struct ask *a, const char *request, const struct ask_table *t,
	      struct err *err);

/* The exit status for what the functions above have returned; puts @command in
 * front of the sentence. */
int ask_status(int r, const char *command, struct err *err);

#endif
