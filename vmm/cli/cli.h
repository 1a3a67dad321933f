/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * cli.h - the moat command as a function.
 */
#ifndef MOAT_VMM_CLI_CLI_H
#define MOAT_VMM_CLI_CLI_H

/*
 * cli_main - main() for @argv.  Changes the process: log sink, SIGPIPE, and
 * signals and terminal while a guest runs.
 *
 * Return: the exit status (see status.h).
 */
int cli_main(int argc, char **argv);

#endif
