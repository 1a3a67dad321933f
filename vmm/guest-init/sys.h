/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * sys.h - system calls without a C library, x86_64.
 *
 * Return of all: as the kernel's, -errno on failure.
 */
#ifndef MOAT_VMM_GUEST_INIT_SYS_H
#define MOAT_VMM_GUEST_INIT_SYS_H

#include <asm/unistd.h>

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* Arguments of any type, as the kernel takes them. */
#define SYS0(nr)	  sys6(nr, 0, 0, 0, 0, 0, 0)
#define SYS1(nr, a)	  sys6(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(nr, a, b)	  sys6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(nr, a, b, c) sys6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(nr, a, b, c, d) \
	sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(nr, a, b, c, d, e) \
	sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

#define AT_CWD (-100)

static inline long sys_open(const char *path, int flags)
{
	return SYS4(__NR_openat, AT_CWD, path, flags, 0);
}

static inline long sys_read(int fd, void *buf, unsigned long len)
{
	return SYS3(__NR_read, fd, buf, len);
}

static inline long sys_write(int fd, const void *buf, unsigned long len)
{
	return SYS3(__NR_write, fd, buf, len);
}

static inline void sys_close(int fd)
{
	(void)SYS1(__NR_close, fd);
}

static inline long sys_mkdir(const char *path, int mode)
{
	return SYS2(__NR_mkdir, path, mode);
}

static inline long sys_mount(const char *what, const char *where,
			     const char *type, unsigned long flags,
			     const char *options)
{
	return SYS5(__NR_mount, what, where, type, flags, options);
}

static inline long sys_ioctl(int fd, unsigned long request, const void *arg)
{
	return SYS3(__NR_ioctl, fd, request, arg);
}

static inline unsigned long sys_now_ms(void)
{
	long t[2] = {0, 0};

	(void)SYS2(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, t);
	return (unsigned long)(t[0] * 1000 + t[1] / 1000000);
}

static inline void sys_sleep_ms(long ms)
{
	const long t[2] = {ms / 1000, ms % 1000 * 1000000};

	(void)SYS2(__NR_nanosleep, t, 0);
}

__attribute__((noreturn)) static inline void sys_exit(int status)
{
	for (;;)
		(void)SYS1(__NR_exit_group, status);
}

#endif
