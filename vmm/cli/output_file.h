/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * output_file.h - files that options name, to be written.
 */
#ifndef MOAT_VMM_CLI_OUTPUT_FILE_H
#define MOAT_VMM_CLI_OUTPUT_FILE_H

struct err;
struct settings;

/*
 * output_file_open - open @path, empty.
 * @option: what asked for it, up to where the path stands: "--log '"
 *
 * A file that the guest is made of (kernel, initrd, disks, configuration) is
 * refused and stays as it is.
 *
 * Return: the descriptor; -errno with a sentence.
 */
int output_file_open(const struct settings *s, const char *option,
		     const char *path, struct err *err);

#endif
