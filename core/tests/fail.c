/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/tests/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

static atomic_int left; /* calls until the failing one; 0: none fails */
static atomic_bool failed;

void fail_arm(unsigned n)
{
	atomic_store(&failed, false);
	atomic_store(&left, (int)n);
}

bool fail_disarm(void)
{
	atomic_store(&left, 0);
	return atomic_load(&failed);
}

static bool fails_now(void)
{
	if (atomic_load(&left) <= 0 || atomic_fetch_sub(&left, 1) != 1)
		return false;
	atomic_store(&failed, true);
	errno = ENOMEM;
	return true;
}

/* ld --wrap=f sends calls of f to __wrap_f, and of __real_f to f. */
#define WRAP(type, failure, name, params, args) \
	type __real_##name params;              \
	type __wrap_##name params;              \
	type __wrap_##name params               \
	{                                       \
		if (fails_now())                \
			return failure;         \
		return __real_##name args;      \
	}

/* clang-format off */
WRAP(void *, NULL, malloc, (size_t n), (n))
WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, realloc, (void *p, size_t n), (p, n))
WRAP(void *, NULL, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, NULL, strdup, (const char *s), (s))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, -1, ftruncate, (int fd, off_t len), (fd, len))
WRAP(int, -1, ftruncate64, (int fd, off_t len), (fd, len))
WRAP(int, -1, eventfd, (unsigned v, int flags), (v, flags))
WRAP(int, -1, epoll_create1, (int flags), (flags))
WRAP(int, -1, epoll_ctl, (int fd, int op, int other, void *ev),
     (fd, op, other, ev))
WRAP(int, -1, timerfd_create, (int clock, int flags), (clock, flags))
WRAP(void *, MAP_FAILED, mmap,
     (void *p, size_t n, int prot, int flags, int fd, off_t at),
     (p, n, prot, flags, fd, at))
WRAP(void *, MAP_FAILED, mmap64,
     (void *p, size_t n, int prot, int flags, int fd, off_t at),
     (p, n, prot, flags, fd, at))
WRAP(int, ENOMEM, pthread_create,
     (void *thread, const void *attr, void *(*fn)(void *), void *arg),
     (thread, attr, fn, arg))
/* clang-format on */

/* The variadic ones carry at most one more word. */
#define WRAP_VARIADIC(name, type1, type2)         \
	int __real_##name(type1 a, type2 b, ...); \
	int __wrap_##name(type1 a, type2 b, ...); \
	int __wrap_##name(type1 a, type2 b, ...)  \
	{                                         \
		unsigned long word;               \
		va_list ap;                       \
                                                  \
		va_start(ap, b);                  \
		word = va_arg(ap, unsigned long); \
		va_end(ap);                       \
		if (fails_now())                  \
			return -1;                \
		return __real_##name(a, b, word); \
	}

WRAP_VARIADIC(fcntl, int, int)
WRAP_VARIADIC(fcntl64, int, int)
WRAP_VARIADIC(ioctl, int, unsigned long)
WRAP_VARIADIC(open, const char *, int)
WRAP_VARIADIC(open64, const char *, int)
