/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * args.h - the words of the command line, as options.
 *
 * "--name value", "--name=value", "--flag", "--flag=on|off", "-v", "-vv".
 * Of an option that is given twice the later one counts, unless it is one
 * that adds (--disk).
 */
#ifndef MOAT_VMM_CLI_ARGS_H
#define MOAT_VMM_CLI_ARGS_H

#include "vmm/cli/option.h"

/*
 * args_apply - the configuration file if there is one, then the options, so
 * that the command line wins.
 * @argv: the @argc words behind the command's name; they outlive @s
 * @scope: which options the command has
 *
 * --help ends the reading at once, with s->help set.
 *
 * Return: 0; -EINVAL for wrong usage; other -errno if the configuration file
 * cannot be read; with a sentence.
 */
int args_apply(struct settings *s, int argc, char *const *argv,
	       enum option_scope scope, struct err *err);

#endif
