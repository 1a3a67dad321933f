/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * socket.h - unix sockets with a name in the file system, and waiting for
 * them with an end.
 */
#ifndef MOAT_CORE_SOCKET_H
#define MOAT_CORE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

struct err;

/* What the name may have: the address keeps a zero byte behind it. */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

/*
 * socket_path_check - nothing but whether a name is one.
 * Return: 0; -EINVAL with a sentence that does not name it.
 */
int socket_path_check(const char *path, struct err *err);

/* One that listens.  @fd does not block; -1: there is none. */
struct socket_server {
	int fd;
	char path[SOCKET_PATH_MAX + 1];
	dev_t dev; /* the file as it was made */
	ino_t ino;
};

/*
 * socket_server_open - a socket of ours at @path, for its owner only (0600).
 * One that nobody listens at is replaced; anything else is left alone.
 * @path: socket_path_check() took it; copied
 *
 * Return: 0; -EADDRINUSE if somebody listens there; -EEXIST if it is no
 * socket; -errno; with a sentence that names @path.
 */
int socket_server_open(struct socket_server *s, const char *path,
		       struct err *err);
/* Takes the file away, too, if it is still ours. */
void socket_server_close(struct socket_server *s);
/* Return: the descriptor, which does not block; -errno without a sentence. */
int socket_connect(const char *path);

/* Milliseconds of a clock that only goes on. */
long socket_now_ms(void);
/*
 * socket_wait - until @fd has one of @events.
 * @stop: readable: do not wait on; -1: nobody stops it
 * @until: of socket_now_ms()
 *
 * Return: false if it was stopped or the time is over.
 */
bool socket_wait(int fd, short events, int stop, long until);

#endif
