/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * command.h - the commands: moat run, moat check, moat topology, ...
 */
#ifndef MOAT_VMM_CLI_COMMAND_H
#define MOAT_VMM_CLI_COMMAND_H

#include <stdbool.h>

#include "vmm/cli/option.h"

struct err;
struct settings;

/*
 * A command's work.
 *
 * Return: the exit status; a sentence in @err is for the caller to print.
 */
typedef int (*command_fn)(struct settings *s, struct err *err);

struct command {
	const char *name;
	const char *args;	 /* behind the name in --help */
	const char *help;	 /* one line */
	const char *more;	 /* examples and the like, may be NULL */
	bool brief;		 /* --help does not list the options */
	enum option_scope scope; /* which options it has */
	const char *operand;	 /* the word it takes, as in args; or NULL */
	bool takes_second;	 /* another word behind it */
	command_fn run;
};

const struct command *command_table(size_t *ret_n);
const struct command *command_by_name(const char *name);
/* What a mistyped one may stand for; NULL if none is near. */
const char *command_nearest(const char *typed);

/* "moat run" with a command behind "--" (launch.c). */
int launch_run(struct settings *s, struct err *err);

/* One file each: run.c, check.c, topology.c, trace.c, iommu.c,
 * stats.c, balloon.c. */
int command_run(struct settings *s, struct err *err);
int command_check(struct settings *s, struct err *err);
int command_topology(struct settings *s, struct err *err);
int command_trace(struct settings *s, struct err *err);
int command_iommu(struct settings *s, struct err *err);
int command_balloon(struct settings *s, struct err *err);
int command_stats(struct settings *s, struct err *err);
/* guests.c */
int command_list(struct settings *s, struct err *err);
int command_stop(struct settings *s, struct err *err);
int command_console(struct settings *s, struct err *err);

#endif
