/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"

void image_init(struct image *im)
{
	*im = (struct image){.fd = -1};
}

int image_open(struct image *im, const char *path, struct err *err)
{
	/* O_NONBLOCK: opening a pipe must not wait for its other end. */
	AUTO_CLOSE int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	image_init(im);
	if (fd < 0)
		return err_set(err, errno, "%s", strerror(errno));
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "%s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return err_set(err, EISDIR, "is a directory");
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "is no regular file");
	im->fd = take_fd(&fd);
	im->size = (uint64_t)st.st_size;
	return 0;
}

int image_alloc(struct image *im, uint64_t capacity)
{
	void *mapping;

	image_init(im);
	if (capacity == 0 || capacity > SIZE_MAX)
		return -ENOMEM;
	mapping = mmap(NULL, capacity, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapping == MAP_FAILED)
		return -ENOMEM;
	im->mapping = mapping;
	im->capacity = capacity;
	return 0;
}

void image_close(struct image *im)
{
	if (im->fd >= 0)
		close(im->fd);
	if (im->mapping)
		munmap(im->mapping, im->capacity);
	image_init(im);
}

static bool image_has(const struct image *im, uint64_t at, uint64_t len)
{
	return at <= im->size && len <= im->size - at;
}

int image_read(const struct image *im, uint64_t at, void *dst, size_t len)
{
	if (!image_has(im, at, len))
		return -ENODATA;
	if (im->mapping) {
		memcpy(dst, im->mapping + at, len);
		return 0;
	}
	return fd_pread_full(im->fd, dst, len, im->base + at);
}

/* One system call's worth; returns the bytes that arrived. */
static ssize_t read_some(const struct image *im, uint64_t at, uint64_t len,
			 const struct gmem *mem, gpa_t to)
{
	struct iovec iov[GMEM_SLOTS_MAX];
	ssize_t got;
	int n;

	n = gmem_iov(mem, to, min_u64(len, MIB(512)), iov, GMEM_SLOTS_MAX);
	if (n < 0)
		return n;
	do
		got = preadv(im->fd, iov, n, (off_t)(im->base + at));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return got > 0 ? got : -ENODATA;
}

int image_to_guest(const struct image *im, uint64_t at, uint64_t len,
		   struct gmem *mem, gpa_t to)
{
	if (!image_has(im, at, len))
		return -ENODATA;
	if (!gmem_has(mem, to, len))
		return -EFAULT;
	if (im->mapping)
		return gmem_write(mem, to, im->mapping + at, len);
	while (len > 0) {
		ssize_t got = read_some(im, at, len, mem, to);

		if (got < 0)
			return (int)got;
		at += (uint64_t)got;
		to += (uint64_t)got;
		len -= (uint64_t)got;
	}
	return 0;
}
