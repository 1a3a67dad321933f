/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/config_file.h"
#include "vmm/cli/settings.h"

struct args {
	int argc;
	char *const *argv;
	enum option_scope scope;
	bool takes_operand, takes_second;
	const char *operand; /* NULL: not met yet */
	const char *second;
	int at;		      /* next word */
	char *const *command; /* behind "--"; NULL: none */
	const char *letters;  /* next one of "-vv"; NULL: not in such a word */
};

struct arg {
	const struct cli_option *option;
	const char *value; /* NULL: a flag alone */
};

static int unknown_option(const char *name, size_t len, struct err *err)
{
	char shown[61];
	const char *nearest;

	(void)snprintf(shown, sizeof(shown), "%.*s", (int)min_u64(len, 60),
		       name);
	nearest = option_nearest(shown);
	if (nearest)
		return err_set(err, EINVAL,
			       "unknown option '--%s', did you mean '--%s'?",
			       shown, nearest);
	return err_set(err, EINVAL, "unknown option '--%s'", shown);
}

static int not_here(const struct cli_option *o, struct err *err)
{
	return err_set(err, EINVAL, "--%s: this command has no such option",
		       o->name);
}

/* "--initrd" behind "--kernel" is a forgotten value, not one. */
static bool looks_forgotten(const char *word)
{
	return strncmp(word, "--", 2) == 0 &&
	       (word[2] == '\0' || option_by_name(word + 2, strlen(word + 2)));
}

/* The value in the next word. */
static int take_value(struct args *a, const struct cli_option *o,
		      const char **ret_value, struct err *err)
{
	const char *word = a->at < a->argc ? a->argv[a->at] : NULL;

	if (!word)
		return err_set(err, EINVAL, "--%s: %s is missing", o->name,
			       o->arg);
	if (looks_forgotten(word))
		return err_set(err, EINVAL,
			       "--%s: %s is missing before '%s' (or write "
			       "--%s=%s)",
			       o->name, o->arg, word, o->name, word);
	a->at++;
	*ret_value = word;
	return 0;
}

static int next_letter(struct args *a, struct arg *ret_arg, struct err *err)
{
	const char letter = *a->letters++;
	const struct cli_option *o = option_by_letter(letter);

	if (*a->letters == '\0')
		a->letters = NULL;
	if (!o)
		return err_set(err, EINVAL, "unknown option '-%c'", letter);
	if (!option_in(o, a->scope))
		return not_here(o, err);
	*ret_arg = (struct arg){.option = o};
	return 1;
}

static int next_long(struct args *a, const char *word, struct arg *ret_arg,
		     struct err *err)
{
	const char *name = word + 2;
	const char *equals = strchrnul(name, '=');
	const size_t len = (size_t)(equals - name);
	const struct cli_option *o = option_by_name(name, len);
	int r;

	if (!o)
		return unknown_option(name, len, err);
	if (!option_in(o, a->scope))
		return not_here(o, err);
	*ret_arg = (struct arg){.option = o};
	if (*equals) {
		ret_arg->value = equals + 1;
	} else if (o->kind == OPTION_VALUE) {
		r = take_value(a, o, &ret_arg->value, err);
		if (r < 0)
			return r;
	}
	return 1;
}

/* Return: 1 with an option, 0 at the end, -EINVAL. */
static int next_arg(struct args *a, struct arg *ret_arg, struct err *err)
{
	const char *word;

	if (a->letters)
		return next_letter(a, ret_arg, err);
	if (a->at == a->argc)
		return 0;
	word = a->argv[a->at++];
	if (strcmp(word, "--") == 0) {
		if (a->at < a->argc)
			a->command = a->argv + a->at;
		a->at = a->argc;
		return 0;
	}
	if (strncmp(word, "--", 2) == 0) {
		return next_long(a, word, ret_arg, err);
	} else if (word[0] == '-' && word[1]) {
		a->letters = word + 1;
		return next_letter(a, ret_arg, err);
	}
	if (a->takes_operand && !a->operand) {
		a->operand = word;
		return next_arg(a, ret_arg, err);
	}
	if (a->takes_second && !a->second) {
		a->second = word;
		return next_arg(a, ret_arg, err);
	}
	return err_set(err, EINVAL, "unexpected word '%.60s'", word);
}

/* The first reading: is help wanted, and which file comes before the rest? */
static int read_first(struct settings *s, struct args a, struct err *err)
{
	struct arg arg;
	int r;

	while ((r = next_arg(&a, &arg, err)) > 0) {
		if (!arg.option->not_in_file)
			continue;
		r = option_apply(s, arg.option, arg.value, err);
		if (r < 0 || s->help)
			return r;
	}
	s->operand = a.operand;
	s->second_operand = a.second;
	s->command = a.command;
	return r;
}

static int read_rest(struct settings *s, struct args a, struct err *err)
{
	struct arg arg;
	int r;

	while ((r = next_arg(&a, &arg, err)) > 0) {
		if (arg.option->not_in_file)
			continue;
		r = option_apply(s, arg.option, arg.value, err);
		if (r < 0)
			return r;
	}
	return r;
}

int args_apply(struct settings *s, int argc, char *const *argv,
	       enum option_scope scope, struct err *err)
{
	const struct args a = {.argc = argc,
			       .argv = argv,
			       .scope = scope,
			       .takes_operand = s->operand_name != NULL,
			       .takes_second = s->takes_second};
	int r = read_first(s, a, err);

	if (r < 0 || s->help)
		return r;
	if (s->config_path) {
		r = config_file_apply(s, s->config_path, err);
		if (r < 0)
			return r;
	}
	return read_rest(s, a, err);
}
