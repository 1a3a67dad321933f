/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "core/bits.h"

/* Linux moves at most 2^31 - 4096 bytes in one call anyway. */
static size_t piece(size_t len)
{
	return (size_t)min_u64(len, GIB(1));
}

/* Does [at, at + len) have file offsets at all? */
static int check_offsets(uint64_t at, size_t len)
{
	uint64_t end;

	if (__builtin_add_overflow(at, (uint64_t)len, &end) || end > INT64_MAX)
		return -EOVERFLOW;
	return 0;
}

int fd_pread_full(int fd, void *buf, size_t len, uint64_t at)
{
	uint8_t *p = buf;
	int r = check_offsets(at, len);

	if (r < 0)
		return r;
	while (len > 0) {
		ssize_t n = pread(fd, p, piece(len), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		at += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t at)
{
	const uint8_t *p = buf;
	int r = check_offsets(at, len);

	if (r < 0)
		return r;
	while (len > 0) {
		ssize_t n = pwrite(fd, p, piece(len), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		at += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_write_full(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, piece(len));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void fd_raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

int eventfd_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void eventfd_signal(int fd)
{
	const uint64_t one = 1;
	ssize_t n;

	/* EAGAIN: 2^64 - 2 signals wait already, one more changes nothing. */
	do {
		n = write(fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
}

bool eventfd_clear(int fd)
{
	uint64_t count;
	ssize_t n;

	do {
		n = read(fd, &count, sizeof(count));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(count);
}

static bool is_ready(int fd, short event)
{
	struct pollfd p = {.fd = fd, .events = event};

	return poll(&p, 1, 0) == 1 && p.revents & event;
}

void eventfd_signal_shared(int fd)
{
	if (is_ready(fd, POLLOUT))
		eventfd_signal(fd);
}

bool eventfd_clear_shared(int fd)
{
	uint64_t count;
	const struct iovec iov = {&count, sizeof(count)};
	ssize_t n;

	do {
		n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	} while (n < 0 && errno == EINTR);
	/* Before Linux 5.8 an eventfd knows no such thing. */
	if (n < 0 && errno == EOPNOTSUPP)
		return is_ready(fd, POLLIN) && eventfd_clear(fd);
	return n == (ssize_t)sizeof(count);
}
