/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "core/log.h"
#include "vmm/cli/args.h"
#include "vmm/cli/command.h"
#include "vmm/cli/help.h"
#include "vmm/cli/report.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"
#include "vmm/cli/test_hooks.h"

/* Descriptors 0 to 2 are there, so that no file of ours becomes one of them.
 * Return: false if one is not and cannot be. */
static bool have_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest free one: this one. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	}
	return true;
}

/* Text that did not reach its reader is a failure, but not of a reader who
 * has gone. */
static int flush_stdout(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno == EPIPE)
		return status;
	report("cannot write to standard output: %s", strerror(errno));
	return status == STATUS_OK ? STATUS_HOST : status;
}

static int print_help(const char *name)
{
	const struct command *c = NULL;

	if (name && strcmp(name, "options") == 0) {
		help_print_options(stdout);
	} else if (name) {
		c = command_by_name(name);
		if (!c) {
			report("help: there is no command '%.60s'", name);
			return STATUS_USAGE;
		}
		help_print_command(c, stdout);
	} else {
		help_print(stdout);
	}
	return STATUS_OK;
}

static int unknown_command(const char *word)
{
	const char *nearest = command_nearest(word);

	if (word[0] == '-')
		report("expected a command before '%.60s' (see 'moat help')",
		       word);
	else if (nearest)
		report("unknown command '%.60s', did you mean '%s'?", word,
		       nearest);
	else
		report("unknown command '%.60s' (see 'moat help')", word);
	return STATUS_USAGE;
}

static void set_log_level(unsigned verbosity)
{
	static const enum log_level levels[] = {LOG_WARN, LOG_INFO, LOG_DEBUG};

	log_set_level(levels[verbosity]);
}

static bool has_guest_command(int argc, char *const *argv)
{
	for (int i = 0; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return true;
	}
	return false;
}

/* @argv: what stands behind the command's name */
static int run_command(const struct command *c, struct settings *s, int argc,
		       char **argv, struct err *err)
{
	int r;

	s->operand_name = c->operand;
	s->takes_second = c->takes_second;
	r = args_apply(s, argc, argv, c->scope, err);
	if (r < 0 && has_guest_command(argc, argv))
		return STATUS_LAUNCH;
	if (r < 0)
		return r == -EINVAL ? STATUS_USAGE : STATUS_HOST;
	if (s->help) {
		help_print_command(c, stdout);
		return STATUS_OK;
	}
	set_log_level(s->verbosity);
	r = test_hooks_apply(s, err);
	if (r < 0)
		return r == -EINVAL ? STATUS_USAGE : STATUS_HOST;
	return c->run(s, err);
}

static int dispatch(const struct command *c, int argc, char **argv)
{
	/* Large: it has every device that a guest may have. */
	struct settings *s = calloc(1, sizeof(*s));
	struct err err = {""};
	int status = STATUS_HOST;

	if (!s) {
		report("out of memory");
		return STATUS_HOST;
	}
	if (settings_init(s, &err) == 0)
		status = run_command(c, s, argc, argv, &err);
	settings_fini(s);
	free(s);
	if (err.msg[0])
		report("%s", err.msg);
	return status;
}

static bool is_one_of(const char *word, const char *a, const char *b,
		      const char *c)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0 ||
	       strcmp(word, c) == 0;
}

int cli_main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	const struct command *c;

	if (!have_standard_fds()) {
		report("a standard stream is closed, and /dev/null cannot "
		       "take its place");
		return STATUS_HOST;
	}
	/* A reader that goes away ends the text, not the guest. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	log_set_sink(report_log);
	if (!word) {
		help_print(stderr);
		return STATUS_USAGE;
	}
	c = command_by_name(word);
	if (c)
		return flush_stdout(dispatch(c, argc - 2, argv + 2));
	if (is_one_of(word, "help", "--help", "-h"))
		return flush_stdout(print_help(argc > 2 ? argv[2] : NULL));
	if (is_one_of(word, "version", "--version", "-V")) {
		puts("moat " MOAT_VERSION);
		return flush_stdout(STATUS_OK);
	}
	return unknown_command(word);
}
