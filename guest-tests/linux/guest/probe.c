/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * probe - what busybox cannot do for a test guest.
 *
 *	probe zeroes DEVICE OFFSET LENGTH	BLKZEROOUT
 *	probe above4g DEVICE			read it all into pages above
 *						4 GiB, write what was read
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER_SIZE	  (1u << 20)
#define PAGE_SIZE	  4096u
#define PAGEMAP_PRESENT	  (UINT64_C(1) << 63)
#define PAGEMAP_PFN_MASK  ((UINT64_C(1) << 55) - 1)
#define FOUR_GIB_IN_PAGES (UINT64_C(1) << 20)

static int fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	return 1;
}

static int zeroes(const char *device, const char *offset, const char *length)
{
	const uint64_t range[2] = {strtoull(offset, NULL, 0),
				   strtoull(length, NULL, 0)};
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail(device);
	if (ioctl(fd, BLKZEROOUT, range) < 0)
		return fail("BLKZEROOUT");
	return 0;
}

/* Documentation/admin-guide/mm/pagemap.rst */
static bool is_above_4g(const unsigned char *page)
{
	const off_t at = (off_t)((uintptr_t)page / PAGE_SIZE * 8);
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
		entry = 0;
	close(fd);
	return (entry & PAGEMAP_PRESENT) &&
	       (entry & PAGEMAP_PFN_MASK) >= FOUR_GIB_IN_PAGES;
}

static int above4g(const char *device)
{
	unsigned char *buf =
		mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	ssize_t n;

	if (buf == MAP_FAILED || fd < 0)
		return fail(device);
	for (size_t at = 0; at < BUFFER_SIZE; at += PAGE_SIZE) {
		if (!is_above_4g(buf + at)) {
			fprintf(stderr, "probe: a page is below 4 GiB\n");
			return 1;
		}
	}
	while ((n = read(fd, buf, BUFFER_SIZE)) > 0) {
		if (write(STDOUT_FILENO, buf, (size_t)n) != n)
			return fail("standard output");
	}
	return n < 0 ? fail("read") : 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "zeroes") == 0)
		return zeroes(argv[2], argv[3], argv[4]);
	if (argc == 3 && strcmp(argv[1], "above4g") == 0)
		return above4g(argv[2]);
	fprintf(stderr, "usage: probe zeroes DEVICE OFFSET LENGTH\n"
			"       probe above4g DEVICE\n");
	return 2;
}
