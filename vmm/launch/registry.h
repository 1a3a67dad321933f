/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * registry.h - the guests that run here, by name.
 *
 * Each has a socket NAME.sock in a folder that is the user's alone:
 * $XDG_RUNTIME_DIR/moat, or /tmp/moat-UID.  Who connects says one line and
 * gets an answer:
 *
 *	info	"PID SECONDS COMMAND"
 *	stop	nothing; the connection ends with the guest
 *	console	the console's text from now on; what is sent is typed
 *
 * A socket that nobody listens at is what a killed process left behind; it is
 * removed when it is noticed.
 */
#ifndef MOAT_VMM_LAUNCH_REGISTRY_H
#define MOAT_VMM_LAUNCH_REGISTRY_H

#include <stddef.h>

struct err;

#define REGISTRY_NAME_MAX 48

/* 1 to REGISTRY_NAME_MAX letters, digits, "-", "_" and "."; not a "." first.
 * Return: 0, or -EINVAL with a sentence. */
int registry_check_name(const char *name, struct err *err);

/*
 * registry_dir - the folder, made if it is missing.
 * @base: $XDG_RUNTIME_DIR; NULL or not absolute: /tmp
 *
 * Return: its path, to be freed; NULL with a sentence, also if it belongs to
 * somebody else or others may look into it.
 */
char *registry_dir(const char *base, struct err *err);

/*
 * registry_add - listen as @name in @dir.
 *
 * Return: the socket; -EADDRINUSE if such a guest runs; -errno; with a
 * sentence.
 */
int registry_add(const char *dir, const char *name, struct err *err);
/* The name is free again. */
void registry_remove(const char *dir, const char *name);

/*
 * registry_control_path - where guest @name's control socket is
 * (vmm/control/server.h), NAME.control in @dir.
 *
 * Return: to be freed; NULL without memory.
 */
char *registry_control_path(const char *dir, const char *name);

/*
 * registry_connect - to guest @name.
 *
 * Return: the socket; -ENOENT if there is none; -errno; with a sentence.
 */
int registry_connect(const char *dir, const char *name, struct err *err);

/*
 * registry_list - the names of those that run, sorted.
 * @ret_names: to be freed with registry_free_names()
 *
 * Return: how many; -errno with a sentence.
 */
int registry_list(const char *dir, char ***ret_names, struct err *err);
void registry_free_names(char **names, int n);

#endif
