/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"

#define BACKLOG 128

int socket_path_check(const char *path, struct err *err)
{
	if (!path[0])
		return err_set(err, EINVAL, "expected something, not nothing");
	if (strlen(path) > SOCKET_PATH_MAX)
		return err_set(err, EINVAL,
			       "a socket's path has at most %zu bytes",
			       SOCKET_PATH_MAX);
	return 0;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strncpy(a.sun_path, path, SOCKET_PATH_MAX);
	return a;
}

static int socket_new(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int socket_connect(const char *path)
{
	const struct sockaddr_un a = address_of(path);
	AUTO_CLOSE int fd = socket_new();

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return take_fd(&fd);
}

/* Take away what an earlier run left.  Return: 0 if nothing is in the way. */
static int clear_stale(const char *path, struct err *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : err_errno(err, errno, "'%.120s': cannot look",
					   path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EEXIST, "'%.120s' exists and is no socket",
			       path);
	fd = socket_connect(path);
	if (fd >= 0)
		close(fd);
	/* Whatever else is wrong with it, somebody may be there. */
	if (fd != -ECONNREFUSED)
		return err_set(err, EADDRINUSE, "'%.120s' is in use", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(err, errno, "'%.120s': cannot replace", path);
	return 0;
}

int socket_server_open(struct socket_server *s, const char *path,
		       struct err *err)
{
	const struct sockaddr_un a = address_of(path);
	AUTO_CLOSE int fd = socket_new();
	struct stat st;
	int r;

	s->fd = -1;
	if (fd < 0)
		return err_errno(err, -fd, "cannot make a socket");
	r = clear_stale(path, err);
	if (r < 0)
		return r;
	/* The file gets the mode that the socket has before. */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return err_errno(err, errno, "'%.120s': cannot make it", path);
	if (listen(fd, BACKLOG) < 0 || lstat(path, &st) < 0) {
		r = err_errno(err, errno, "'%.120s': cannot listen", path);
		(void)unlink(path);
		return r;
	}
	(void)snprintf(s->path, sizeof(s->path), "%s", path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->fd = take_fd(&fd);
	return 0;
}

/* Another run may have put its own there. */
static void remove_file(const struct socket_server *s)
{
	struct stat st;

	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		(void)unlink(s->path);
}

void socket_server_close(struct socket_server *s)
{
	if (s->fd < 0)
		return;
	remove_file(s);
	close(s->fd);
	s->fd = -1;
}

long socket_now_ms(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool socket_wait(int fd, short events, int stop, long until)
{
	struct pollfd p[2] = {
		{.fd = fd, .events = events},
		{.fd = stop, .events = POLLIN},
	};

	for (;;) {
		long left = until - socket_now_ms();
		int n;

		if (left <= 0)
			return false;
		n = poll(p, 2, (int)left);
		if (n > 0)
			return !p[1].revents;
		if (n < 0 && errno != EINTR)
			return false;
	}
}
