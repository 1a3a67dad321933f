/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fd.h - file descriptors and heap blocks that clean up after themselves.
 *
 *	AUTO_CLOSE int fd = open(...);
 *	AUTO_FREE char *p = strdup(...);
 *	...
 *	x->fd = take_fd(&fd);		keep it past the scope
 */
#ifndef MOAT_CORE_FD_H
#define MOAT_CORE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static inline void auto_close_fn(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* @p points at a pointer of some type, hence the copy: a void ** would be an
 * alias the compiler may ignore. */
static inline void auto_free_fn(void *p)
{
	void *block;

	memcpy(&block, p, sizeof(block));
	free(block);
}

#define AUTO_CLOSE __attribute__((cleanup(auto_close_fn)))
#define AUTO_FREE  __attribute__((cleanup(auto_free_fn)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* @p: address of a pointer, which becomes NULL.  Return: what it was. */
static inline void *take_ptr(void *p)
{
	void *const none = NULL;
	void *taken;

	memcpy(&taken, p, sizeof(taken));
	memcpy(p, &none, sizeof(none));
	return taken;
}

/*
 * fd_pread_full, fd_pwrite_full, fd_write_full - move all of @len bytes.
 *
 * EINTR and short transfers are gone on with.
 *
 * Return: 0; -ENODATA if the file ended first; -EOVERFLOW if the range has no
 * file offsets; else -errno.
 */
int fd_pread_full(int fd, void *buf, size_t len, uint64_t at);
int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t at);
int fd_write_full(int fd, const void *buf, size_t len);

/*
 * fd_raise_limit - let this process open as many files as its hard limit says.
 *
 * The soft limit is for select(), which nobody here uses.  May be called
 * between fork() and exec.
 */
void fd_raise_limit(void);

/*
 * eventfd_new - a non-blocking eventfd, at 0.
 *
 * Return: the descriptor, or -errno.
 */
int eventfd_new(void);

/*
 * eventfd_signal - add one; never blocks.
 * eventfd_clear - take all; false if there was none.
 * @fd: from eventfd_new()
 */
void eventfd_signal(int fd);
bool eventfd_clear(int fd);

/*
 * The same of one that another process has, too.  It may take O_NONBLOCK away,
 * which belongs to the open file: we look first, and do not wait for it.  One
 * that fills it just between our look and the write still can hold us up.
 */
void eventfd_signal_shared(int fd);
bool eventfd_clear_shared(int fd);

#endif
