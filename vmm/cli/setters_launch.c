/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Options of "moat run -- COMMAND".
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "vmm/cli/setters.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/value.h"
#include "vmm/launch/registry.h"

int set_root(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->root, err);
}

static int add_folder(struct settings *s, const struct settings_folder *f,
		      struct err *err)
{
	if (s->nfolders == MACH_SHARES_MAX)
		return err_set(err, EINVAL, "more than %d folders",
			       MACH_SHARES_MAX);
	s->folders[s->nfolders++] = *f;
	return 0;
}

int set_rw(struct settings *s, const char *value, struct err *err)
{
	struct settings_folder f = {0};
	int r = value_text(value, &f.path, err);

	return r < 0 ? r : add_folder(s, &f, err);
}

int set_modules(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->modules, err);
}

int set_user(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->user, err);
}

int set_pwd(struct settings *s, const char *value, struct err *err)
{
	int r = value_text(value, &s->cwd, err);

	if (r == 0 && value[0] != '/')
		return err_set(err, EINVAL, "expected an absolute path");
	return r;
}

int set_log(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->log_path, err);
}

int set_junit(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->junit_path, err);
}

int set_name(struct settings *s, const char *value, struct err *err)
{
	int r = registry_check_name(value, err);

	if (r == 0)
		s->name = value;
	return r;
}

/* A variable that is given again has its new value alone. */
static bool replace_env(struct settings *s, const char *word)
{
	const size_t len = strcspn(word, "=") + 1;

	for (size_t i = 0; i < s->nenv; i++) {
		if (strncmp(s->env[i], word, len) == 0) {
			s->env[i] = word;
			return true;
		}
	}
	return false;
}

int settings_add_env(struct settings *s, const char *word, struct err *err)
{
	const char **env;

	if (replace_env(s, word))
		return 0;
	env = reallocarray(s->env, s->nenv + 2, sizeof(*s->env));
	if (!env)
		return err_set(err, ENOMEM, "out of memory");
	s->env = env;
	env[s->nenv++] = word;
	env[s->nenv] = NULL;
	return 0;
}

/* "KEY" alone is the host's; without it there, nothing. */
int set_env(struct settings *s, const char *value, struct err *err)
{
	const char *equals = strchr(value, '=');
	const char *host;
	char *word;
	int r;

	if (!*value || equals == value)
		return err_set(err, EINVAL, "expected KEY=VALUE or KEY");
	if (equals)
		return settings_add_env(s, value, err);
	host = getenv(value);
	if (!host)
		return 0;
	if (asprintf(&word, "%s=%s", value, host) < 0)
		word = NULL;
	r = settings_keep(s, word, err);
	return r < 0 ? r : settings_add_env(s, word, err);
}
