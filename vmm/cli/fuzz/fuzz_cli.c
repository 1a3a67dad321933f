/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What people and guests can write to the command: configuration files,
 * words of a command line, the console's text.
 *
 * The first byte says which of them the rest is.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "vmm/cli/args.h"
#include "vmm/cli/config_file.h"
#include "vmm/cli/escape.h"
#include "vmm/cli/panic_text.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/value.h"

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What the machine may rely on, whatever was written. */
static void check(const struct settings *s, int r, const struct err *err)
{
	const struct mach_config *m = &s->machine;

	assert(r == 0 || r == -EINVAL || r == -ENOMEM);
	assert((r == 0) == (err->msg[0] == '\0'));
	assert(m->cpus >= 1 && m->cpus <= MACH_CPUS_MAX);
	assert(m->memory >= MACH_MEMORY_MIN && m->memory <= MACH_MEMORY_MAX);
	assert(m->memory % MIB(1) == 0);
	assert(m->ndisks <= MACH_DISKS_MAX);
	for (unsigned i = 0; i < m->ndisks; i++)
		assert(m->disks[i].path && m->disks[i].path[0]);
	assert(s->output != OUTPUT_FILE || s->output_path[0]);
	assert(s->timeout_ms <= VALUE_TIME_MAX_MS);
	assert(s->verbosity <= 2);
}

static void try_config(struct settings *s, char *text, size_t len,
		       struct err *err)
{
	check(s, config_text_apply(s, text, len, "fuzz", err), err);
}

/* Words end with a NUL each. */
static void try_args(struct settings *s, char *text, size_t len,
		     struct err *err)
{
	char *argv[WORDS_MAX];
	int argc = 0;

	for (size_t at = 0; at < len && argc < WORDS_MAX;
	     at += strlen(text + at) + 1) {
		/* No file of the host's. */
		if (!strstr(text + at, "config"))
			argv[argc++] = text + at;
	}
	check(s, args_apply(s, argc, argv, OPTION_MACHINE, err), err);
}

/* In one piece or byte by byte: the same. */
static void try_text(const uint8_t *text, size_t len)
{
	struct panic_text whole = {0}, bytes = {0};
	struct escape e1 = {0}, e2 = {0};
	struct escape_keys k1, k2;
	uint8_t *out1 = malloc(len + 1), *out2 = malloc(len + 1);
	size_t n1, n2 = 0;
	bool seen = false;

	for (size_t i = 0; i < len; i++)
		seen |= panic_text_feed(&bytes, text + i, 1);
	assert(panic_text_feed(&whole, text, len) == seen);

	n1 = escape_filter(&e1, text, len, out1, &k1);
	for (size_t i = 0; i < len; i++) {
		n2 += escape_filter(&e2, text + i, 1, out2 + n2, &k2);
		if (k2.end)
			break;
	}
	assert(n1 == n2 && memcmp(out1, out2, n1) == 0);
	free(out1);
	free(out2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct settings s;
	struct err err = {""};
	char *text;

	if (len == 0)
		return 0;
	if (data[0] == 't') {
		try_text(data + 1, len - 1);
		return 0;
	}
	text = malloc(len);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (settings_init(&s, &err) == 0) {
		if (data[0] == 'a')
			try_args(&s, text, len - 1, &err);
		else
			try_config(&s, text, len - 1, &err);
	}
	settings_fini(&s);
	free(text);
	return 0;
}
