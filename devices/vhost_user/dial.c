/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/vhost_user/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"

int vhu_dial(const char *path, int *ret_fd, struct err *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const struct sockaddr *addr = (const struct sockaddr *)&a;
	AUTO_CLOSE int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(err, ENAMETOOLONG,
			       "'%s': the name of a socket has less than %zu "
			       "bytes",
			       path, sizeof(a.sun_path));
	memcpy(a.sun_path, path, strlen(path));
	/* Where others are waiting already one would wait, too. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, addr, sizeof(a)) < 0)
		return err_errno(err, errno, "'%s'", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int listen_and_connect(const struct sockaddr_un *a, int *ret_listener,
			      int *ret_fd)
{
	const struct sockaddr *addr = (const struct sockaddr *)a;
	AUTO_CLOSE int listener =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || fd < 0 || bind(listener, addr, sizeof(*a)) < 0)
		return -errno;
	if (listen(listener, 1) < 0 || connect(fd, addr, sizeof(*a)) < 0) {
		int r = -errno;

		(void)unlink(a->sun_path);
		return r;
	}
	(void)unlink(a->sun_path);
	*ret_listener = take_fd(&listener);
	*ret_fd = take_fd(&fd);
	return 0;
}

int vhu_dial_pair(int *ret_listener, int *ret_fd, struct err *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *tmp = getenv("TMPDIR");
	char dir[sizeof(a.sun_path) - 8];
	int r;

	/* A name of a socket is short. */
	if (!tmp || tmp[0] != '/' || strlen(tmp) > sizeof(dir) - 16)
		tmp = "/tmp";
	snprintf(dir, sizeof(dir), "%s/moat-XXXXXX", tmp);
	if (!mkdtemp(dir))
		return err_errno(err, errno, "cannot make a folder in '%s'",
				 tmp);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	r = listen_and_connect(&a, ret_listener, ret_fd);
	(void)rmdir(dir);
	return r < 0 ? err_errno(err, -r, "cannot make a socket in '%s'", dir)
		     : 0;
}
