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

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static inline void auto_close_fn(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void auto_free_fn(void *p)
{
	free(*(void **)p);
}

#define AUTO_CLOSE __attribute__((cleanup(auto_close_fn)))
#define AUTO_FREE  __attribute__((cleanup(auto_free_fn)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *take_ptr_fn(void **p)
{
	void *taken = *p;

	*p = NULL;
	return taken;
}

#define take_ptr(p) take_ptr_fn((void **)(p))

/*
 * fd_pread_full, fd_pwrite_full, fd_write_full - move all of @len bytes.
 *
 * EINTR and short transfers are gone on with.
 *
 * Return: 0; -ENODATA if the file ended first; else -errno.
 */
int fd_pread_full(int fd, void *buf, size_t len, uint64_t at);
int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t at);
int fd_write_full(int fd, const void *buf, size_t len);

/*
 * eventfd_signal - add one; never blocks.
 * eventfd_clear - take all; false if there was none.
 */
void eventfd_signal(int fd);
int eventfd_clear(int fd);

#endif
