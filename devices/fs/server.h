/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * server.h - virtiofsd: which one there is, how it wants to be started.
 *
 * Two programs have this name: the one that came with QEMU up to 7.2, and the
 * one in Rust that followed.  What is under /usr/lib/qemu/ is the former.
 */
#ifndef MOAT_DEVICES_FS_SERVER_H
#define MOAT_DEVICES_FS_SERVER_H

#include <stdbool.h>

#include "core/child.h"

struct err;

/*
 * fs_server_start - serve the directory @path to whoever has @ret_fd.
 * @program: NULL: virtiofsd from PATH or from where distributions put it
 *
 * Unless we are root and may mount it runs in a user namespace; a @readonly one sees a
 * read-only file system.
 *
 * Return: 0; -ENOENT if there is no server; -errno; with a sentence.
 */
int fs_server_start(struct child *c, const char *program, const char *path,
		    bool readonly, int *ret_fd, struct err *err);

#endif
