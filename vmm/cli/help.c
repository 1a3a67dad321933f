/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/help.h"

#include <string.h>

#include "vmm/cli/command.h"
#include "vmm/cli/option.h"

/* Where the explanations start. */
#define COLUMN 31

void help_print(FILE *out)
{
	size_t n;
	const struct command *c = command_table(&n);

	fputs("usage: moat COMMAND [OPTION]...\n\n"
	      "A virtual machine monitor for Linux KVM whose devices sit "
	      "behind a virtual IOMMU.\n\n",
	      out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %-10s %s\n", c[i].name, c[i].help);
	fputs("  help       print this text, or that of a command\n"
	      "  version    print the version\n\n"
	      "'moat COMMAND --help' says more; 'man moat' says it all.\n",
	      out);
}

static void print_option(const struct cli_option *o, FILE *out)
{
	int at;

	if (o->letter)
		at = fprintf(out, "  -%c, --%s", o->letter, o->name);
	else
		at = fprintf(out, "  --%s", o->name);
	if (o->arg)
		at += fprintf(out, " %s", o->arg);
	if (at > COLUMN - 1) {
		fputc('\n', out);
		at = 0;
	}
	fprintf(out, "%*s%s\n", COLUMN - at, "", o->help);
}

void help_print_command(const struct command *c, FILE *out)
{
	size_t n;
	const struct cli_option *o = option_table(&n);

	fprintf(out, "usage: moat %s %s\n\n%c%s.\n\n", c->name, c->args,
		c->help[0] - 'a' + 'A', c->help + 1);
	if (c->more)
		fprintf(out, "%s\n", c->more);
	for (size_t i = 0; i < n; i++) {
		if (o[i].scope >= c->scope)
			print_option(&o[i], out);
	}
}
