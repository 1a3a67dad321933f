/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * storage_daemon.h - qemu-storage-daemon: how it wants to be started for one
 * image.
 */
#ifndef MOAT_DEVICES_BLK_STORAGE_DAEMON_H
#define MOAT_DEVICES_BLK_STORAGE_DAEMON_H

#include <stdbool.h>

#include "core/child.h"

struct err;

struct storage_daemon_config {
	const char *program; /* NULL: from PATH */
	const char *path, *format;
	bool readonly, direct;
	unsigned queues;
};

/*
 * storage_daemon_start - serve an image to whoever has @ret_fd.
 *
 * The program gains no privileges and cannot reach the network, whatever an
 * image says where its backing file is.  Files of this host that an image
 * names it does open.
 *
 * Return: 0; -ENOENT if it is not installed; -errno; with a sentence.
 */
int storage_daemon_start(struct child *c,
			 const struct storage_daemon_config *config,
			 int *ret_fd, struct err *err);

/* child_explain(), without the command line that its last line repeats. */
void storage_daemon_explain(struct child *c, char *text, size_t size);

#endif
