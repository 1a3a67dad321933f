/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * output_file.h - the file that --output names.
 */
#ifndef MOAT_VMM_CLI_OUTPUT_FILE_H
#define MOAT_VMM_CLI_OUTPUT_FILE_H

struct err;
struct settings;

/*
 * output_file_open - open s->output_path, empty.
 *
 * A file that the guest is made of (kernel, initrd, disks, configuration) is
 * refused and stays as it is.
 *
 * Return: the descriptor; -errno with a sentence.
 */
int output_file_open(const struct settings *s, struct err *err);

#endif
