/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * reopen.h - a descriptor's file once more, as an open file of our own.
 */
#ifndef MOAT_VMM_CLI_REOPEN_H
#define MOAT_VMM_CLI_REOPEN_H

/*
 * reopen_nonblocking - open the terminal or pipe behind @fd anew, with
 * O_NONBLOCK, which the processes that share @fd then do not see.
 * @access: O_RDONLY or O_WRONLY
 *
 * Return: a descriptor; -errno if it is neither, or cannot be opened so.
 */
int reopen_nonblocking(int fd, int access);

#endif
