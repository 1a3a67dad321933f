/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * option.h - the one table of options.
 *
 * The command line, the configuration file, --help and the manual page all
 * go by it (tests/test_manual.c holds the page against it).
 */
#ifndef MOAT_VMM_CLI_OPTION_H
#define MOAT_VMM_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/cli/setters.h"

struct err;
struct settings;

enum option_kind {
	OPTION_VALUE,
	OPTION_FLAG, /* the value may be left out */
};

/* Which commands have it. */
enum option_scope {
	OPTION_MACHINE,	   /* commands about a machine */
	OPTION_IOMMU,	   /* moat iommu */
	OPTION_STATS,	   /* moat stats */
	OPTION_ASKING,	   /* both of these */
	OPTION_EVERYWHERE, /* all commands */
};

struct cli_option {
	const char *name; /* without the dashes */
	char letter;	  /* 0: none */
	enum option_kind kind;
	enum option_scope scope;
	bool not_in_file; /* may not stand in a configuration file */
	bool rare;	  /* not on the screen of moat run --help */
	bool repeatable;  /* each use adds; else the last one counts */
	const char *arg;  /* its value in --help; NULL for a bare flag */
	const char *help; /* one line, no full stop */
	option_set_fn set;
	const struct option_key *keys; /* of its list; NULL: not a list */
	size_t nkeys;
};

/* The table, in the order of --help. */
const struct cli_option *option_table(size_t *ret_n);

/* Return: NULL if there is none. */
const struct cli_option *option_by_name(const char *name, size_t len);
const struct cli_option *option_by_letter(char letter);

/* Whether commands of @scope have it. */
static inline bool option_in(const struct cli_option *o,
			     enum option_scope scope)
{
	return o->scope == scope || o->scope == OPTION_EVERYWHERE ||
	       (o->scope == OPTION_ASKING &&
		(scope == OPTION_IOMMU || scope == OPTION_STATS));
}

/* The name that a mistyped one may stand for; NULL if none is near. */
const char *option_nearest(const char *typed);

/*
 * option_apply - set @o to @value; NULL: none was given.
 *
 * Return: 0; -EINVAL or -ENOMEM with a whole sentence:
 * "--cpus '65': expected a number from 1 to 64".
 */
int option_apply(struct settings *s, const struct cli_option *o,
		 const char *value, struct err *err);

#endif
