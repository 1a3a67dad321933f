/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/words.h"

/* clang-format off */
static const struct cli_option table[] = {
	{
		.name = "kernel", .arg = "FILE", .set = set_kernel,
		.help = "the guest's kernel: vmlinux or bzImage",
	}, {
		.name = "initrd", .arg = "FILE", .set = set_initrd,
		.help = "its initial RAM disk",
	}, {
		.name = "cmdline", .arg = "STR", .set = set_cmdline,
		.help = "words for its command line, behind moat's own",
	}, {
		.name = "cpus", .arg = "N", .set = set_cpus,
		.help = "virtual processors, 1 to 64 (default 1)",
	}, {
		.name = "memory", .arg = "SIZE", .set = set_memory,
		.help = "guest memory, like 512M or 2G (default 512M)",
	}, {
		.name = "disk", .repeatable = true, .set = set_disk,
		.arg = "FILE[,KEY=VALUE]...",
		.help = "a disk: raw, qcow2, vhost-user; may be repeated",
		.keys = disk_keys, .nkeys = DISK_KEYS,
	}, {
		.name = "fs", .repeatable = true, .set = set_fs,
		.arg = "DIR,tag=NAME[,...]",
		.help = "a folder, by virtiofs; may be repeated",
		.keys = fs_keys, .nkeys = FS_KEYS,
	}, {
		.name = "net", .repeatable = true, .set = set_net,
		.arg = "user[,...]|tap=NAME|vhost-user=SOCKET|none",
		.help = "a network; by passt, a tap or a server (default none)",
		.keys = net_keys, .nkeys = NET_KEYS,
	}, {
		.rare = true, .name = "vsock", .set = set_vsock,
		.arg = "PATH[,KEY=VALUE]...",
		.help = "sockets between guest and host, by unix sockets",
		.keys = vsock_keys, .nkeys = VSOCK_KEYS,
	}, {
		.name = "iommu", .set = set_iommu,
		.arg = "on|off|auto[,KEY=VALUE]...",
		.help = "put devices behind a virtual IOMMU (default auto)",
		.keys = iommu_keys, .nkeys = IOMMU_KEYS,
	}, {
		.rare = true, .name = "describe", .arg = "acpi|mptable|none",
		.set = set_describe,
		.help = "what tells the guest its machine (default acpi)",
	}, {
		.rare = true, .name = "viot", .arg = "on|off", .set = set_viot,
		.help = "describe the IOMMU in ACPI, too (default on)",
	}, {
		.rare = true, .name = "console", .arg = "serial|virtio|both",
		.set = set_console,
		.help = "the guest's console (default serial)",
	}, {
		.name = "output", .arg = "tty|none|file=FILE",
		.set = set_output,
		.help = "where its text goes (default tty: stdout)",
	}, {
		.rare = true, .name = "rng", .arg = "on|off", .set = set_rng,
		.help = "give it an entropy device (default on)",
	}, {
		.rare = true, .name = "balloon", .arg = "on|off",
		.set = set_balloon,
		.help = "have it give free memory back (default off)",
	}, {
		.rare = true, .name = "watchdog",
		.arg = "off|stop|reboot|none", .set = set_watchdog,
		.help = "what to do when it stops feeding one (default off)",
	}, {
		.rare = true, .name = "pvpanic", .arg = "on|off", .set = set_pvpanic,
		.help = "give it a panic device (default on)",
	}, {
		.rare = true, .name = "pvh", .arg = "on|off", .set = set_pvh,
		.help = "enter the kernel by PVH (default off)",
	}, {
		.name = "share", .arg = "DIR[,ro=on]", .repeatable = true,
		.set = set_share, .keys = share_keys, .nkeys = SHARE_KEYS,
		.help = "a folder for the command, which starts in it",
	}, {
		.name = "rw", .arg = "DIR", .repeatable = true, .set = set_rw,
		.help = "another folder that it may write to",
	}, {
		.name = "root", .arg = "initrd|disk[:TYPE]|DIR",
		.set = set_root,
		.help = "what the command sees as /",
	}, {
		.name = "env", .arg = "KEY[=VALUE]", .repeatable = true,
		.set = set_env,
		.help = "a variable of the command; may be repeated",
	}, {
		.name = "pwd", .arg = "DIR", .set = set_pwd,
		.help = "its working directory (default /)",
	}, {
		.name = "user", .arg = "NAME", .set = set_user,
		.help = "who runs it (default root)",
	}, {
		.rare = true, .name = "modules", .arg = "DIR", .set = set_modules,
		.help = "where the kernel's modules are, if not found",
	}, {
		.name = "log", .arg = "FILE", .set = set_log,
		.help = "the kernel's log, apart from the command's text",
	}, {
		.name = "junit", .arg = "FILE", .set = set_junit,
		.help = "a JUnit report of the run, for CI",
	}, {
		.name = "name", .arg = "NAME", .set = set_name,
		.help = "what 'moat list' calls it (default: a number)",
	}, {
		.name = "timeout", .arg = "TIME|none", .set = set_timeout,
		.help = "end the run after this long, like 30s or 5m",
	}, {
		.name = "no-reboot", .kind = OPTION_FLAG,
		.set = set_no_reboot,
		.help = "end the run when the guest reboots",
	}, {
		.rare = true, .name = "cache", .arg = "DIR|none", .set = set_cache,
		.help = "where unpacked kernels and modules are kept",
	}, {
		.name = "trace", .arg = "FILE", .set = set_trace,
		.help = "write the IOMMU's requests and faults to FILE",
	}, {
		.name = "control", .arg = "PATH", .set = set_control,
		.rare = true,
		.help = "a socket where 'moat iommu' and 'moat stats' ask",
	}, {
		.name = "watch", .kind = OPTION_FLAG, .set = set_watch,
		.scope = OPTION_ASKING, .not_in_file = true,
		.help = "print again every second, until the guest ends",
	}, {
		.name = "map", .arg = "ENDPOINT", .set = set_map,
		.scope = OPTION_IOMMU, .not_in_file = true,
		.help = "list the mappings of an endpoint instead",
	}, {
		.name = "json", .kind = OPTION_FLAG, .set = set_json,
		.scope = OPTION_ASKING, .not_in_file = true,
		.help = "an object of JSON a line",
	}, {
		.name = "config", .arg = "FILE", .set = set_config,
		.not_in_file = true,
		.help = "read options from FILE: lines of 'key = value'",
	}, {
		.name = "verbose", .letter = 'v', .kind = OPTION_FLAG,
		.scope = OPTION_EVERYWHERE, .set = set_verbose,
		.help = "say more; twice: still more",
	}, {
		.name = "help", .letter = 'h', .kind = OPTION_FLAG,
		.scope = OPTION_EVERYWHERE, .set = set_help,
		.not_in_file = true,
		.help = "print this text",
	},
};
/* clang-format on */

const struct cli_option *option_table(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(table);
	return table;
}

const struct cli_option *option_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strncmp(table[i].name, name, len) == 0 &&
		    table[i].name[len] == '\0')
			return &table[i];
	}
	return NULL;
}

const struct cli_option *option_by_letter(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (letter && table[i].letter == letter)
			return &table[i];
	}
	return NULL;
}

const char *option_nearest(const char *typed)
{
	const char *names[ARRAY_SIZE(table)];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		names[i] = table[i].name;
	return words_nearest(typed, names, ARRAY_SIZE(names));
}

int option_apply(struct settings *s, const struct cli_option *o,
		 const char *value, struct err *err)
{
	const char *shown = value ? value : "";
	/* The sentence has 256 bytes and its end is what explains. */
	const bool cut = strlen(shown) > 80;
	int r = o->set(s, value, err);

	if (r == 0)
		return 0;
	if (value)
		err_prefix(err, "--%s '%.*s%s'", o->name, cut ? 77 : 80, shown,
			   cut ? "..." : "");
	else
		err_prefix(err, "--%s", o->name);
	return r;
}
