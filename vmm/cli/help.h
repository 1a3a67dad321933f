/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * help.h - the texts of --help, made from the tables.
 */
#ifndef MOAT_VMM_CLI_HELP_H
#define MOAT_VMM_CLI_HELP_H

#include <stdio.h>

struct command;

/* What moat is and which commands it has. */
void help_print(FILE *out);

/* One command: its options, or for those of a machine, which has many, the
 * ones to know. */
void help_print_command(const struct command *c, FILE *out);

/* All options of a machine, with the keys of their lists. */
void help_print_options(FILE *out);

#endif
