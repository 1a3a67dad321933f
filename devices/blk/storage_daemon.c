/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/blk/storage_daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/fd.h"
#include "devices/vhost_user/dial.h"

/* CHILD_FD is a word of the command line. */
#define TEXT(x)	 TEXT_(x)
#define TEXT_(x) #x

/* @path where a comma ends a value: doubled, it does not. */
static char *escape(const char *path)
{
	char *text = malloc(2 * strlen(path) + 1);
	char *to = text;

	for (; text && *path; path++) {
		if (*path == ',')
			*to++ = ',';
		*to++ = *path;
	}
	if (text)
		*to = '\0';
	return text;
}

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

/*
 * Without no-flush, and with its usual write-back cache: a write is done when
 * the host has it, a flush when the disk has it.
 */
static int start(struct child *c, const char *program,
		 const struct storage_daemon_config *config, int listener,
		 struct err *err)
{
	AUTO_FREE char *path = escape(config->path);
	AUTO_FREE char *file = NULL;
	AUTO_FREE char *image = NULL;
	AUTO_FREE char *export = NULL;
	const char *const ro = on_off(config->readonly);
	const char *const direct = on_off(config->direct);

	if (!path ||
	    asprintf(&file,
		     "driver=file,node-name=file,filename=%s,read-only=%s,"
		     "cache.direct=%s,discard=unmap",
		     path, ro, direct) < 0 ||
	    asprintf(&image,
		     "driver=%s,node-name=image,file=file,read-only=%s,"
		     "cache.direct=%s,discard=unmap",
		     config->format, ro, direct) < 0 ||
	    asprintf(&export,
		     "type=vhost-user-blk,id=export,node-name=image,"
		     "addr.type=fd,addr.str=" TEXT(
			     CHILD_FD) ","
				       "writable=%s,num-queues=%u",
		     on_off(!config->readonly), config->queues) < 0)
		return err_set(err, ENOMEM, "out of memory");

	const char *const argv[] = {
		program, "--blockdev", file,   "--blockdev",
		image,	 "--export",   export, NULL,
	};
	const struct child_config child = {
		.argv = argv,
		.pass_fd = listener,
		.flags = CHILD_NO_NETWORK,
	};

	return child_start(c, &child, err);
}

int storage_daemon_start(struct child *c,
			 const struct storage_daemon_config *config,
			 int *ret_fd, struct err *err)
{
	AUTO_FREE char *found = config->program
					? strdup(config->program)
					: child_find("qemu-storage-daemon");
	AUTO_CLOSE int listener = -1;
	AUTO_CLOSE int fd = -1;
	int r;

	if (!found)
		return err_set(err, ENOENT,
			       "there is no 'qemu-storage-daemon' to serve "
			       "format=%s (Debian has it in "
			       "qemu-system-common)",
			       config->format);
	r = vhu_dial_pair(&listener, &fd, err);
	if (r == 0)
		r = start(c, found, config, listener, err);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

void storage_daemon_explain(struct child *c, char *text, size_t size)
{
	char *colon, *last = NULL;

	child_explain(c, text, size);
	colon = strstr(text, ": ");
	for (char *p = colon; p; p = strstr(p + 1, ": "))
		last = p;
	if (last)
		memmove(colon, last, strlen(last) + 1);
}
