/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/help.h"

#include <stdbool.h>
#include <string.h>

#include "vmm/cli/command.h"
#include "vmm/cli/option.h"

#define WIDTH  80
#define COLUMN 30 /* where the explanations start */

void help_print(FILE *out)
{
	size_t n;
	const struct command *c = command_table(&n);

	fputs("usage: moat COMMAND [OPTION]...\n\n"
	      "Runs virtual machines on Linux KVM, their devices behind a "
	      "virtual IOMMU.\n\n",
	      out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %-10s %s\n", c[i].name, c[i].help);
	fputs("  help       print this text, that of a command, or all "
	      "'options'\n"
	      "  version    print the version\n\n"
	      "'moat COMMAND --help' says more; 'man moat' says it all.\n",
	      out);
}

/* The keys of a list, as many on a line as fit. */
static void print_keys(const struct cli_option *o, FILE *out)
{
	int at = WIDTH;

	for (size_t i = 0; i < o->nkeys; i++) {
		const struct option_key *k = &o->keys[i];
		const char *comma = i + 1 < o->nkeys ? "," : "";
		const int len =
			snprintf(NULL, 0, "%s=%s%s", k->name, k->arg, comma);

		if (at + 1 + len > WIDTH)
			at = fprintf(out, "%s%*s", i ? "\n" : "", COLUMN, "");
		at += fprintf(out, " %s=%s%s", k->name, k->arg, comma);
	}
	if (o->nkeys)
		fputc('\n', out);
}

static void print_option(const struct cli_option *o, bool keys, FILE *out)
{
	int at;

	if (o->letter)
		at = fprintf(out, "  -%c, --%s", o->letter, o->name);
	else
		at = fprintf(out, "  --%s", o->name);
	if (o->arg)
		at += fprintf(out, " %s", o->arg);
	if (at > COLUMN) {
		fputc('\n', out);
		at = 0;
	}
	fprintf(out, "%*s %s\n", COLUMN - at, "", o->help);
	if (keys)
		print_keys(o, out);
}

void help_print_command(const struct command *c, FILE *out)
{
	size_t n;
	const struct cli_option *o = option_table(&n);

	fprintf(out, "usage: moat %s%s%s\n\n%c%s.\n\n", c->name,
		c->args ? " " : "", c->args ? c->args : "",
		c->help[0] - 'a' + 'A', c->help + 1);
	if (c->more)
		fprintf(out, "%s%s", c->more, c->brief ? "" : "\n");
	for (size_t i = 0; i < n && !c->brief; i++) {
		if (option_in(&o[i], c->scope))
			print_option(&o[i], false, out);
	}
}

void help_print_options(FILE *out)
{
	size_t n;
	const struct cli_option *o = option_table(&n);

	for (size_t i = 0; i < n; i++) {
		if (option_in(&o[i], OPTION_MACHINE))
			print_option(&o[i], true, out);
	}
}
