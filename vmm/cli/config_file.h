/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * config_file.h - options from a file.
 *
 * One "key = value" a line; the keys are the options' names without dashes,
 * the values what stands behind them on the command line, up to the end of
 * the line, without quotes.  A flag may stand alone.  Space around key and
 * value, empty lines and lines that start with '#' are skipped.  Paths are
 * relative to the working directory, as on the command line.
 */
#ifndef MOAT_VMM_CLI_CONFIG_FILE_H
#define MOAT_VMM_CLI_CONFIG_FILE_H

#include <stddef.h>

struct err;
struct settings;

#define CONFIG_FILE_MAX (1024 * 1024)

/*
 * config_file_apply - set all options of the file at @path.
 *
 * Return: 0; -EINVAL for what is written in it, the sentence names file and
 * line; -E2BIG; other -errno if it cannot be read.
 */
int config_file_apply(struct settings *s, const char *path, struct err *err);

/*
 * config_text_apply - the same for text in memory.
 * @text: NUL-terminated at @len; is overwritten and outlives the settings
 * @name: stands before ":LINE: " in sentences
 */
int config_text_apply(struct settings *s, char *text, size_t len,
		      const char *name, struct err *err);

#endif
