/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/option.h"
#include "vmm/cli/settings.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts the space off both ends. */
static char *trim(char *text)
{
	char *end;

	while (is_space(*text))
		text++;
	end = text + strlen(text);
	while (end > text && is_space(end[-1]))
		end--;
	*end = '\0';
	return text;
}

static int unknown_key(const char *key, struct err *err)
{
	const char *nearest = option_nearest(key);

	if (nearest)
		return err_set(err, EINVAL,
			       "unknown key '%.60s', did you mean '%s'?", key,
			       nearest);
	return err_set(err, EINVAL,
		       "unknown key '%.60s': keys are the options of 'moat "
		       "run', without dashes",
		       key);
}

static int apply_line(struct settings *s, char *line, struct err *err)
{
	const struct cli_option *o;
	char *key, *value;

	key = trim(line);
	if (*key == '\0' || *key == '#')
		return 0;
	value = strchr(key, '=');
	if (value) {
		*value = '\0';
		value = trim(value + 1);
		key = trim(key);
	}
	o = option_by_name(key, strlen(key));
	if (!o)
		return unknown_key(key, err);
	if (o->not_in_file)
		return err_set(err, EINVAL, "'%s' is for the command line only",
			       key);
	if (!value && o->kind == OPTION_VALUE)
		return err_set(err, EINVAL, "expected '%s = %s'", key, o->arg);
	return option_apply(s, o, value, err);
}

/* The end of a path says more than its start. */
static void name_line(struct err *err, const char *name, unsigned line)
{
	const size_t len = strlen(name);
	const bool cut = len > 80;

	err_prefix(err, "%s%s:%u", cut ? "..." : "",
		   cut ? name + len - 77 : name, line);
}

int config_text_apply(struct settings *s, char *text, size_t len,
		      const char *name, struct err *err)
{
	unsigned number = 1;
	char *line = text;
	int r = 0;

	while (r == 0 && line < text + len) {
		char *end = strchrnul(line, '\n');

		/* Only the very end and line ends stop strchrnul(). */
		if (*end == '\0' && end != text + len)
			r = err_set(err, EINVAL,
				    "a zero byte: this is no text file");
		*end = '\0';
		if (r == 0)
			r = apply_line(s, line, err);
		if (r < 0)
			name_line(err, name, number);
		number++;
		line = end + 1;
	}
	return r;
}

/* Reads to the end: it may be a pipe. */
static int read_all(int fd, char **ret_text, size_t *ret_len, struct err *err)
{
	AUTO_FREE char *text = malloc(CONFIG_FILE_MAX + 1);
	size_t len = 0;
	ssize_t n;

	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	do {
		n = read(fd, text + len, CONFIG_FILE_MAX + 1 - len);
		if (n < 0 && errno != EINTR)
			return err_errno(err, errno, "cannot read");
		if (n > 0)
			len += (size_t)n;
	} while (n != 0 && len <= CONFIG_FILE_MAX);
	if (len > CONFIG_FILE_MAX)
		return err_set(err, E2BIG, "longer than 1 MiB");
	text[len] = '\0';
	*ret_len = len;
	*ret_text = take_ptr(&text);
	return 0;
}

int config_file_apply(struct settings *s, const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	int r;

	if (fd < 0)
		r = err_errno(err, errno, "cannot open");
	else
		r = read_all(fd, &text, &len, err);
	if (r < 0) {
		err_prefix(err, "--config '%.120s'", path);
		return r;
	}
	r = settings_keep(s, text, err);
	if (r < 0)
		return r;
	return config_text_apply(s, text, len, path, err);
}
