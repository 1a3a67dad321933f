/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * settings.h - what the command line and the configuration file asked for.
 *
 * The machine's part is a mach_config; the rest is the command's own.
 * Strings are argv's or kept here, and live as long as the settings.
 */
#ifndef MOAT_VMM_CLI_SETTINGS_H
#define MOAT_VMM_CLI_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/machine/config.h"

struct err;

enum settings_output {
	OUTPUT_TTY, /* standard output, a terminal or not */
	OUTPUT_NONE,
	OUTPUT_FILE,
};

/* One of --share and --rw. */
struct settings_folder {
	const char *path;
	bool readonly;
	bool cwd; /* the command starts in it */
};

struct settings {
	struct mach_config machine;
	enum settings_output output;
	const char *output_path;  /* with OUTPUT_FILE */
	uint64_t timeout_ms;	  /* 0: none */
	uint64_t test_boot_ms;	  /* MOAT_TEST boot=TIME; 0: as always */
	unsigned verbosity;	  /* 0 to 2 */
	const char *config_path;  /* NULL: none */
	const char *trace_path;	  /* NULL: none */
	const char *control_path; /* NULL: none */
	/* moat iommu */
	bool watch, json, map;
	unsigned map_endpoint; /* with map */
	/* The one word that the command takes; NULL: it takes none. */
	const char *operand_name;
	const char *operand; /* NULL: it was not given */
	bool takes_second;
	const char *second_operand; /* NULL: it was not given */
	bool help;
	/* A command in the guest, behind "--"; up to a NULL.  NULL: none. */
	char *const *command;
	const char *root, *modules, *user, *cwd, *name;
	const char *log_path, *junit_path;
	struct settings_folder folders[MACH_SHARES_MAX];
	unsigned nfolders;
	const char **env; /* owned list of nenv "KEY=VALUE" */
	size_t nenv;
	/* what strings and lists are in: */
	void **kept;
	size_t nkept;
};

/*
 * settings_init - the defaults, the kernel cache's place among them: it is
 * "kernels" in $MOAT_CACHE, in moat below $XDG_CACHE_HOME or in
 * ~/.cache/moat; without any of these there is no cache.
 *
 * Return: 0 or -ENOMEM.
 */
int settings_init(struct settings *s, struct err *err);
/* Accepts a zeroed or half-built object. */
void settings_fini(struct settings *s);

/*
 * settings_keep - own @mem (from malloc) until settings_fini().
 * Return: 0, or -ENOMEM (@mem has been freed then).  NULL gives -ENOMEM.
 */
int settings_keep(struct settings *s, void *mem, struct err *err);

/* Add @word, which outlives the settings, to s->env.  Return: 0 or -ENOMEM. */
int settings_add_env(struct settings *s, const char *word, struct err *err);

#endif
