/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/err.h"

/* Relative paths in these variables are to be ignored, says the XDG base
 * directory specification. */
static const char *absolute_env(const char *name)
{
	const char *val = getenv(name);

	return val && val[0] == '/' ? val : NULL;
}

static int set_default_cache(struct settings *s, struct err *err)
{
	const char *base, *below = "kernels";
	char *path;
	int r;

	base = absolute_env("MOAT_CACHE");
	if (!base) {
		base = absolute_env("XDG_CACHE_HOME");
		below = "moat/kernels";
	}
	if (!base) {
		base = absolute_env("HOME");
		below = ".cache/moat/kernels";
	}
	if (!base)
		return 0;
	if (asprintf(&path, "%s/%s", base, below) < 0)
		path = NULL;
	r = settings_keep(s, path, err);
	if (r == 0)
		s->machine.cache_dir = path;
	return r;
}

int settings_init(struct settings *s, struct err *err)
{
	*s = (struct settings){.output = OUTPUT_TTY};
	mach_config_init(&s->machine);
	return set_default_cache(s, err);
}

void settings_fini(struct settings *s)
{
	for (size_t i = 0; i < s->nkept; i++)
		free(s->kept[i]);
	free(s->kept);
	free(s->env);
	*s = (struct settings){0};
}

int settings_keep(struct settings *s, void *mem, struct err *err)
{
	void **kept = NULL;

	if (mem)
		kept = reallocarray(s->kept, s->nkept + 1, sizeof(*kept));
	if (!kept) {
		free(mem);
		return err_set(err, ENOMEM, "out of memory");
	}
	kept[s->nkept++] = mem;
	s->kept = kept;
	return 0;
}
