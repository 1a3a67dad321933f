/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/command.h"

#include <string.h>

#include "core/bits.h"
#include "vmm/cli/words.h"

/* A screen of 24 lines, with the shell's own above and below. */
static const char run_text[] =
	"  moat run -- uname -a\n"
	"  moat run --share . -- make check\n"
	"  moat run --kernel bzImage --timeout 5m --log kernel.log -- ./test\n"
	"  moat run --disk root.img --root disk -- sh\n"
	"  moat run --kernel vmlinuz --disk root.img --cmdline root=/dev/vda\n"
	"\n"
	"guest    --kernel FILE  --initrd FILE  --cmdline STR  --cpus N  "
	"--memory SIZE\n"
	"         --disk FILE[,ro=on]  --fs DIR,tag=NAME  --iommu on|off|auto  "
	"--net user\n"
	"COMMAND  --share DIR[,ro=on]  --rw DIR  --root initrd|disk[:TYPE]|DIR\n"
	"         --env KEY[=VALUE]  --pwd DIR  --user NAME\n"
	"output   --log FILE  --junit FILE  --output tty|none|file=FILE  "
	"--trace FILE\n"
	"the run  --timeout TIME  --name NAME  --no-reboot  --config FILE  "
	"-v  -h\n"
	"\n"
	"COMMAND sees this host's files; it changes only those of --share and "
	"--rw.\n"
	"Status: COMMAND's; 255 panic or crash, 124 timeout, 125 moat's own "
	"failure\n"
	"(without a COMMAND: 0 power-off, 2 usage, 1 host fault).\n"
	"On a terminal Ctrl-a x ends the run, Ctrl-a h helps.\n"
	"'moat help options' explains each option, 'man moat' all there is.\n";

static const struct command table[] = {
	{
		.name = "run",
		.args = "[OPTION]... [-- COMMAND [ARG]...]",
		.help = "run a command in a guest, or a whole guest",
		.more = run_text,
		.brief = true,
		.run = command_run,
	},
	{
		.name = "list",
		.help = "print the guests that run",
		.scope = OPTION_EVERYWHERE,
		.run = command_list,
	},
	{
		.name = "stop",
		.args = "NAME",
		.help = "end a guest: SIGTERM for its command, force after "
			"10 s",
		.scope = OPTION_EVERYWHERE,
		.operand = "NAME",
		.run = command_stop,
	},
	{
		.name = "console",
		.args = "NAME",
		.help = "the console of a guest that runs; Ctrl-a x leaves it",
		.scope = OPTION_EVERYWHERE,
		.operand = "NAME",
		.run = command_console,
	},
	{
		.name = "check",
		.help = "say whether this host can run guests, and what is "
			"missing",
		.scope = OPTION_EVERYWHERE,
		.run = command_check,
	},
	{
		.name = "topology",
		.args = "[OPTION]...",
		.help = "print the PCI tree of a machine and what its IOMMU "
			"manages",
		.more = "The options are those of 'moat run'; no guest is "
			"started. 'moat help options'\nexplains them.\n",
		.brief = true,
		.run = command_topology,
	},
	{
		.name = "iommu",
		.args = "NAME|PATH [--watch | --map ENDPOINT] [--json]",
		.operand = "NAME",
		.help = "print what the IOMMU of a guest does",
		.scope = OPTION_IOMMU,
		.run = command_iommu,
	},
	{
		.name = "stats",
		.args = "NAME|PATH [--watch] [--json]",
		.operand = "NAME",
		.help = "print what the devices of a guest have done",
		.scope = OPTION_STATS,
		.run = command_stats,
	},
	{
		.name = "balloon",
		.args = "NAME|PATH SIZE",
		.operand = "NAME",
		.takes_second = true,
		.help = "have a guest give up so much memory; 0: none",
		.scope = OPTION_EVERYWHERE,
		.run = command_balloon,
	},
	{
		.name = "trace",
		.args = "FILE",
		.operand = "FILE",
		.help = "print what 'moat run --trace FILE' has written",
		.scope = OPTION_EVERYWHERE,
		.run = command_trace,
	},
};

const struct command *command_table(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(table);
	return table;
}

const struct command *command_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	return NULL;
}

const char *command_nearest(const char *typed)
{
	const char *names[ARRAY_SIZE(table)];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		names[i] = table[i].name;
	return words_nearest(typed, names, ARRAY_SIZE(names));
}
